"""The harness of databases."""

from __future__ import annotations

from sqlalchemy import make_url

from kombu.testing import FaultProxy, Harness


class SqlHarness(Harness):
    """A database; of a server that can be killed, if it has one."""

    server = None

    def put_raw(self, queue, data):
        text = data.decode("latin-1").replace("\0", "\1")  # PostgreSQL takes none
        with self.connection.channel() as channel:
            channel._new_queue(queue)
            with channel.session as session:
                kind, message = channel.queue_cls, channel.message_cls
                found = session.query(kind).filter(kind.name == queue).one()
                session.add(message(text, found))
                session.commit()

    def fault_proxy(self):
        url = make_url(self.url.removeprefix("sqla+"))
        return FaultProxy(url.host, url.port, patience=self.patience)

    def kill_broker(self):
        self.server.kill()

    def start_broker(self):
        self.server.start()
