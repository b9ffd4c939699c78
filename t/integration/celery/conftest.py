"""Brokers for Celery, and a worker with a client on each."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from kombu.testing import FaultProxy
from t.brokers.fixtures import postgresql, rabbitmq, redis_sentinel, redis_server
from t.integration.celery.running import Site

__all__ = ("postgresql", "rabbitmq", "redis_sentinel", "redis_server")

#: Seconds after which a message whose worker is gone is given to another.
LEASE = 5


def pytest_configure(config):
    config.addinivalue_line("markers", "thorough: only by `make celery`, not by CI")


def settings_for(kind, folder, request):
    """Return the settings of Celery for a broker of this kind, new and empty."""
    results = f"db+sqlite:///{folder / 'results.db'}"
    if kind == "redis":
        server = request.getfixturevalue("redis_server")
        return {
            "broker_url": server.new_database(),
            "result_backend": server.new_database(),
            "broker_transport_options": {"visibility_timeout": LEASE},
        }
    if kind == "sentinel":
        server = request.getfixturevalue("redis_sentinel")
        options = {"visibility_timeout": LEASE, **server.options}
        number = server.new_database().rpartition("/")[2]
        return {
            "broker_url": f"{server.url}/{number}",
            "result_backend": results,
            "broker_transport_options": options,
        }
    if kind == "amqp":
        server = request.getfixturevalue("rabbitmq")
        return {"broker_url": server.new_vhost(), "result_backend": results}
    options = {"visibility_timeout": LEASE}
    if kind == "filesystem":
        (folder / "data").mkdir()
        (folder / "control").mkdir()
        options |= {f"data_folder_{way}": str(folder / "data") for way in ("in", "out")}
        options["control_folder"] = str(folder / "control")
        url = "filesystem://"
    elif kind == "sqlite":
        url = f"sqla+sqlite:///{folder / 'broker.db'}"
    elif kind == "postgresql":
        url = f"sqla+{request.getfixturevalue('postgresql').new_database()}"
    else:
        url, options = "memory://celery", {}
    return {
        "broker_url": url,
        "result_backend": results,
        "broker_transport_options": options,
    }


@pytest.fixture
def site_of(request, tmp_path, proxied):
    """Makes a site with a broker of a kind: ``site_of("redis")``.

    It is closed before the proxies are: workers say goodbye by them.
    """
    made = []

    def make(kind, **settings):
        folder = tmp_path / f"site-{len(made)}"
        folder.mkdir()
        made.append(Site(folder, {**settings_for(kind, folder, request), **settings}))
        return made[-1]

    yield make
    for site in made:
        site.close()


@pytest.fixture
def proxied():
    """Makes a proxy in front of a site's broker: ``proxied(site)``."""
    proxies = []

    def make(site):
        url = site.settings["broker_url"]
        parts = urlsplit(url)
        proxy = FaultProxy(parts.hostname, parts.port, patience=30.0)
        proxies.append(proxy)
        proxy.start()
        return proxy, proxy.url_for(url)

    yield make
    for proxy in proxies:
        proxy.stop()
