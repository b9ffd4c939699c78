from __future__ import annotations

import os
import select
import sys
import threading

import pytest

from kombu.transport.filesystem import _watching
from kombu.transport.filesystem._watching import Watcher, make_source

#: Seconds after which a wake-up that should have come is given up.
LIMIT = 10

needs_source = pytest.mark.skipif(
    make_source([os.curdir]) is None, reason="nothing here tells of changes"
)


class PipeSource:
    """Tells of a change when it is written into; a stand-in for the system."""

    def __init__(self):
        self.ears, self.mouth = os.pipe()
        self.is_closed = False

    def change(self):
        os.write(self.mouth, b".")

    def fileno(self):
        return self.ears

    def skip(self):
        os.read(self.ears, 1000)

    def close(self):
        self.is_closed = True
        os.close(self.ears)
        os.close(self.mouth)


@pytest.fixture
def woken():
    return threading.Event()


@pytest.fixture
def watch(woken):
    made = []

    def watch(folders=(), **kwargs):
        watcher = Watcher(folders, woken.set, **kwargs)
        made.append(watcher)
        return watcher

    yield watch
    for watcher in made:
        watcher.stop()


class test_Watcher:
    def test_wakes_at_each_change(self, watch, woken):
        source = PipeSource()
        watch(source=lambda folders: source).start()
        for _ in range(3):
            woken.clear()
            source.change()
            assert woken.wait(LIMIT)

    def test_wakes_where_there_is_only_select(self, watch, woken, monkeypatch):
        monkeypatch.delattr(select, "poll", raising=False)
        source = PipeSource()
        watch(source=lambda folders: source).start()
        source.change()

        assert woken.wait(LIMIT)

    def test_lets_go_of_all_when_it_is_stopped(self, watch):
        source = PipeSource()
        watcher = watch(source=lambda folders: source)
        before = threading.active_count()
        assert watcher.start()
        assert watcher.start()  # it has begun already
        assert repr(watcher) == "<Watcher: running>"
        watcher.stop()
        watcher.stop()

        assert source.is_closed
        assert threading.active_count() == before
        assert repr(watcher) == "<Watcher: stopped>"

    def test_can_begin_again(self, watch, woken):
        sources = [PipeSource(), PipeSource()]
        watcher = watch(source=lambda folders: sources.pop())
        watcher.start()
        watcher.stop()
        (last,) = sources
        watcher.start()
        last.change()

        assert woken.wait(LIMIT)

    def test_can_be_stopped_by_what_it_wakes(self):
        source, ended = PipeSource(), threading.Event()

        def stop():
            watcher.stop()
            ended.set()

        watcher = Watcher((), stop, source=lambda folders: source)
        watcher.start()
        thread = watcher._thread
        source.change()

        assert ended.wait(LIMIT)
        thread.join(LIMIT)
        assert source.is_closed

    def test_does_nothing_where_nothing_tells(self, watch):
        asked = []
        watcher = watch(source=asked.append)

        assert not watcher.start()
        assert not watcher.start()
        assert len(asked) == 1
        assert repr(watcher) == "<Watcher: stopped>"

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
    def test_is_not_the_parents_in_a_child(self, watch, woken):
        source = PipeSource()
        watcher = watch(source=lambda folders: source)
        watcher.start()
        child = os.fork()
        if not child:  # pragma: no cover
            os._exit(0 if repr(watcher) == "<Watcher: stopped>" else 1)

        assert os.waitpid(child, 0)[1] == 0
        source.change()
        assert woken.wait(LIMIT)


@needs_source
class test_changes:
    @pytest.mark.parametrize(
        "change",
        [
            lambda folder: os.rename(folder / "tmp" / "a", folder / "a"),
            lambda folder: (folder / "a").write_text("as kombu 5.7 does"),
        ],
        ids=["renamed", "written"],
    )
    def test_wake(self, watch, woken, tmp_path, change):
        (tmp_path / "tmp").mkdir()
        (tmp_path / "tmp" / "a").write_text("")
        assert watch([str(tmp_path)]).start()

        change(tmp_path)

        assert woken.wait(LIMIT)

    def test_of_no_folder_can_not_be_watched(self, tmp_path, caplog):
        assert make_source([str(tmp_path / "none")]) is None
        assert "polling_interval" in caplog.text


class FakeKqueue:
    """As much of the BSDs' as is used; its descriptor is a pipe's."""

    def __init__(self):
        self.ears, self.mouth = os.pipe()
        self.watched = []

    def control(self, changes, limit, timeout=None):
        self.watched += changes or ()

    def fileno(self):
        return self.ears

    def close(self):
        os.close(self.ears)
        os.close(self.mouth)


def test_bsd_tells_by_kqueue(monkeypatch, tmp_path):
    made = []
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(
        select, "kqueue", lambda: made.append(FakeKqueue()) or made[0], raising=False
    )
    monkeypatch.setattr(
        select, "kevent", lambda number, **kwargs: number, raising=False
    )
    for name in ("FILTER_VNODE", "EV_ADD", "EV_CLEAR", "NOTE_WRITE", "NOTE_EXTEND"):
        monkeypatch.setattr(select, f"KQ_{name}", 1, raising=False)

    source = make_source([str(tmp_path)])
    source.skip()

    assert source.fileno() == made[0].ears
    (descriptor,) = made[0].watched
    assert os.path.samestat(os.fstat(descriptor), os.stat(tmp_path))
    source.close()
    with pytest.raises(OSError):
        os.fstat(descriptor)


def test_systems_without_either_are_polled(monkeypatch):
    monkeypatch.setattr(sys, "platform", "other")
    monkeypatch.delattr(select, "kqueue", raising=False)

    assert _watching.make_source([]) is None
