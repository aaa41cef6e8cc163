"""What the process that reads SQL tells of it: what the gate says, as JSON, and never much."""

from __future__ import annotations

import contextlib
import json
from unittest.mock import Mock

import duckdb
import pytest

from api_gateway import origins, reader, reading, worker
from api_gateway.errors import Busy, FunctionRefused, GatewayError, TooComplex
from tests.api_gateway.test_gate import SERVED, read, text


def told(sql: str) -> dict:
    return json.loads(json.dumps(reading.told(sql, text, (duckdb.Error,))))


@pytest.mark.parametrize("sql", SERVED, ids=lambda sql: sql[:60])
def test_a_statement_travels_as_json(sql):
    heard = reading.heard(told(sql))
    assert (heard.sql, heard.tables) == (read(sql).sql, read(sql).tables)
    tree = json.loads(text("SELECT json_serialize_sql(?::VARCHAR, skip_null := true, "
                           "skip_empty := true)", heard.sql))  # fmt: skip
    assert heard.origins == origins.read(tree)


def test_a_refusal_travels_with_its_facts():
    with pytest.raises(FunctionRefused) as refused:
        reading.heard(told("SELECT getenv('HOME')"))
    assert refused.value.facts["function"] == "getenv"
    for sql in ("", "SELECT 1; SELECT 2", "SELEC 1", "COPY x TO 'y'", "SELECT 1 +"):
        with pytest.raises(GatewayError):
            reading.heard(told(sql))


def test_parameters_are_told_in_order():
    assert reading.heard(told("SELECT $b, $a, $b")).parameters == ("b", "a")
    assert reading.heard(told("SELECT ?, upper(?)")).parameters == ("1", "2")
    assert reading.heard(told("SELECT 1")).parameters == ()


@pytest.mark.parametrize(("used_s", "refusal"), [(0.1, Busy), (1.4, TooComplex)])
def test_a_machine_without_time_makes_no_query_too_complex(monkeypatch, used_s, refusal):
    class Slow:
        process, due_at = Mock(receive=Mock(side_effect=TimeoutError)), 0.0

        def fail(self, cause):
            assert cause == "overtime"

        def used_s(self):
            return used_s

    pool = Mock(process=lambda *_: contextlib.nullcontext(Slow()))
    monkeypatch.setattr(reader, "Pool", lambda *_, **__: pool)
    monkeypatch.setattr(reader, "QUEUE_S", 0.0)
    with pytest.raises(refusal):
        reader.Reader(Mock()).read("SELECT 1")


def test_a_process_that_has_no_turn_yet_is_waited_for(monkeypatch):
    """To end it would have the next one open, and wait, anew: none would ever read."""
    verdict = json.dumps(told("SELECT 1")).encode()
    lease = Mock(used_s=Mock(return_value=0.1))
    lease.process.receive = Mock(side_effect=[TimeoutError, TimeoutError, (b"e", verdict)])
    pool = Mock(process=lambda *_: contextlib.nullcontext(lease))
    monkeypatch.setattr(reader, "Pool", lambda *_, **__: pool)
    assert reader.Reader(Mock()).read("SELECT 1").sql
    assert lease.finish.called
    assert not lease.fail.called


@pytest.mark.parametrize("fired", [False, True])
def test_a_reading_that_was_interrupted_is_not_told(monkeypatch, fired):
    sent = Mock()
    monkeypatch.setattr(worker.frames, "send_json", sent)
    running = Mock(return_value=contextlib.nullcontext())
    mine = Mock(
        _connection=duckdb.connect(), _stopwatch=Mock(fired=fired, running=running),
        _text=worker.Worker._text,
    )  # fmt: skip
    worker.Worker._parse(mine, {"sql": "SELECT 1", "timeout_s": 1})
    assert sent.called is not fired


def test_selects_that_hold_each_other_again_and_again_stay_small():
    ctes = ["a0 AS (SELECT 1 AS x)"]
    ctes += [f"a{n} AS (SELECT p.x FROM a{n - 1} p, a{n - 1} q)" for n in range(1, 60)]
    verdict = told(f"WITH {', '.join(ctes)} SELECT * FROM a59")
    assert len(json.dumps(verdict["origins"])) < 200_000
    few = reading.heard(told(f"WITH {', '.join(ctes[:3])} FROM a2"))
    assert few.origins is not None


@pytest.mark.parametrize(
    ("sql", "flows"),
    [
        ("FROM t", True),
        ("SELECT upper(a) FROM t WHERE b > 1", True),
        ("SELECT a FROM t ORDER BY a", False),
        ("SELECT DISTINCT a FROM t", False),
        ("SELECT a FROM t LIMIT 5000", False),
        ("SELECT a FROM t GROUP BY ALL", False),
        ("SELECT a, row_number() OVER () FROM t", False),
        ("SELECT a FROM t WHERE a IN (SELECT b FROM s)", False),
        ("SELECT * FROM t USING SAMPLE 10", False),
        ("FROM t, s", False),
        ("FROM t UNION ALL FROM s", False),
        ("WITH t AS (SELECT 1) FROM t", False),
    ],
)
def test_what_may_be_begun_anew_reads_one_table_row_by_row(sql, flows):
    assert reading.heard(told(sql)).flows is flows


@pytest.mark.parametrize(
    ("sql", "most"),
    [
        ("SELECT a FROM t LIMIT 5", 5),
        ("SELECT count(*) AS n, avg(a) FILTER (WHERE b) FROM t HAVING count(*) > 1", 1),
        ("SELECT a FROM t", None),
        ("SELECT a FROM t LIMIT 5 PERCENT", None),
        ("SELECT count(*) OVER () FROM t", None),
        ("SELECT a, count(*) FROM t GROUP BY a", None),
        ("SELECT a, count(*) FROM t GROUP BY ALL", None),
        ("SELECT count(*) FROM t GROUP BY GROUPING SETS ((), (a))", None),
        ("SELECT max(1), unnest(range(3000))", None),
        ("SELECT max(a) FROM t UNION ALL SELECT a FROM t", None),
    ],
)
def test_how_many_rows_there_are_at_most(sql, most):
    assert reading.heard(told(sql)).most_rows == most
