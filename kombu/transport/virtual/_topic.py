"""Topic patterns in a trie of words: a look-up costs what matches, not what is bound.

``*`` stands for exactly one word, which is not empty, ``#`` for zero or more
(AMQP 0-9-1, section 3.1.3.3).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Generic, TypeVar

__all__ = ("TopicTrie", "pattern_to_regex", "topic_matches")

_T = TypeVar("_T")

_ONE_WORD = "*"
_ANY_WORDS = "#"
_SIGNS = frozenset({_ONE_WORD, _ANY_WORDS})


class _Node(Generic[_T]):
    __slots__ = ("children", "values")

    def __init__(self) -> None:
        self.children: dict[str, _Node[_T]] = {}
        self.values: dict[_T, None] = {}


class TopicTrie(Generic[_T]):
    """Values by topic pattern."""

    __slots__ = ("_open_ended", "_root")

    def __init__(self) -> None:
        self._root: _Node[_T] = _Node()
        #: How many values have a pattern with ``#``.
        self._open_ended = 0

    def add(self, pattern: str, value: _T) -> None:
        """Have *value* match what *pattern* matches."""
        node = self._root
        words = _words(pattern)
        for word in words:
            child = node.children.get(word)
            if child is None:
                child = node.children[word] = _Node()
            node = child
        if value not in node.values:
            node.values[value] = None
            self._open_ended += _ANY_WORDS in words

    def discard(self, pattern: str, value: _T) -> None:
        """Undo :meth:`add`; branches that lead nowhere are cut."""
        path = [self._root]
        words = _words(pattern)
        for word in words:
            child = path[-1].children.get(word)
            if child is None:
                return
            path.append(child)
        if value not in path[-1].values:
            return
        del path[-1].values[value]
        self._open_ended -= _ANY_WORDS in words
        for word, parent, child in zip(
            reversed(words), reversed(path[:-1]), reversed(path[1:]), strict=True
        ):
            if child.values or child.children:
                return
            del parent.children[word]

    def match(self, routing_key: str) -> dict[_T, None]:
        """Return the values whose pattern matches, each once."""
        words = _words(routing_key)
        if self._open_ended:
            return self._match_open_ended(words)
        # Without "#" all that can match has as many words as the key.
        nodes = [self._root]
        for word in words:
            following = []
            for node in nodes:
                children = node.children
                # A literal sign in the key must not be taken for the sign.
                if word in children and word not in _SIGNS:
                    following.append(children[word])
                if _ONE_WORD in children and word:
                    following.append(children[_ONE_WORD])
            nodes = following
        found: dict[_T, None] = {}
        for node in nodes:
            found.update(node.values)
        return found

    def _match_open_ended(self, words: list[str]) -> dict[_T, None]:
        """Return what matches, some of the patterns having ``#``."""
        found: dict[_T, None] = {}
        # (node, how many words it has used up); a set, since several "#" in
        # one pattern would reach the same place on many ways.
        seen: set[tuple[int, int]] = set()
        todo: list[tuple[_Node[_T], int]] = [(self._root, 0)]
        while todo:
            node, used = todo.pop()
            if (id(node), used) in seen:
                continue
            seen.add((id(node), used))
            if used == len(words):
                found.update(node.values)
            else:
                word = words[used]
                if word not in _SIGNS and word in node.children:
                    todo.append((node.children[word], used + 1))
                if word and _ONE_WORD in node.children:
                    todo.append((node.children[_ONE_WORD], used + 1))
            rest = node.children.get(_ANY_WORDS)
            if rest is not None:
                todo.extend((rest, n) for n in range(used, len(words) + 1))
        return found


@lru_cache(maxsize=1024)
def pattern_to_regex(pattern: str) -> str:
    """Return the expression that matches what the topic *pattern* matches.

    Peers of earlier releases find it in a shared binding table and match keys
    with it as it stands.  Where theirs is right, ours is the same to the
    letter: the table then has one row for the binding, whoever adds it.
    """
    if pattern == _ANY_WORDS:
        return "^.*?$"
    words = _words(pattern)
    out = ""
    needs_dot = False
    for place, word in enumerate(words):
        if word == _ANY_WORDS:
            if place and words[place - 1] == _ANY_WORDS:
                continue
            is_last = all(rest == _ANY_WORDS for rest in words[place:])
            if is_last:
                out += r"(?:\..*)?" if needs_dot else ".*"
            else:
                out += r"\.(?:.*\.)?" if needs_dot else r"(?:.*\.)?"
                needs_dot = False
            continue
        out += r"\." if needs_dot else ""
        out += r"[^\.]+" if word == _ONE_WORD else _escape(word)
        needs_dot = True
    return f"^{out}$"


def topic_matches(pattern: str, routing_key: str) -> bool:
    """Return whether the topic *pattern* matches *routing_key*."""
    if not routing_key:
        return all(word == _ANY_WORDS for word in _words(pattern))
    return re.fullmatch(pattern_to_regex(pattern), routing_key, re.DOTALL) is not None


def _escape(word: str) -> str:
    return "".join(sign if sign.isalnum() else f"\\{sign}" for sign in word)


def _words(key: str) -> list[str]:
    # The empty key has no words, rather than one empty word.
    return key.split(".") if key else []
