"""Request ids, the log line of a request, and the headers that keep a browser careful."""

from __future__ import annotations

import json
import logging
import re

import pytest
from ckanext.hanoiic.portal.request_log import JsonLine, log

pytest_plugins = ("portal_scene",)


@pytest.fixture
def lines(monkeypatch):
    """The JSON lines written while the test runs."""
    # CKAN's commands, which an earlier test may have run, silence all loggers they don't know.
    monkeypatch.setattr(log, "disabled", False)
    written = []

    class Keep(logging.Handler):
        def emit(self, record):
            written.append(json.loads(JsonLine().format(record)))

    handler = Keep()
    log.addHandler(handler)
    yield written
    log.removeHandler(handler)


def test_a_callers_request_id_is_kept(site, lines):
    answer = site.get("/about", headers={"X-Request-Id": "abcdef-123456"})
    assert answer.headers["X-Request-Id"] == "abcdef-123456"
    assert lines[-1]["request_id"] == "abcdef-123456"


def test_any_other_gets_a_new_one(site, lines):
    for given in (None, "short", "has spaces in it", "x" * 65, 'quote"quote"'):
        headers = {"X-Request-Id": given} if given else {}
        made = site.get("/about", headers=headers).headers["X-Request-Id"]
        assert re.fullmatch(r"[0-9a-f]{32}", made), given
        assert lines[-1]["request_id"] == made


def test_a_request_is_one_line_without_its_query(site, lines):
    site.get("/user/reset/nobody?key=very-secret", expect_errors=True)
    (line,) = lines
    assert line == {
        "ts": line["ts"],
        "level": "info",
        "room": "portal",
        "event": "request",
        "request_id": line["request_id"],
        "method": "GET",
        "path": "/user/reset/nobody",
        "status": line["status"],
        "duration_ms": line["duration_ms"],
    }
    assert line["duration_ms"] > 0
    assert "very-secret" not in json.dumps(line)


def test_answers_carry_careful_headers(site):
    headers = site.get("/about").headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "SAMEORIGIN"
    assert "frame-ancestors 'self'" in headers["Content-Security-Policy"]
