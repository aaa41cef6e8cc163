"""The first lock: an engine whose settings nobody changes any more."""

from __future__ import annotations

import duckdb

from api_gateway import engine

# One setting by two names, and where a cursor itself looks for names, which DuckDB never locks.
OPEN = {"max_streaming_buffer_size", "streaming_buffer_size", "schema", "search_path"}


def test_of_a_locked_engine_only_how_far_a_query_runs_ahead_can_change(tmp_path):
    connection = engine.connect(256)
    engine.lock(connection, [], tmp_path, 256, 256)
    said = connection.execute("SELECT name, value FROM duckdb_settings()").fetchall()
    changed = set()
    for name, value in said:
        try:
            connection.cursor().execute(f"SET {name} = {engine.literal(value or '')}")
        except duckdb.Error:
            continue
        changed.add(name)
    assert len(said) > len(changed)
    assert changed <= OPEN

    cursor = connection.cursor()
    cursor.execute("BEGIN TRANSACTION READ ONLY")
    engine.read_ahead(cursor)
    sizes = [
        each.execute("SELECT current_setting('max_streaming_buffer_size')").fetchone()
        for each in (cursor, connection.cursor())
    ]
    assert sizes == [("64.0 MiB",), ("10.0 MiB",)]


def test_a_statement_that_was_parsed_before_answers_by_its_parameters_and_tables_of_now():
    connection = duckdb.connect()
    parsed = engine.Parsed(connection)
    sql = "SELECT * FROM numbers WHERE n > ?"
    connection.execute("CREATE TABLE numbers AS SELECT range AS n FROM range(4)")

    def above(least: int) -> list[tuple[int, ...]]:
        with connection.cursor() as cursor:
            return cursor.execute(parsed.of(sql), [least]).fetchall()

    assert above(1) == [(2,), (3,)]
    assert parsed.of(sql) is parsed.of(sql)
    connection.execute("CREATE OR REPLACE TABLE numbers AS SELECT 7 AS n, 8 AS m")
    assert above(2) == [(7, 8)]
    # The relation of one knows its columns.
    assert connection.sql(parsed.of(sql), params=[2]).columns == ["n", "m"]


def test_a_text_that_is_long_or_several_statements_goes_to_the_engine_as_it_is():
    parsed = engine.Parsed(duckdb.connect())
    long = f"SELECT '{'x' * 5000}'"
    several = "SELECT 1; SELECT 2"
    assert (parsed.of(long), parsed.of(several)) == (long, several)
