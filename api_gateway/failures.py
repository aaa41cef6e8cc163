"""What a query process says of an engine's error: a code, and no text that could hold a value.

The engine's message begins with its kind. Messages about names (parser, binder, catalogue) speak of
the caller's SQL and of columns it may read, so they are passed on; all others may quote values.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import duckdb

from api_gateway.formats import Unsuited

_KIND = re.compile(r"\s*(?:Invalid: |IOError: )?([A-Za-z][A-Za-z \-/]*?) ?[Ee]rror[:!]")
_PATHS = re.compile(r"(?:/[^\s/'\"]+){2,}/?")
# kind of the engine → code, and a detail of our own; None passes the engine's first lines on.
_REPORTS: dict[str, tuple[str, str | None]] = {
    "binder": ("query_invalid", None),
    "catalog": ("query_invalid", None),
    "parser": ("query_invalid", None),
    "not implemented": ("query_invalid", None),
    "parameter not resolved": ("bad_parameters", "the type of a parameter cannot be told: cast it"),
    "parameter not allowed": ("bad_parameters", "a parameter stands where none is allowed"),
    "conversion": ("query_failed", "a value does not convert to the type; TRY_CAST gives NULL"),
    "out of range": ("query_failed", "a value is out of its type's range"),
    "mismatch type": ("query_failed", "types do not match"),
    "invalid type": ("query_failed", "types do not match"),
    "invalid input": ("query_failed", "an argument of a function is not valid"),
    "invalid": ("query_failed", "an argument of a function is not valid"),
    # Of LIKE's ESCAPE: a statement that cannot be parsed never comes here.
    "syntax": ("query_failed", "an argument of a function is not valid"),
    "constraint": ("query_failed", "a constraint does not hold"),
    "expression": ("query_failed", "an expression cannot be computed"),
    "sequence": ("query_failed", "a value is out of its type's range"),
    "out of memory": ("query_memory_exceeded", "the query needs more memory than it may have"),
    # Of a thread that stopped because another one failed, at a value that it does not tell.
    "interrupt": ("query_failed", "a value cannot be computed"),
}
# What the engine takes for a fault of its own, by what it says → the kind that it is.
_INTERNAL = {
    "Memory allocation failure": "out of memory",
    "not marked as fallible": "interrupt",
}
_CRASHED = ("query_crashed", "the query's process failed and was replaced")
# What the engine says of bytes that are no file of a table, without its name.
_CORRUPT = re.compile(
    r"(?:Invalid: |IOError: )?(?:Corrupt database file|Parquet file is likely corrupted"
    r"|TProtocolException|don't know what type|Payload value bigger than allowed)"
)
_PARAMETERS = re.compile(r"(?i)parameter|prepared statement")
# What the engine says of parameters that do not fit, whose names are the caller's own → what we do.
_MISFITS = (
    (r"Invalid Input Error: Values were not provided for .*?parameters: (.+)",
     "params has no value for {}"),
    (r"Invalid Input Error: Parameter argument/count mismatch, .*?parameters: (.+)",
     "the query has no parameter {}"),
    (r"Binder Error: Parameter/argument count mismatch for prepared statement",
     "the query has no parameters"),
)  # fmt: skip


def is_engine_failure(error: Exception) -> bool:
    """Whether an OSError is the engine's, passed through Arrow, and not the socket's."""
    return error.__class__ is OSError and error.errno is None


def report(error: Exception, *, timed_out: bool, files: Iterable[str] = ()) -> dict[str, Any]:
    """`code`, `detail`, and for errors about names `near`, the name that does not fit. `files` are
    those that the query reads."""
    if timed_out:
        return {"code": "query_timeout", "detail": "the query took too long"}
    if isinstance(error, Unsuited):
        return {"code": "format_unsuited", "detail": str(error)}
    if isinstance(error, RecursionError):
        return {"code": "query_too_complex", "detail": "the answer's types nest too deeply"}
    if isinstance(error, MemoryError):
        return {"code": "query_memory_exceeded", "detail": _REPORTS["out of memory"][1]}
    text = _text(error)
    if _CORRUPT.match(text) or any(file in text for file in files):
        return {"code": "table_unreadable", "detail": "a table's files cannot be read now"}
    if misfit := _misfit(text):
        return {"code": "bad_parameters", "detail": misfit}
    code, detail = _REPORTS.get(_kind(error, text), _CRASHED)
    if code == "query_failed" and _PARAMETERS.search(text.partition("\n")[0]):
        return {"code": "bad_parameters", "detail": "params do not match the query's parameters"}
    if detail is not None:
        return {"code": code, "detail": detail}
    shown = _PATHS.sub("…", text.partition("\n\nLINE ")[0])[:500]
    near = re.search(r'"([^"]+)"', shown)
    return {"code": code, "detail": shown, **({"near": near[1]} if near else {})}


def _misfit(text: str) -> str | None:
    for said, told in _MISFITS:
        if found := re.match(said, text):
            return told.format(*found.groups())[:300]
    return None


def _text(error: Exception) -> str:
    """The engine's message. One that quotes a byte of a letter is no text, and no engine error."""
    if isinstance(error, UnicodeDecodeError):
        return error.object.decode(errors="replace")
    return str(error)


def _kind(error: Exception, text: str) -> str:
    if isinstance(error, duckdb.InterruptException):
        return "interrupt"
    match = _KIND.match(text)
    kind = match[1].strip().lower() if match else ""
    if kind == "internal":
        return next((known for said, known in _INTERNAL.items() if said in text), kind)
    return kind
