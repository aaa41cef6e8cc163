"""SQL that hands out values as Arrow and Parquet have a type for them, however deep they lie.

A type that the format lacks, or that its readers would misread (a `UHUGEINT` as a negative number,
a `BIT` as bytes, a `TIMETZ` without its zone), is another there: mostly its text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from api_gateway.engine import literal, quoted

# By DuckDB's names. A MAP without entries has keys of the type "NULL".
_TEXTS = ("uhugeint", "null", "time with time zone", "bignum", "bit", "variant")
_IN_ARROW = dict.fromkeys(_TEXTS, "VARCHAR")
# Parquet counts no seconds, and whoever has them as milliseconds has no infinity.
_IN_PARQUET = _IN_ARROW | {"interval": "VARCHAR", "union": "VARCHAR", "timestamp_s": "TIMESTAMP"}
# Format → type → the type that stands for it.
INSTEAD = {"arrow": _IN_ARROW, "parquet": _IN_PARQUET}
_NESTED = frozenset({"list", "array", "struct", "tuple", "map", "union"})


def value_of(value: str, kind: Any, instead: Mapping[str, str], depth: int = 0) -> str:
    """SQL for `value` of a type `kind`, with all that is of a type in `instead` as the one that
    stands for it; NULL stays NULL. A fixed-size array of those becomes a list, a union that has one
    of them its text."""
    if not _holds(kind, instead):
        return value
    if kind.id in _PARTS:
        return _PARTS[kind.id](value, kind, instead, depth)
    return union_text(value, kind) if kind.id == "union" else f"{value}::{instead[kind.id]}"


def union_text(value: str, kind: Any) -> str:
    """SQL for the text of a union's member; NULL when the member is."""
    members = (name for name, _ in _types_in(kind))
    texts = (f"union_extract({value}, {literal(name)})::VARCHAR" for name in members)
    return f"coalesce({', '.join(texts)})"


def _holds(kind: Any, instead: Mapping[str, str]) -> bool:
    return kind.id in instead or any(_holds(of, instead) for _, of in _types_in(kind))


def _types_in(kind: Any) -> Iterable[tuple[str, Any]]:
    """The types that a nested one is made of, by name."""
    children: list[tuple[str, Any]] = kind.children if kind.id in _NESTED else []
    if kind.id == "array":
        return children[:1]  # Then comes its size.
    # Before the members of a union stands the type of its tag, without a name.
    return [child for child in children if child[0]] if kind.id == "union" else children


def _list(value: str, kind: Any, instead: Mapping[str, str], depth: int) -> str:
    item = f"x{depth}"
    ((_, of),) = _types_in(kind)
    return f"list_transform({value}, lambda {item}: {value_of(item, of, instead, depth + 1)})"


def _struct(value: str, kind: Any, instead: Mapping[str, str], depth: int) -> str:
    members = ", ".join(
        f"{quoted(name)} := "
        f"{value_of(f'struct_extract({value}, {literal(name)})', of, instead, depth)}"
        for name, of in kind.children
    )
    return f"CASE WHEN {value} IS NOT NULL THEN struct_pack({members}) END"


def _tuple(value: str, kind: Any, instead: Mapping[str, str], depth: int) -> str:
    members = ", ".join(
        value_of(f"struct_extract({value}, {place})", of, instead, depth)
        for place, (_, of) in enumerate(kind.children, 1)
    )
    return f"CASE WHEN {value} IS NOT NULL THEN row({members}) END"


def _map(value: str, kind: Any, instead: Mapping[str, str], depth: int) -> str:
    item = f"x{depth}"
    entry = ", ".join(
        f"{part} := {value_of(f'{item}.{part}', of, instead, depth + 1)}"
        for part, of in kind.children
    )
    entries = f"list_transform(map_entries({value}), lambda {item}: struct_pack({entry}))"
    return f"map_from_entries({entries})"


_PARTS: dict[str, Callable[[str, Any, Mapping[str, str], int], str]] = {
    "list": _list,
    "array": _list,
    "struct": _struct,
    "tuple": _tuple,
    "map": _map,
}
