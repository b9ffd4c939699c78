"""The harness of Redis, however it is reached."""

from __future__ import annotations

from kombu.testing import Harness
from kombu.transport.redis import Channel

#: The suite speaks of priorities and of fanout exchanges as AMQP does; how kombu 5.7
#: takes them is seen to in t/integration/interop.
AS_AMQP = {"priority_mode": "amqp", "fanout_patterns": False}


class RedisHarness(Harness):
    """A database of *server*, which can be killed and started again.

    Arguments:
        server: The server.
        url: URL of the database.
        transport_options: Options for every connection.
    """

    #: In front of every key.
    prefix = ""

    def __init__(self, server, url, transport_options=None):
        super().__init__(url, transport_options, patience=10.0, idle=0.1)
        self._server = server
        self.gathered_acks = Channel.settle_limit

    @property
    def _database(self):
        return int(self.url.partition("?")[0].rpartition("/")[2])

    def put_raw(self, queue, data):
        data = data if isinstance(data, bytes) else str(data).encode()
        with self._server.client(self._database) as client:
            client.lpush(f"{self.prefix}{queue}", data)

    def kill_broker(self):
        self._server.kill()

    def start_broker(self):
        self._server.start()
