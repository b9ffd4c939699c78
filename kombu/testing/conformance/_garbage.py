"""What may be found in a store in the place of a message."""

from __future__ import annotations

from typing import Any

__all__ = ("GARBAGE", "TWISTED", "with_property")

#: Bytes that are no envelope, or one that lacks something.
GARBAGE = [
    b"",
    b"\x00\xff\xfe garbage",
    b"{",
    b"[]",
    b"null",
    b"{}",
    b'{"body": 1}',
    b'{"body": "x", "properties": null}',
    b'{"body": "a", "properties": {"body_encoding": "base64"}}',
]


def envelope(**changes: Any) -> dict[str, Any]:
    """Return an envelope as kombu writes it, with some of its parts changed."""
    sound = {
        "body": "InBvaXNvbiI=",
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {},
        "properties": {
            "body_encoding": "base64",
            "delivery_info": {"exchange": "", "routing_key": "key"},
            "delivery_tag": "a-tag",
            "priority": 0,
        },
    }
    return {**sound, **changes}


def with_property(name: str, value: Any) -> dict[str, Any]:
    """Return an envelope one of whose properties is *value*."""
    return envelope(properties={**envelope()["properties"], name: value})


#: Envelopes something in which is not what it has to be.
TWISTED: dict[str, dict[str, Any]] = {
    "headers-number": envelope(headers=7),
    "headers-list": envelope(headers=["a", "b"]),
    "headers-none": envelope(headers=None),
    "properties-list": envelope(properties=[1, 2]),
    "properties-empty": envelope(properties={}),
    "body-number": envelope(body=7),
    "body-object": envelope(body={"a": 1}),
    "body-none": envelope(body=None),
    "body-no-base64": envelope(body="%%%"),
    "content-type-number": envelope(**{"content-type": 7}),
    "content-type-list": envelope(**{"content-type": ["application/json"]}),
    "content-encoding-number": envelope(**{"content-encoding": 7}),
    "content-encoding-unknown": envelope(**{"content-encoding": "klingon"}),
    "delivery-info-list": with_property("delivery_info", [1]),
    "delivery-info-none": with_property("delivery_info", None),
    "delivery-tag-list": with_property("delivery_tag", [1]),
    "delivery-tag-none": with_property("delivery_tag", None),
    "body-encoding-number": with_property("body_encoding", 7),
    "priority-text": with_property("priority", "highest"),
    "priority-object": with_property("priority", {}),
    "expiration-text": with_property("expiration", "soon"),
    "expires-at-text": with_property("x-expires-at", "soon"),
    "deliver-at-list": with_property("x-deliver-at", [1]),
    "delivery-count-text": with_property("x-delivery-count", "many"),
    "redelivered-text": envelope(redelivered="perhaps"),
    "death-text": envelope(headers={"x-death": "yes"}),
    "death-of-texts": envelope(headers={"x-death": ["yes", 7, None]}),
    "death-count-text": envelope(
        headers={"x-death": [{"queue": [], "reason": {}, "count": "many"}]}
    ),
    "compression-list": envelope(headers={"compression": ["gzip"]}),
}
