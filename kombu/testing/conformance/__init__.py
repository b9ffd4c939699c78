"""What every transport promises, as pytest classes by theme.

A transport joins with a test module that imports the classes and defines a
fixture ``harness``, which returns a :class:`~kombu.testing.Harness`:

.. code-block:: python

    @pytest.fixture
    def harness():
        with Harness("redis://localhost:6379/15") as harness:
            yield harness

A test that needs an ability which the transport does not claim (see
:mod:`kombu.transport`) is skipped, and says which one.  All else must hold.
"""

from __future__ import annotations

from kombu.testing.conformance.acknowledgement import TestAcknowledgement
from kombu.testing.conformance.closing import TestClosing
from kombu.testing.conformance.concurrency import TestConcurrency
from kombu.testing.conformance.consumers import TestConsumers
from kombu.testing.conformance.declaration import TestDeclaration
from kombu.testing.conformance.delivery import TestDelivery
from kombu.testing.conformance.event_loop import TestEventLoop
from kombu.testing.conformance.fanout import TestFanout
from kombu.testing.conformance.mailbox import TestMailbox
from kombu.testing.conformance.message import TestMessage
from kombu.testing.conformance.poison import TestPoison
from kombu.testing.conformance.prefetch import TestPrefetch
from kombu.testing.conformance.recovery import TestRecovery
from kombu.testing.conformance.redelivery import TestRedelivery
from kombu.testing.conformance.routing import TestRouting
from kombu.testing.conformance.simple_queue import TestSimpleQueue

__all__ = (
    "TestAcknowledgement",
    "TestClosing",
    "TestConcurrency",
    "TestConsumers",
    "TestDeclaration",
    "TestDelivery",
    "TestEventLoop",
    "TestFanout",
    "TestMailbox",
    "TestMessage",
    "TestPoison",
    "TestPrefetch",
    "TestRecovery",
    "TestRedelivery",
    "TestRouting",
    "TestSimpleQueue",
)
