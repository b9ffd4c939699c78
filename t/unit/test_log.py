from __future__ import annotations

import io
import logging
from contextlib import contextmanager
from logging.handlers import WatchedFileHandler

import pytest

from kombu import log
from kombu.log import (
    LOG_LEVELS,
    Log,
    LogMixin,
    get_logger,
    get_loglevel,
    naive_format_parts,
    safeify_format,
    setup_logging,
)
from kombu.utils.functional import lazy


class Records(logging.Handler):
    def __init__(self):
        super().__init__()
        self.records = []

    def emit(self, record):
        self.records.append(record)

    @property
    def messages(self):
        return [record.getMessage() for record in self.records]


class Worker(LogMixin):
    pass


@pytest.fixture
def records():
    handler = Records()
    logger = logging.getLogger("Worker")
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(logging.NOTSET)


class Unshowable:
    def __repr__(self):
        raise ValueError


def test_levels():
    assert get_loglevel("INFO") == get_loglevel(20) == logging.INFO
    assert get_loglevel("WARN") == get_loglevel("WARNING") == logging.WARNING
    assert get_loglevel(None) is None
    assert LOG_LEVELS[logging.ERROR] == "ERROR"
    with pytest.raises(KeyError):
        get_loglevel("nope")


def test_get_logger_is_silent_but_adds_nothing_twice():
    logger = get_logger("t.unit.log.some")

    assert logger is logging.getLogger("t.unit.log.some") is get_logger(logger)
    assert [type(handler) for handler in logger.handlers] == [logging.NullHandler]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a %s b %r %% %d %(x)s", ["s", "r", None, "d", "("]),
        ("%5.2f|%%s", ["5", None]),
        ("abc", []),
        ("", []),
        ("100%", [None]),
    ],
)
def test_naive_format_parts(text, parts):
    assert list(naive_format_parts(text)) == parts


def test_safeify_format():
    assert list(safeify_format("%s %r %d", ("a", b"b", 3))) == ["a", "b'b'", 3]
    assert list(safeify_format("%s", (object,), {"s": lambda arg: "F"})) == ["F"]
    assert list(safeify_format("100%% %s", (1,))) == ["1"]
    assert list(safeify_format("%s", (1, 2))) == ["1"]
    assert list(safeify_format("%s %s", (1,))) == ["1"]
    (shown,) = safeify_format("%r", (Unshowable(),))
    assert "Unrepresentable" in shown


class test_LogMixin:
    @pytest.mark.parametrize(
        ("args", "message"),
        [
            (("d %s", 1), "d 1"),
            (("w %r", "é"), "w 'é'"),
            (("%d", 5), "5"),
            (("%s is 100%%", 5), "5 is 100%"),
            (("100%",), "100%"),
            (("%(a)s", {"a": 1}), "1"),
            (("bytes %s", b"b"), "bytes b"),
            (("%s", lazy(lambda: "later")), "later"),
            ((lazy(lambda: "later"),), "later"),
            ((5, 6), "5 6"),
            ((), ""),
        ],
    )
    def test_messages(self, records, args, message):
        Worker().info(*args)

        assert records.messages == [f"Worker - {message}"]

    def test_levels_of_the_methods(self, records):
        worker = Worker()
        for name in ("debug", "info", "warn", "error", "critical"):
            getattr(worker, name)("text")
        worker.log("WARNING", "by name")

        assert [record.levelno for record in records.records] == [
            10,
            20,
            30,
            40,
            50,
            30,
        ]

    def test_errors_have_a_traceback(self, records):
        worker = Worker()
        try:
            raise ZeroDivisionError
        except ZeroDivisionError:
            worker.error("with")
            worker.critical("with")
            worker.error("without", exc_info=False)
            worker.info("without")

        tracebacks = [bool(record.exc_info) for record in records.records]
        assert tracebacks == [True, True, False, False]

    def test_tracebacks_can_be_disabled(self, records, monkeypatch):
        monkeypatch.setattr(log, "DISABLE_TRACEBACKS", "1")

        Worker().error("text", exc_info=True)

        assert not records.records[0].exc_info

    def test_logs_nothing_below_the_level(self, records):
        logging.getLogger("Worker").setLevel(logging.ERROR)
        worker = Worker()

        worker.info("%s", lazy(lambda: 1 / 0))

        assert records.messages == []
        assert worker.is_enabled_for("ERROR")
        assert not worker.is_enabled_for(logging.INFO)
        assert worker.get_loglevel("INFO") == 20

    def test_names_may_be_overridden(self, records):
        class Other(LogMixin):
            @property
            def logger_name(self):
                return "Worker"

            def annotate(self, text):
                return f"[{text}]"

        Other().info("a %s", 1)

        assert records.messages == ["[a 1]"]


class test_Log:
    def test_by_name(self, records):
        named = Log("Worker")

        named.info("text")

        assert named.logger_name == "Worker"
        assert repr(named) == "<Log: Worker>"
        assert records.messages == ["Worker - text"]

    def test_with_another_logger(self, records):
        Log("other", logging.getLogger("Worker")).info("text")

        assert records.messages == ["other - text"]


@contextmanager
def root_of_its_own():
    """Replace the root logger: pytest has handlers on the real one."""
    root = logging.RootLogger(logging.WARNING)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logging, "root", root)
        yield root
    for handler in root.handlers:
        handler.close()


class test_setup_logging:
    def test_once(self):
        with root_of_its_own() as root:
            assert setup_logging() is root
            assert setup_logging("DEBUG") is root

        assert root.level == logging.ERROR
        assert [type(handler) for handler in root.handlers] == [logging.StreamHandler]

    def test_open_file(self):
        file = io.StringIO()

        with root_of_its_own() as root:
            setup_logging("INFO", file)
            root.info("text")

        assert file.getvalue() == "text\n"

    def test_path(self, tmp_path):
        with root_of_its_own() as root:
            setup_logging(logging.DEBUG, str(tmp_path / "log"))
            root.debug("text")

        assert isinstance(root.handlers[0], WatchedFileHandler)
        assert (tmp_path / "log").read_text() == "text\n"
