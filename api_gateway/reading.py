"""A caller's SQL from its text to a Statement: parsed, printed, parsed again and judged.

All of that happens in a query process without tables: a tree may be large, and no other caller
waits for it. The web process gets the verdict as JSON, which `told` writes and `heard` reads.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from api_gateway import bounded, gate, origins, repeatable
from api_gateway.errors import (
    FunctionRefused,
    GatewayError,
    StatementRefused,
    SyntaxRefused,
    TooComplex,
    TooLarge,
)
from api_gateway.gate import Statement

_SERIALIZE = "SELECT json_serialize_sql(?::VARCHAR, skip_null := true, skip_empty := true)"
_DESERIALIZE = "SELECT json_deserialize_sql(?::JSON)"
_REFUSALS: dict[str, type[GatewayError]] = {
    each.code: each
    for each in (FunctionRefused, StatementRefused, SyntaxRefused, TooComplex, TooLarge)
}

# Asks the engine a statement with one text, for one text. Raises what the engine raises.
Engine = Callable[[str, str], str]


def told(sql: str, engine: Engine, failures: tuple[type[Exception], ...]) -> dict[str, Any]:
    """The verdict on a caller's SQL, as JSON carries it. `failures` are the engine's errors."""
    try:
        statement = _judged(sql, engine, failures)
    except GatewayError as error:
        return {"refused": error.code, "detail": error.detail, "facts": error.facts}
    return {
        "sql": statement.sql,
        "tables": statement.tables,
        "repeatable": statement.repeatable,
        "origins": origins.packed(statement.origins),
        "most_rows": statement.most_rows,
        "flows": statement.flows,
        "parameters": statement.parameters,
    }


def heard(verdict: dict[str, Any]) -> Statement:
    """The statement that `told` tells of. Raises the refusal that it tells of."""
    if code := verdict.get("refused"):
        raise _REFUSALS[code](verdict["detail"], **verdict["facts"])
    return Statement(
        verdict["sql"],
        tuple(verdict["tables"]),
        origins.unpacked(verdict["origins"]),
        verdict["repeatable"],
        verdict["most_rows"],
        verdict["flows"],
        tuple(verdict["parameters"]),
    )


def _judged(sql: str, engine: Engine, failures: tuple[type[Exception], ...]) -> Statement:
    try:
        parsed = engine(_SERIALIZE, sql)
    except failures:
        raise SyntaxRefused("the SQL cannot be parsed") from None
    gate.check(parsed, sql)
    try:
        printed = engine(_DESERIALIZE, parsed)
        again = engine(_SERIALIZE, printed)
    except failures:
        # A tree that the engine itself cannot read back.
        raise StatementRefused("the statement has no single reading") from None
    accepted = gate.accept(sql, parsed, printed, again)
    tree = json.loads(again)
    named = tree["statements"][0].get("named_param_map") or ()
    same_again = repeatable.is_repeatable(tree)
    return replace(
        accepted,
        origins=origins.read(tree),
        repeatable=same_again,
        most_rows=bounded.most_rows(tree),
        flows=same_again and bounded.flows(tree),
        parameters=tuple(each["key"] for each in sorted(named, key=lambda each: each["value"])),
    )
