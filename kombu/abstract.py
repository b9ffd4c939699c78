"""Base classes of what is declared: entities with attributes, bound to channels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from kombu.exceptions import NotBoundError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ("MaybeChannelBound", "Object", "unpickle_dict")

_ObjectT = TypeVar("_ObjectT", bound="Object")
_BoundT = TypeVar("_BoundT", bound="MaybeChannelBound")


def unpickle_dict(cls: type[_ObjectT], kwargs: dict[str, Any]) -> _ObjectT:
    """Rebuild an entity of class *cls* from its attributes (for pickling)."""
    return cls(**kwargs)


def _plain(value: Any, recurse: bool) -> Any:
    if not recurse:
        return value
    if isinstance(value, Object):
        return value.as_dict(recurse=True)
    if isinstance(value, list):
        return [_plain(item, recurse) for item in value]
    return value


class Object:
    """Something described by named attributes; can be copied and pickled.

    Arguments:
        **kwargs: One value per name in :attr:`attrs`; absent ones become
            :const:`None`, or keep the default that the class has.

    Attributes:
        attrs: ``(name, convert)`` pairs; *convert* is called with a value that
            is given, and may be :const:`None`.
    """

    attrs: tuple[tuple[str, Callable[[Any], Any] | None], ...] = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        for name, convert in self.attrs:
            value = kwargs.get(name)
            if value is not None:
                setattr(self, name, convert(value) if convert else value)
            elif not hasattr(self, name):
                setattr(self, name, None)

    def as_dict(self, recurse: bool = False) -> dict[str, Any]:
        """Return the attributes as a dictionary.

        Arguments:
            recurse: Also turn entities found in values into dictionaries.
        """
        out = {}
        for name, convert in self.attrs:
            value = getattr(self, name)
            if convert is not None and value is not None:
                value = convert(value)
            out[name] = _plain(value, recurse)
        return out

    def __reduce__(self) -> tuple[Any, ...]:
        return unpickle_dict, (type(self), self.as_dict())

    def __copy__(self: _ObjectT) -> _ObjectT:
        return type(self)(**self.as_dict())


class MaybeChannelBound(Object):
    """An entity that can be bound to a channel, on which its methods then act.

    Binding makes a copy, so that one declaration can be shared by many
    channels.
    """

    _channel: Any = None
    _is_bound = False

    #: Whether a declaration of this entity has to be made but once.
    can_cache_declaration: Any = False

    def __call__(self: _BoundT, channel: Any) -> _BoundT:
        """Return a copy that is bound to *channel*."""
        return self.bind(channel)

    def bind(self: _BoundT, channel: Any) -> _BoundT:
        """Return a copy that is bound to *channel* (or to a connection's)."""
        bound = object.__new__(type(self))
        bound.__dict__.update(self.__dict__)
        bound._channel, bound._is_bound = None, False
        return bound.maybe_bind(channel)

    def maybe_bind(self: _BoundT, channel: Any) -> _BoundT:
        """Bind this very entity to *channel*, unless it is bound already."""
        if not self._is_bound and channel:
            self._channel = _channel_of(channel)
            self.when_bound()
            self._is_bound = True
        return self

    def revive(self, channel: Any) -> None:
        """Move a bound entity to the new *channel* after a reconnect."""
        if self._is_bound:
            self._channel = _channel_of(channel)
            self.when_bound()

    def when_bound(self) -> None:
        """Is called each time the entity gets a channel."""

    @property
    def is_bound(self) -> bool:
        """True if the entity has a channel."""
        return self._is_bound and self._channel is not None

    @property
    def channel(self) -> Any:
        """The channel that the entity is bound to.

        Raises:
            NotBoundError: There is none.
        """
        channel = self._channel
        if channel is None:
            raise NotBoundError(
                f"Can't call method on {type(self).__name__} not bound to a channel"
            )
        # A promised channel (see ChannelPromise) is made when first needed.
        if callable(channel) and not hasattr(channel, "basic_publish"):
            channel = self._channel = channel()
        return channel

    def __repr__(self) -> str:
        return self._repr_entity(type(self).__name__)

    def _repr_entity(self, item: str = "") -> str:
        item = item or type(self).__name__
        if not self._is_bound:
            return f"<unbound {item}>"
        number = getattr(self._channel, "channel_id", None)
        return f"<{item} bound to chan:{number if number is not None else '?'}>"


def _channel_of(channel: Any) -> Any:
    """Return the channel itself, or the default channel of a connection."""
    if hasattr(type(channel), "default_channel"):
        return channel.default_channel
    return channel
