from __future__ import annotations

import os

import pytest

from kombu.transport.virtual import QoS


class FakeMessage:
    def __init__(self, body):
        self.body = body

    def serializable(self):
        return {"body": self.body}


class FakeChannel:
    """Notes what is put back."""

    do_restore = True
    closed = False
    _restores_at_head = True
    failing = ()

    def __init__(self):
        self.restored = []

    def _restore_at_beginning(self, message):
        self._restore(message, "head")

    def _discard_message(self, message):
        pass

    def _restore(self, message, place="tail"):
        if message.body in self.failing:
            raise ConnectionResetError("the store is away")
        self.restored.append((place, message.body))


@pytest.fixture
def channel():
    return FakeChannel()


@pytest.fixture
def qos(channel):
    return QoS(channel)


def deliver(qos, *bodies):
    for body in bodies:
        qos.append(FakeMessage(body), f"tag-{body}")


class test_prefetch:
    def test_without_a_limit(self, qos):
        deliver(qos, *range(1000))

        assert qos.can_consume()
        assert qos.can_consume_max_estimate() is None

    @pytest.mark.parametrize("nothing", [0, None])
    def test_nothing_is_no_limit(self, channel, nothing):
        assert QoS(channel, nothing).prefetch_count == 0
        assert QoS(channel, nothing).can_consume()

    def test_with_a_limit(self, channel):
        qos = QoS(channel, 2)

        assert qos.can_consume_max_estimate() == 2
        deliver(qos, 1)
        assert qos.can_consume()
        assert qos.can_consume_max_estimate() == 1
        deliver(qos, 2)
        assert not qos.can_consume()
        assert qos.can_consume_max_estimate() == 0

    def test_a_limit_that_shrinks_below_what_is_held(self, channel):
        qos = QoS(channel, 5)
        deliver(qos, 1, 2, 3)

        qos.prefetch_count = 1

        assert not qos.can_consume()
        assert qos.can_consume_max_estimate() == 0

    @pytest.mark.parametrize("settle", ["ack", "reject"])
    def test_what_is_settled_makes_room(self, channel, settle):
        qos = QoS(channel, 1)
        deliver(qos, 1)

        getattr(qos, settle)("tag-1")

        assert qos.can_consume()

    def test_tags_that_are_settled_but_not_removed_make_room(self, channel):
        # How transports settle that were written for kombu.
        qos = QoS(channel, 1)
        deliver(qos, 1)

        qos._dirty.add("tag-1")
        assert qos.can_consume()
        assert qos.can_consume_max_estimate() == 1
        deliver(qos, 2)

        assert list(qos._delivered) == ["tag-2"]
        assert not qos.can_consume()


class test_settling:
    def test_get(self, qos):
        deliver(qos, 1)

        assert qos.get("tag-1").body == 1
        qos.ack("tag-1")
        with pytest.raises(KeyError):
            qos.get("tag-1")

    def test_ack_of_an_unknown_tag(self, qos):
        deliver(qos, 1)

        qos.ack("other")

        assert list(qos._delivered) == ["tag-1"]

    def test_reject_drops(self, qos, channel):
        deliver(qos, 1)

        qos.reject("tag-1")

        assert channel.restored == []
        assert not qos._delivered

    def test_reject_and_requeue(self, qos, channel):
        deliver(qos, 1)

        qos.reject("tag-1", requeue=True)

        assert channel.restored == [("head", 1)]
        assert not qos._delivered

    def test_requeue_of_an_unknown_tag(self, qos, channel):
        qos.reject("other", requeue=True)

        assert channel.restored == []

    def test_what_can_not_be_requeued_is_still_held(self, qos, channel):
        channel.failing = {1}
        deliver(qos, 1)

        with pytest.raises(ConnectionResetError):
            qos.reject("tag-1", requeue=True)

        assert list(qos._delivered) == ["tag-1"]

    def test_tags_up_to(self, qos):
        deliver(qos, 1, 2, 3)

        assert qos.tags_up_to("tag-2") == ["tag-1", "tag-2"]
        assert qos.tags_up_to("other") == ["other"]

    def test_restore_visible_has_nothing_to_do(self, qos):
        assert qos.restore_visible(start=0, num=10) is None

    def test_repr(self, channel):
        qos = QoS(channel, 5)
        deliver(qos, 1, 2)
        qos._dirty.add("tag-1")

        assert repr(qos) == "<QoS: 1 unsettled, prefetch 5>"
        assert repr(QoS(channel)) == "<QoS: 0 unsettled, prefetch unlimited>"


class test_restore_unacked:
    def test_at_the_head_the_last_goes_first(self, qos, channel):
        deliver(qos, 1, 2, 3)

        qos.restore_unacked()

        assert channel.restored == [("head", 3), ("head", 2), ("head", 1)]
        assert not qos._delivered

    def test_at_the_tail_the_first_goes_first(self, qos, channel):
        channel._restores_at_head = False
        deliver(qos, 1, 2, 3)

        qos.restore_unacked()

        assert channel.restored == [("tail", 1), ("tail", 2), ("tail", 3)]

    def test_what_is_settled_stays_away(self, qos, channel):
        deliver(qos, 1, 2)
        qos._dirty.add("tag-1")

        qos.restore_unacked()

        assert channel.restored == [("head", 2)]

    def test_what_is_settled_meanwhile_stays_away(self, qos, channel):
        deliver(qos, 1, 2)
        channel._restore_at_beginning = lambda message: qos.ack("tag-1")

        qos.restore_unacked()

        assert not qos._delivered

    def test_what_fails_stays_and_the_log_says_why(self, qos, channel, caplog):
        channel.failing = {2}
        deliver(qos, 1, 2, 3)

        qos.restore_unacked()

        assert channel.restored == [("head", 3), ("head", 1)]
        assert list(qos._delivered) == ["tag-2"]
        assert "Cannot restore message 'tag-2'" in caplog.text
        assert "the store is away" in caplog.text


class test_restore_unacked_once:
    def test_tells_where_it_is_told_to(self, qos, channel, capsys):
        import sys

        deliver(qos, 1, 2)

        qos.restore_unacked_once(stderr=sys.stderr)
        qos.restore_unacked_once(stderr=sys.stderr)

        assert channel.restored == [("head", 2), ("head", 1)]
        assert capsys.readouterr().err == "Restoring 2 unacknowledged message(s)\n"

    def test_is_silent_otherwise(self, qos, channel, capsys):
        deliver(qos, 1)

        qos.restore_unacked_once()

        assert channel.restored
        assert capsys.readouterr() == ("", "")

    def test_not_if_the_channel_does_not_want_it(self, qos, channel):
        channel.do_restore = False
        deliver(qos, 1)

        qos.restore_unacked_once()

        assert channel.restored == []

    def test_not_if_the_qos_does_not_want_it(self, qos, channel):
        qos.restore_at_shutdown = False
        deliver(qos, 1)

        qos.restore_unacked_once()

        assert channel.restored == []

    def test_not_in_a_forked_child(self, qos, channel, monkeypatch):
        deliver(qos, 1)
        monkeypatch.setattr(os, "getpid", lambda: -1)

        qos.restore_unacked_once()

        assert channel.restored == []

    def test_what_fails_is_saved_in_a_file(self, qos, channel, monkeypatch):
        from kombu.utils import div

        saved = []
        monkeypatch.setattr(div, "emergency_dump_state", saved.append)
        channel.failing = {1}
        deliver(qos, 1, 2)

        qos.restore_unacked_once()

        assert saved == [[{"body": 1}]]


class test_at_exit:
    @pytest.fixture
    def registered(self, monkeypatch):
        import atexit

        functions = []
        monkeypatch.setattr(atexit, "register", functions.append)
        monkeypatch.setattr(atexit, "unregister", functions.remove)
        return functions

    def test_restores(self, registered, qos, channel):
        deliver(qos, 1, 2)
        [function] = registered

        function()

        assert channel.restored == [("head", 2), ("head", 1)]

    def test_not_if_the_channel_is_closed(self, registered, qos, channel):
        deliver(qos, 1)
        channel.closed = True

        registered[0]()

        assert channel.restored == []

    def test_nothing_is_registered_before_a_message(self, registered, qos):
        assert registered == []

    def test_nothing_is_registered_if_nothing_is_restored(
        self, registered, qos, channel
    ):
        channel.do_restore = False
        deliver(qos, 1)

        assert registered == []

    def test_is_forgotten_with_the_qos(self, registered, channel):
        qos = QoS(channel)
        deliver(qos, 1)
        assert len(registered) == 1

        del qos

        assert registered == []
