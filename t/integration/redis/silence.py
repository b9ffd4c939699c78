"""A fault proxy that can leave connections in the lurch, without a word, for good."""

from __future__ import annotations

from kombu.testing import FaultProxy
from kombu.testing._faults import Faults


class SilencingProxy(FaultProxy):
    """A proxy whose black holes swallow the connections that there are, and no others.

    They are never reset, as if a cable had been pulled, or a firewall had forgotten
    them; new connections are made as ever.
    """

    def fall_silent(self) -> None:
        """Swallow what comes by the connections that there are, from now on."""
        hole = Faults("nowhere", lambda work: work(), lambda faults: None)
        hole.black_hole()

        def swallow() -> None:
            for link in self._links:
                for pipe in (link.upward, link.downward):
                    pipe.faults = hole

        self._do(swallow)
