"""What a statement's tree says of its answer before it runs: how many rows there are at most, and
whether they come one by one (they *flow*).

Few rows are fetched at once and need no stream. A statement that flows costs little to begin, so it
may be begun again, as a stream, when its rows turn out to be many.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Without GROUP BY, an answer of these alone is one row.
_AGGREGATES = frozenset({"avg", "count", "count_star", "max", "median", "min", "stddev", "sum"})

_STANDARD = "STANDARD_HANDLING"
# Parts of a SELECT that need all rows before the first one.
_GATHERING = ("group_expressions", "group_sets", "having", "modifiers", "qualify", "sample")


def most_rows(tree: Mapping[str, Any]) -> int | None:
    """The most rows that an accepted statement answers; None when only running it can tell."""
    node = tree["statements"][0]["node"]
    limits = [
        each
        for each in node.get("modifiers") or ()
        if each["type"] == "LIMIT_MODIFIER" and each.get("limit_type", "ROW_COUNT") == "ROW_COUNT"
    ]
    if limits:
        said = (limits[0].get("limit") or {}).get("literal") or {}
        return int(said["text"]) if said.get("kind") == "INTEGER" else None
    if node["type"] != "SELECT_NODE" or not _is_plain(node):
        return None
    if any(node.get(each) for each in ("group_expressions", "group_sets")):
        return None
    # Beside an aggregate, `unnest` makes many rows; a window's function has another class.
    return 1 if all(map(_is_aggregate, node["select_list"])) else None


def _is_aggregate(item: Mapping[str, Any]) -> bool:
    name = str(item.get("function_name", "")).lower()
    return item.get("class") == "FUNCTION" and name in _AGGREGATES


def _is_plain(node: Mapping[str, Any]) -> bool:
    """Whether a SELECT has no GROUP BY ALL."""
    return bool(node.get("aggregate_handling", _STANDARD) == _STANDARD)


def flows(tree: Mapping[str, Any]) -> bool:
    """Whether an accepted statement's rows are those of one table, filtered and computed one by
    one: its first rows are there at once, and cost little."""
    node = tree["statements"][0]["node"]
    if node["type"] != "SELECT_NODE" or (node.get("from_table") or {}).get("type") != "BASE_TABLE":
        return False
    if any(node.get(each) for each in _GATHERING) or (node.get("cte_map") or {}).get("map"):
        return False
    if not _is_plain(node):
        return False
    waiting: list[Any] = [node["select_list"], node.get("where_clause")]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting.extend(value)
        elif isinstance(value, dict):
            if value.get("class") in ("SUBQUERY", "WINDOW"):
                return False
            waiting.extend(value.values())
    return True
