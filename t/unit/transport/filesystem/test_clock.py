from __future__ import annotations

import os

import pytest

from kombu.testing.clock import Clock
from kombu.transport.filesystem._clock import Clocks, StoreClock


class test_StoreClock:
    def test_gives_no_moment_twice_though_time_stands_still(self):
        with Clock():
            clock = StoreClock()
            stamps = [clock.stamp() for _ in range(3)]

        assert stamps == [stamps[0], stamps[0] + 1, stamps[0] + 2]

    def test_does_not_go_back_with_the_host(self):
        clock = StoreClock()
        before = clock.stamp()
        clock.offset = -3600

        assert clock.stamp() == before + 1

    def test_is_the_hosts_where_they_agree(self, tmp_path):
        clock = StoreClock()
        clock.measure(str(tmp_path))

        assert clock.offset == 0
        assert os.listdir(tmp_path) == []

    @pytest.mark.parametrize("ahead", [-500, 500])
    def test_measures_how_far_the_host_is_off(self, tmp_path, monkeypatch, ahead):
        from kombu.utils import waiting

        real = waiting.wall_clock
        monkeypatch.setattr(waiting, "wall_clock", lambda: real() - ahead)
        clock = StoreClock()
        clock.measure(str(tmp_path))

        assert clock.offset == pytest.approx(ahead, abs=1)
        assert clock.now() == pytest.approx(real(), abs=1)

    def test_is_one_for_all_connections_to_a_file_system(self, tmp_path):
        clocks = Clocks()
        (tmp_path / "a").mkdir()

        assert clocks.of(str(tmp_path)) is clocks.of(str(tmp_path / "a"))

    def test_needs_a_folder(self, tmp_path):
        with pytest.raises(FileNotFoundError):
            Clocks().of(str(tmp_path / "none"))
