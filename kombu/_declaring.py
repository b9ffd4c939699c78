"""Declaring an entity once for each connection."""

from __future__ import annotations

from typing import Any

__all__ = ("declaration_cached", "maybe_declare")


def declaration_cached(entity: Any, channel: Any) -> bool:
    """Return whether *entity* was declared on the connection of *channel*."""
    return entity in channel.connection.client.declared_entities


def maybe_declare(
    entity: Any, channel: Any = None, retry: bool = False, **retry_policy: Any
) -> bool:
    """Declare *entity* unless its connection has declared it.

    Arguments:
        entity: Exchange or queue.
        channel: Channel to declare it on; the one it is bound to if not given.
        retry: Try again if the broker is lost.
        **retry_policy: Arguments of :meth:`kombu.Connection.ensure`.

    Returns:
        Whether it was declared now.

    Raises:
        UnboundEntityError: There is no channel.
    """
    if channel is None:
        if not entity.is_bound:
            from kombu.exceptions import UnboundEntityError

            raise UnboundEntityError(
                f"Cannot bind channel None to entity {entity}: pass channel="
            )
        channel = entity.channel
    if not retry:
        return _declare(entity, channel)
    entity = entity.maybe_bind(channel)
    connection = channel.connection.client
    return bool(
        connection.ensure(
            entity, lambda: _declare(entity, entity.channel), **retry_policy
        )()
    )


def _declare(entity: Any, channel: Any) -> bool:
    declared = None
    if entity.can_cache_declaration:
        transport = channel.connection
        if transport is None:
            from kombu.exceptions import RecoverableConnectionError

            raise RecoverableConnectionError("channel disconnected")
        declared = transport.client.declared_entities
        if entity in declared:
            return False
    entity.declare(channel=channel)
    if declared is not None:
        declared.add(entity)
    return True
