from __future__ import annotations

import copy
import pickle

import pytest
from redis import exceptions

from kombu.exceptions import ChannelError, RecoverableConnectionError
from kombu.transport.redis.errors import ServerLost, ServerRefused, is_lost, refused

PASSING = [
    exceptions.ReadOnlyError("You can't write against a read only replica."),
    exceptions.BusyLoadingError("Redis is loading the dataset in memory"),
    exceptions.ClusterDownError("The cluster is down"),
    exceptions.MasterDownError("Link with MASTER is down"),
    exceptions.TryAgainError("Multiple keys request during rehashing of slot"),
    exceptions.ConnectionError("lost"),
    exceptions.ResponseError("UNBLOCKED force unblock from blocking operation"),
    exceptions.ResponseError("BUSY Redis is busy running a script."),
    exceptions.ResponseError("MISCONF Redis is configured to save RDB snapshots"),
    exceptions.ResponseError("NOREPLICAS Not enough good replicas to write."),
    # As servers of version 6 pass it on from within a script.
    exceptions.ResponseError(
        "Error running script (call to f_1): @user_script:3: @user_script: 3: "
        "-READONLY You can't write against a read only replica."
    ),
    exceptions.ResponseError(
        "Error running script (call to f_1): @user_script:3: @user_script: 3: "
        "-MISCONF Redis is configured to save RDB snapshots"
    ),
]

REFUSALS = [
    exceptions.ResponseError("WRONGTYPE Operation against a key"),
    exceptions.NoPermissionError("this user has no permissions"),
    exceptions.ResponseError("OOM command not allowed when used memory > 'maxmemory'."),
    exceptions.ResponseError("no word of BUSY or READONLY at its beginning"),
]


@pytest.mark.parametrize("reply", PASSING, ids=str)
def test_another_try_may_help(reply):
    assert is_lost(reply)
    assert isinstance(refused(reply, "Redis at home", "put"), ServerLost)


@pytest.mark.parametrize("reply", REFUSALS, ids=str)
def test_another_try_does_not_help(reply):
    assert not is_lost(reply)
    error = refused(reply, "Redis at home", "put")
    assert isinstance(error, ServerRefused)
    assert str(error) == f"Redis at home refuses put: {reply}"


def test_are_errors_of_the_library_and_of_the_driver():
    assert isinstance(ServerLost("x"), RecoverableConnectionError)
    assert isinstance(ServerLost("x"), exceptions.ConnectionError)
    assert isinstance(ServerRefused("x"), ChannelError)
    assert isinstance(ServerRefused("x"), exceptions.ResponseError)


@pytest.mark.parametrize("kind", [ServerLost, ServerRefused])
def test_are_copied_and_pickled(kind):
    error = kind("it is away")

    for other in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert type(other) is kind
        assert (str(other), repr(other)) == (str(error), repr(error))
