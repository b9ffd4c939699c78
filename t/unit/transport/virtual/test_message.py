from __future__ import annotations

import base64

import pytest

from kombu.compression import compress
from kombu.exceptions import DecodeError, MessageStateError
from kombu.transport.virtual import Base64, Message


def an_envelope(**changes):
    return {
        "body": b'{"a": 1}',
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "headers": {"h": 1},
        "properties": {
            "delivery_tag": "tag",
            "delivery_info": {"exchange": "e", "routing_key": "k"},
        },
        **changes,
    }


def with_properties(**properties):
    envelope = an_envelope()
    envelope["properties"].update(properties)
    return envelope


GARBAGE = [
    None,
    0,
    5,
    1.5,
    True,
    b"",
    b"\x00\xff garbage",
    "",
    "garbage",
    [],
    [1, 2],
    (),
    {},
    {"body": "x"},
    {"properties": None},
    {"properties": 5},
    {"properties": "text"},
    {"properties": []},
    {"properties": {"delivery_info": 5}},
    {"properties": {"delivery_info": "text"}},
    {"properties": {}, "headers": 5},
    {"properties": {}, "headers": "text"},
    object(),
    {1, 2},
]


class test_unpacking:
    def test_an_envelope(self, channel):
        envelope = an_envelope()

        message = Message(envelope, channel=channel)

        assert message.body == b'{"a": 1}'
        assert message.content_type == "application/json"
        assert message.content_encoding == "utf-8"
        assert message.headers == {"h": 1}
        assert message.delivery_tag == "tag"
        assert message.delivery_info == {"exchange": "e", "routing_key": "k"}
        assert message.properties == envelope["properties"]
        assert message.envelope is envelope
        assert message.source_queue is None
        assert message.payload == {"a": 1}
        assert not message.errors
        assert not message.acknowledged

    def test_what_is_changed_does_not_show_in_the_envelope(self, channel):
        envelope = an_envelope()
        message = Message(envelope, channel=channel)

        message.headers["h"] = 2
        message.delivery_info["exchange"] = "other"
        message.properties["priority"] = 9

        assert envelope == an_envelope()

    def test_the_least(self, channel):
        message = Message({"properties": {}}, channel=channel)

        assert not message.errors
        assert message.body is None
        assert message.headers == {}
        assert message.delivery_info == {}
        assert message.delivery_tag

    def test_each_without_a_tag_gets_one(self, channel):
        tags = {Message({"properties": {}}).delivery_tag for _ in range(3)}

        assert len(tags) == 3

    def test_headers_that_are_null(self, channel):
        assert Message(an_envelope(headers=None), channel=channel).headers == {}

    def test_base64(self, channel):
        body = base64.b64encode(b"[1, 2]").decode()
        envelope = {**with_properties(body_encoding="base64"), "body": body}

        assert Message(envelope, channel=channel).payload == [1, 2]

    def test_text_is_utf_8(self, channel):
        message = Message(an_envelope(body='"ä"'), channel=channel)

        assert message.body == '"ä"'.encode()
        assert message.payload == "ä"

    def test_an_unknown_body_encoding_leaves_the_body(self, channel):
        envelope = {**with_properties(body_encoding="rot13"), "body": "[1]"}

        assert Message(envelope, channel=channel).payload == [1]

    def test_without_a_channel_nothing_is_decoded(self):
        envelope = {**with_properties(body_encoding="base64"), "body": "WzFd"}

        assert Message(envelope).body == b"WzFd"

    def test_compressed(self, channel):
        body, method = compress(b"[1, 2]", "zlib")

        message = Message(
            an_envelope(body=body, headers={"compression": method}), channel=channel
        )

        assert message.payload == [1, 2]

    @pytest.mark.parametrize("place", ["top", "info"])
    def test_redelivered(self, channel, place):
        envelope = an_envelope()
        if place == "top":
            envelope["redelivered"] = True
        else:
            envelope["properties"]["delivery_info"]["redelivered"] = True

        assert Message(envelope, channel=channel).delivery_info["redelivered"] is True

    def test_not_redelivered(self, channel):
        message = Message(an_envelope(redelivered=False), channel=channel)

        assert "redelivered" not in message.delivery_info

    def test_accept(self, channel):
        assert Message(an_envelope(), channel=channel).accept is None
        assert Message(an_envelope(), accept={"x"}).accept == {"x"}


class test_poison:
    @pytest.mark.parametrize("garbage", GARBAGE, ids=range(len(GARBAGE)))
    def test_what_is_no_envelope_makes_a_message_with_an_error(self, channel, garbage):
        message = Message(garbage, channel=channel)

        assert message.delivery_tag
        assert message.envelope is garbage
        assert message.body is garbage
        with pytest.raises(DecodeError, match="not a message envelope"):
            message._reraise_error()

    def test_the_error_can_be_given_to_a_callback(self, channel):
        message = Message("garbage", channel=channel)
        told = []

        message._reraise_error(lambda *args: told.append(args))

        [(about, error)] = told
        assert about is message
        assert "found str in its place" in str(error)

    @pytest.mark.parametrize(
        ("body", "encoding"),
        [
            ("WzF", "base64"),
            ("ä", "base64"),
            (5, "base64"),
            ("WzFd", ["base64"]),
        ],
    )
    def test_a_body_that_can_not_be_decoded(self, channel, body, encoding):
        envelope = {**with_properties(body_encoding=encoding), "body": body}

        message = Message(envelope, channel=channel)

        assert len(message.errors) == 1
        assert message.delivery_tag == "tag"

    @pytest.mark.parametrize("method", ["application/x-nothing", 5, ["gzip"]])
    def test_a_body_that_can_not_be_decompressed(self, channel, method):
        envelope = an_envelope(headers={"compression": method})

        assert len(Message(envelope, channel=channel).errors) == 1

    def test_a_body_that_is_no_gzip(self, channel):
        envelope = an_envelope(headers={"compression": "application/x-gzip"})

        assert len(Message(envelope, channel=channel).errors) == 1

    def test_errors_belong_to_one_message(self, channel):
        Message("garbage", channel=channel)

        assert not Message(an_envelope(), channel=channel).errors
        assert Message.errors == ()

    @pytest.mark.parametrize("garbage", GARBAGE, ids=range(len(GARBAGE)))
    def test_it_can_be_shown_and_settled(self, channel, garbage):
        channel._put("q", garbage)
        message = channel.basic_get("q")

        assert "RECEIVED" in repr(message)
        message.reject()

        assert message.acknowledged
        assert not channel.qos._delivered

    @pytest.mark.parametrize("garbage", GARBAGE, ids=range(len(GARBAGE)))
    def test_it_can_be_requeued(self, channel, garbage):
        channel._put("q", garbage)

        channel.basic_get("q").requeue()

        assert channel.basic_get("q").errors

    @pytest.mark.parametrize("tag", [[1], {"a": 1}])
    def test_a_tag_that_can_not_be_one_is_replaced(self, channel, tag):
        channel._put("q", with_properties(delivery_tag=tag))

        message = channel.basic_get("q")

        assert isinstance(message.delivery_tag, str)
        message.ack()
        assert not channel.qos._delivered


class test_serializable:
    def test_is_an_envelope_again(self, channel):
        body = base64.b64encode(b"[1]").decode()
        envelope = {**with_properties(body_encoding="base64"), "body": body}

        assert Message(envelope, channel=channel).serializable() == envelope

    def test_is_not_compressed_again(self, channel):
        body, method = compress(b"[1, 2]", "zlib")
        envelope = an_envelope(body=body, headers={"compression": method, "h": 1})

        again = Message(envelope, channel=channel).serializable()

        assert again["headers"] == {"h": 1}
        assert again["body"] == b"[1, 2]"
        assert Message(again, channel=channel).payload == [1, 2]


class test_settling:
    @pytest.fixture
    def message(self, channel):
        channel._put("q", an_envelope())
        return channel.basic_get("q")

    @pytest.mark.parametrize("settle", ["ack", "reject", "requeue"])
    @pytest.mark.parametrize("again", ["ack", "reject", "requeue"])
    def test_but_once(self, message, settle, again):
        getattr(message, settle)()

        assert message.acknowledged
        with pytest.raises(MessageStateError, match="already acknowledged"):
            getattr(message, again)()

    def test_knows_where_it_came_from(self, message):
        assert message.source_queue == "q"


class test_Base64:
    @pytest.mark.parametrize("data", [b"", b"\x00\xff", b"text" * 100])
    def test_is_undone(self, data):
        assert Base64().decode(Base64().encode(data)) == data

    def test_text_is_utf_8(self):
        assert Base64().encode("ä") == "w6Q="
        assert Base64().decode("w6Q=") == "ä".encode()
