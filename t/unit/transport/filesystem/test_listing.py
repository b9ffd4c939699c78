from __future__ import annotations

import os

import pytest

from kombu.testing.clock import Clock
from kombu.transport.filesystem import _listing
from kombu.transport.filesystem._listing import Freshness, Listing, Releases


class CountedListing(Listing):
    """Counts how often the folder was listed."""

    times = 0

    def _list(self):
        self.times += 1
        super()._list()


@pytest.fixture
def folder(tmp_path):
    return f"{tmp_path}/"


@pytest.fixture
def releases(folder):
    return Releases(f"{folder}.released")


@pytest.fixture
def listing(folder):
    return CountedListing(folder, Releases(f"{folder}.released"))


def write(folder, *names):
    for name in names:
        with open(folder + name, "w"):
            pass


def name(number, notes="", queue="q"):
    return f"{number:014x}_{notes}_{'0' * 12}.{queue}.msg"


def take(listing, suffix=".q.msg"):
    """Take the next message, as a consumer does: its file is gone then."""
    ready = listing.next(suffix)
    if ready is None:
        return None
    os.unlink(listing._folder + ready.name)
    return ready.name


def all_of(listing, suffix=".q.msg"):
    found = []
    while (name := take(listing, suffix)) is not None:
        found.append(name)
    return found


class test_order:
    def test_is_by_arrival(self, folder, listing):
        write(folder, name(2), name(1), name(3))

        assert all_of(listing) == [name(1), name(2), name(3)]

    def test_is_by_rank_first(self, folder, listing):
        write(folder, name(1), name(2, "r5"), name(3, "n2"), name(4, "r5"))

        assert all_of(listing) == [name(2, "r5"), name(4, "r5"), name(1), name(3, "n2")]

    def test_of_foreign_files_is_by_their_time(self, folder, listing):
        # As a peer names them: by milliseconds since it was started, unpadded.
        names = ["1000_b.q.msg", "999_a.q.msg", "5_c.q.msg", name(2_500_000)]
        write(folder, *names)
        for second, found in zip((1, 2, 3), names, strict=False):
            os.utime(folder + found, (second, second))

        assert all_of(listing) == [names[0], names[1], names[3], names[2]]

    def test_of_a_queue_is_its_own(self, folder, listing):
        write(folder, name(1), name(2, queue="other.q"), name(3))

        assert all_of(listing) == [name(1), name(3)]
        assert all_of(listing, ".other.q.msg") == [name(2, queue="other.q")]


class test_cost:
    def test_is_one_listing_for_all_that_is_there(self, folder, listing):
        write(folder, *map(name, range(50)))
        for _ in range(50):
            listing.catch_up()
            assert take(listing) is not None

        assert listing.times == 1

    def test_is_none_while_nothing_changes(self, folder, listing):
        with Clock() as clock:
            for _ in range(3):
                assert listing.next(".q.msg") is None
                clock.advance(10)
            times = listing.times
            for _ in range(10):
                assert listing.next(".q.msg") is None
            assert listing.times == times

    def test_is_none_for_what_a_peer_releases(self, folder, listing, releases):
        write(folder, *map(name, range(10, 60)))
        take(listing)
        write(folder, name(1, "t1"))
        releases.tell([name(1, "t1")])

        listing.catch_up()

        assert take(listing) == name(1, "t1")
        assert take(listing) == name(11)
        assert listing.times == 1


class test_changes:
    def test_are_seen_when_the_listing_is_used_up(self, folder, listing):
        write(folder, name(1))
        assert all_of(listing) == [name(1)]
        write(folder, name(2))

        assert name(2) in all_of(listing)

    def test_within_one_tick_of_the_folders_clock_are_seen(self, folder, listing):
        with Clock() as clock:
            write(folder, name(1))
            found = os.stat(folder)
            os.utime(folder, ns=(found.st_atime_ns, found.st_mtime_ns))
            assert listing.next(".q.msg").name == name(1)
            os.rename(folder + name(1), folder + name(2))
            os.utime(folder, ns=(found.st_atime_ns, found.st_mtime_ns))
            clock.advance(0.01)

            assert listing.next(".q.msg").name == name(2)

    def test_of_the_file_of_releases_are_followed(self, folder, listing, monkeypatch):
        monkeypatch.setattr(_listing, "_LONGEST_LOG", 10)
        releases = Releases(f"{folder}.released")
        write(folder, name(5))
        listing.catch_up()
        releases.tell([name(5)])
        releases.shorten()
        write(folder, name(1))
        releases.tell([name(1)])

        listing.catch_up()

        assert all_of(listing)[0] == name(1)

    def test_that_took_away_most_are_forgotten(self, folder, listing):
        write(folder, *map(name, range(10)), name(99, queue="p"))
        take(listing)
        for number in range(2, 10):
            os.unlink(folder + name(number))
        write(folder, name(100, queue="r"))
        all_of(listing, ".r.msg")

        assert repr(listing) == "<CountedListing: 2 messages known>"
        assert all_of(listing) == [name(1)]

    def test_of_a_folder_that_is_none_are_none(self, folder):
        listing = Listing(f"{folder}none/", Releases(f"{folder}none/.released"))

        assert listing.next(".q.msg") is None

    def test_are_not_doubled(self, folder, listing, releases):
        write(folder, name(1))
        listing.peek(".q.msg")
        releases.tell([name(1)])
        listing.catch_up()
        listing.add(name(1))

        assert listing.next(".q.msg").name == name(1)
        assert repr(listing) == "<CountedListing: 0 messages known>"

    def test_do_not_bring_back_what_is_refused(self, folder, listing):
        write(folder, name(1))
        listing.next(".q.msg")
        listing.refuse(name(1))
        listing.add(name(1))
        write(folder, name(2))

        assert all_of(listing) == [name(2)]


class test_Freshness:
    def test_trusts_the_time_after_a_tick(self, folder):
        with Clock() as clock:
            freshness = Freshness(folder)
            assert freshness.may_have_changed()
            assert freshness.may_have_changed()  # it may have, within the tick
            clock.advance(3)
            assert freshness.may_have_changed()  # once more, later than the tick
            assert not freshness.may_have_changed()

    def test_sees_a_change(self, folder):
        with Clock() as clock:
            freshness = Freshness(folder)
            for _ in range(3):
                freshness.may_have_changed()
                clock.advance(3)
            assert not freshness.may_have_changed()
            os.utime(folder, (5, 5))

            assert freshness.may_have_changed()
