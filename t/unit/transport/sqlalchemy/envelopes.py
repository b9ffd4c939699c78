from __future__ import annotations


def envelope(body, **properties):
    """Return an envelope as the kernel makes it."""
    return {
        "body": str(body),
        "content-encoding": "utf-8",
        "content-type": "text/plain",
        "headers": {},
        "properties": {
            "delivery_info": {"exchange": "", "routing_key": "q"},
            "delivery_tag": f"tag-{body}",
            "priority": 0,
            "body_encoding": None,
            **properties,
        },
    }


def bodies(claims):
    return [claim.envelope["body"] for claim in claims]
