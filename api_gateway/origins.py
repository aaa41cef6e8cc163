"""Which columns of an answer are columns of a lake table, so that their units and titles go along.

`read` keeps of a statement's tree only what that needs; `resolve` then looks the columns up.
A column that is computed has no origin: a wrong unit is worse than none. A statement whose SELECTs
hold each other too often has none either: written out, it could fill the memory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from lake import Column

_MOST_PARTS = 2000


@dataclass(frozen=True)
class Star:
    """`*` or `t.*`, without the columns that it leaves out or replaces."""

    source: str | None
    without: frozenset[str]


@dataclass(frozen=True)
class Named:
    """One column of the answer; `column` is None when it is computed."""

    name: str
    source: str | None = None
    column: str | None = None


@dataclass(frozen=True)
class Select:
    """A SELECT: its columns, and what it reads by alias: a lake table's name, or a SELECT."""

    items: tuple[Star | Named, ...]
    sources: tuple[tuple[str, str | Select | None], ...]

    @cached_property
    def parts(self) -> int:
        """Its columns and sources, and those of the SELECTs in it, as often as they are there."""
        inner = (each.parts for _, each in self.sources if isinstance(each, Select))
        return len(self.items) + len(self.sources) + sum(inner)


ColumnsOf = Callable[[str], Mapping[str, Column]]


def read(tree: Mapping[str, Any]) -> Select | None:
    """The outermost SELECT of an accepted statement's tree, or None if it is something else."""
    return _select(tree["statements"][0]["node"], {})


def packed(select: Select | None) -> Any:
    """A Select as JSON carries it; `unpacked` makes it anew."""
    if select is None:
        return None
    items = [
        [each.source, sorted(each.without)]
        if isinstance(each, Star)
        else [each.name, each.source, each.column]
        for each in select.items
    ]
    sources = [[alias, of if isinstance(of, str) else packed(of)] for alias, of in select.sources]
    return {"items": items, "sources": sources}


def unpacked(said: Any) -> Select | None:
    """The Select that was `packed`."""
    if said is None:
        return None
    items = tuple(
        Star(each[0], frozenset(each[1])) if len(each) == 2 else Named(*each)
        for each in said["items"]
    )
    sources = (
        (alias, of if isinstance(of, str) else unpacked(of)) for alias, of in said["sources"]
    )
    return Select(items, tuple(sources))


def resolve(select: Select | None, columns_of: ColumnsOf) -> dict[str, Column]:
    """The lake columns among the answer's, by their folded names in the answer. `columns_of`
    gives a table's columns by folded name."""
    if select is None:
        return {}
    sources = {
        alias: columns_of(source) if isinstance(source, str) else resolve(source, columns_of)
        for alias, source in select.sources
    }
    found: dict[str, Column] = {}
    for item in select.items:
        if isinstance(item, Star):
            for name, column in _starred(item, sources).items():
                found.setdefault(name, column)
    for item in select.items:
        if isinstance(item, Named):
            found.pop(item.name, None)
            if origin := _looked_up(item, sources):
                found[item.name] = origin
    return found


def _starred(star: Star, sources: Mapping[str, Mapping[str, Column]]) -> dict[str, Column]:
    found: dict[str, Column] = {}
    for alias, columns in sources.items():
        if star.source in (None, alias):
            for name, column in columns.items():
                if name not in star.without:
                    found.setdefault(name, column)
    return found


def _looked_up(item: Named, sources: Mapping[str, Mapping[str, Column]]) -> Column | None:
    if item.column is None:
        return None
    candidates = [
        columns[item.column]
        for alias, columns in sources.items()
        if item.source in (None, alias) and item.column in columns
    ]
    # A name of two tables is one of a USING; they must agree on what it means.
    return (
        candidates[0] if candidates and all(each == candidates[0] for each in candidates) else None
    )


def _select(node: Mapping[str, Any], ctes: Mapping[str, Select | None]) -> Select | None:
    if node.get("type") != "SELECT_NODE":
        return None
    for entry in (node.get("cte_map") or {}).get("map") or ():
        value = entry["value"]
        body = None if value.get("aliases") else _select(value.get("query_node") or {}, ctes)
        ctes = {**ctes, entry["key"].casefold(): body}
    sources: list[tuple[str, str | Select | None]] = []
    _read_from(node.get("from_table") or {}, ctes, sources)
    items = tuple(_item(each) for each in node.get("select_list") or ())
    made = Select(items, tuple(sources))
    return made if made.parts <= _MOST_PARTS else None


def _read_from(
    reference: Mapping[str, Any],
    ctes: Mapping[str, Select | None],
    sources: list[tuple[str, str | Select | None]],
) -> None:
    kind = reference.get("type")
    if kind == "JOIN":
        _read_from(reference["left"], ctes, sources)
        _read_from(reference["right"], ctes, sources)
        return
    if reference.get("column_name_alias"):
        return
    alias = str(reference.get("alias") or reference.get("table_name") or "").casefold()
    if kind == "BASE_TABLE":
        name = str(reference["table_name"])
        known = name.casefold() in ctes
        sources.append((alias, ctes[name.casefold()] if known else name.lower()))
    elif kind == "SUBQUERY":
        sources.append((alias, _select(reference["subquery"]["node"], ctes)))


def _item(expression: Mapping[str, Any]) -> Star | Named:
    kind, alias = expression.get("class"), str(expression.get("alias") or "").casefold()
    if kind == "STAR" and not expression.get("columns") and not expression.get("expr"):
        without = [str(each) for each in expression.get("exclude_list") or ()]
        without += [str(each["key"]) for each in expression.get("replace_list") or ()]
        without += [str(each["key"]["column"]) for each in expression.get("rename_list") or ()]
        source = expression.get("relation_name")
        return Star(
            str(source).casefold() if source else None,
            frozenset(name.casefold() for name in without),
        )
    if kind == "CAST" and alias:
        expression = expression.get("child") or {}
        kind = expression.get("class")
    names = [str(each).casefold() for each in expression.get("column_names") or ()]
    if kind == "COLUMN_REF" and len(names) in (1, 2):
        return Named(alias or names[-1], names[0] if len(names) == 2 else None, names[-1])
    return Named(alias)
