"""Which deliveries of a channel were settled, so that one frame can settle many."""

from __future__ import annotations

from bisect import bisect_right

__all__ = ("SettledTags",)

_MOST_RUNS = 1000


class SettledTags:
    """Tags of deliveries that were settled: all up to one, and some above.

    Those above are behind a message that is still in hand; they are kept as runs. If
    these are very many, the first are forgotten, and so not known as settled any more:
    some deliveries never are, as those to consumers that do not acknowledge.
    """

    __slots__ = ("_firsts", "_lasts", "all_up_to")

    def __init__(self) -> None:
        #: All up to this one are settled; the next is not.
        self.all_up_to = 0
        # The runs above, in order: the first tag of each, and the last.
        self._firsts: list[int] = []
        self._lasts: list[int] = []

    def __repr__(self) -> str:
        runs = zip((1, *self._firsts), (self.all_up_to, *self._lasts), strict=True)
        text = ", ".join(f"{first}-{last}" for first, last in runs)
        return f"<{type(self).__name__}: {text}>"

    def add(self, tag: int) -> None:
        """Note that *tag* was settled."""
        if tag == self.all_up_to + 1:
            self.add_up_to(tag)
            return
        firsts, lasts = self._firsts, self._lasts
        after = bisect_right(firsts, tag)
        if tag <= (lasts[after - 1] if after else self.all_up_to):
            return  # it was known
        if after and lasts[after - 1] == tag - 1:
            lasts[after - 1] = tag
        else:
            firsts.insert(after, tag)
            lasts.insert(after, tag)
            after += 1
        if after < len(firsts) and firsts[after] == tag + 1:
            del firsts[after], lasts[after - 1]
        if len(firsts) > _MOST_RUNS:
            del firsts[0], lasts[0]

    def add_up_to(self, tag: int) -> None:
        """Note that all up to *tag* were settled."""
        if tag <= self.all_up_to:
            return
        self.all_up_to = tag
        reached = bisect_right(self._firsts, tag + 1)
        if reached:
            self.all_up_to = max(tag, self._lasts[reached - 1])
            del self._firsts[:reached], self._lasts[:reached]
