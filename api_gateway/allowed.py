"""What a statement may be made of: the gate's allow-lists, in the engine's own words."""

from __future__ import annotations

from functools import cache
from importlib import resources

QUERY_NODES = frozenset({"SELECT_NODE", "SET_OPERATION_NODE", "CTE_NODE", "RECURSIVE_CTE_NODE"})
TABLE_REFS = frozenset(
    {
        "BASE_TABLE", "EMPTY", "EXPRESSION_LIST", "JOIN", "PIVOT", "SHOW_REF", "SUBQUERY",
        "TABLE_FUNCTION",
    }
)  # fmt: skip
MODIFIERS = frozenset(
    {
        "DISTINCT_MODIFIER", "LIMIT_MODIFIER", "ORDER_MODIFIER",
        "ASCENDING", "DESCENDING", "ORDER_DEFAULT",
    }
)  # fmt: skip
EXPRESSIONS = frozenset(
    {
        "BETWEEN", "CASE", "CAST", "COLLATE", "COLUMN_REF", "COMPARISON", "CONJUNCTION", "CONSTANT",
        "FUNCTION", "LAMBDA", "OPERATOR", "PARAMETER", "POSITIONAL_REFERENCE", "STAR", "SUBQUERY",
        "TYPE", "WINDOW",
    }
)  # fmt: skip
# Keys of the tree's nameless parts (CASE branches, orders, literals, samples …).
PARTS = frozenset(
    {
        "aliases", "column", "entries", "expression", "id", "is_null", "is_percentage", "key",
        "key_targets", "kind", "map", "materialized", "method", "name", "named_param_map", "node",
        "path", "payload_aggregates", "pivot_expressions", "query_node", "repeatable",
        "sample_rate", "sample_size", "seed", "star_expr", "text", "then_expr", "type",
        "unpivot_names", "value", "values", "when_expr", "alias", "table",
    }
)  # fmt: skip
TABLE_FUNCTIONS = frozenset({"generate_series", "json_each", "json_tree", "range", "unnest"})
# Functions that SQL calls by a name alone and that are not served. (`user` is one too; it says as
# little, and is what a column may be called.)
NAMED_FUNCTIONS = frozenset(
    {"current_catalog", "current_role", "current_schema", "current_user", "session_user"}
)
TYPES = frozenset(
    {
        "array", "bigint", "bit", "bitstring", "blob", "bool", "boolean", "bpchar", "bytea", "char",
        "date", "datetime", "dec", "decimal", "double", "enum", "float", "float4", "float8",
        "geometry", "guid", "hugeint", "int", "int1", "int128", "int16", "int2", "int32", "int4",
        "int64", "int8", "integer", "integral", "interval", "json", "list", "long", "map",
        "numeric", "nvarchar", "real", "row", "short", "signed", "smallint", "string", "struct",
        "text", "time", "timestamp", "timestamp_ms", "timestamp_ns", "timestamp_s", "timestamp_us",
        "timestamptz", "timetz", "tinyint", "ubigint", "uhugeint", "uint128", "uint16", "uint32",
        "uint64", "uint8", "uinteger", "union", "usmallint", "utinyint", "uuid", "varbinary",
        "varchar",
        "timestamp with time zone", "time with time zone",
    }
)  # fmt: skip


@cache
def allowed_functions() -> frozenset[str]:
    """The frozen list of functions, lower case; a test compares it with the engine's."""
    text = resources.files("api_gateway").joinpath("allowed_functions.txt").read_text("utf-8")
    return frozenset(text.splitlines())
