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
