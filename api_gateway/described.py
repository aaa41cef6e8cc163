"""What the OpenAPI document says about the gateway's pages and can't be read from the code:
parameters, bodies and answers, by endpoint. Bounds and names are taken from where they are
enforced."""

from __future__ import annotations

from typing import Any

from api_gateway.formats import FORMATS, LISTS
from api_gateway.settings import LIMIT_ROWS

Schema = dict[str, Any]

_FLAG: Schema = {"type": "string", "enum": ["0", "1", "true", "false"]}
# One enum of values of several types is more than generators of clients read.
_SWITCH: Schema = {
    "anyOf": [
        {"type": "boolean"},
        {"type": "integer", "enum": [0, 1]},
        {**_FLAG, "enum": [*_FLAG["enum"], ""]},
        {"type": "null"},
    ]
}
_FORMAT: Schema = {"type": "string", "enum": list(FORMATS)}
_LIMIT: Schema = {"type": "integer", "minimum": 0, "maximum": LIMIT_ROWS}
_TIMEOUT: Schema = {"type": "number", "minimum": 0.05}
_NUMBER: Schema = {"type": "integer", "minimum": 0, "maximum": 10**15 - 1}
_INSTANT: Schema = {"type": "string", "examples": ["2026-01-01T00:00:00Z"]}
_SQL_EXAMPLE = "SELECT 1 AS x"

# Parameters of addresses, by name: schema and meaning.
PARAMETERS: dict[str, tuple[Schema, str]] = {
    "after": ({"type": "string"}, "The last row's values of the `order` columns: the next page"),
    "as_of": (
        {"type": "string", "examples": ["3", "2026-01-01T00:00:00Z"]},
        "A version, or a date-time with its zone; for all tables, or by table as `wards:3,stops:4`",
    ),
    "csv_safe": (_FLAG, "CSV: no text that a spreadsheet would run as a formula"),
    "dry_run": (_FLAG, "The plan and its cost instead of the answer"),
    "format": (_FORMAT, "The format of the answer; without it, by `Accept`"),
    "limit": (_LIMIT, "Most rows of the answer"),
    "offset": ({"type": "integer", "minimum": 0, "maximum": 10**15 - 1}, "Rows to leave out"),
    "order": ({"type": "string"}, "`column.desc.nullslast,other`"),
    "params": (
        {"type": "string", "contentMediaType": "application/json"},
        "Values of `?` or `$name`",
    ),
    "q": ({"type": "string", "minLength": 1, "examples": [_SQL_EXAMPLE]}, "The SQL: one SELECT"),
    "row_limit": ({"type": "integer", "minimum": 0, "maximum": 10**15 - 1}, "Most rows"),
    "search": ({"type": "string"}, "Words of a name or a title, with or without diacritics"),
    "select": ({"type": "string"}, "`column,name:other::type,n:count()`"),
    "timeout_s": (_TIMEOUT, "Most seconds of engine time"),
}
PARAMETERS |= {
    "endingTimestamp": (_INSTANT, "The last version at that time"),
    "endingVersion": (_NUMBER, "The last version; without it, the newest"),
    "maxResults": (_NUMBER, "Most items of the page"),
    "pageToken": ({"type": "string"}, "The `nextPageToken` of the page before"),
    "startingTimestamp": (_INSTANT, "The first version since then"),
    "startingVersion": (_NUMBER, "The first version"),
}
# Parts of the path, by their name in the code.
PATH: dict[str, Schema] = {
    "share": {"type": "string", "minLength": 1, "examples": ["hanoi"]},
    "table": {"type": "string", "pattern": "^[a-z][a-z0-9_]{0,62}$", "examples": ["bus_stops"]},
    "format_name": {"type": "string", "enum": list(FORMATS)},
}
_SCALAR: Schema = {"type": ["string", "number", "boolean", "null"]}
_VALUE: Schema = {"anyOf": [_SCALAR, {"type": "array", "items": _SCALAR}]}
_VERSION: Schema = {"type": ["integer", "string"], "minimum": 0}
_AS_OF: Schema = {**_VERSION, "type": [*_VERSION["type"], "null"]}
SQL_BODY: Schema = {
    "type": "object",
    "required": ["sql"],
    "additionalProperties": False,
    "properties": {
        "sql": {"type": "string", "description": "One SELECT in DuckDB's dialect"},
        "params": {
            "anyOf": [
                {"type": "array", "items": _VALUE, "maxItems": 1000},
                {"type": "object", "additionalProperties": _VALUE, "maxProperties": 1000},
                {"type": "null"},
            ],
            "description": "Values of `?`, `$1` or `$name`",
        },
        "format": {"type": ["string", "null"], "enum": [*FORMATS, None]},
        "as_of": {
            "anyOf": [_AS_OF, {"type": "object", "additionalProperties": _VERSION}],
            "description": "A version, a date-time with its zone, or either by table",
        },
        "limit": {**_LIMIT, "type": ["integer", "null"]},
        "timeout_s": {**_TIMEOUT, "type": ["number", "null"]},
        "csv_safe": _SWITCH,
        "dry_run": _SWITCH,
    },
    "examples": [{"sql": "SELECT ?::INT AS x", "params": [1]}],
}
# An export has no dry run.
_EXPORT_BODY: Schema = {
    **SQL_BODY,
    "properties": {
        name: each for name, each in SQL_BODY["properties"].items() if name != "dry_run"
    },
}
_LINK_BODY: Schema = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "format": {"type": ["string", "null"], "enum": [*FORMATS, "", None]},
        "as_of": SQL_BODY["properties"]["as_of"],
    },
    "examples": [{"format": "parquet"}],
}
_COLUMN: Schema = {
    "type": "object",
    "required": ["name", "type"],
    "properties": {
        key: {"type": "string"} for key in ("name", "type", "unit", "title", "title_en")
    },
}
_TABLE: Schema = {
    "type": "object",
    "required": ["name", "version", "published_at", "licence", "dataset"],
    "properties": {
        "name": {"type": "string"},
        "version": {"type": "integer"},
        "published_at": {"type": "string", "format": "date-time"},
        "licence": {"type": ["object", "null"]},
        "dataset": {"type": ["string", "null"]},
    },
}
_SAID: Schema = {
    "request_id": {"type": "string"},
    "tables": {"type": "array", "items": _TABLE},
    "columns": {"type": "array", "items": _COLUMN},
}
ENVELOPE: Schema = {
    "type": "object",
    "required": ["request_id", "tables", "columns"],
    "properties": {
        **_SAID,
        "attribution": {"type": "string"},
        "receipt": {"type": "string"},
        "rows": {"type": "array", "items": {"type": "object"}},
        "row_count": {"type": "integer"},
        "truncated": {"type": "boolean"},
        "dry_run": {"type": "boolean"},
        "estimate": {"type": "object"},
        "plan": {"type": "object"},
    },
}
EXPORT: Schema = {
    "type": "object",
    "required": ["id", "state", "url", "result_url", "format", "progress", "error"],
    "properties": {
        "id": {"type": "string"},
        "state": {"enum": ["queued", "running", "ready", "failed"]},
        "url": {"type": "string"},
        "result_url": {"type": ["string", "null"]},
        "format": _FORMAT,
        "progress": {
            "type": "object",
            "properties": {"rows": {"type": "integer"}, "bytes": {"type": "integer"}},
        },
        "truncated": {"type": ["boolean", "null"]},
        "error": {"type": ["object", "null"]},
    },
}
_SHARED_BODY: Schema = {
    "type": "object",
    "properties": {
        "limitHint": {"type": ["integer", "null"], "minimum": 0},
        "version": _AS_OF,
        "timestamp": _AS_OF,
        "predicateHints": {"description": "Not used: hints may be left aside"},
        "jsonPredicateHints": {"description": "Not used: hints may be left aside"},
    },
    "examples": [{"limitHint": 1000}],
}
_ANY: Schema = {"type": "object"}
_FILES: dict[str, Schema] = {each.media_type.partition(";")[0]: {} for each in FORMATS.values()}
_ANSWERS = {**_FILES, "application/json": ENVELOPE}
_LINES: Schema = {"application/x-ndjson": {}}
_PAGED = ("maxResults", "pageToken")
_PARQUET: Schema = {FORMATS["parquet"].media_type: {}}
_ROWS = {
    **_FILES,
    LISTS["rows"].media_type: {"type": "array", "items": _ANY},
    LISTS["object"].media_type: _ANY,
}

# Endpoint → parameters of its address, body, and answers: status → media type → schema.
OPERATIONS: dict[str, dict[str, Any]] = {
    "index.index": {"answers": {200: {"application/json": _ANY}}},
    "index.health": {"answers": {200: {"application/json": _ANY}}},
    "index.ready": {"answers": {200: {"application/json": _ANY}}},
    "tables.listed": {
        "parameters": {"q": "search"},
        "answers": {200: {"application/json": _ANY}},
    },
    "tables.shown": {"answers": {200: {"application/json": _ANY}}},
    "sql.get": {
        "parameters": ("q", "params", "format", "as_of", "limit", "timeout_s", "csv_safe",
            "dry_run"),
        "answers": {200: _ANSWERS, 304: {}},
    },
    "sql.post": {"body": SQL_BODY, "answers": {200: _ANSWERS, 304: {}}},
    "sql.cancel": {"answers": {204: {}}},
    "rows.rows": {
        "parameters": {
            "select": "select", "order": "order", "limit": "row_limit", "offset": "offset",
            "after": "after", "format": "format", "as_of": "as_of", "timeout_s": "timeout_s",
            "csv_safe": "csv_safe",
        },
        "filters": True,
        "answers": {200: _ROWS, 206: _ROWS, 304: {}},
    },
    "downloads.download": {
        "parameters": ("as_of", "limit", "csv_safe"),
        "answers": {200: _FILES, 206: _FILES, 304: {}},
    },
    "files.make": {"body": _LINK_BODY, "answers": {201: {"application/json": _ANY}}},
    "files.follow": {"answers": {200: _FILES, 206: _FILES, 304: {}}},
    "exports.add": {
        "body": _EXPORT_BODY,
        "answers": {200: {"application/json": EXPORT}, 202: {"application/json": EXPORT}},
    },
    "exports.listed": {"answers": {200: {"application/json": _ANY}}},
    "exports.shown": {"answers": {200: {"application/json": EXPORT}}},
    "exports.cancel": {"answers": {204: {}}},
    "exports.result": {"answers": {200: _FILES, 206: _FILES, 304: {}}},
    "share.shares": {"answers": {200: {"application/json": _ANY}}},
    "share.one_share": {"answers": {200: {"application/json": _ANY}}},
    "share.schemas": {"parameters": _PAGED, "answers": {200: {"application/json": _ANY}}},
    "share.tables": {"parameters": _PAGED, "answers": {200: {"application/json": _ANY}}},
    "share.all_tables": {"parameters": _PAGED, "answers": {200: {"application/json": _ANY}}},
    "share.version": {"parameters": ("startingTimestamp",), "answers": {200: _LINES}},
    "share.metadata": {"answers": {200: _LINES}},
    "share.query": {"body": _SHARED_BODY, "answers": {200: _LINES}},
    "share.changes": {
        "parameters": ("startingVersion", "endingVersion", "startingTimestamp", "endingTimestamp"),
        "answers": {200: _LINES},
    },
    "share.file": {"answers": {200: _PARQUET, 206: _PARQUET, 304: {}}},
    "share.changed_rows": {"answers": {200: _PARQUET, 206: _PARQUET, 304: {}}},
    "receipts.keys": {"answers": {200: {"application/json": _ANY}}},
    "receipts.receipt": {"answers": {200: {"application/jose": {}}}},
}  # fmt: skip
