from __future__ import annotations

import pytest

from kombu.transport.redis.bell_wait import SHORTEST_WAIT, BellWait
from kombu.transport.redis.errors import ServerLost
from kombu.transport.redis.keys import Keys
from kombu.transport.redis.options import LONGEST_WAIT
from kombu.utils import waiting
from t.unit.transport.redis.server import commands_in


@pytest.fixture
def wait(redis, keys):
    return BellWait(redis, keys, "me")


def words(data):
    (found,) = commands_in(data)
    return [word.decode() for word in found]


class test_command:
    def test_names_the_bells_and_what_ends_it(self, wait):
        assert words(wait.command(("a", "b"), 1.23456)) == [
            "BLPOP",
            "_kombu.bell.a",
            "_kombu.bell.b",
            "_kombu.wake.me",
            "1.235",
        ]
        assert repr(wait) == "<BellWait: _kombu.wake.me>"

    def test_keys_may_have_a_prefix(self, redis):
        wait = BellWait(redis, Keys("app-"), "me")

        assert words(wait.command(("a",), 2.0))[1:3] == [
            "app-_kombu.bell.a",
            "app-_kombu.wake.me",
        ]

    def test_the_same_again_is_not_made_again(self, wait):
        first = wait.command(("a",), 2.0)

        assert wait.command(("a",), 2.0) is first

    @pytest.mark.parametrize("queues, seconds", [(("b",), 2.0), (("a",), 1.0)])
    def test_another_is_another(self, wait, queues, seconds):
        first = wait.command(("a",), 2.0)

        assert words(wait.command(queues, seconds)) != words(first)
        assert wait.command(("a",), 2.0) == first


class test_calling_off:
    def test_ends_the_wait(self, wait, server):
        wait.call_off()

        assert list(server.lists["_kombu.wake.me"]) == [b"1"]
        # It is not left for ever, if there was no wait.
        assert [call.keys for call in server.named("EXPIRE")] == [["_kombu.wake.me"]]

    def test_is_told_from_a_bell(self, wait):
        assert wait.was_called_off(b"_kombu.wake.me")
        assert not wait.was_called_off(b"_kombu.bell.a")

    def test_server_that_is_away(self, wait, server):
        server.is_gone = True

        with pytest.raises(ServerLost):
            wait.call_off()


class test_hurry:
    def test_is_none_at_first(self, wait):
        assert not wait.is_hurried
        assert wait.seconds == LONGEST_WAIT

    def test_makes_waits_short_for_a_while(self, wait, clock):
        wait.hurry()

        assert wait.is_hurried
        assert wait.seconds == SHORTEST_WAIT
        waiting.sleep(29)
        assert wait.is_hurried
        waiting.sleep(1)
        assert not wait.is_hurried
        assert wait.seconds == LONGEST_WAIT

    def test_begins_anew_with_each_sign(self, wait, clock):
        wait.hurry()
        waiting.sleep(29)

        wait.hurry()

        waiting.sleep(29)
        assert wait.is_hurried
