"""Acceptance cases about what a query, or any other door, lets be seen of a licensed table."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import pyarrow as pa
import pytest

from tests.e2e.acceptance.court import DOORS, Court
from tests.servers import wait_for

pytestmark = pytest.mark.e2e

PEOPLE = pa.table(
    {
        "mã": pa.array([1, 2, 3, 4], pa.int64()),
        "tên": ["Hidden-Anh-7411", "Hidden-Bình-7412", "Hidden-Chi-7413", "Hidden-Dũng-7414"],
        "lương": pa.array([911_111, 922_222, 933_333, 944_444], pa.int64()),
        "ghi_chú": ["Hidden-note-1", "Hidden-note-2", "Hidden-note-3", "Hidden-note-4"],
    }
)
PLACES = pa.table({"mã": pa.array([1, 2], pa.int64()), "phường": ["Hoàn Kiếm", "Đống Đa"]})
SHOWN = {
    "columns": ["mã", "tên", "lương"],
    "masks": {
        "tên": {"kind": "hash"},
        "lương": {"kind": "bucket", "width": 500_000, "origin": 0},
    },
    "row_filter": [{"column": "mã", "op": "le", "value": 3}],
}
HIDDEN = ("Hidden-", "911111", "922222", "933333", "944444")


@pytest.fixture(scope="module")
def people(court: Court) -> tuple[str, str, str]:
    """A table with masks, columns and a row filter, an open one, and a holder's token."""
    dataset = court.dataset("click", {"people": PEOPLE})
    court.dataset("open", {"places": PLACES})
    court.offer(dataset, "click", **SHOWN)
    court.accepted(dataset)
    table, token = court.name("people"), court.token()
    # The portal's own harvest worker writes the edition.
    wait_for(lambda: court.reason(table, token) is None, "the edition", 60)
    return table, court.name("places"), token


def ask(court: Court, token: str | None, sql: str) -> tuple[int, dict, str]:
    """Status, problem and the text that came back, without the caller's own words."""
    status, problem, text = court.http("POST", "/v1/sql", token, json={"sql": sql})
    return status, problem, text


JOINS = {
    "join": 'SELECT * FROM {open} o JOIN {closed} c ON c."mã" = o."mã"',
    "comma": "SELECT count(*) FROM {open}, {closed}",
    "cte": "WITH hidden AS (SELECT * FROM {closed}) SELECT * FROM {open}, hidden",
    "unused cte": "WITH hidden AS (SELECT * FROM {closed}) SELECT * FROM {open}",
    "recursive cte": (
        "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r, {closed} WHERE n < 2) "
        "SELECT * FROM r, {open}"
    ),
    "subquery": 'SELECT * FROM {open} WHERE "mã" IN (SELECT "mã" FROM {closed})',
    "exists": "SELECT * FROM {open} WHERE EXISTS (FROM {closed})",
    "scalar": "SELECT (SELECT count(*) FROM {closed}) FROM {open}",
    "lateral": 'SELECT * FROM {open} o, LATERAL (SELECT * FROM {closed} c WHERE c."mã" = o."mã")',
    "union": 'SELECT "mã" FROM {open} UNION SELECT "mã" FROM {closed}',
    "except": 'SELECT "mã" FROM {open} EXCEPT SELECT "mã" FROM {closed}',
    "never true": "SELECT * FROM {open} LEFT JOIN {closed} ON false WHERE 1 = 0",
    "limit 0": "SELECT * FROM {open}, {closed} LIMIT 0",
    "quoted": 'SELECT * FROM {open}, "{closed}"',
    "named as a view": "SELECT * FROM {open} AS v, {closed} AS v_public",
    "from first": "FROM {open} SELECT *, (FROM {closed} SELECT count(*))",
    "window": "SELECT lead(x) OVER () FROM (SELECT 1 AS x FROM {open} UNION ALL FROM {closed})",
}


@pytest.mark.parametrize("form", JOINS)
def test_case_14_licensed_joined_with_unlicensed_is_denied_whole(
    court: Court, people: tuple, form: str
) -> None:
    closed, free, _ = people
    sql = JOINS[form].format(closed=closed, open=free)
    without = {court.token("stranger"): "licence_not_accepted"} if form == "join" else {}
    for token, reason in {None: "sign_in_required", **without}.items():
        status, problem, text = ask(court, token, sql)
        assert (status, problem["code"]) == (403, "access_denied"), text
        assert (problem["reason"], problem["table"]) == (reason, closed)
        assert "rows" not in problem


@pytest.mark.parametrize("door", DOORS)
def test_case_15_masked_columns_and_hidden_rows_stay_hidden_at_every_door(
    court: Court, people: tuple, door: str
) -> None:
    table, _, token = people
    status, _, text = court.door(door, table, token)
    assert status == 200, text[:300]
    assert not any(secret in text for secret in HIDDEN)
    assert "ghi_ch" not in text
    assert "500000" in text


ABOUT_MASKED = (
    "SELECT * FROM {t} WHERE tên LIKE 'Hidden%'",
    "SELECT * FROM {t} WHERE lương BETWEEN 911110 AND 911112",
    "SELECT * FROM {t} ORDER BY tên, lương",
    "SELECT tên, count(*) AS n FROM {t} GROUP BY tên",
    "SELECT a.tên, b.lương FROM {t} a JOIN {t} b ON a.tên = b.tên",
    "SELECT min(tên), max(tên), min(lương), max(lương), sum(lương) FROM {t}",
    "SELECT list(tên), mode(lương), arg_max(tên, mã) FROM {t}",
)


@pytest.mark.parametrize("sql", ABOUT_MASKED)
def test_case_15_masked_column_filtered_sorted_grouped_joined_min_max(
    court: Court, people: tuple, sql: str
) -> None:
    table, _, token = people
    status, problem, text = ask(court, token, sql.format(t=table))
    assert status == 200, problem
    assert not any(secret in text for secret in HIDDEN)
    if "BETWEEN" in sql or "LIKE" in sql:
        assert json.loads(text)["rows"] == []


ERRORS = (
    "SELECT CAST(tên AS INTEGER) FROM {t}",
    "SELECT 1 // (lương - 500000) FROM {t}",
    "SELECT error(tên) FROM {t}",
    "SELECT error(lương::VARCHAR) FROM {t} WHERE mã = 4",
    "SELECT CASE WHEN mã > 3 THEN error('a hidden row ' || tên) ELSE 1 END FROM {t}",
    "SELECT tên::DATE, tên::UUID FROM {t}",
    "SELECT mã::TINYINT * 10000000000::BIGINT * 10000000000::BIGINT FROM {t}",
)


@pytest.mark.parametrize("sql", ERRORS)
def test_case_16_row_filter_with_cast_divide_or_error_tells_no_hidden_value(
    court: Court, people: tuple, sql: str
) -> None:
    table, _, token = people
    _, _, text = ask(court, token, sql.format(t=table))
    assert not any(secret in text for secret in HIDDEN), text
    assert "a hidden row" not in text


METADATA = (
    "EXPLAIN SELECT * FROM {t}",
    "EXPLAIN ANALYZE SELECT * FROM {t}",
    "DESCRIBE {t}",
    "SUMMARIZE {t}",
    "SHOW TABLES",
    "FROM duckdb_tables()",
    "FROM duckdb_columns()",
    "FROM information_schema.columns",
    "FROM pg_catalog.pg_class",
    "PRAGMA storage_info('{t}')",
    "FROM pragma_storage_info('{t}')",
    "SELECT stats(tên) FROM {t}",
    "FROM parquet_metadata('{file}')",
    "FROM parquet_schema('{file}')",
    "FROM parquet_kv_metadata('{file}')",
    "FROM read_parquet('{file}')",
    "FROM glob('{root}/**')",
    "SELECT filename FROM {t}",
)


@pytest.mark.parametrize("sql", METADATA)
def test_case_17_catalogue_explain_storage_and_parquet_metadata_leak_nothing(
    court: Court, people: tuple, sql: str
) -> None:
    table, _, token = people
    (whole,) = court.lake.table(table).files(1)
    asked = sql.format(t=table, file=whole, root=court.lake.root)
    status, _, text = ask(court, token, asked)
    assert not any(secret in text for secret in HIDDEN), text
    assert "ghi_ch" not in text
    assert str(court.lake.root) not in text.replace(asked, "")
    assert status in (200, 400, 403, 404), text


ESCAPES = (
    "FROM read_blob('/etc/passwd')",
    "FROM read_text('{secret}')",
    "FROM read_csv('/etc/passwd')",
    "FROM '{whole}'",
    "ATTACH '/tmp/case18-{mark}.db' AS other",
    "ATTACH 'postgres:host=127.0.0.1' AS other",
    "COPY {t} TO '/tmp/case18-{mark}.csv'",
    "COPY {t} FROM '/etc/passwd'",
    "EXPORT DATABASE '/tmp/case18-{mark}'",
    "FROM query('SELECT 1')",
    "FROM query_table('{t}')",
    "SELECT 1; SELECT * FROM {t}",
    "SELECT 1; COPY {t} TO '/tmp/case18-{mark}.csv'",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SET enable_external_access = true",
    "CREATE TABLE case18 AS FROM {t}",
    "SELECT getenv('HANOIIC_HOME')",
    "CALL pragma_version()",
)


@pytest.mark.parametrize("sql", ESCAPES)
def test_case_18_read_blob_attach_copy_query_and_second_statement_reach_nothing(
    court: Court, people: tuple, sql: str
) -> None:
    table, _, token = people
    (whole,) = court.lake.table(table).files(1)
    secret = court.home / "secrets" / "gateway_credential"
    status, problem, text = ask(
        court, token, sql.format(t=table, whole=whole, secret=secret, mark=court.mark)
    )
    assert 400 <= status < 500, text
    assert problem["code"] not in ("internal_error", "query_failed"), text
    assert court.secret("gateway_credential") not in text
    assert "root:x" not in text
    assert not list(Path("/tmp").glob(f"case18-{court.mark}*"))


NAMES = {
    "upper case": "SELECT * FROM {upper}",
    "quoted upper case": 'SELECT * FROM "{upper}"',
    "quoted": 'SELECT * FROM "{t}"',
    "alias": "SELECT p.* FROM {t} AS p",
    "alias of an open table": "SELECT * FROM {t} AS {free}",
    "schema": "SELECT * FROM main.{t}",
    "catalogue and schema": "SELECT * FROM memory.main.{t}",
    "shadowing CTE": "WITH {t} AS (SELECT * FROM {t}) SELECT * FROM {t}",
    "shadowing CTE of another case": "WITH x AS (SELECT * FROM {upper}) SELECT * FROM x",
    "CTE in a subquery": (
        "SELECT * FROM (WITH {t} AS (SELECT 1 AS one) SELECT * FROM {t}) a, (SELECT * FROM {t}) b"
    ),
}


@pytest.mark.parametrize("form", NAMES)
def test_case_19_every_spelling_of_a_name_is_the_same_decision(
    court: Court, people: tuple, form: str
) -> None:
    table, free, token = people
    sql = NAMES[form].format(t=table, upper=table.upper(), free=free)
    denied = ask(court, None, sql)
    permitted = ask(court, token, sql)
    if denied[0] == 400:
        # A spelling that the gate knows no meaning of is refused to both.
        assert permitted[0] == 400
        assert denied[1]["code"] == permitted[1]["code"]
        return
    assert (denied[0], denied[1]["reason"]) == (403, "sign_in_required")
    assert permitted[0] == 200, permitted
    assert not any(secret in permitted[2] for secret in HIDDEN)


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_case_19_normal_forms_of_names_are_the_same(court: Court, people: tuple, form: str) -> None:
    """Column names are found in either form; a table's name with a mark is no table's."""
    table, _, token = people
    sql = unicodedata.normalize(form, f'SELECT "tên", "mã" FROM {table} ORDER BY "mã"')
    status, problem, text = ask(court, token, sql)
    assert status == 200, problem
    assert not any(secret in text for secret in HIDDEN)
    assert ask(court, None, sql)[1]["reason"] == "sign_in_required"
    marked = unicodedata.normalize(form, f'SELECT * FROM "{table}́"')
    for caller in (None, token):
        assert ask(court, caller, marked)[0] in (400, 404)
