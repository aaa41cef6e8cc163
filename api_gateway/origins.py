"""What the columns of an answer may be of lake tables, so that their units and titles go along.

`read` keeps of a statement's tree only what that needs, `packed` and `unpacked` carry it, and
`following.resolve` looks the columns up. What is not understood may be any columns: a wrong unit
is worse than none. A statement whose SELECTs hold each other too often has no origins at all:
written out, it could fill the memory.
"""

from __future__ import annotations

import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, TypeAlias

_MOST_PARTS = 2000
_DEEPEST = 100
_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_JOINS = frozenset({"REGULAR", "NATURAL", "CROSS", "POSITIONAL", "ASOF"})
# Functions in FROM that make one column, which is called as they are.
_ONE_COLUMN = frozenset({"generate_series", "range", "unnest"})


class Change(NamedTuple):
    """What `*` does to columns of a name (of one source, if it says so): leaves them out, calls
    them `renamed`, or puts something computed in their place."""

    source: str | None
    column: str
    renamed: str | None = None
    is_computed: bool = False


@dataclass(frozen=True)
class Star:
    """`*` or `t.*`."""

    source: str | None = None
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True)
class Named:
    """One column of the answer; `column` is None when it is computed. Without a `name` it is called
    as the column, or has an expression for a name; None: any number of columns of any names."""

    name: str | None = ""
    source: str | None = None
    column: str | None = None


class Source(NamedTuple):
    """What is read under an alias: a lake table by its name, a SELECT, a group of joined sources,
    or None, which may have any columns. `names` are those that the alias gives its first columns.

    `join` is how it is joined to the sources before it, and `shared` the columns that it shares
    with them (USING), None for all that have one name (NATURAL)."""

    alias: str
    of: Read
    names: tuple[str, ...] = ()
    join: str = "INNER"
    shared: tuple[str, ...] | None = ()


@dataclass(frozen=True)
class Select:
    """A SELECT: its columns, and what it reads."""

    items: tuple[Star | Named, ...]
    sources: tuple[Source, ...]

    @cached_property
    def parts(self) -> int:
        """Its columns and sources, and those of the SELECTs in it, as often as they are there."""
        return len(self.items) + sum(_parts(each) for each in self.sources)


Read: TypeAlias = str | Select | tuple[Source, ...] | None


def folded(name: str) -> str:
    """A name as the engine compares it: only letters of ASCII have another case."""
    return name.translate(_LOWER)


def read(tree: Mapping[str, Any]) -> Select | None:
    """The outermost SELECT of an accepted statement's tree, or None if it is something else."""
    return _select(tree["statements"][0]["node"], {}, 0)


def packed(of: Read) -> Any:
    """What is read, as JSON carries it; `unpacked` makes it anew."""
    if isinstance(of, tuple):
        return [[each.alias, packed(each.of), *each[2:]] for each in of]
    if not isinstance(of, Select):
        return of
    items = [
        [each.source, each.changes]
        if isinstance(each, Star)
        else [each.name, each.source, each.column]
        for each in of.items
    ]
    return {"items": items, "sources": packed(of.sources)}


def unpacked(said: Any) -> Any:
    """What was `packed`."""
    if isinstance(said, list):
        return tuple(
            Source(
                alias, unpacked(of), tuple(names), join, None if shared is None else tuple(shared)
            )
            for alias, of, names, join, shared in said
        )
    if not isinstance(said, dict):
        return said
    items = tuple(
        Star(each[0], tuple(Change(*change) for change in each[1]))
        if len(each) == 2
        else Named(*each)
        for each in said["items"]
    )
    return Select(items, unpacked(said["sources"]))


def _parts(source: Source) -> int:
    if isinstance(source.of, Select):
        return 1 + source.of.parts
    return 1 + (sum(map(_parts, source.of)) if isinstance(source.of, tuple) else 0)


def _select(node: Mapping[str, Any], ctes: Mapping[str, Source], depth: int) -> Select | None:
    if node.get("type") != "SELECT_NODE" or depth > _DEEPEST:
        return None
    for entry in (node.get("cte_map") or {}).get("map") or ():
        value, name = entry["value"], folded(entry["key"])
        body = _select(value.get("query_node") or {}, ctes, depth + 1)
        ctes = {**ctes, name: Source(name, body, tuple(value.get("aliases") or ()))}
    sources = _from(node.get("from_table") or {"type": "EMPTY"}, ctes, depth)
    items = tuple(_item(each) for each in node.get("select_list") or ())
    made = Select(items, sources)
    return made if made.parts <= _MOST_PARTS else None


def _from(
    reference: Mapping[str, Any], ctes: Mapping[str, Source], depth: int
) -> tuple[Source, ...]:
    """The sources of a FROM in their order. Joins are a chain to the left, of any length."""
    found: list[Source] = []
    while reference.get("type") == "JOIN":
        joined = _from(reference["right"], ctes, depth + 1) if depth < _DEEPEST else ()
        last = joined[0] if len(joined) == 1 else Source("", joined or None)
        kind = reference["ref_type"]
        shared = None if kind == "NATURAL" else tuple(reference.get("using_columns") or ())
        if kind not in _JOINS:
            last, shared = Source("", None), None
        found.append(last._replace(join=str(reference["join_type"]), shared=shared))
        reference = reference["left"]
    if reference["type"] != "EMPTY":
        found.append(_source(reference, ctes, depth))
    return tuple(reversed(found))


def _source(reference: Mapping[str, Any], ctes: Mapping[str, Source], depth: int) -> Source:
    kind = reference["type"]
    of: Read = None
    alias = str(reference.get("alias") or reference.get("table_name") or "")
    if kind == "BASE_TABLE":
        name = folded(str(reference["table_name"]))
        # The names that a CTE gives its columns are of a source in the source.
        of = (ctes[name],) if name in ctes else name
    elif kind == "SUBQUERY":
        of = _select(reference["subquery"]["node"], ctes, depth + 1)
    elif kind == "EXPRESSION_LIST":
        row = reference["values"][0]
        of = Select(tuple(Named(f"col{number}") for number in range(len(row))), ())
    elif kind == "TABLE_FUNCTION" and reference.get("with_ordinality") != "WITH_ORDINALITY":
        name = reference["function"]["function_name"].lower()
        of = Select((Named(alias or name),), ()) if name in _ONE_COLUMN else None
    return Source(folded(alias), of, tuple(reference.get("column_name_alias") or ()))


def _item(expression: Mapping[str, Any]) -> Star | Named:
    kind, alias = expression.get("class"), str(expression.get("alias") or "")
    if kind == "STAR" and not expression.get("columns") and not expression.get("expr"):
        source = expression.get("relation_name")
        return Star(folded(source) if source else None, tuple(_changes(expression)))
    if kind == "CAST" and alias:
        expression = expression.get("child") or {}
        kind = expression.get("class")
    names = [str(each) for each in expression.get("column_names") or ()]
    if kind == "COLUMN_REF" and len(names) in (1, 2):
        return Named(alias, folded(names[0]) if len(names) == 2 else None, names[-1])
    if kind == "COLUMN_REF":
        return Named(alias or names[-1])
    if (kind == "POSITIONAL_REFERENCE" and not alias) or _spreads(expression):
        return Named(None)
    return Named(alias)


def _changes(star: Mapping[str, Any]) -> Iterator[Change]:
    for name in star.get("exclude_list") or ():
        yield Change(None, folded(name))
    for each in star.get("qualified_exclude_list") or ():
        yield Change(folded(each["table"]), folded(each["column"]))
    for each in star.get("replace_list") or ():
        yield Change(None, folded(each["key"]), each["key"], is_computed=True)
    for each in star.get("rename_list") or ():
        key, source = each["key"], each["key"].get("table")
        yield Change(folded(source) if source else None, folded(key["column"]), each["value"])


def _spreads(expression: Mapping[str, Any]) -> bool:
    """Whether an expression may be several columns: of a `*` in it, or of a struct's members."""
    waiting: list[Any] = [expression]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += value
        elif isinstance(value, dict):
            if value.get("class") == "STAR" or value.get("function_name") == "unnest":
                return True
            if value.get("class") != "SUBQUERY":
                waiting += value.values()
    return False
