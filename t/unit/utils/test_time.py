from __future__ import annotations

import pytest

from kombu.utils.time import maybe_s_to_ms


@pytest.mark.parametrize(
    ("seconds", "milliseconds"),
    [(None, None), (0, 0), (1.5, 1500), (10.23456, 10234), ("3", 3000)],
)
def test_maybe_s_to_ms(seconds, milliseconds):
    assert maybe_s_to_ms(seconds) == milliseconds
