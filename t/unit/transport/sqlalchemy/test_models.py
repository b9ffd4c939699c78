"""Tests of kombu.transport.sqlalchemy.models."""

from __future__ import annotations

from sqlalchemy import create_engine
from sqlalchemy.orm import Session, declarative_base

from kombu.transport.sqlalchemy.models import Message, Queue


def test_they_are_mixins_for_models_of_ones_own():
    base = declarative_base()
    queue_cls = type("Queue", (Queue, base), {"__tablename__": "kombu_queue"})
    message_cls = type("Message", (Message, base), {"__tablename__": "messages"})
    engine = create_engine("sqlite://")
    base.metadata.create_all(engine)

    with Session(engine) as session:
        session.add(message_cls("{}", queue_cls("q")))
        session.commit()
        [found] = session.query(message_cls).all()

        assert (found.payload, found.visible, found.queue.name) == ("{}", True, "q")
        assert str(found) == f"<Message: {found.id} in queue {found.queue_id}>"
        assert str(found.queue) == "<Queue(q)>"
