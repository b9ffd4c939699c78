from __future__ import annotations

import errno
import os
import select
import selectors
import signal
import socket

import pytest

from kombu.utils import eventio
from kombu.utils.eventio import ERR, READ, WRITE


class _KqueueOnPoll(eventio._kqueue):
    """The poller for kqueue, on a selector that every POSIX system has."""

    __slots__ = ()

    def _new_selector(self):
        return selectors.PollSelector()


POLLERS = [eventio._select, eventio._poll, _KqueueOnPoll]
if hasattr(select, "epoll"):
    POLLERS.append(eventio._epoll)

needs_epoll = pytest.mark.skipif(
    not hasattr(select, "epoll"), reason="needs Linux for epoll"
)


@pytest.fixture(params=POLLERS, ids=lambda cls: cls.__name__)
def poller(request):
    poller = request.param()
    yield poller
    poller.close()


@pytest.fixture
def pair():
    left, right = socket.socketpair()
    left.setblocking(False)
    right.setblocking(False)
    yield left, right
    left.close()
    right.close()


@pytest.fixture
def clean_fds():
    fds = []
    yield fds
    for fd in fds:
        try:
            os.close(fd)
        except OSError:
            pass


def test_constants():
    assert (READ, WRITE, ERR) == (1, 4, 24)
    assert (eventio.POLL_READ, eventio.POLL_WRITE, eventio.POLL_ERR) == (1, 4, 24)
    assert errno.EBADF in eventio.SELECT_BAD_FD
    assert eventio.KQ_FILTER_READ == -1


class test_poll:
    def test_returns_the_best_poller(self):
        poller = eventio.poll()
        assert isinstance(poller, eventio._get_poller())
        poller.close()

    @needs_epoll
    def test_epoll_on_linux(self):
        assert eventio._get_poller() is eventio._epoll

    def test_green_threads_need_select(self, monkeypatch):
        monkeypatch.setattr(eventio, "detect_environment", lambda: "gevent")
        assert eventio._get_poller() is eventio._select

    def test_bsd_has_kqueue(self, monkeypatch):
        monkeypatch.delattr(select, "epoll", raising=False)
        monkeypatch.setattr(select, "kqueue", object, raising=False)
        monkeypatch.setattr(eventio.sys, "platform", "freebsd14")
        assert eventio._get_poller() is eventio._kqueue

    def test_other_platforms(self, monkeypatch):
        monkeypatch.delattr(select, "epoll", raising=False)
        monkeypatch.delattr(select, "kqueue", raising=False)
        assert eventio._get_poller() is eventio._poll
        monkeypatch.delattr(select, "poll")
        assert eventio._get_poller() is eventio._select


class test_pollers:
    def test_nothing_ready(self, poller, pair):
        poller.register(pair[0].fileno(), READ)
        assert poller.poll(0.001) == []

    def test_nothing_registered(self, poller):
        assert poller.poll(0) == []

    def test_readable(self, poller, pair):
        left, right = pair
        assert poller.register(left.fileno(), READ) == left.fileno()
        right.send(b"x")
        assert poller.poll(1) == [(left.fileno(), READ)]
        # level-triggered: it stays ready until it is read
        assert poller.poll(1) == [(left.fileno(), READ)]
        left.recv(10)
        assert poller.poll(0) == []

    def test_no_timeout(self, poller, pair):
        pair[1].send(b"x")
        poller.register(pair[0].fileno(), READ)
        assert poller.poll(None) == [(pair[0].fileno(), READ)]

    def test_writable(self, poller, pair):
        poller.register(pair[0].fileno(), WRITE)
        assert poller.poll(1) == [(pair[0].fileno(), WRITE)]

    def test_both(self, poller, pair):
        pair[1].send(b"x")
        poller.register(pair[0].fileno(), READ | WRITE)
        assert poller.poll(1) == [(pair[0].fileno(), READ | WRITE)]

    def test_registering_again_replaces(self, poller, pair):
        pair[1].send(b"x")
        poller.register(pair[0].fileno(), READ)
        poller.register(pair[0].fileno(), WRITE)
        assert poller.poll(1) == [(pair[0].fileno(), WRITE)]

    def test_objects_with_fileno(self, poller, pair):
        pair[1].send(b"x")
        assert poller.register(pair[0], READ) is pair[0]
        assert poller.poll(1) == [(pair[0].fileno(), READ)]
        poller.unregister(pair[0])
        assert poller.poll(0) == []

    def test_unregister(self, poller, pair):
        pair[1].send(b"x")
        poller.register(pair[0].fileno(), READ)
        poller.unregister(pair[0].fileno())
        assert poller.poll(0) == []

    def test_unregister_what_is_unknown(self, poller, pair):
        poller.unregister(pair[0].fileno())
        poller.unregister(9999)
        poller.unregister(-1)
        assert poller.poll(0) == []

    def test_hang_up_is_reported(self, poller, pair):
        left, right = pair
        poller.register(left.fileno(), READ | ERR)
        right.close()
        [(fd, events)] = poller.poll(1)
        assert fd == left.fileno()
        assert events & (READ | ERR)

    def test_closed_descriptor_does_not_raise(self, poller, pair):
        left, right = pair
        other, peer = socket.socketpair()
        gone = other.fileno()
        poller.register(gone, READ)
        poller.register(left.fileno(), READ)
        other.close()
        right.send(b"x")
        found = []
        for _ in range(3):
            found += poller.poll(0.1)
        assert (left.fileno(), READ) in found
        poller.unregister(gone)
        assert poller.poll(1) == [(left.fileno(), READ)]
        peer.close()

    def test_number_in_use_again(self, poller, clean_fds):
        reader, writer = os.pipe()
        poller.register(reader, READ)
        os.close(reader)
        os.close(writer)
        reader2, writer2 = os.pipe()
        clean_fds += [reader2, writer2]
        assert reader2 == reader
        poller.register(reader2, READ)
        os.write(writer2, b"x")
        assert poller.poll(1) == [(reader2, READ)]

    def test_close_twice(self, poller, pair):
        poller.register(pair[0].fileno(), READ)
        poller.close()
        poller.close()
        poller.unregister(pair[0].fileno())

    def test_repr(self, poller, pair):
        poller.register(pair[0].fileno(), READ)
        assert "1 descriptors" in repr(poller)

    @pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs POSIX")
    def test_signals_do_not_end_the_wait(self, poller, pair):
        calls = []
        previous = signal.signal(signal.SIGALRM, lambda *args: calls.append(args))
        try:
            poller.register(pair[0].fileno(), READ)
            signal.setitimer(signal.ITIMER_REAL, 0.01)
            assert poller.poll(0.1) == []
        finally:
            signal.signal(signal.SIGALRM, previous)
        assert len(calls) == 1

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
    def test_a_child_leaves_its_parent_alone(self, poller, pair):
        left, right = pair
        poller.register(left.fileno(), READ)
        right.send(b"x")
        child = os.fork()
        if not child:
            status = 1
            try:
                sees_it_too = poller.poll(1) == [(left.fileno(), READ)]
                poller.unregister(left.fileno())
                status = 0 if sees_it_too and poller.poll(0) == [] else 2
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert poller.poll(1) == [(left.fileno(), READ)]

    def test_after_a_fork_closed_descriptors_are_forgotten(
        self, poller, pair, monkeypatch
    ):
        other, peer = socket.socketpair()
        poller.register(other.fileno(), READ)
        poller.register(pair[0].fileno(), READ)
        other.close()
        peer.close()
        pair[1].send(b"x")
        monkeypatch.setattr(eventio.forks, "count", eventio.forks.count + 1)
        found = poller.poll(0.1) + poller.poll(1)
        assert (pair[0].fileno(), READ) in found
        poller.register(pair[0].fileno(), WRITE)
        monkeypatch.setattr(eventio.forks, "count", eventio.forks.count + 1)
        poller.unregister(pair[0].fileno())
        assert (pair[0].fileno(), WRITE) not in poller.poll(0)


@needs_epoll
class test_epoll:
    def test_regular_files_are_refused(self, tmp_path):
        poller = eventio._epoll()
        with (tmp_path / "file").open("w") as file, pytest.raises(PermissionError):
            poller.register(file, READ)
        poller.close()

    def test_closed_descriptors_are_refused(self):
        poller = eventio._epoll()
        with pytest.raises(OSError) as info:
            poller.register(9999, READ)
        assert info.value.errno == errno.EBADF
        poller.close()

    def test_closed_poller(self, pair):
        poller = eventio._epoll()
        poller.close()
        with pytest.raises(ValueError):
            poller.poll(0)
        with pytest.raises(ValueError):
            poller.register(pair[0], READ)

    def test_registered_behind_our_back(self, pair):
        poller = eventio._epoll()
        poller._epoll.register(pair[0].fileno(), READ)
        poller.register(pair[0].fileno(), WRITE)
        assert poller.poll(1) == [(pair[0].fileno(), WRITE)]
        poller.close()

    def test_closed_while_a_copy_keeps_it_alive(self, clean_fds):
        # What fork does to descriptors, done by dup: the kernel goes on to
        # report a number that nobody can name any more.
        poller = eventio._epoll()
        reader, writer = os.pipe()
        copy = os.dup(reader)
        clean_fds += [writer, copy]
        poller.register(reader, READ)
        poller.register(writer, WRITE)
        os.close(reader)
        os.write(writer, b"x")
        assert (reader, READ) in poller.poll(1)
        poller.unregister(reader)  # what a failing callback does
        assert (reader, READ) in poller.poll(1)
        poller.unregister(reader)  # what the hub does to the unknown
        assert poller.poll(1) == [(writer, WRITE)]
        poller.close()


class test_poll_poller:
    def test_closed_descriptor_is_reported(self):
        poller = eventio._poll()
        reader, writer = os.pipe()
        poller.register(reader, READ)
        os.close(reader)
        os.close(writer)
        assert poller.poll(1) == [(reader, ERR)]


class test_select:
    def test_closed_descriptors_are_dropped(self, pair):
        poller = eventio._select()
        other, peer = socket.socketpair()
        poller.register(other.fileno(), READ)
        poller.register(pair[0].fileno(), WRITE)
        other.close()
        assert poller.poll(1) == []
        assert poller.poll(1) == [(pair[0].fileno(), WRITE)]
        peer.close()

    def test_numbers_that_select_can_not_hold(self, pair):
        poller = eventio._select()
        poller.register(100_000, READ)
        poller.register(pair[0].fileno(), WRITE)
        assert poller.poll(1) == []
        assert poller.poll(1) == [(pair[0].fileno(), WRITE)]

    def test_other_errors_are_raised(self, pair, monkeypatch):
        def fail(*args):
            raise OSError(errno.ENOMEM, "no memory")

        monkeypatch.setattr(select, "select", fail)
        poller = eventio._select()
        poller.register(pair[0].fileno(), READ)
        with pytest.raises(OSError, match="no memory"):
            poller.poll(1)

    def test_errors_without_a_culprit_are_raised(self, pair, monkeypatch):
        poller = eventio._select()
        poller.register(pair[0].fileno(), READ)
        monkeypatch.setattr(poller.__class__, "_drop_unusable", lambda self: False)
        monkeypatch.setattr(
            select, "select", lambda *args: (_ for _ in ()).throw(ValueError("bad"))
        )
        with pytest.raises(ValueError, match="bad"):
            poller.poll(1)

    def test_errors_are_merged(self):
        poller = eventio._select()
        assert poller._merge([1, 2], [2, 3], [3, 4]) == [
            (1, READ),
            (2, READ | WRITE),
            (3, WRITE | ERR),
            (4, ERR),
        ]

    def test_waits_also_for_nothing(self, monkeypatch):
        from kombu.utils import waiting

        slept = []
        monkeypatch.setattr(waiting, "sleep", slept.append)
        poller = eventio._select()
        assert poller.poll(0.25) == []
        assert poller.poll(None) == []
        assert poller.poll(-3) == []
        assert slept == [0.25, 1.0, 0.0]


def test_forks_are_counted_in_children_only():
    assert str(eventio.forks.count) in repr(eventio.forks)
    if not hasattr(os, "fork"):
        pytest.skip("needs fork")
    before = eventio.forks.count
    child = os.fork()
    if not child:
        os._exit(0 if eventio.forks.count == before + 1 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert eventio.forks.count == before
