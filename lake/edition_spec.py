"""What an edition shows of a table, as the portal says it (docs/architecture.md, "Editions").

A spec is JSON; here it becomes values that are checked once, before a row is read. What is not
known here is refused: a mask or operator of tomorrow never lets a value through.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from lake.errors import EditionSpecInvalid

MASK_FIELDS = {
    "hash": frozenset[str](),
    "truncate": frozenset({"length"}),
    "bucket": frozenset({"width", "origin"}),
    "round_geo": frozenset({"to"}),
}
OPERATORS = frozenset({"eq", "ne", "lt", "le", "gt", "ge", "in", "not_null", "is_null"})
WITHOUT_VALUE = frozenset({"not_null", "is_null"})
_FIELDS = frozenset({"columns", "masks", "where", "sample", "salt_id"})


@dataclass(frozen=True)
class Mask:
    """`hash` · `truncate` to `length` characters · `bucket` of `width` from `origin`, or of a unit
    of time as width · `round_geo`."""

    kind: str
    length: int = 0
    width: float | str = 0
    origin: float = 0


@dataclass(frozen=True)
class Predicate:
    """`column` `op` `value`; a row stays when it is true, as in SQL."""

    column: str
    op: str
    value: Any = None


@dataclass(frozen=True)
class Sample:
    """At most `rows` rows, shared out over the strata of column `by` (its values, or the months of
    a date or timestamp)."""

    rows: int
    by: str | None = None


@dataclass(frozen=True)
class Spec:
    """`columns` None: all of them, in the table's order."""

    columns: tuple[str, ...] | None = None
    masks: Mapping[str, Mask] | None = None
    where: tuple[Predicate, ...] = ()
    sample: Sample | None = None


def parse(said: Mapping[str, Any]) -> Spec:
    """A spec from its JSON. Raises EditionSpecInvalid."""
    if not isinstance(said, Mapping) or set(said) - _FIELDS:
        _refuse("an edition has columns, masks, where, sample and salt_id")
    columns = said.get("columns")
    if columns is not None and (
        not isinstance(columns, list)
        or not columns
        or not all(isinstance(name, str) for name in columns)
        or len(set(columns)) != len(columns)
    ):
        _refuse("columns is a list of different names, or null")
    return Spec(
        columns=None if columns is None else tuple(columns),
        masks={name: _mask(name, mask) for name, mask in (said.get("masks") or {}).items()},
        where=tuple(_predicate(one) for one in said.get("where") or ()),
        sample=_sample(said.get("sample")),
    )


def _mask(column: str, said: Mapping[str, Any]) -> Mask:
    if not isinstance(said, Mapping) or not isinstance(said.get("kind"), str):
        _refuse("a mask has a kind", column=column)
    kind, fields = said["kind"], {key: said[key] for key in said if key != "kind"}
    if kind not in MASK_FIELDS or set(fields) - MASK_FIELDS[kind]:
        _refuse(f"no such mask: {kind}", column=column)
    if fields.pop("to", "ward") != "ward":
        _refuse("a place is rounded to its ward", column=column)
    if kind == "truncate" and not (isinstance(fields.get("length"), int) and fields["length"] >= 0):
        _refuse("truncate needs a length", column=column)
    if kind == "bucket" and not fields.get("width"):
        _refuse("bucket needs a width", column=column)
    return Mask(kind, **fields)


def _predicate(said: Mapping[str, Any]) -> Predicate:
    if set(said) - {"column", "op", "value"} or said.get("op") not in OPERATORS:
        _refuse("a row filter has column, op and value")
    op, value = said["op"], said.get("value")
    if op in WITHOUT_VALUE:
        value = None
    elif value is None or (op == "in") != isinstance(value, list) or value == []:
        _refuse(f"{op} needs a value", column=said.get("column"))
    return Predicate(said["column"], op, value)


def _sample(said: Mapping[str, Any] | None) -> Sample | None:
    if said is None:
        return None
    if set(said) - {"rows", "by"} or not isinstance(said.get("rows"), int) or said["rows"] < 1:
        _refuse("a sample has rows, and by or not")
    return Sample(said["rows"], said.get("by"))


def _refuse(detail: str, **facts: Any) -> NoReturn:
    raise EditionSpecInvalid(detail, **facts)
