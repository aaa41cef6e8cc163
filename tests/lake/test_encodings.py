"""How columns lie in a file: every reader sees the same values, and what does not repeat is not
kept in a dictionary."""

from __future__ import annotations

import duckdb
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from lake import Lake, Provenance
from lake.staging import ROWS_PER_GROUP

ROWS = ROWS_PER_GROUP + 5_000
COLUMNS = f"""
    i AS id, (hash(i) >> 1)::BIGINT - 4611686018427387904 AS "mã", i % 126 AS ward,
    CASE WHEN i % 7 > 0 THEN (hash(i) % 100000) / 100.0::DOUBLE END AS pm25,
    ((hash(i) % 999999999) / 1000)::DECIMAL(18, 3) AS paid,
    (i::DECIMAL(38, 5)) AS wide, DATE '1900-01-01' + (i % 90000)::INTEGER AS day,
    TIMESTAMPTZ '1969-12-31 23:59:00+00' + to_seconds(i) AS at,
    'Trạm ' || i AS station, 'quận ' || (i % 30) AS district, i % 3 = 0 AS checked
    FROM range({ROWS}) t(i)"""
EXPECTED = {
    "id": ("DELTA_BINARY_PACKED", "ZSTD"),
    "mã": ("DELTA_BINARY_PACKED", "ZSTD"),
    "ward": ("RLE_DICTIONARY", "ZSTD"),
    "pm25": ("BYTE_STREAM_SPLIT", "SNAPPY"),
    "paid": ("DELTA_BINARY_PACKED", "ZSTD"),
    "wide": ("PLAIN", "ZSTD"),
    "day": ("DELTA_BINARY_PACKED", "ZSTD"),
    "at": ("DELTA_BINARY_PACKED", "ZSTD"),
    "station": ("PLAIN", "ZSTD"),
    "district": ("RLE_DICTIONARY", "ZSTD"),
    "checked": ("PLAIN", "ZSTD"),
}


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """What was given, and the table that holds it."""
    with duckdb.connect() as maker:
        maker.execute("SET TimeZone = 'UTC'")
        given = maker.sql(f"SELECT {COLUMNS}").to_arrow_table()
    table = Lake(tmp_path_factory.mktemp("lake")).table("t")
    table.publish(given, Provenance())
    return given, table


def test_each_column_lies_as_its_values_ask_for(published):
    _, table = published
    group = pq.read_metadata(table.files(1)[0]).row_group(0)
    found = {}
    for place in range(group.num_columns):
        column = group.column(place)
        wanted = EXPECTED[column.path_in_schema][0]
        encoding = wanted if wanted in column.encodings else column.encodings
        found[column.path_in_schema] = (encoding, column.compression)
    assert found == EXPECTED


def test_every_reader_sees_the_same_values(published):
    given, table = published
    file = table.files(1)[0]
    as_arrow = pq.read_table(file).cast(given.schema)
    assert as_arrow.equals(given)
    assert DeltaTable(table.uri).to_pyarrow_table().cast(given.schema).equals(given)
    with duckdb.connect() as reader:
        reader.execute("SET TimeZone = 'UTC'")
        found = reader.sql("FROM read_parquet(?)", params=[file]).to_arrow_table()
    assert found.cast(given.schema).equals(given)


def test_rows_are_skipped_by_what_a_group_holds(published):
    _, table = published
    groups = pq.read_metadata(table.files(1)[0])
    ids = [groups.row_group(n).column(0).statistics for n in range(groups.num_row_groups)]
    assert [(each.min, each.max) for each in ids] == [
        (0, ROWS_PER_GROUP - 1),
        (ROWS_PER_GROUP, ROWS - 1),
    ]
