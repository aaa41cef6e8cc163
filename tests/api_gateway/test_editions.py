"""What a caller with an edition can find out, at every door: the edition, and nothing beside it."""

from __future__ import annotations

import io
import json
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lake import Provenance, edition
from tests.api_gateway.portal import STARTUP, permit

PEOPLE = pa.table(
    {
        "mã": pa.array([1, 2, 3, 4], pa.int64()),
        "tên": ["Hidden-Anh-7411", "Hidden-Bình-7412", "Hidden-Chi-7413", "Hidden-Dũng-7414"],
        "lương": pa.array([911_111, 922_222, 933_333, 944_444], pa.int64()),
        "ghi chú": ["Hidden-note-1", "Hidden-note-2", "Hidden-note-3", "Hidden-note-4"],
    }
)
SPEC = {
    "columns": ["mã", "tên", "lương"],
    "masks": {
        "tên": {"kind": "hash"},
        "lương": {"kind": "bucket", "width": 500_000, "origin": 0},
    },
    "where": [{"column": "mã", "op": "le", "value": 3}],
}
HIDDEN = ("Hidden-", "911111", "922222", "933333", "944444", "ghi ch")
SALT = b"a key of thirty-two bytes or more"
READER = "hic_reader"


@pytest.fixture(scope="module")
def people(lake):
    for rows in (PEOPLE.slice(0, 3), PEOPLE):
        lake.table("people").publish(rows.to_batches(), Provenance(), schema=rows.schema)
    edition.write(lake, "people", 2, "emasked", SPEC, SALT)
    return lake


@pytest.fixture
def reader(people, portal, gateway):
    """The gateway, asked by a caller who reads the masked edition, and open tables."""
    portal.tables[READER] = {
        "people": permit("click", edition="emasked"),
        "wards": permit("open"),
    }
    portal.change()
    return gateway


def ask(reader, sql: str, **more) -> str:
    """The whole answer's text, whatever it is."""
    answer = reader.sql(sql, READER, **more)
    return answer.text


CASES_15 = [
    "SELECT * FROM people ORDER BY tên",
    "SELECT * FROM people WHERE tên LIKE 'Hidden%'",
    "SELECT * FROM people WHERE lương > 911110 AND lương < 911112",
    "SELECT tên, count(*) AS n FROM people GROUP BY tên",
    "SELECT a.tên, b.lương FROM people a JOIN people b ON a.tên = b.tên",
    "SELECT * FROM people JOIN (VALUES ('Hidden-Anh-7411')) v(tên) USING (tên)",
    "SELECT min(tên), max(tên), min(lương), max(lương), sum(lương), avg(lương) FROM people",
    "SELECT arg_max(tên, mã), arg_min(lương, tên), list(tên), mode(lương) FROM people",
    'SELECT tên FROM people UNION SELECT "phường" FROM wards',
    "SELECT (SELECT max(tên) FROM people), lead(lương) OVER (ORDER BY tên) FROM people",
    "SELECT approx_quantile(lương, 0.5), histogram(lương) FROM people",
    "SUMMARIZE people",
    "PIVOT people ON tên USING max(lương)",
]


@pytest.mark.parametrize("sql", CASES_15)
def test_case_15_masked_column_gives_only_masked_values(reader, sql):
    text = ask(reader, sql)
    assert not any(secret in text.replace(sql, "") for secret in HIDDEN), text[:500]


def test_case_15_masked_values_are_those_of_the_edition(reader):
    rows = json.loads(ask(reader, "FROM people ORDER BY mã"))["rows"]
    assert [row["mã"] for row in rows] == [1, 2, 3]
    assert {row["lương"] for row in rows} == {500_000}
    assert all(len(row["tên"]) == 64 for row in rows)
    assert set(rows[0]) == {"mã", "tên", "lương"}


CASES_16 = [
    "SELECT CAST(tên AS INTEGER) FROM people",
    "SELECT tên::DATE FROM people",
    "SELECT 1 / (lương - 500000) FROM people",
    "SELECT error(tên) FROM people",
    "SELECT error(lương::VARCHAR) FROM people WHERE mã = 4",
    "SELECT CASE WHEN mã > 3 THEN error('there is a hidden row ' || tên) ELSE 1 END FROM people",
    "SELECT strptime(tên, '%Y') FROM people",
    "SELECT json_extract(tên, '$') FROM people",
    "SELECT mã::TINYINT * 10000000000::BIGINT * 10000000000::BIGINT FROM people",
    "SELECT regexp_matches(tên, '(') FROM people",
    "SELECT list_value(tên)[1]::UUID FROM people",
    'SELECT "ghi chú" FROM people',
    'SELECT * FROM people WHERE "ghi chú" = 1',
]


@pytest.mark.parametrize("sql", CASES_16)
def test_case_16_messages_hold_no_hidden_value(reader, sql):
    text = ask(reader, sql)
    for part in ("ghi chú",):
        text = text.replace(part, "")
    assert not any(secret in text for secret in HIDDEN[:5]), text[:500]


CASES_17 = [
    "EXPLAIN SELECT * FROM people",
    "EXPLAIN ANALYZE SELECT * FROM people",
    "DESCRIBE people",
    "SHOW TABLES",
    "FROM duckdb_tables()",
    "FROM duckdb_columns()",
    "FROM duckdb_views()",
    "FROM information_schema.columns",
    "FROM pg_catalog.pg_class",
    "PRAGMA storage_info('people')",
    "FROM pragma_storage_info('people')",
    "SELECT stats(tên) FROM people",
    "FROM parquet_metadata('{file}')",
    "FROM parquet_schema('{file}')",
    "FROM parquet_kv_metadata('{file}')",
    "FROM parquet_file_metadata('{file}')",
    "FROM parquet_bloom_probe('{file}', 'tên', 'x')",
    "FROM read_parquet('{whole}')",
    "FROM '{whole}'",
    "FROM glob('{folder}/*')",
    "FROM read_blob('{whole}')",
    "SELECT file_row_number, filename FROM people",
]


@pytest.mark.parametrize("sql", CASES_17)
def test_case_17_catalogue_explain_and_metadata_functions_leak_nothing(reader, people, sql):
    (whole,) = people.table("people").files(2)
    (file,) = edition.files(people, "people", 2, "emasked")
    folder = whole.rpartition("/")[0]
    asked = sql.format(file=file, whole=whole, folder=folder)
    text = ask(reader, asked).replace(json.dumps(asked, ensure_ascii=False)[1:-1], "")
    assert not any(secret in text for secret in HIDDEN), text[:500]
    if sql != "EXPLAIN SELECT * FROM people":
        assert people.root not in text.replace(asked, ""), text[:500]


def test_case_17_the_file_that_goes_out_is_the_edition_alone(reader):
    answer = reader.get("/v1/tables/people/download.parquet", READER)
    file = pq.ParquetFile(io.BytesIO(answer.content))
    assert file.metadata.num_rows == 3
    told = str(file.metadata.to_dict()) + str(file.schema_arrow.metadata)
    assert not any(secret in told for secret in HIDDEN)
    for format_name in ("csv", "ndjson", "json"):
        text = reader.get(f"/v1/tables/people/download.{format_name}", READER).text
        assert not any(secret in text for secret in HIDDEN)


def test_a_table_is_described_as_its_caller_reads_it(reader):
    told = reader.get("/v1/tables/people", READER).json()
    assert [column["name"] for column in told["columns"]] == ["mã", "tên", "lương"]
    assert [column["type"] for column in told["columns"]] == ["int64", "string", "int64"]
    assert (told["version"], told["row_count"]) == (2, 3)
    (version,) = told["versions"]
    assert (version["version"], version["row_count"], version["byte_count"]) == (2, 3, None)
    listed = {one["name"]: one for one in reader.get("/v1/tables", READER).json()["tables"]}
    assert listed["people"]["row_count"] == 3


def test_versions_of_before_the_edition_are_none_of_the_callers(reader, people):
    """They are never written: who waits for them waits for ever."""
    first, second = (each.published_at for each in reversed(people.table("people").versions()[-2:]))
    share = "/v1/share/shares/hanoi/schemas/default/tables/people"
    start = quote(first.isoformat())

    def query(**body):
        return reader.request("POST", f"{share}/query", READER, json=body)

    for refused in (
        reader.sql("FROM people", READER, as_of=1),
        reader.sql("FROM people", READER, as_of=first.isoformat()),
        reader.get("/v1/tables/people/download.csv?as_of=1", READER),
        query(version=1),
        query(timestamp=first.isoformat()),
        reader.get(f"{share}/changes?startingVersion=1", READER),
        reader.get(f"{share}/changes?startingVersion=2&endingTimestamp={start}", READER),
    ):
        assert (refused.status_code, refused.json()["code"]) == (404, "version_not_found")
    assert reader.sql("FROM people", READER, as_of=1).json()["first"] == 2
    assert reader.sql("FROM people", READER, as_of=second.isoformat()).status_code == 200
    since = reader.get(f"{share}/version?startingTimestamp={start}", READER)
    assert since.headers["Delta-Table-Version"] == "2"
    assert query(version=2).status_code == 200
    begun = reader.get(f"{share}/changes?startingVersion=2", READER)
    assert (begun.status_code, begun.json()["code"]) == (404, "version_not_found")


def test_changes_are_told_between_the_versions_that_an_edition_has(reader, people, portal):
    for count in (1, 2, 3, 4):
        rows = PEOPLE.slice(0, count)
        people.table("crew").publish(rows.to_batches(), Provenance(), schema=rows.schema)
    for written in (2, 4):
        edition.write(people, "crew", written, "emasked", SPEC, SALT)
    portal.tables[READER]["crew"] = permit("click", edition="emasked")
    portal.change()
    changes = "/v1/share/shares/hanoi/schemas/default/tables/crew/changes"
    for start in (1, 2, 3):
        refused = reader.get(f"{changes}?startingVersion={start}", READER)
        assert (refused.status_code, refused.json()["first"]) == (404, 4)
    for end in ("", "&endingVersion=4"):
        told = reader.get(f"{changes}?startingVersion=4{end}", READER)
        assert (told.status_code, told.headers["Delta-Table-Version"]) == (200, "4")
    between = reader.get(f"{changes}?startingVersion=2&endingVersion=3", READER)
    assert (between.status_code, between.json()["code"]) == (404, "version_not_found")


def test_the_newest_version_that_is_written_is_served_until_the_next_one_is(reader, people, portal):
    rows = PEOPLE.slice(1, 3)
    people.table("people").publish(rows.to_batches(), Provenance(), schema=rows.schema)
    try:
        answer = reader.sql("SELECT count(*) AS n FROM people", READER).json()
        assert (answer["tables"][0]["version"], answer["rows"][0]["n"]) == (2, 3)
        asked = reader.sql("FROM people", READER, as_of=3)
        assert (asked.status_code, asked.json()["code"]) == (503, "edition_not_ready")
        edition.write(people, "people", 3, "emasked", SPEC, SALT)
        answer = reader.sql("SELECT count(*) AS n FROM people", READER).json()
        assert (answer["tables"][0]["version"], answer["rows"][0]["n"]) == (3, 2)
    finally:
        people.table("people").publish(PEOPLE.to_batches(), Provenance(), schema=PEOPLE.schema)
        edition.write(people, "people", 4, "emasked", SPEC, SALT)
    portal.tables[READER]["people"] = permit("click", edition="eother")
    portal.change()
    answer = reader.sql("FROM people", READER)
    assert (answer.status_code, answer.json()["code"]) == (503, "edition_not_ready")
    told = reader.get("/v1/tables/people", READER).json()
    assert (told["version"], told["row_count"], told["columns"]) == (None, None, [])
    assert STARTUP != READER
