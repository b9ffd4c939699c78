"""A stand-in for a server, and for connections of redis-py to it: no sockets.

It keeps lists, sets and hashes, and does in a few lines what the scripts do as far as
the tests of the other parts need it.  What a script really does is tested with real
servers: here answers can be put in its place.
"""

from __future__ import annotations

import json
import threading
from collections import defaultdict, deque
from typing import NamedTuple

from redis import exceptions

from kombu.transport.redis.scripts import _FOLDER, script

NOW = 1_700_000_000_000_000


class Call(NamedTuple):
    """A command, or a script, that has come."""

    name: str
    keys: list[str]
    arguments: list[bytes]


class Waiting(NamedTuple):
    """Who waits for something to be in one of some lists."""

    keys: list[str]
    connection: FakeConnection
    ends_at: float | None


def scripts_by_digest(rings_by_channel):
    names = [path.stem for path in _FOLDER.glob("*.lua")]
    made = [script(name, rings_by_channel) for name in names]
    return {one.by_digest.data: one.name for one in made}


class FakeServer:
    """Carries out commands, and notes them.

    Attributes:
        calls: All that has come.
        answers: By name of a command or script: what to answer next instead of what
            it would: values, errors, or functions of the call.
        always: By name: what to answer each time.
        is_gone: Whether it can not be reached.
        clock: A clock that is turned: no wait takes real time then.
        meanwhile: What happens while somebody waits for something to be read: the
            first of these is called in each such wait, and waited for no longer if
            there is something then.
    """

    def __init__(self):
        self.lock = threading.RLock()
        self.calls = []
        self.answers = defaultdict(deque)
        self.always = {}
        self.is_gone = False
        self.clock = None
        self.meanwhile = deque()
        self.knows_scripts = True
        self.connections = []
        self.waiting = []
        self.lists = defaultdict(deque)
        self.sets = defaultdict(set)
        self.hashes = defaultdict(dict)
        self.numbers = {}
        self.version = b"1"
        self._digests = {**scripts_by_digest(True), **scripts_by_digest(False)}
        self._texts = {
            one.by_text.data: one.name
            for flag in (True, False)
            for one in [script(name, flag) for name in set(self._digests.values())]
        }

    def connect(self, *args, **kwargs):
        """Return a connection that is not open yet."""
        connection = FakeConnection(self)
        self.connections.append(connection)
        return connection

    def named(self, name):
        """Return the calls of *name*."""
        return [call for call in tuple(self.calls) if call.name == name]

    def names(self):
        return [call.name for call in tuple(self.calls)]

    def lose_all(self):
        """Cut all connections."""
        for connection in tuple(self.connections):
            connection.cut()

    def handle(self, words, connection):
        """Return the reply to a command, or None if it comes later."""
        with self.lock:
            reply = self._carry_out(words, connection)
        self._serve_waiting()
        return reply

    def _carry_out(self, words, connection):
        call = self._call_of(words)
        if isinstance(call, Exception):
            return call
        self.calls.append(call)
        if self.answers[call.name]:
            answer = self.answers[call.name].popleft()
            return answer(call) if callable(answer) else answer
        if call.name in self.always:
            answer = self.always[call.name]
            return answer(call) if callable(answer) else answer
        handler = getattr(self, f"do_{call.name}", None)
        if handler is None:
            raise AssertionError(f"the fake knows no {call.name}")
        if call.name in ("BLPOP", "SUBSCRIBE", "PSUBSCRIBE"):
            return handler(call, connection)
        return handler(call)

    def _call_of(self, words):
        verb = words[0].decode()
        if verb not in ("EVAL", "EVALSHA"):
            if verb == "CLUSTER":
                return Call("CLUSTER", [], words[1:])
            keys = [words[1].decode()] if len(words) > 1 else []
            return Call(verb, keys, words[2:])
        head = b"".join(b"$%d\r\n%b\r\n" % (len(one), one) for one in words[:2])
        if verb == "EVALSHA":
            if not self.knows_scripts:
                return exceptions.NoScriptError("No matching script.")
            name = self._digests[head]
        else:
            self.knows_scripts = True
            name = self._texts[head]
        count = int(words[2])
        keys = [word.decode() for word in words[3 : 3 + count]]
        return Call(name, keys, words[3 + count :])

    # -- commands ----------------------------------------------------------------

    def do_TIME(self, call):
        return [b"%d" % (NOW // 10**6), b"%d" % (NOW % 10**6)]

    def do_PING(self, call):
        return [b"pong", b""]

    def do_ASKING(self, call):
        return b"OK"

    def do_HGETALL(self, call):
        return [x for pair in self.hashes[call.keys[0]].items() for x in pair]

    def do_SMEMBERS(self, call):
        return sorted(self.sets[call.keys[0]])

    def do_EXISTS(self, call):
        return int(bool(self.lists[call.keys[0]]))

    def do_LPUSH(self, call):
        self.lists[call.keys[0]].appendleft(call.arguments[0])
        return len(self.lists[call.keys[0]])

    def do_RPUSH(self, call):
        self.lists[call.keys[0]].append(call.arguments[0])
        return len(self.lists[call.keys[0]])

    def do_LTRIM(self, call):
        return b"OK"

    def do_EXPIRE(self, call):
        return 1

    def do_DEL(self, call):
        return int(bool(self.lists.pop(call.keys[0], None)))

    def do_HDEL(self, call):
        return self._drop(self.hashes[call.keys[0]], call.arguments)

    def do_ZADD(self, call):
        """Set scores, of what is there already (``XX``)."""
        found = self.hashes[call.keys[0]]
        _, *pairs = call.arguments
        for score, name in zip(*[iter(pairs)] * 2, strict=True):
            if name in found:
                found[name] = score
        return 0

    def do_ZREM(self, call):
        return self._drop(self.hashes[call.keys[0]], call.arguments)

    def _drop(self, found, names):
        return sum(found.pop(name, None) is not None for name in names)

    def do_PUBLISH(self, call):
        return self.publish(call.keys[0], call.arguments[0])

    def publish(self, channel, data):
        from fnmatch import fnmatchcase

        count = 0
        for connection in self.connections:
            for name in tuple(connection.subscriptions):
                if name == channel:
                    reply = [b"message", name.encode(), data]
                elif fnmatchcase(channel, name):
                    reply = [b"pmessage", name.encode(), channel.encode(), data]
                else:
                    continue
                connection.answer(reply)
                count += 1
        return count

    def do_SUBSCRIBE(self, call, connection):
        connection.subscriptions.add(call.keys[0])
        return [b"subscribe", call.keys[0].encode(), 1]

    def do_PSUBSCRIBE(self, call, connection):
        connection.subscriptions.add(call.keys[0])
        return [b"psubscribe", call.keys[0].encode(), 1]

    def do_UNSUBSCRIBE(self, call):
        for connection in self.connections:
            connection.subscriptions.discard(call.keys[0])
        return [b"unsubscribe", call.keys[0].encode(), 1]

    do_PUNSUBSCRIBE = do_UNSUBSCRIBE

    # What is sent behind a wait, on the same connection, is carried out after it.

    def do_BLPOP(self, call, connection):
        keys = [*call.keys, *(one.decode() for one in call.arguments[:-1])]
        seconds = float(call.arguments[-1])
        ends_at = None if self.clock is None else self.clock.now + seconds
        self.waiting.append(Waiting(keys, connection, ends_at))
        connection.is_blocked = True

    def _serve_waiting(self):
        """Give what there is to those who wait for it, when a command is done."""
        with self.lock:
            for waiting in tuple(self.waiting):
                rung = [key for key in waiting.keys if self.lists[key]]
                # What is carried out for one may end the wait of another.
                if rung and waiting in self.waiting:
                    found = self.lists[rung[0]].popleft()
                    self._end(waiting, [rung[0].encode(), found])

    def _end(self, waiting, reply):
        self.waiting.remove(waiting)
        waiting.connection.answer(reply)
        waiting.connection.go_on()

    def end_wait(self, reply=None):
        """End a wait as the server does when its time is over."""
        with self.lock:
            self._end(self.waiting[0], reply)

    def forget(self, connection):
        """Let go of who waits by a connection that was cut."""
        with self.lock:
            self.waiting = [
                one for one in self.waiting if one.connection is not connection
            ]

    def let_pass(self, seconds, connection):
        """Let time pass, until there is something to be read by *connection*."""
        end = self.clock.now + seconds
        while not connection.has_something():
            ending = [one for one in self.waiting if one.ends_at <= end]
            if not ending:
                self.clock.now = end
                return
            first = min(ending, key=lambda one: one.ends_at)
            self.clock.now = max(self.clock.now, first.ends_at)
            self._end(first, None)

    # -- scripts -----------------------------------------------------------------

    def stamp(self, key):
        return b"%d" % len(self.sets[key])

    def do_version(self, call):
        return [self.version, *map(self.stamp, call.keys[1:])]

    def do_check(self, call):
        right = call.arguments[0] == self.version
        if right and len(call.keys) > 1:
            right = call.arguments[1] == self.stamp(call.keys[1])
        return int(right)

    def do_record(self, call):
        what, field, value, is_topology, *row = call.arguments
        records = self.hashes[call.keys[0]]
        if what == b"remove":
            done = int(records.pop(field, None) is not None)
        elif what == b"add" and field in records:
            done = 0
        else:
            records[field] = value
            done = 1
        for key in call.keys[2:]:
            if what == b"remove":
                self.sets[key].discard(row[0])
            else:
                self.sets[key].add(row[0])
        if is_topology == b"1" and done:
            self.version = b"%d" % (int(self.version) + 1)
        return done

    def do_renew(self, call):
        owner = call.arguments[0]
        owners = self.hashes[call.keys[0]]
        was_alive = owner in owners
        owners[owner] = call.arguments[1]
        return [int(was_alive), b"%d" % NOW]

    def do_owners(self, call):
        return list(self.hashes[call.keys[0]])

    def do_put(self, call):
        checks = int(call.arguments[0])
        checked = Call("check", call.keys[:checks], call.arguments[1:3])
        if checks and not self.do_check(checked):
            return 0
        for key, bell in zip(*[iter(call.keys[checks:])] * 2, strict=True):
            self.lists[key].appendleft(call.arguments[3])
            self._ring(bell)
        return 1

    def do_ring(self, call):
        for key in call.keys:
            self._ring(key)
        return 1

    def _ring(self, bell):
        if not self.lists[bell]:
            self.lists[bell].append(b"1")

    def do_claim(self, call):
        limit, prefix, known, has_rung = call.arguments[:4]
        if known not in (b"*", self.version):
            return [b"%b;%d;;;" % (self.version, NOW)]
        reply, counts, left = [], [], b"0"
        at, number = 3, 0
        while at < len(call.keys):
            lists, ending, name = call.arguments[6 + number * 3 : 9 + number * 3]
            bell, end = call.keys[at + 1], at + 4 + int(lists)
            before, has_more = len(reply), False
            for key in call.keys[at + 4 : end]:
                waiting = self.lists[key]
                while waiting and len(reply) < int(limit):
                    text = waiting.pop()
                    reply.append(text)
                    tag = b"%b:%05d:%b" % (prefix, len(reply), name)
                    self.hashes[call.keys[0]][tag] = b"[" + text + ending
                    self.hashes[call.keys[1]][tag] = b"0"
                has_more = has_more or bool(waiting)
            if len(reply) < int(limit):
                self.lists[bell].clear()
            elif has_rung == b"0":
                left = left if left == b"1" else b""
            elif has_more:
                left = b"1"
                self._ring(bell)
            at, number = end, number + 1
            if len(reply) > before:
                counts.append(b"%d:%d" % (number, len(reply) - before))
        head = b"%b;%d;;%b;%b" % (self.version, NOW, left, b",".join(counts))
        return [head, *reply]

    def do_ring_again(self, call):
        has_messages = any(self.lists[key] for key in call.keys[1:])
        if has_messages:
            self._ring(call.keys[0])
        return int(has_messages)

    def do_release(self, call):
        count = 0
        for at in range(2, len(call.arguments), 4):
            tag, pair, text, length = call.arguments[at : at + 4]
            value = self.hashes[call.keys[0]].pop(tag, None)
            if value is not None:
                self.hashes[call.keys[1]].pop(tag, None)
                place = int(pair) * 2
                text = text or value[1 : len(value) - int(length)]
                self.lists[call.keys[place]].append(text)
                self._ring(call.keys[place + 1])
                count += 1
        return count

    def do_move(self, call):
        if self.hashes[call.keys[0]].pop(call.arguments[0], None) is None:
            return 0
        for key, text in zip(call.keys[2::2], call.arguments[1:], strict=True):
            self.lists[key].appendleft(text)
        return 1

    def do_size(self, call):
        return sum(len(self.lists[key]) for key in self._lists_of(call))

    def do_purge(self, call):
        return sum(len(self.lists.pop(key, ())) for key in self._lists_of(call))

    do_delete = do_purge

    def _lists_of(self, call):
        sep, levels = call.arguments[:2]
        return [
            call.keys[0] + ("" if level == b"0" else (sep + level).decode())
            for level in levels.split(b",")
        ]

    def do_rest(self, call):
        self.hashes[call.keys[1]][call.arguments[0]] = call.arguments[2]
        return 1

    def do_cancel(self, call):
        return self._drop(self.hashes[call.keys[1]], call.arguments)

    def do_next_due(self, call):
        return [b"%d" % NOW, b""]

    def do_extend(self, call):
        return len(call.arguments) - 1

    def do_lost(self, call):
        return []

    def do_unlock(self, call):
        return 1

    def do_claim_expired(self, call):
        return []

    def do_put_limited(self, call):
        self.lists[call.keys[2]].appendleft(call.arguments[3])
        return [1]


class FakeConnection:
    """What the library uses of a connection of redis-py."""

    def __init__(self, server):
        self.server = server
        self.sent = []
        self.subscriptions = set()
        self.is_open = False
        self.is_cut = False
        #: Whether it waits, so that what it sends is carried out later.
        self.is_blocked = False
        self._held_back = deque()
        self._replies = deque()
        self._changed = threading.Condition()

    def connect(self):
        if self.server.is_gone:
            raise exceptions.ConnectionError("nobody answers")
        self.is_open = True

    def send_packed_command(self, chunks):
        if self.is_cut or self.server.is_gone:
            raise exceptions.ConnectionError("cut")
        for words in commands_in(b"".join(chunks)):
            self.sent.append(words)
            self._held_back.append(words)
        if not self.is_blocked:
            self._carry_out()

    def _carry_out(self):
        while self._held_back and not self.is_cut:
            words = self._held_back.popleft()
            reply = self.server.handle(words, self)
            if self.is_cut:
                return
            if words[0] == b"BLPOP" and reply is None:
                if self.is_blocked:
                    return
            else:
                self.answer(reply)

    def go_on(self):
        """Carry out what was sent behind a wait that has ended."""
        self.is_blocked = False
        self._carry_out()

    def answer(self, reply):
        with self._changed:
            self._replies.append(reply)
            self._changed.notify_all()

    def cut(self):
        with self._changed:
            self.is_cut = True
            self.subscriptions.clear()
            self._changed.notify_all()
        self.server.forget(self)

    def has_something(self):
        return bool(self._replies) or self.is_cut

    def can_read(self, timeout=0):
        server = self.server
        if timeout and not self.has_something():
            if server.meanwhile:
                server.meanwhile.popleft()()
            if server.clock is not None:
                server.let_pass(timeout, self)
                return self.has_something()
        with self._changed:
            if not self._replies and not self.is_cut and timeout:
                self._changed.wait(timeout)
            return bool(self._replies) or self.is_cut

    def read_response(self, disable_decoding=False, **kwargs):
        with self._changed:
            while not self._replies and not self.is_cut:
                if self.server.clock is not None:
                    raise exceptions.TimeoutError("nothing has come")
                assert self._changed.wait(10), "nothing will come"
            if self.is_cut:
                raise exceptions.ConnectionError("cut")
            reply = self._replies.popleft()
        if isinstance(reply, BaseException):
            raise reply
        return reply

    def disconnect(self, *args):
        self.is_open = False
        self.cut()


def commands_in(data):
    """Yield the words of each command in *data*."""
    while data:
        count, _, data = data[1:].partition(b"\r\n")
        words = []
        for _ in range(int(count)):
            length, _, data = data[1:].partition(b"\r\n")
            words.append(data[: int(length)])
            data = data[int(length) + 2 :]
        yield words


def envelope(body, queue="q", **properties):
    """Return an envelope as the kernel makes it."""
    return {
        "body": str(body),
        "content-encoding": "utf-8",
        "content-type": "text/plain",
        "headers": {},
        "properties": {
            "delivery_info": {"exchange": "", "routing_key": queue},
            "delivery_tag": f"tag-{body}",
            "priority": 0,
            "body_encoding": None,
            **properties,
        },
    }


def bodies(claims):
    return [claim.envelope["body"] for claim in claims]


def fill(server, queue, *names):
    """Have messages wait in *queue*."""
    for name in names:
        text = json.dumps(envelope(name, queue)).encode()
        server.lists[queue].appendleft(text)
