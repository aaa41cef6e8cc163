"""Functions that other databases have, and DuckDB's that are not served → how it is said here.

Each is an example that runs, as a test proves.
"""

from __future__ import annotations

_DAY_TEXT = "strftime(now(), '%d/%m/%Y')"
_TEXT_DAY = "strptime('31/12/2026', '%d/%m/%Y')::DATE"
_OF_A_LIST = "list_sum([1, 2])"
_POINT = "'POINT(105.85 21.03)'::GEOMETRY"
_ITEMS = "unnest(json_extract('[1, 2]', '$[*]'))"

SAID_HERE: dict[str, str] = {
    "aggregate": _OF_A_LIST,
    "array_aggr": _OF_A_LIST,
    "array_aggregate": _OF_A_LIST,
    "charindex": "strpos('Hoàn Kiếm', 'K')",
    "convert": "CAST('1' AS INTEGER)",
    "date_format": _DAY_TEXT,
    "dateadd": "current_date + INTERVAL 1 DAY",
    "datefromparts": "make_date(2026, 12, 31)",
    "eomonth": "last_day(current_date)",
    "generate_subscripts": "unnest(range(1, len(['a', 'b']) + 1))",
    "getdate": "now()",
    "histogram": "histogram_exact(3, [1, 2, 3])",
    "iif": "if(true, 1, 2)",
    "isnull": "coalesce(NULL, 1)",
    "json_array_elements": _ITEMS,
    "jsonb_array_elements": _ITEMS,
    "list_aggr": _OF_A_LIST,
    "list_aggregate": _OF_A_LIST,
    "nvl": "coalesce(NULL, 1)",
    "pg_typeof": "typeof(1)",
    "regexp_like": "regexp_matches('số 7', '[0-9]')",
    "regexp_substr": "regexp_extract('số 7', '[0-9]+')",
    "st_geomfromtext": _POINT,
    "st_makepoint": _POINT,
    "st_point": _POINT,
    "str_to_date": _TEXT_DAY,
    "substring_index": "split_part('a-b', '-', 1)",
    "sysdate": "now()",
    "to_char": _DAY_TEXT,
    "to_date": _TEXT_DAY,
    "to_number": "CAST('1.5' AS DECIMAL(18, 2))",
}
