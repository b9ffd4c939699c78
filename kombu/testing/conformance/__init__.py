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
from kombu.testing.conformance.arguments import TestQueueArguments
from kombu.testing.conformance.attendance import (
    TestConsumerCount,
    TestConsumerPriority,
    TestSingleActiveConsumer,
)
from kombu.testing.conformance.closing import TestClosing
from kombu.testing.conformance.concurrency import TestConcurrency
from kombu.testing.conformance.consumers import TestConsumers
from kombu.testing.conformance.dead_letter import TestDeadLetter
from kombu.testing.conformance.dead_letter_routing import TestDeadLetterRouting
from kombu.testing.conformance.declaration import TestDeclaration
from kombu.testing.conformance.delay import TestDelay
from kombu.testing.conformance.delivery import TestDelivery
from kombu.testing.conformance.event_loop import TestEventLoop
from kombu.testing.conformance.expiry import TestExpiry, TestQueueExpiry
from kombu.testing.conformance.fanout import TestFanout
from kombu.testing.conformance.killed import TestKilledConsumer
from kombu.testing.conformance.lease import TestLease
from kombu.testing.conformance.limits import TestDeliveryLimit, TestMaxLength
from kombu.testing.conformance.mailbox import TestMailbox
from kombu.testing.conformance.message import TestMessage
from kombu.testing.conformance.poison import TestPoison
from kombu.testing.conformance.prefetch import TestPrefetch
from kombu.testing.conformance.priority import TestPriority
from kombu.testing.conformance.processes import TestFork, TestGreenlets
from kombu.testing.conformance.races import TestRaces
from kombu.testing.conformance.recovery import TestRecovery
from kombu.testing.conformance.redelivery import TestRedelivery
from kombu.testing.conformance.resting import TestRestingMessages
from kombu.testing.conformance.routing import TestRouting
from kombu.testing.conformance.simple_queue import TestSimpleQueue
from kombu.testing.conformance.temporary import TestTemporaryQueues
from kombu.testing.conformance.topology import TestTopology

__all__ = (
    "TestAcknowledgement",
    "TestClosing",
    "TestConcurrency",
    "TestConsumerCount",
    "TestConsumerPriority",
    "TestConsumers",
    "TestDeadLetter",
    "TestDeadLetterRouting",
    "TestDeclaration",
    "TestDelay",
    "TestDelivery",
    "TestDeliveryLimit",
    "TestEventLoop",
    "TestExpiry",
    "TestFanout",
    "TestFork",
    "TestGreenlets",
    "TestKilledConsumer",
    "TestLease",
    "TestMailbox",
    "TestMaxLength",
    "TestMessage",
    "TestPoison",
    "TestPrefetch",
    "TestPriority",
    "TestQueueArguments",
    "TestQueueExpiry",
    "TestRaces",
    "TestRecovery",
    "TestRedelivery",
    "TestRestingMessages",
    "TestRouting",
    "TestSimpleQueue",
    "TestSingleActiveConsumer",
    "TestTemporaryQueues",
    "TestTopology",
)
