"""Prepared statements of Flight SQL: the SQL and its parameters live in the handle.

The server keeps nothing of them, so a handle is whatever the caller sends, and is read with care.
"""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa

from api_gateway import bound_values
from api_gateway.bound_values import Params
from api_gateway.errors import BadParameters, BadRequest

# The commands that run a SELECT, at once or prepared.
COMMANDS = ("CommandStatementQuery", "CommandPreparedStatementQuery")
# The most that the values of one statement's parameters may take.
_MOST_VALUES_BYTES = 1_000_000


def handle(sql: str, params: Params) -> bytes:
    """The handle of a prepared statement, bound to `params`."""
    return json.dumps({"sql": sql, "params": params}, ensure_ascii=False).encode()


def read(name: str, message: Any) -> tuple[str, Params]:
    """The SQL and parameters of one of COMMANDS. Raises BadRequest for a handle that is none."""
    if name == "CommandStatementQuery":
        return message.query, []
    # The caller may have changed the handle: what the engine can't bind is refused here.
    try:
        held = json.loads(message.prepared_statement_handle)
        params = held["params"]
        params = dict(params) if isinstance(params, dict) else list(params)
        bound_values.bound(params)
        return str(held["sql"]), params
    except (ArithmeticError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise BadRequest("the handle is of no statement that was prepared here") from error


def sent_values(parameters: tuple[str, ...], reader: Any) -> Params:
    """The values that a driver sends for a statement's `parameters`. Raises BadParameters."""
    return _in_order(parameters, _one_row(reader))


def _one_row(reader: Any) -> dict[str, Any]:
    """The one set of values that is sent, by name. Raises BadParameters for several sets, or for
    values that are too large."""
    found: dict[str, Any] = {}
    for chunk in reader:
        batch = chunk.data
        if batch is None or not batch.num_rows:
            continue
        if found or batch.num_rows > 1:
            raise BadParameters("one set of parameters is bound at a time: execute once for each")
        if batch.nbytes > _MOST_VALUES_BYTES:
            raise BadParameters(f"the parameters are over {_MOST_VALUES_BYTES} bytes")
        names = batch.schema.names
        if len(set(names)) < len(names):
            names = [str(place) for place in range(1, len(names) + 1)]
        found = dict(zip(names, map(_carried, batch.columns), strict=True))
    return found


def _in_order(parameters: tuple[str, ...], row: dict[str, Any]) -> Params:
    """The values as the engine takes them: in order for `?` and `$1`, by name for `$name`.

    A driver that does not know the names sends the values in the order of the names.
    """
    if all(name.isdigit() for name in parameters):
        return list(row.values())
    if set(row) == set(parameters):
        return row
    if len(row) != len(parameters):
        raise BadParameters(f"the statement has the parameters {', '.join(parameters)}")
    return dict(zip(parameters, row.values(), strict=True))


def _carried(column: pa.Array) -> Any:
    """The one value of a column, as it travels to the engine. Raises BadParameters for a value
    that the engine would take for another one."""
    kind = column.type
    try:
        # Drivers send nanoseconds for whole microseconds, the finest that the engine binds.
        if coarser := _coarser(kind):
            column = column.cast(coarser)
        return bound_values.carried(column[0].as_py())
    except (TypeError, ValueError, OverflowError):
        raise BadParameters(
            f"a parameter of the type {kind} is not taken, or is too fine"
        ) from None


def _coarser(kind: pa.DataType) -> pa.DataType | None:
    """The type in microseconds for one in nanoseconds; None for any other."""
    if getattr(kind, "unit", None) != "ns":
        return None
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", kind.tz)
    return pa.duration("us") if pa.types.is_duration(kind) else pa.time64("us")
