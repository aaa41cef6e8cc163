"""What a query process says of an engine's error: a code, and no text that could hold a value.

The engine's message begins with its kind. Messages about names (parser, binder, catalogue) speak of
the caller's SQL and of columns it may read, so they are passed on; all others may quote values.
"""

from __future__ import annotations

import re
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
    "constraint": ("query_failed", "a constraint does not hold"),
    "expression": ("query_failed", "an expression cannot be computed"),
    "sequence": ("query_failed", "a value is out of its type's range"),
    "out of memory": ("query_memory_exceeded", "the query needs more memory than it may have"),
    # Of a thread that stopped because another one failed, at a value that it does not tell.
    "interrupt": ("query_failed", "a value cannot be computed"),
}
_CRASHED = ("query_crashed", "the query's process failed and was replaced")
_PARAMETERS = re.compile(r"(?i)parameter|prepared statement")


def is_engine_failure(error: Exception) -> bool:
    """Whether an OSError is the engine's, passed through Arrow, and not the socket's."""
    return error.__class__ is OSError and error.errno is None


def report(error: Exception, *, timed_out: bool) -> dict[str, Any]:
    """`code`, `detail`, and for errors about names `near`, the name that does not fit."""
    if timed_out:
        return {"code": "query_timeout", "detail": "the query took too long"}
    if isinstance(error, Unsuited):
        return {"code": "format_unsuited", "detail": str(error)}
    if isinstance(error, MemoryError):
        return {"code": "query_memory_exceeded", "detail": _REPORTS["out of memory"][1]}
    text = str(error)
    code, detail = _REPORTS.get(_kind(error, text), _CRASHED)
    if code == "query_failed" and _PARAMETERS.search(text.partition("\n")[0]):
        return {"code": "bad_parameters", "detail": "params do not match the query's parameters"}
    if detail is not None:
        return {"code": code, "detail": detail}
    shown = _PATHS.sub("…", text.partition("\n\nLINE ")[0])[:500]
    near = re.search(r'"([^"]+)"', shown)
    return {"code": code, "detail": shown, **({"near": near[1]} if near else {})}


def _kind(error: Exception, text: str) -> str:
    if isinstance(error, duckdb.InterruptException):
        return "interrupt"
    match = _KIND.match(text)
    return match[1].strip().lower() if match else ""
