"""One worker of each kind, and all that a client can want of it."""

from __future__ import annotations

import pytest

from t.integration.celery.conftest import settings_for
from t.integration.celery.running import Site

#: Brokers and pools; those that CI leaves out are marked.
PLACES = {
    "redis-prefork": (),
    "redis-threads": (),
    "redis-solo": (pytest.mark.thorough,),
    "redis-gevent": (),
    "redis-eventlet": (pytest.mark.thorough,),
    "amqp-prefork": (),
    "amqp-threads": (pytest.mark.thorough,),
    "amqp-solo": (pytest.mark.thorough,),
    "amqp-gevent": (pytest.mark.thorough,),
    "amqp-eventlet": (pytest.mark.thorough,),
    "sqlite-prefork": (),
    "sqlite-threads": (pytest.mark.thorough,),
    "sqlite-solo": (pytest.mark.thorough,),
    "sqlite-gevent": (pytest.mark.thorough,),
    "sqlite-eventlet": (pytest.mark.thorough,),
    "filesystem-prefork": (),
    "filesystem-threads": (pytest.mark.thorough,),
    "filesystem-solo": (pytest.mark.thorough,),
    "filesystem-gevent": (pytest.mark.thorough,),
    "filesystem-eventlet": (pytest.mark.thorough,),
    "memory-threads": (),
    "memory-solo": (pytest.mark.thorough,),
    "postgresql-prefork": (pytest.mark.thorough,),
    "postgresql-threads": (pytest.mark.thorough,),
    "postgresql-solo": (pytest.mark.thorough,),
    "postgresql-gevent": (pytest.mark.thorough,),
    "postgresql-eventlet": (pytest.mark.thorough,),
    "sentinel-prefork": (pytest.mark.thorough,),
    "sentinel-threads": (pytest.mark.thorough,),
    "sentinel-solo": (pytest.mark.thorough,),
    "sentinel-gevent": (pytest.mark.thorough,),
    "sentinel-eventlet": (pytest.mark.thorough,),
}

EVERYWHERE = (
    *("results", "failures", "groups", "chains", "chords", "links", "replacing"),
    *("retries", "results_by_rpc", "countdown", "expiry"),
    *("serializers", "compression", "protocol_1", "topics"),
    *("ping", "rate_limits", "consumers_come_and_go", "revoking", "events"),
    *("priorities", "failures_left"),
)

BY_SQL = ("sqlite", "postgresql")

#: What asks a worker that is busy: one with a single thread could not answer.
ASIDE = ("inspecting",)

#: What needs processes to kill, and late acknowledgements.
OF_PROCESSES = ("terminating", "children_that_die", "time_limits")


def names_for(kind, pool):
    # Celery itself sends no events by SQL.
    yield from (e for e in EVERYWHERE if e != "events" or kind not in BY_SQL)
    if pool != "solo":
        yield from ASIDE
    if pool == "prefork":
        yield from OF_PROCESSES


def plays():
    for place, marks in PLACES.items():
        group = pytest.mark.xdist_group(place)
        for name in names_for(*place.split("-")):
            yield pytest.param(place, name, marks=(*marks, group), id=f"{place}-{name}")


def arguments(place, name):
    """Return what the scenario has to be told about this place."""
    if name != "priorities":
        return {}
    # Redis has it the other way round, as Celery's documentation says.
    is_reversed = place.startswith(("redis", "sentinel"))
    return {"first": 0, "last": 9} if is_reversed else {"first": 9, "last": 0}


class Places:
    """The place that was asked for last: a worker and a client on a broker."""

    def __init__(self, request, make_folder):
        self._request = request
        self._make_folder = make_folder
        self._name = None
        self._site = None

    def client_at(self, name):
        """Return a client beside a worker: those of the last test, if of this place."""
        if name != self._name:
            self.close()
            self._open(name)
        return self._client

    def _open(self, name):
        kind, pool = name.split("-")
        folder = self._make_folder(name)
        self._site = Site(folder, settings_for(kind, folder, self._request))
        if kind == "memory":
            self._client = self._site.client(embedded=pool)
        else:
            self._site.worker(pool=pool)
            self._client = self._site.client()
        self._name = name

    def close(self):
        self._name = None
        if self._site is not None:
            self._site.close()


@pytest.fixture(scope="module")
def places(request, tmp_path_factory):
    places = Places(request, tmp_path_factory.mktemp)
    yield places
    places.close()


@pytest.mark.parametrize(("place", "name"), [*plays()])
def test_feature(places, place, name):
    client = places.client_at(place)

    assert client.play(name, **arguments(place, name)) is None
