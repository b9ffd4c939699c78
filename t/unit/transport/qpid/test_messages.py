from __future__ import annotations

from datetime import datetime, timezone
from decimal import Decimal

import proton
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kombu.exceptions import EncodeError
from kombu.transport._amqp.message import Outgoing
from kombu.transport._qpid.dialects import Dialect, Target
from kombu.transport._qpid.messages import decode, encode
from kombu.transport._qpid.rabbitmq import RabbitMQDialect

DIALECT = Dialect(None)

simple = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(st.characters(codec="utf-8", exclude_characters="\0"))
    | st.binary()
)
values = st.recursive(
    simple,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text("abc", min_size=1), inner, max_size=3)
    ),
    max_leaves=8,
)


def there_and_back(outgoing, target=Target("q"), dialect=DIALECT):
    return decode(encode(outgoing, target, dialect, "x", "key"), dialect)


@given(st.dictionaries(st.text("abcxyz-", min_size=1), values, max_size=5))
def test_headers(headers):
    assert there_and_back(Outgoing(b"", application_headers=headers)).headers == headers


@given(st.binary(max_size=2000))
def test_bodies(body):
    assert there_and_back(Outgoing(body)).body == body


def test_text_is_encoded():
    outgoing = Outgoing("ä", content_type="text/plain", content_encoding="latin-1")

    received = there_and_back(outgoing)

    assert received.body == "ä"
    assert received.properties["content_encoding"] == "latin-1"


def test_text_without_an_encoding():
    assert there_and_back(Outgoing("ä")).body == "ä".encode()


def test_properties():
    given = {
        "content_type": "application/json",
        "content_encoding": "utf-8",
        "delivery_mode": 2,
        "priority": 7,
        "correlation_id": "c",
        "reply_to": "replies",
        "expiration": "60000",
        "message_id": "m",
        "timestamp": 1_700_000_000,
        "type": "t",
        "user_id": "u",
        "app_id": "a",
    }

    received = there_and_back(Outgoing(b"", **given))

    assert received.properties == {**given, "application_headers": {}}


def test_properties_that_were_not_given():
    received = there_and_back(Outgoing(b""))

    assert received.properties == {
        "delivery_mode": 1,
        "priority": 0,
        "application_headers": {},
    }


def test_where_it_came_from():
    received = there_and_back(Outgoing(b""))

    assert (received.exchange, received.routing_key) == ("x", "key")


def test_moments_and_odd_numbers_in_headers():
    moment = datetime(2024, 5, 1, 12, tzinfo=timezone.utc)
    headers = {
        "at": moment,
        "price": Decimal("1.5"),
        "much": 2**70,
        "raw": bytearray(b"r"),
    }

    received = there_and_back(Outgoing(b"", application_headers=headers))

    assert received.headers == {
        "at": moment,
        "price": "1.5",
        "much": str(2**70),
        "raw": b"r",
    }


def test_header_that_amqp_has_no_type_for():
    with pytest.raises(EncodeError, match="object"):
        there_and_back(Outgoing(b"", application_headers={"a": object()}))


def test_expiration_of_nothing_is_not_for_ever():
    data = encode(Outgoing(b"", expiration="0"), Target("q"), DIALECT, "", "q")

    message = proton.Message()
    message.decode(data)

    assert message.ttl == 0.001


def test_message_of_a_stranger():
    message = proton.Message(
        body="text", subject="s", ttl=5.0, properties={"n": proton.int32(1)}, id=7
    )

    received = decode(message.encode(), DIALECT)

    assert received.body == "text"
    assert (received.exchange, received.routing_key) == ("", "s")
    assert received.properties["expiration"] == "5000"
    assert received.properties["message_id"] == "7"
    assert received.headers == {"n": 1}


def test_message_with_no_body_and_one_with_structure():
    assert decode(proton.Message().encode(), DIALECT).body == b""
    structure = proton.Message(body={"a": [1, proton.symbol("b")]})
    assert decode(structure.encode(), DIALECT).body == {"a": [1, "b"]}


@pytest.mark.parametrize("data", [b"\0", b"no message", b"\x00\xff"])
def test_garbage(data):
    with pytest.raises(ValueError, match="no message"):
        decode(data, DIALECT)


def test_deliveries_in_vain_are_counted():
    message = proton.Message(body=b"", inferred=True)
    message.delivery_count = 2

    received = decode(message.encode(), DIALECT)

    assert received.redelivered
    assert received.deliveries == 2


def test_rabbitmq_says_queues_and_times_otherwise():
    dialect = RabbitMQDialect(None)
    outgoing = Outgoing(b"", reply_to="a/b", timestamp=datetime.fromtimestamp(5))

    data = encode(outgoing, Target("q"), dialect, "", "q")

    message = proton.Message()
    message.decode(data)
    assert message.reply_to == "/queue/a%2Fb"
    assert message.creation_time == 0.005
    received = decode(data, dialect)
    assert received.properties["reply_to"] == "a/b"
    assert received.properties["timestamp"] == 5
