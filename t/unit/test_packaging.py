"""The distribution's metadata: version, requirements, extras."""

from __future__ import annotations

import configparser
import re
import runpy

import pytest

import kombu
from t.snippets import ROOT

SETUP = runpy.run_path(str(ROOT / "setup.py"), run_name="setup")

# The extras that kombu 5.7 had: installing by them still brings the driver.
FORMER_EXTRAS = {
    "azureservicebus": "azure-servicebus",
    "azurestoragequeues": "azure-storage-queue",
    "confluentkafka": "confluent-kafka",
    "consul": "py-consul",
    "gcpubsub": "google-cloud-pubsub",
    "librabbitmq": "librabbitmq",
    "mongodb": "pymongo",
    "msgpack": "msgpack",
    "pgmq": "psycopg",
    "pyro": "pyro4",
    "qpid": "python-qpid-proton",
    "redis": "redis",
    "slmq": "requests",
    "sqlalchemy": "sqlalchemy",
    "sqs": "boto3",
    "yaml": "pyyaml",
    "zookeeper": "kazoo",
}


def names(requirements):
    return {re.match(r"[\w.-]+", line)[0].lower() for line in requirements}


def test_version_is_that_of_the_package():
    assert SETUP["version"]() == kombu.__version__


def test_only_two_packages_are_required():
    required = SETUP["requirements"](ROOT / "requirements" / "default.txt")

    assert names(required) == {"amqp", "vine"}


@pytest.mark.parametrize("extra", sorted(FORMER_EXTRAS))
def test_former_extra_brings_its_driver(extra):
    assert FORMER_EXTRAS[extra] in names(SETUP["extras"]()[extra])


def test_no_driver_has_an_upper_limit():
    lines = [line for lines in SETUP["extras"]().values() for line in lines]

    assert not [line for line in lines if re.search(r"[<~]|==", line.split(";")[0])]


def test_all_leaves_out_what_would_change_other_behaviour():
    extras = SETUP["extras"]()

    assert names(extras["redis"]) <= names(extras["all"])
    assert not names(extras["all"]) & {"gevent", "eventlet", "librabbitmq"}


def test_nested_requirements_are_followed():
    assert "msgpack" in names(SETUP["extras"]()["test"])


def test_python_versions_agree():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")

    assert config["options"]["python_requires"] == ">=3.10"
    assert "Programming Language :: Python :: 3.10" in config["metadata"]["classifiers"]
