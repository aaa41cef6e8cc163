"""How many rows a statement answers at most, where its tree says so: few rows are fetched at once
and need no stream."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Without GROUP BY, one of these among the columns makes the answer one row.
_AGGREGATES = frozenset({"avg", "count", "count_star", "max", "median", "min", "stddev", "sum"})


def most_rows(tree: Mapping[str, Any]) -> int | None:
    """Of an accepted statement's tree; None when only running it can tell."""
    node = tree["statements"][0]["node"]
    limits = [
        each
        for each in node.get("modifiers") or ()
        if each["type"] == "LIMIT_MODIFIER" and each.get("limit_type", "ROW_COUNT") == "ROW_COUNT"
    ]
    if limits:
        said = (limits[0].get("limit") or {}).get("literal") or {}
        return int(said["text"]) if said.get("kind") == "INTEGER" else None
    if node["type"] == "SELECT_NODE" and not node.get("group_expressions"):
        names = {str(each.get("function_name", "")).lower() for each in node["select_list"]}
        return 1 if names & _AGGREGATES else None
    return None
