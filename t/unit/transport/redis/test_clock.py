from __future__ import annotations

from kombu.transport.redis.clock import ServerClock
from kombu.utils import waiting


class test_clock:
    def test_goes_on_by_itself(self, clock):
        ours = ServerClock()
        ours.read(b"1000000000")

        waiting.sleep(2.5)

        assert ours.now() == 1002.5
        assert ours.is_read

    def test_unread_is_our_own(self, monkeypatch):
        monkeypatch.setattr(waiting, "wall_clock", lambda: 7.0)

        assert ServerClock().now() == 7.0
        assert repr(ServerClock()) == "<ServerClock: unread>"

    def test_wrong_time_of_day_here_does_no_harm(self, clock, monkeypatch):
        ours = ServerClock()
        ours.read("5000000")

        monkeypatch.setattr(waiting, "wall_clock", lambda: 0.0)

        assert ours.now() == 5.0

    def test_is_asked_again_when_forgotten(self, clock):
        ours = ServerClock()
        ours.read(1)

        ours.forget()

        assert not ours.is_read
