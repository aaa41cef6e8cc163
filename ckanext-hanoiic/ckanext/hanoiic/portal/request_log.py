"""The portal's side of the request log: one id a request, one JSON line on stderr, safe headers.

The id is the caller's ``X-Request-Id`` when it looks like one, else a new one; it is answered back
and sent on to the gateway. The line holds the path without its query, where secrets could stand.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import time
import uuid
from datetime import UTC, datetime
from typing import Any

import flask

HEADER = "X-Request-Id"
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
SAFE_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Content-Security-Policy": "base-uri 'self'; frame-ancestors 'self'; object-src 'none'",
}
# Style sheets and scripts would fill the log with lines that nobody reads.
QUIET_PATHS = ("/webassets/", "/base/", "/hanoiic/")

log = logging.getLogger("hanoiic.portal.requests")


class JsonLine(logging.Formatter):
    """A record as one JSON object: when, how bad, which room, what, and the record's facts."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "room": "portal",
            "event": record.getMessage(),
            **getattr(record, "facts", {}),
        }
        return json.dumps(line, ensure_ascii=False)


def install(app: Any) -> Any:
    """Watch every request of the Flask application ``app``."""
    if not log.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(JsonLine())
        log.addHandler(handler)
        log.setLevel(logging.INFO)
        log.propagate = False
    # First in line, so that the time of every other handler counts too.
    app.before_request_funcs.setdefault(None, []).insert(0, begin)
    app.after_request(end)
    return app


def begin() -> None:
    given = flask.request.headers.get(HEADER, "")
    flask.g.hanoiic_request_id = given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
    flask.g.hanoiic_started = time.perf_counter()


def end(response: flask.Response) -> flask.Response:
    response.headers[HEADER] = request_id()
    for name, value in SAFE_HEADERS.items():
        response.headers.setdefault(name, value)
    if not flask.request.path.startswith(QUIET_PATHS):
        started = flask.g.get("hanoiic_started", time.perf_counter())
        facts = {
            "request_id": request_id(),
            "method": flask.request.method,
            "path": flask.request.path,
            "status": response.status_code,
            "duration_ms": round((time.perf_counter() - started) * 1000, 1),
        }
        log.info("request", extra={"facts": facts})
    return response


def request_id() -> str:
    """The id of the request being answered, or a new one outside of a request."""
    known = flask.g.get("hanoiic_request_id") if flask.has_request_context() else None
    return known or uuid.uuid4().hex
