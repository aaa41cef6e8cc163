"""What a query would do, without doing it: its plan, its columns, and how much it would read.

The engine's plan is passed on by an allow-list of facts, so that no path goes along. Bytes come
from the Parquet files' own metadata, also where a hot table is read instead: the compressed size of
the columns a scan reads, which is the most it can read, as whole row groups may be skipped.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import duckdb
import pyarrow.parquet

from api_gateway import formats
from api_gateway.engine import Source

_FACTS = {
    "Aggregates": "aggregates",
    "Conditions": "conditions",
    "Expressions": "expressions",
    "Filters": "filters",
    "Groups": "groups",
    "Join Type": "join",
    "Order By": "order",
    "Projections": "columns",
    "Top": "top",
}
# Of the lake's files, and of a hot table.
_SCANS = ("READ_PARQUET", "SEQ_SCAN")


def explain(
    cursor: duckdb.DuckDBPyConnection, job: Mapping[str, Any], sources: Iterable[Source]
) -> dict[str, Any]:
    """`columns`, `estimate` and `plan` of the query in `job`. Raises what the engine raises."""
    relation = cursor.sql(job["sql"], params=job["params"])
    named = zip(formats.unique(relation.columns), relation.types, strict=True)
    columns = formats.described(named, job["described"])
    plan = _node(
        _root(cursor, job["sql"], job["params"]),
        {source.table: _sizes(source.files) for source in sources},
    )
    scans = list(_scans(plan))
    return {
        "columns": columns,
        "estimate": {
            "rows": plan.get("estimated_rows"),
            "rows_read": sum(scan["estimated_rows"] for scan in scans),
            "bytes_read": sum(scan["bytes"] for scan in scans),
        },
        "plan": plan,
    }


def count(cursor: duckdb.DuckDBPyConnection, asked: Mapping[str, Any]) -> int:
    """The number of rows of `sql` with `params`; if `planned`, as the plan expects it."""
    if asked["planned"]:
        root = _root(cursor, asked["sql"], asked["params"])
        return int(root.get("extra_info", {}).get("Estimated Cardinality", 0))
    sql = f"SELECT count(*) FROM ({asked['sql']})"  # noqa: S608
    found = cursor.execute(sql, asked["params"]).fetchone()
    cursor.fetchall()
    return int(found[0]) if found else 0


def reached(cursor: duckdb.DuckDBPyConnection, asked: Mapping[str, Any]) -> tuple[int, bool]:
    """How many rows a `Reach`'s limit leaves, and whether it cuts any off."""
    found = count(cursor, {**asked, "planned": False})
    return min(found, asked["limit"]), found > asked["limit"]


def _root(
    cursor: duckdb.DuckDBPyConnection, sql: str, params: list[Any] | dict[str, Any]
) -> dict[str, Any]:
    found = cursor.execute(f"EXPLAIN (FORMAT json) {sql}", params).fetchall()
    root: dict[str, Any] = json.loads(found[0][1])[0]
    return root


def _node(said: Mapping[str, Any], sizes: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
    told = said.get("extra_info") or {}
    node: dict[str, Any] = {"operator": str(said.get("name", "")).strip()}
    node |= {name: told[key] for key, name in _FACTS.items() if key in told}
    if "Estimated Cardinality" in told:
        node["estimated_rows"] = int(told["Estimated Cardinality"])
    if node["operator"] in _SCANS:
        node |= {"operator": "SCAN", **_scanned(told.get("Projections") or [], sizes)}
        node.setdefault("estimated_rows", 0)
    if children := said.get("children"):
        node["children"] = [_node(child, sizes) for child in children]
    return node


def _scanned(columns: Any, sizes: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
    """The table that a scan of these columns reads, and the most bytes. The engine does not name
    it: of several tables with these columns it may be the largest."""
    names = [columns] if isinstance(columns, str) else columns
    fitting = {
        table: sum(size[name] for name in names)
        for table, size in sizes.items()
        if all(name in size for name in names)
    }
    if not fitting:
        # The engine shortens long lists: then every column counts.
        fitting = {table: sum(size.values()) for table, size in sizes.items()}
    most = max(fitting.values(), default=0)
    return {"table": next(iter(fitting)), "bytes": most} if len(fitting) == 1 else {"bytes": most}


def _scans(node: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    if node["operator"] == "SCAN":
        yield node
    for child in node.get("children", ()):
        yield from _scans(child)


@lru_cache(maxsize=256)
def _sizes(files: tuple[str, ...]) -> dict[str, int]:
    """Compressed bytes by column of one version's files."""
    sizes: dict[str, int] = {}
    for file in files:
        parts = pyarrow.parquet.read_metadata(file)
        for group in range(parts.num_row_groups):
            for index in range(parts.num_columns):
                chunk = parts.row_group(group).column(index)
                name = chunk.path_in_schema.partition(".")[0]
                sizes[name] = sizes.get(name, 0) + chunk.total_compressed_size
    return sizes
