"""The transport's options."""

from __future__ import annotations

from kombu.transport._options import Option

__all__ = ("ENGINE_OPTIONS", "SQL_OPTIONS")

SQL_OPTIONS = (
    Option("queue_tablename", "str", "kombu_queue", "", "Table of the queues."),
    Option(
        "message_tablename",
        "str",
        "kombu_message",
        "",
        "Table of the messages; the names of further tables begin with it.",
    ),
    Option(
        "sqlite_synchronous",
        "str",
        "FULL",
        "",
        "SQLite: FULL, so that nothing is lost when the power fails; NORMAL or OFF "
        "are faster.",
    ),
    Option(
        "notify",
        "bool",
        True,
        "",
        "PostgreSQL: wake who waits by NOTIFY; turn it off behind a pooler that does "
        "not pass LISTEN on.",
    ),
)

#: What SQLAlchemy is given, as is every option that nobody else knows.
ENGINE_OPTIONS = (
    Option("connect_args", "dict", None, "", "Arguments for the driver."),
    Option("echo", "bool", False, "", "Log every statement, with what is in it."),
    Option("isolation_level", "str", None, "", "Isolation of transactions."),
    Option("max_overflow", "int", 10, "", "Connections beyond pool_size."),
    Option("pool_pre_ping", "bool", False, "", "Try a connection before it is used."),
    Option("pool_recycle", "int", -1, "seconds", "Age at which one is replaced."),
    Option("pool_size", "int", 5, "", "Connections that are kept open."),
    Option("pool_timeout", "float", 30, "seconds", "Longest wait for a connection."),
    Option("poolclass", "type", None, "", "Class of the pool."),
)
