"""The conformance suite, run over the transport that the fixture ``mutant`` names."""

from __future__ import annotations

import pytest

from kombu.testing.conformance import *  # noqa: F403
from t.conformance.memory import MemoryHarness
from t.conformance.mutants.transports import Unbroken


@pytest.fixture
def harness(kombu_memory, mutant):
    # Those who wait in vain are not to take long; the sound one never does.
    patience = 20.0 if mutant is Unbroken else 1.0
    with MemoryHarness(
        kombu_memory, idle=0.01, patience=patience, transport=mutant
    ) as harness:
        yield harness
