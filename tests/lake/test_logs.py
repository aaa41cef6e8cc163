"""Logs: one JSON object a line, with the request's id and without what must not be logged."""

from __future__ import annotations

import io
import json
import logging
from datetime import UTC, datetime

import pytest

from lake import logs


@pytest.fixture
def lines():
    """A logger of room `gateway` and the objects it wrote so far."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.JsonLines("gateway"))
    logger = logging.Logger("api_gateway.query")
    logger.addHandler(handler)
    return logger, lambda: [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_holds_room_event_request_and_facts(lines):
    log, written = lines
    with logs.request("abc-1") as request_id:
        log.info("query_done", extra=logs.facts(table="bus_stops", title="Điểm dừng", row_count=2))
        assert logs.request_id() == request_id == "abc-1"
    (line,) = written()
    assert datetime.fromisoformat(line.pop("ts")).utcoffset() == UTC.utcoffset(None)
    assert line == {
        "level": "info",
        "room": "gateway",
        "event": "query_done",
        "request_id": "abc-1",
        "logger": "api_gateway.query",
        "table": "bus_stops",
        "title": "Điểm dừng",
        "row_count": 2,
    }


def test_a_fact_cannot_pose_as_another_room(lines):
    log, written = lines
    log.warning(
        "two\nlines",
        extra=logs.facts(room="portal", level="debug", at=datetime.max.replace(tzinfo=UTC)),
    )
    (line,) = written()
    assert (line["room"], line["level"], line["event"]) == ("gateway", "warning", "two\nlines")


def test_an_exception_is_written_without_its_text(lines):
    log, written = lines
    try:
        int("0912345678x")
    except ValueError:
        log.exception("row_refused")
    (line,) = written()
    assert line["exception"] == "ValueError"
    assert "test_logs.py" in line["trace"][-1]
    assert "0912345678x" not in json.dumps(line)


def test_request_ids_nest_and_end(lines):
    log, written = lines
    with logs.request("outer"):
        with logs.request("inner"):
            log.info("a")
        log.info("b")
    log.info("c")
    assert [line["request_id"] for line in written()] == ["inner", "outer", None]


@pytest.mark.parametrize("received", [None, "", "a b", 'x"}\n{"event":"forged"', "a" * 65, "é"])
def test_a_malformed_request_id_is_replaced(received):
    with logs.request(received) as request_id:
        assert request_id != received
        assert logs.accept_request_id(request_id) == request_id


def test_the_configuration_writes_one_room_to_stderr():
    config = logs.config("harvest", "debug")
    assert config["formatters"]["json"] == {"()": logs.JsonLines, "room": "harvest"}
    assert config["handlers"]["stderr"]["stream"] == "ext://sys.stderr"
    assert config["root"]["level"] == "DEBUG"
