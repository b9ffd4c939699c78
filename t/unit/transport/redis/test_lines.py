from __future__ import annotations

import os
import threading
from collections import deque

import pytest
from redis import exceptions

from kombu.exceptions import ConnectionLimitExceeded
from kombu.transport.redis import lines as module
from kombu.transport.redis.errors import ServerLost
from kombu.transport.redis.lines import Lines, Quota
from kombu.transport.redis.resp import command, part

TIME = command(part("TIME"))
PING = command(part("PING"))


def push(number):
    return command(part("LPUSH", "l", str(number)))


@pytest.fixture
def quota():
    return Quota(2)


@pytest.fixture
def lines(make_link, quota):
    return Lines(make_link, quota)


class test_quota:
    def test_is_taken_and_given(self):
        quota = Quota(1)

        assert quota.take()
        assert not quota.take()
        quota.give()
        assert quota.take()
        assert repr(quota) == "<Quota: 1 of 1 used>"

    def test_is_never_below_nothing(self):
        quota = Quota(1)

        quota.give(5)

        assert quota.used == 0


class test_exchange:
    def test_one_connection_serves_one_thread(self, lines, server, quota):
        for _ in range(5):
            lines.exchange(PING, 1, True)

        assert len(server.connections) == 1
        assert quota.used == 1

    def test_threads_have_their_own(self, lines, server):
        go = threading.Event()
        server.answers["TIME"].append(lambda call: inner())

        def inner():
            # While the first one is on its way, another thread asks.
            thread = threading.Thread(target=lambda: lines.exchange(PING, 1, True))
            server.lock = threading.RLock()
            thread.start()
            thread.join(10)
            go.set()
            return b"x"

        assert lines.exchange(TIME, 1, True) == [b"x"]

        assert go.is_set()
        assert len(server.connections) == 2

    def test_thread_waits_for_a_free_one(self, server, make_link):
        lines = Lines(make_link, Quota(1))
        link = lines._take()
        found = []
        thread = threading.Thread(
            target=lambda: found.extend(lines.exchange(PING, 1, True))
        )
        thread.start()
        lines._made = 2  # others are told
        lines._give(link)
        thread.join(10)

        assert found
        assert len(server.connections) == 1

    def test_too_many_is_told_with_the_remedy(self, make_link, monkeypatch):
        monkeypatch.setattr(module, "_PATIENCE", 0)
        lines = Lines(make_link, Quota(0))

        with pytest.raises(ConnectionLimitExceeded, match="max_connections"):
            lines.exchange(PING, 1, True)


class test_loss:
    def test_repeatable_is_tried_again(self, lines, server):
        lines.exchange(PING, 1, True)
        server.lose_all()

        assert lines.exchange(PING, 1, True)

    def test_what_may_have_been_done_is_not(self, lines, server):
        lines.exchange(PING, 1, True)
        server.answers["LPUSH"].append(exceptions.ConnectionError("cut"))

        with pytest.raises(ServerLost):
            lines.exchange(push(1), 1, False)

        assert len(server.named("LPUSH")) == 1

    def test_what_was_not_even_sent_is(self, lines, server, clock):
        lines.exchange(PING, 1, True)
        server.lose_all()
        clock.now += 5

        assert lines.exchange(push(1), 1, False) == [1]

    def test_server_that_is_away_is_tried_once(self, lines, server):
        server.is_gone = True

        with pytest.raises(ServerLost):
            lines.exchange(PING, 1, True)

        assert len(server.connections) == 1

    def test_those_that_wait_are_dropped_too(self, lines, server, quota):
        first, second = lines._take(), lines._take()
        for link in (first, second):
            link.exchange(PING, 1)
            lines._give(link)
        server.lose_all()

        lines.exchange(PING, 1, True)

        assert quota.used == 1

    def test_server_with_another_role_is_left(self, lines, server):
        lines.exchange(PING, 1, True)
        error = exceptions.ReadOnlyError("You can't write")
        server.answers["LPUSH"].append(error)

        assert lines.exchange(push(1), 1, False) == [error]

        assert not server.connections[0].is_open
        assert lines.exchange(push(1), 1, False) == [1]

    def test_interruption_leaves_no_reply_behind(self, lines, server):
        # Given one that is interrupted between sending and reading
        def interrupt(call):
            raise KeyboardInterrupt

        server.answers["TIME"].append(interrupt)
        with pytest.raises(KeyboardInterrupt):
            lines.exchange(PING + TIME, 2, True)

        # When something else is asked
        reply = lines.exchange(push(1), 1, False)

        # Then it gets its own reply
        assert reply == [1]


class test_posting:
    def test_is_sent_in_front_of_the_next_commands(self, lines, server):
        lines.post(push(1), 1)
        assert not server.calls

        assert lines.exchange(PING, 1, True) == [[b"pong", b""]]

        assert server.names() == ["LPUSH", "PING"]

    def test_flush_sends_it_and_its_reply_is_read_later(self, lines, server):
        lines.post(push(1), 1)
        lines.post(push(2), 1)

        lines.flush()

        assert list(server.lists["l"]) == [b"2", b"1"]
        assert lines.exchange(PING, 1, True) == [[b"pong", b""]]

    def test_flush_of_nothing_opens_no_connection(self, lines, server):
        lines.flush()

        assert not server.connections

    def test_what_another_thread_has_taken_is_not_sent_twice(self, lines, server):
        # Given one that takes what was posted while another one is at it
        class Raced(deque):
            def popleft(self):
                self.clear()
                return super().popleft()

        lines._unposted = Raced([(push(1), 1)])

        lines.flush()

        assert not server.named("LPUSH")

    def test_is_sent_again_after_a_loss(self, lines, server):
        lines.exchange(PING, 1, True)
        lines.post(push(1), 1)
        lines.post(push(2), 1)
        server.lists.clear()  # it had not been carried out
        server.lose_all()

        lines.exchange(PING, 1, True)
        lines.exchange(PING, 1, True)

        assert list(server.lists["l"]) == [b"2", b"1"]

    def test_loss_while_it_is_flushed(self, lines, server):
        lines.exchange(PING, 1, True)
        server.lose_all()
        lines.post(push(1), 1)

        lines.flush()

        assert list(server.lists["l"]) == [b"1"]

    def test_loss_while_it_is_flushed_concerns_those_that_wait(
        self, lines, server, quota
    ):
        links = [lines._take(), lines._take()]
        for link in links:
            link.exchange(PING, 1)
            lines._give(link)
        server.lose_all()
        lines.post(push(1), 1)

        lines.flush()

        assert quota.used == 1

    def test_server_that_is_away(self, lines, server):
        server.is_gone = True
        lines.post(push(1), 1)

        with pytest.raises(ServerLost):
            lines.flush()

        server.is_gone = False
        assert lines.exchange(PING, 1, True) == [[b"pong", b""]]
        assert list(server.lists["l"]) == [b"1"]

    def test_server_that_goes_away(self, lines, server):
        # Given a connection that has worked, and a server that is away since
        lines.exchange(PING, 1, True)
        server.is_gone = True
        lines.post(push(1), 1)
        with pytest.raises(ServerLost):
            lines.flush()

        # When it is back
        server.is_gone = False
        reply = lines.exchange(PING, 1, True)

        # Then replies belong to what was asked, and nothing is forgotten
        assert reply == [[b"pong", b""]]
        assert list(server.lists["l"]) == [b"1"]

    def test_interruption_while_it_is_flushed(self, lines, server):
        def interrupt(call):
            raise KeyboardInterrupt

        lines.post(TIME, 1)
        lines.post(push(1), 1)
        server.answers["LPUSH"].append(interrupt)
        with pytest.raises(KeyboardInterrupt):
            lines.flush()

        assert lines.exchange(PING, 1, True) == [[b"pong", b""]]
        assert len(server.named("TIME")) == 2
        assert list(server.lists["l"]) == [b"1"]

    def test_loss_while_it_is_sent_again(self, lines, server):
        # Given two lots of which nobody knows whether they were carried out
        lines.exchange(PING, 1, True)
        lines.post(push(1), 1)
        lines.post(push(2), 1)
        server.lose_all()
        with pytest.raises(ServerLost):
            lines.exchange(push(3), 1, False)
        server.lists.clear()

        # When the connection is lost between them
        server.answers["LPUSH"].append(lambda call: server.lose_all())
        with pytest.raises(ServerLost):
            lines.exchange(PING, 1, True)

        # Then both are sent again, and replies belong to what was asked
        assert lines.exchange(PING, 1, True) == [[b"pong", b""]]
        assert sorted(server.lists["l"]) == [b"1", b"2"]

    def test_closing_reads_what_is_owed(self, lines, server, quota):
        lines.post(push(1), 1)

        lines.close()

        assert quota.used == 0
        assert not server.connections[0].is_open


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_child_leaves_its_parents_alone(lines, server, quota, monkeypatch):
    lines.exchange(PING, 1, True)
    lines.post(push(1), 1)
    quota.take()

    monkeypatch.setattr(os, "getpid", lambda: -1)
    lines.exchange(PING, 1, True)

    assert len(server.connections) == 2
    assert server.connections[0].is_open
    assert quota.used == 1
    lines.post(push(2), 1)
    assert repr(lines) == "<Lines: 1 of 1 idle>"
