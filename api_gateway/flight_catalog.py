"""Flight SQL's answers about the tables there are: their schemas and rows.

https://arrow.apache.org/docs/format/FlightSql.html. The gateway has no catalogs and no schemas:
a table is named plainly in SQL. Drivers list tables below them, so both are there with an empty
name, which in JDBC's words is "without a catalog".
"""

from __future__ import annotations

import re
from typing import Any

import pyarrow as pa

from api_gateway import flight_sql_info

_REFERENCE_KEYS = [
    *(pa.field(f"pk_{part}", pa.string()) for part in ("catalog_name", "db_schema_name")),
    *(pa.field(f"pk_{part}", pa.string(), False) for part in ("table_name", "column_name")),
    *(pa.field(f"fk_{part}", pa.string()) for part in ("catalog_name", "db_schema_name")),
    *(pa.field(f"fk_{part}", pa.string(), False) for part in ("table_name", "column_name")),
    pa.field("key_sequence", pa.int32(), False),
    *(pa.field(name, pa.string()) for name in ("fk_key_name", "pk_key_name")),
    *(pa.field(name, pa.uint8(), False) for name in ("update_rule", "delete_rule")),
]
_TABLES = [
    pa.field("catalog_name", pa.string()),
    pa.field("db_schema_name", pa.string()),
    pa.field("table_name", pa.string(), False),
    pa.field("table_type", pa.string(), False),
]
SCHEMAS: dict[str, pa.Schema] = {
    "CommandGetCatalogs": pa.schema([pa.field("catalog_name", pa.string(), False)]),
    "CommandGetDbSchemas": pa.schema(
        [pa.field("catalog_name", pa.string()), pa.field("db_schema_name", pa.string(), False)]
    ),
    "CommandGetTables": pa.schema(_TABLES),
    "CommandGetTableTypes": pa.schema([pa.field("table_type", pa.string(), False)]),
    "CommandGetPrimaryKeys": pa.schema(
        [
            pa.field("catalog_name", pa.string()),
            pa.field("db_schema_name", pa.string()),
            pa.field("table_name", pa.string(), False),
            pa.field("column_name", pa.string(), False),
            pa.field("key_sequence", pa.int32(), False),
            pa.field("key_name", pa.string()),
        ]
    ),
    "CommandGetExportedKeys": pa.schema(_REFERENCE_KEYS),
    "CommandGetImportedKeys": pa.schema(_REFERENCE_KEYS),
    "CommandGetCrossReference": pa.schema(_REFERENCE_KEYS),
    "CommandGetSqlInfo": flight_sql_info.SCHEMA,
}
SCHEMAS["CommandGetXdbcTypeInfo"] = pa.schema(
    [
        pa.field("type_name", pa.string(), False),
        pa.field("data_type", pa.int32(), False),
        pa.field("column_size", pa.int32()),
        pa.field("literal_prefix", pa.string()),
        pa.field("literal_suffix", pa.string()),
        pa.field("create_params", pa.list_(pa.field("item", pa.string(), False))),
        pa.field("nullable", pa.int32(), False),
        pa.field("case_sensitive", pa.bool_(), False),
        pa.field("searchable", pa.int32(), False),
        pa.field("unsigned_attribute", pa.bool_()),
        pa.field("fixed_prec_scale", pa.bool_(), False),
        pa.field("auto_increment", pa.bool_()),
        pa.field("local_type_name", pa.string()),
        pa.field("minimum_scale", pa.int32()),
        pa.field("maximum_scale", pa.int32()),
        pa.field("sql_data_type", pa.int32(), False),
        pa.field("datetime_subcode", pa.int32()),
        pa.field("num_prec_radix", pa.int32()),
        pa.field("interval_precision", pa.int32()),
    ]
)
# The lake's types: name → number of XDBC, size, quote of literals.
_TYPES: dict[str, tuple[int, int, str | None]] = {
    "VARBINARY": (-3, 2**31 - 1, None),
    "BIGINT": (-5, 19, None),
    "DECIMAL": (3, 38, None),
    "INTEGER": (4, 10, None),
    "DOUBLE": (8, 15, None),
    "VARCHAR": (12, 2**31 - 1, "'"),
    "BOOLEAN": (16, 1, None),
    "DATE": (91, 10, "'"),
    "TIME": (92, 15, "'"),
    "TIMESTAMP": (93, 26, "'"),
}
TABLE_TYPE = "TABLE"
NO_NAME = ""
# Answers that are the same for everyone.
ROWS: dict[str, list[dict[str, str]]] = {
    "CommandGetCatalogs": [{"catalog_name": NO_NAME}],
    "CommandGetDbSchemas": [{"catalog_name": NO_NAME, "db_schema_name": NO_NAME}],
    "CommandGetTableTypes": [{"table_type": TABLE_TYPE}],
}


def schema_of(command: str, message: Any) -> pa.Schema:
    """The schema of a command's answer."""
    schema = SCHEMAS[command]
    if command == "CommandGetTables" and message.include_schema:
        return schema.append(pa.field("table_schema", pa.binary(), False))
    return schema


def types(data_type: int) -> pa.Table:
    """The types there are, or the one of that number."""
    rows = [
        {
            "type_name": name, "data_type": number, "column_size": size,
            "literal_prefix": quote, "literal_suffix": quote,
            # SQL_NULLABLE, SQL_SEARCHABLE
            "nullable": 1, "case_sensitive": name == "VARCHAR", "searchable": 3,
            "fixed_prec_scale": False, "sql_data_type": number,
        }
        for name, (number, size, quote) in _TYPES.items()
        if data_type in (0, number)
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, SCHEMAS["CommandGetXdbcTypeInfo"])


def is_ours(message: Any) -> bool:
    """Whether the catalog and the schemas that a command asks for are those without a name."""
    schemas = getattr(message, "db_schema_filter_pattern", "")
    return getattr(message, "catalog", "") == NO_NAME and like(schemas, NO_NAME)


def like(pattern: str | None, text: str) -> bool:
    """Whether a text fits a pattern with `%` and `_`; without a pattern everything does."""
    if not pattern:
        return True
    wild = {"%": ".*", "_": "."}
    regex = "".join(wild.get(letter) or re.escape(letter) for letter in pattern)
    return re.fullmatch(regex, text, re.IGNORECASE | re.DOTALL) is not None
