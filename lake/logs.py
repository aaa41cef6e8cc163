"""Structured logs: one JSON object a line, the same shape from every room.

    logs.configure("gateway", settings.log_level)
    log = logging.getLogger(__name__)
    with logs.request(request.headers.get("X-Request-Id")) as request_id:
        log.info("query_done", extra=logs.facts(table="bus_stops", row_count=12, duration_s=0.2))

gives `{"table": "bus_stops", …, "ts": …, "level": "info", "room": "gateway", "event": "query_done",
"request_id": …, "logger": …}`.
Facts are never tokens, passwords, values of rows or a caller's SQL.
"""

from __future__ import annotations

import json
import logging
import logging.config
import re
import traceback
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

REQUEST_ID_HEADER = "X-Request-Id"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_encode = json.JSONEncoder(ensure_ascii=False, default=str).encode
_request_id: ContextVar[str | None] = ContextVar("hanoiic_request_id", default=None)


def facts(**named: Any) -> dict[str, Any]:
    """The `extra` of a log call: facts that become keys of the line."""
    return {"facts": named}


def request_id() -> str | None:
    """The id of the request this context works for, to send on to the next room."""
    return _request_id.get()


def accept_request_id(received: str | None) -> str:
    """The received id when it is well-formed, else a new one: logs take no text of a caller."""
    return received if received and _REQUEST_ID.fullmatch(received) else uuid.uuid4().hex


@contextmanager
def request(received: str | None = None) -> Iterator[str]:
    """Carry a request id, received or new, through everything logged inside."""
    accepted = accept_request_id(received)
    token = _request_id.set(accepted)
    try:
        yield accepted
    finally:
        _request_id.reset(token)


class JsonLines(logging.Formatter):
    """A formatter for one room. Of an exception it writes type and places, never the text."""

    def __init__(self, room: str) -> None:
        super().__init__()
        self.room = room

    def format(self, record: logging.LogRecord) -> str:
        line = dict(getattr(record, "facts", {}))
        line |= {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "room": self.room,
            "event": record.getMessage(),
            "request_id": _request_id.get(),
            "logger": record.name,
        }
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            line["exception"] = type(error).__qualname__
            line["trace"] = [
                f"{frame.filename}:{frame.lineno} {frame.name}"
                for frame in traceback.extract_tb(error.__traceback__)
            ]
        return _encode(line)


def config(room: str, level: str = "INFO") -> dict[str, Any]:
    """A `logging.config` dictionary: JSON lines on stderr. gunicorn's `logconfig_dict` takes it."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": JsonLines, "room": room}},
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "formatter": "json",
                "stream": "ext://sys.stderr",
            }
        },
        "root": {"level": level.upper(), "handlers": ["stderr"]},
        "loggers": {
            name: {"level": level.upper(), "handlers": [], "propagate": True}
            for name in ("gunicorn.error", "gunicorn.access")
        },
    }


def configure(room: str, level: str = "INFO") -> None:
    """Send this process's logs to stderr as JSON lines. Called once, at an entry point."""
    # Of threads, processes and places in the code no line tells: a record looks for none.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None
    logging.config.dictConfig(config(room, level))
    logging.captureWarnings(True)
