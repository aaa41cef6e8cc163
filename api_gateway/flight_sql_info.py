"""What the Flight SQL server says of itself and of its SQL: `SqlInfo` of Apache Arrow's
`FlightSql.proto`, https://arrow.apache.org/docs/format/FlightSql.html.

JDBC's and ODBC's drivers answer their callers' questions about the database from it, and some fail
at a number that is missing, so every one is there that has an answer.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pyarrow as pa

_VALUE = pa.dense_union(
    [
        pa.field("string_value", pa.string()),
        pa.field("bool_value", pa.bool_()),
        pa.field("bigint_value", pa.int64()),
        pa.field("int32_bitmask", pa.int32()),
        pa.field("string_list", pa.list_(pa.string())),
        pa.field("int32_to_int32_list_map", pa.map_(pa.int32(), pa.list_(pa.int32()))),
    ]
)
_TEXT, _TRUTH, _COUNT, _BITS, _WORDS, _MAP = range(_VALUE.num_fields)
SCHEMA = pa.schema([pa.field("info_name", pa.uint32(), False), pa.field("value", _VALUE, False)])


def _bits(*places: int) -> tuple[int, int]:
    return _BITS, sum(1 << place for place in places)


# Ordinals travel as bitmasks do.
_ORDINAL = _BITS
_YES, _NO, _NO_BITS, _NO_LIMIT = (_TRUTH, True), (_TRUTH, False), _bits(), (_COUNT, 0)
# Number → (kind of value, value).
INFO: dict[int, tuple[int, Any]] = {
    0: (_TEXT, "Hanoi Innovation Center open-data gateway"),  # FLIGHT_SQL_SERVER_NAME
    1: (_TEXT, "1"),  # FLIGHT_SQL_SERVER_VERSION
    2: (_TEXT, pa.__version__),  # FLIGHT_SQL_SERVER_ARROW_VERSION
    3: _YES,  # FLIGHT_SQL_SERVER_READ_ONLY
    4: _YES,  # FLIGHT_SQL_SERVER_SQL
    5: _NO,  # FLIGHT_SQL_SERVER_SUBSTRAIT
    8: (_ORDINAL, 0),  # FLIGHT_SQL_SERVER_TRANSACTION
    9: _YES,  # FLIGHT_SQL_SERVER_CANCEL
    10: _NO,  # FLIGHT_SQL_SERVER_BULK_INGESTION
    11: _NO,  # FLIGHT_SQL_SERVER_INGEST_TRANSACTIONS_SUPPORTED
    100: (_ORDINAL, 0),  # FLIGHT_SQL_SERVER_STATEMENT_TIMEOUT: handles keep nothing here
    101: (_ORDINAL, 0),  # FLIGHT_SQL_SERVER_TRANSACTION_TIMEOUT
    **dict.fromkeys(range(500, 503), _NO),  # SQL_DDL_CATALOG, _SCHEMA, _TABLE
    503: (_ORDINAL, 1),  # SQL_IDENTIFIER_CASE: insensitive
    504: (_TEXT, '"'),  # SQL_IDENTIFIER_QUOTE_CHAR
    505: (_ORDINAL, 1),  # SQL_QUOTED_IDENTIFIER_CASE: insensitive
    506: _YES,  # SQL_ALL_TABLES_ARE_SELECTABLE: others are not listed
    507: (_ORDINAL, 3),  # SQL_NULL_ORDERING: at the end
    # SQL_KEYWORDS, SQL_NUMERIC_FUNCTIONS, _STRING_, _SYSTEM_, _DATETIME_: none beyond what is usual
    **dict.fromkeys(range(508, 513), (_WORDS, [])),
    513: (_TEXT, ""),  # SQL_SEARCH_STRING_ESCAPE
    514: (_TEXT, ""),  # SQL_EXTRA_NAME_CHARACTERS
    515: _YES,  # SQL_SUPPORTS_COLUMN_ALIASING
    516: _YES,  # SQL_NULL_PLUS_NULL_IS_NULL
    517: (_MAP, []),  # SQL_SUPPORTS_CONVERT: there is CAST, and no CONVERT
    518: _YES,  # SQL_SUPPORTS_TABLE_CORRELATION_NAMES
    519: _NO,  # SQL_SUPPORTS_DIFFERENT_TABLE_CORRELATION_NAMES: they may be the table's
    520: _YES,  # SQL_SUPPORTS_EXPRESSIONS_IN_ORDER_BY
    521: _YES,  # SQL_SUPPORTS_ORDER_BY_UNRELATED
    522: _bits(0, 1),  # SQL_SUPPORTED_GROUP_BY: unrelated, beyond select
    523: _YES,  # SQL_SUPPORTS_LIKE_ESCAPE_CLAUSE
    524: _NO,  # SQL_SUPPORTS_NON_NULLABLE_COLUMNS
    525: _bits(0),  # SQL_SUPPORTED_GRAMMAR: minimum
    526: _bits(0),  # SQL_ANSI92_SUPPORTED_LEVEL: entry
    527: _NO,  # SQL_SUPPORTS_INTEGRITY_ENHANCEMENT_FACILITY
    528: _bits(1, 2),  # SQL_OUTER_JOINS_SUPPORT_LEVEL: limited and full; drivers read bits
    529: (_TEXT, "schema"),  # SQL_SCHEMA_TERM
    530: (_TEXT, "procedure"),  # SQL_PROCEDURE_TERM
    531: (_TEXT, ""),  # SQL_CATALOG_TERM: there are none
    532: _NO,  # SQL_CATALOG_AT_START
    533: _NO_BITS,  # SQL_SCHEMAS_SUPPORTED_ACTIONS
    534: _NO_BITS,  # SQL_CATALOGS_SUPPORTED_ACTIONS
    535: _NO_BITS,  # SQL_SUPPORTED_POSITIONED_COMMANDS
    536: _NO,  # SQL_SELECT_FOR_UPDATE_SUPPORTED
    537: _NO,  # SQL_STORED_PROCEDURES_SUPPORTED
    538: _bits(0, 1, 2, 3),  # SQL_SUPPORTED_SUBQUERIES: compared, EXISTS, IN, ANY and ALL
    539: _YES,  # SQL_CORRELATED_SUBQUERIES_SUPPORTED
    540: _bits(0, 1),  # SQL_SUPPORTED_UNIONS: UNION, UNION ALL
    # SQL_MAX_BINARY_LITERAL_LENGTH … SQL_MAX_ROW_SIZE, _STATEMENT_LENGTH … _USERNAME_LENGTH
    **dict.fromkeys((*range(541, 556), *range(557, 562)), _NO_LIMIT),
    556: _NO,  # SQL_MAX_ROW_SIZE_INCLUDES_BLOBS
    562: (_COUNT, 0),  # SQL_DEFAULT_TRANSACTION_ISOLATION: none
    563: _NO,  # SQL_TRANSACTIONS_SUPPORTED
    564: _bits(0),  # SQL_SUPPORTED_TRANSACTIONS_ISOLATION_LEVELS: none
    565: _NO,  # SQL_DATA_DEFINITION_CAUSES_TRANSACTION_COMMIT
    566: _NO,  # SQL_DATA_DEFINITIONS_IN_TRANSACTIONS_IGNORED
    567: _bits(1),  # SQL_SUPPORTED_RESULT_SET_TYPES: forward only
    568: _NO_BITS,  # SQL_SUPPORTED_CONCURRENCIES_FOR_RESULT_SET_UNSPECIFIED
    569: _bits(1),  # … _FORWARD_ONLY: read only
    570: _NO_BITS,  # … _SCROLL_SENSITIVE
    571: _NO_BITS,  # … _SCROLL_INSENSITIVE
    # SQL_BATCH_UPDATES_SUPPORTED, _SAVEPOINTS_, _NAMED_PARAMETERS_ (of procedures),
    # SQL_LOCATORS_UPDATE_COPY, SQL_STORED_FUNCTIONS_USING_CALL_SYNTAX_SUPPORTED
    **dict.fromkeys(range(572, 577), _NO),
}


def info(wanted: Iterable[int]) -> pa.Table:
    """What is known of `wanted`; everything when nothing is named."""
    asked = list(wanted)
    numbers = [number for number in asked or INFO if number in INFO]
    values: list[list[Any]] = [[] for _ in _VALUE]
    kinds, offsets = [], []
    for number in numbers:
        kind, value = INFO[number]
        kinds.append(kind)
        offsets.append(len(values[kind]))
        values[kind].append(value)
    fields = list(_VALUE)
    union = pa.UnionArray.from_dense(
        pa.array(kinds, pa.int8()),
        pa.array(offsets, pa.int32()),
        [pa.array(of, field.type) for of, field in zip(values, fields, strict=True)],
        [field.name for field in fields],
    )
    return pa.table([pa.array(numbers, pa.uint32()), union.cast(_VALUE)], SCHEMA)
