from __future__ import annotations

import logging

import pytest
from redis import exceptions

from kombu.transport.redis.errors import ServerLost
from kombu.transport.redis.link import Link
from kombu.transport.redis.resp import command, part
from kombu.utils import waiting

TIME = command(part("TIME"))
PING = command(part("PING"))


@pytest.fixture
def link(make_link):
    return make_link()


class test_exchange:
    def test_is_opened_when_it_is_used(self, link, server):
        assert not server.connections

        link.exchange(PING, 1)

        assert len(server.connections) == 1
        assert link.is_proven

    def test_replies_come_in_their_order(self, link):
        replies = link.exchange(TIME + PING, 2)

        assert [len(reply) for reply in replies] == [2, 2]
        assert replies[1] == [b"pong", b""]

    @pytest.mark.parametrize(
        "error",
        [exceptions.ResponseError("WRONGTYPE"), exceptions.BusyLoadingError("wait")],
    )
    def test_errors_of_the_server_are_returned(self, link, server, error):
        server.answers["TIME"].append(error)

        assert link.exchange(TIME, 1) == [error]

    def test_is_opened_again_when_it_was_lost(self, link, server):
        link.exchange(PING, 1)
        server.lose_all()
        with pytest.raises(ServerLost):
            link.exchange(PING, 1)

        link.exchange(PING, 1)

        assert len(server.connections) == 2

    @pytest.mark.parametrize(
        "error",
        [
            exceptions.TimeoutError("no answer"),
            exceptions.ConnectionError("gone"),
            exceptions.InvalidResponse("nonsense"),
            ConnectionResetError("cut"),
        ],
    )
    def test_other_errors_mean_that_it_is_lost(self, link, server, error):
        server.answers["TIME"].append(error)

        with pytest.raises(ServerLost, match="Redis at home can not be reached"):
            link.exchange(TIME, 1)

        assert not server.connections[0].is_open

    def test_server_that_is_away(self, link, server):
        server.is_gone = True

        with pytest.raises(ServerLost, match="nobody answers"):
            link.exchange(PING, 1)

        assert link.sent_nothing

    def test_secret_is_never_shown(self, server):
        def connect():
            raise exceptions.AuthenticationError("wrong: s3cr3t")

        link = Link(connect, "Redis at home", "s3cr3t")

        with pytest.raises(ServerLost) as caught:
            link.exchange(PING, 1)

        assert "s3cr3t" not in str(caught.value) + repr(link)
        assert "**" in str(caught.value)


class test_rest:
    def test_server_that_has_hung_up_is_noticed_before_anything_is_sent(
        self, link, server, clock
    ):
        link.exchange(PING, 1)
        server.lose_all()
        waiting.sleep(2)

        with pytest.raises(ServerLost, match="hung up"):
            link.exchange(PING, 1)

        assert link.sent_nothing

    def test_is_not_looked_at_while_it_is_used(self, link, server, clock):
        link.exchange(PING, 1)
        server.connections[0].can_read = None  # it would fail

        link.exchange(PING, 1)

        assert len(server.connections) == 1


class test_posting:
    def test_is_read_with_the_next_replies(self, link, server):
        link.post([(TIME, 1)])
        assert link.posted == [(TIME, 1)]

        assert link.exchange(PING, 1) == [[b"pong", b""]]
        assert not link.posted

    def test_is_read_when_there_are_too_many(self, link):
        for _ in range(64):
            link.post([(TIME, 1)])

        assert not link.posted

    def test_refusals_are_logged(self, link, server, caplog):
        server.answers["TIME"].append(exceptions.ResponseError("WRONGTYPE"))
        link.post([(TIME, 1)])

        with caplog.at_level(logging.WARNING):
            link.exchange(PING, 1)

        assert "refuses what was sent: WRONGTYPE" in caplog.text

    def test_is_kept_when_the_connection_is_lost(self, link, server):
        link.post([(TIME, 1)])
        server.lose_all()

        with pytest.raises(ServerLost):
            link.exchange(PING, 1)

        assert link.posted == [(TIME, 1)]

    def test_is_read_before_the_end(self, link, server):
        link.post([(TIME, 1)])

        link.finish()

        assert not link.posted
        assert not server.connections[0].is_open

    def test_end_of_a_lost_one_is_quiet(self, link, server):
        link.post([(TIME, 1)])
        server.lose_all()

        link.finish()

        assert not server.connections[0].is_open


class test_closing:
    def test_reader_gets_an_error(self, link):
        link.exchange(PING, 1)
        link.close()

        with pytest.raises(ServerLost, match="closed meanwhile"):
            link.read()
        with pytest.raises(ServerLost):
            link.can_read(0)

    @pytest.mark.parametrize("error", [ValueError("closed file"), AttributeError("x")])
    def test_in_the_middle_of_it_the_driver_shows_that_in_many_ways(
        self, link, server, error
    ):
        def fail(*args, **kwargs):
            link.close()
            raise error

        for use in (lambda: link.can_read(1), link.read):
            link.exchange(PING, 1)
            server.connections[-1].can_read = fail
            server.connections[-1].read_response = fail

            with pytest.raises(ServerLost):
                use()

    def test_other_failures_of_the_driver_are_told(self, link, server):
        def fail(*args, **kwargs):
            raise ValueError("no")

        link.exchange(PING, 1)
        server.connections[-1].can_read = fail
        server.connections[-1].read_response = fail

        with pytest.raises(ValueError, match="no"):
            link.can_read(1)
        with pytest.raises(ValueError, match="no"):
            link.read()

    def test_waits_for_something_to_be_read(self, link, server):
        link.send(PING)

        assert link.can_read(5)
        assert "new" in repr(link)


class test_busy_wait:
    @pytest.fixture
    def link(self, server, monkeypatch):
        monkeypatch.setattr("kombu.utils._spin._is_useful", lambda: True)
        return Link(server.connect, "Redis at home", busy_wait=30.0)

    def test_reply_is_looked_for(self, link, server):
        link.exchange(PING, 1)
        connection = server.connections[-1]
        can_read, looks = connection.can_read, []

        def comes_later(timeout):
            looks.append(timeout)
            return len(looks) > 3 and can_read(timeout=timeout)

        connection.can_read = comes_later

        assert link.exchange(PING, 1)

        assert looks == [0, 0, 0, 0]

    def test_one_that_is_closed_meanwhile_is_not_opened_again(self, link, server):
        link.exchange(PING, 1)

        connection, states = server.connections[-1], []
        connection.disconnect = lambda: states.append("closed")

        def close(timeout):
            link.close()
            states.append("connected")  # the driver does that
            return False

        connection.can_read = close

        with pytest.raises(ServerLost, match="closed meanwhile"):
            link.exchange(PING, 1)
        assert len(server.connections) == 1
        assert states == ["closed", "connected", "closed"]

    @pytest.mark.parametrize("error", [OSError("cut"), exceptions.ConnectionError("x")])
    def test_one_that_is_lost_meanwhile(self, link, server, error):
        link.exchange(PING, 1)

        def fail(timeout):
            raise error

        server.connections[-1].can_read = fail

        with pytest.raises(ServerLost, match="can not be reached"):
            link.exchange(PING, 1)

    def test_other_failures_are_told(self, link, server):
        link.exchange(PING, 1)

        def fail(timeout):
            raise ValueError("no")

        server.connections[-1].can_read = fail

        with pytest.raises(ValueError, match="no"):
            link.exchange(PING, 1)

    def test_it_is_not_longer_than_the_wait(self, link, server, monkeypatch):
        link.send(PING)
        server.connections[-1].can_read = lambda timeout: False
        now = iter(range(10**6))
        monkeypatch.setattr("kombu.utils._spin.perf_counter", lambda: next(now) * 1e-3)

        assert not link.can_read(0.005)

        assert next(now) < 10  # and not thousands of milliseconds
