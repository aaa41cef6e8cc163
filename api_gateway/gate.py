"""The second lock: what a statement may be. Pure functions over the engine's own syntax tree.

A query process parses the SQL, prints the tree back to SQL and parses that again. `check` judges
both trees, and only the printed text runs: nothing runs that was not judged. What is not known is
refused.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from api_gateway.allowed import (
    EXPRESSIONS,
    MODIFIERS,
    NAMED_FUNCTIONS,
    PARTS,
    QUERY_NODES,
    TABLE_FUNCTIONS,
    TABLE_REFS,
    TYPES,
    allowed_functions,
)
from api_gateway.elsewhere import SAID_HERE
from api_gateway.errors import (
    FunctionRefused,
    StatementRefused,
    SyntaxRefused,
    TooComplex,
    TooLarge,
)
from api_gateway.origins import Select, folded
from api_gateway.settings import SQL_BYTES

# The web process reads the tree: a larger one would keep other callers waiting.
TREE_BYTES = 2_000_000
_MOST_NODES = 20_000
_DEEPEST_BRACKETS = 150
_NOWHERE = 2**63

_OPENS = bytes(each in b"([{" for each in range(256))
_NO_BRACKETS = bytes(each for each in range(256) if each not in b"([{)]}")
_CATALOGUES = frozenset({"information_schema", "pg_catalog"})
_WHERE_TABLES_ARE = "GET /v1/tables lists the tables you may know of; DESCRIBE tells one's columns"
_IDENTIFIER = re.compile(r"[^\W\d]\w{0,62}")
_TABLE = re.compile(r"[a-z][a-z0-9_]{0,62}")


@dataclass(frozen=True)
class Statement:
    """An accepted statement: the SQL that will run, and the lake tables it touches, in order.

    `origins` tells where its columns come from, `repeatable` whether it answers the same again,
    `most_rows` how many rows it answers at most, if it says so, `flows` whether they come as they
    are read (`bounded.flows`).
    """

    sql: str
    tables: tuple[str, ...]
    origins: Select | None = None
    repeatable: bool = True
    most_rows: int | None = None
    flows: bool = False
    # Names of its parameters, or their numbers, in order.
    parameters: tuple[str, ...] = ()


def measure(sql: str) -> None:
    """Refuse a text before any parser sees it. Raises TooLarge, SyntaxRefused, TooComplex."""
    # A text may be long, and is measured in the web process: most of it in one step each.
    try:
        encoded = sql.encode()
    except UnicodeEncodeError:
        raise SyntaxRefused("the SQL holds half a character") from None
    if len(encoded) > SQL_BYTES:
        raise TooLarge(f"the SQL is over {SQL_BYTES} bytes", limit_bytes=SQL_BYTES)
    if not sql.strip():
        raise SyntaxRefused("the SQL is empty")
    if b"\0" in encoded:
        raise SyntaxRefused("the SQL holds a NUL")
    depth = 0
    for opens in encoded.translate(_OPENS, _NO_BRACKETS):
        depth += 1 if opens else -1
        if depth > _DEEPEST_BRACKETS:
            raise TooComplex(f"brackets nest deeper than {_DEEPEST_BRACKETS}")


def accept(sql: str, parsed: str, printed: str, parsed_again: str) -> Statement:
    """Judge a caller's `sql` by its tree, and the SQL printed from it by the tree of that.

    Raises SyntaxRefused, StatementRefused, FunctionRefused, TooComplex.
    """
    tables = check(parsed, sql)
    again = check(parsed_again, printed)
    if again != tables:
        raise StatementRefused("the statement has no single reading")
    return Statement(printed, tables)


def check(tree: str, sql: str) -> tuple[str, ...]:
    """The lake tables of one allowed statement, given its serialised tree.

    Raises what `accept` raises; positions in the errors are characters of `sql`.
    """
    if len(tree) > TREE_BYTES:
        raise TooComplex("the query has too many parts")
    try:
        parsed = json.loads(tree)
    except RecursionError:
        raise TooComplex("the query nests too deeply") from None
    if parsed.get("error"):
        raise _unparsed(parsed, sql)
    statements = parsed["statements"]
    if len(statements) != 1:
        raise StatementRefused("send exactly one statement", statements=len(statements))
    return _Judge(sql).tables_of(statements[0])


def _unparsed(parsed: dict[str, Any], sql: str) -> Exception:
    if parsed.get("error_type") == "not implemented":
        message = str(parsed.get("error_message", ""))
        if "parameters" in message:
            return SyntaxRefused("use either $name or ? for parameters, not both")
        return StatementRefused(
            "the statement is not a plain SELECT",
            hint="SELECT, WITH, FROM, VALUES, DESCRIBE and SUMMARIZE are served; "
            "write PIVOT with its values: PIVOT … ON column IN (…)",
        )
    if "expression depth" in str(parsed.get("error_message")):
        return TooComplex("the query nests too deeply")
    place = parsed.get("position")
    return SyntaxRefused(
        str(parsed.get("error_message", "syntax error"))[:300],
        position=_characters(sql, int(place)) if place else None,
    )


def _characters(sql: str, byte_offset: int) -> int | None:
    if not 0 <= byte_offset < _NOWHERE:
        return None
    return len(sql.encode()[:byte_offset].decode(errors="ignore"))


class _Judge:
    """One walk over one tree, without recursion: `scope` holds the CTE names visible at a node."""

    def __init__(self, sql: str) -> None:
        self._sql = sql
        self._tables: dict[str, None] = {}
        self._nodes = 0

    def tables_of(self, statement: Any) -> tuple[str, ...]:
        waiting: list[tuple[Any, frozenset[str]]] = [(statement, frozenset())]
        while waiting:
            value, scope = waiting.pop()
            if isinstance(value, list):
                waiting.extend((item, scope) for item in value)
            elif isinstance(value, dict):
                self._nodes += 1
                if self._nodes > _MOST_NODES:
                    raise TooComplex(f"the query has more than {_MOST_NODES} parts")
                waiting.extend(self._judge(value, scope))
        return tuple(self._tables)

    def _judge(
        self, node: dict[str, Any], scope: frozenset[str]
    ) -> Iterator[tuple[Any, frozenset[str]]]:
        if "class" in node:
            self._expression(node)
        elif isinstance(node.get("type"), str):
            if node["type"] in QUERY_NODES:
                yield from self._query(node, scope)
                return
            self._reference(node, scope)
            if node["type"] == "TABLE_FUNCTION":
                # Its function is judged already, by the list for tables: only its arguments remain.
                node = {**node, "function": list(node["function"].values())}
        elif unknown := node.keys() - PARTS:
            raise self._refusal(f"a part the gateway does not know: {min(unknown)}", node)
        elif "table" in node and not _is_column(node):
            raise self._refusal("a table where none is expected", node)
        for value in node.values():
            yield value, scope

    def _query(
        self, node: dict[str, Any], scope: frozenset[str]
    ) -> Iterator[tuple[Any, frozenset[str]]]:
        ctes = node.get("cte_map") or {}
        yield {**ctes, "map": None}, scope
        for entry in ctes.get("map") or ():
            # A CTE's own name is visible in its body only through a recursive node.
            yield entry["value"], scope
            scope |= {self._cte_name(entry["key"])}
        if name := node.get("cte_name"):
            scope |= {self._cte_name(name)}
        for key, value in node.items():
            if key != "cte_map":
                yield value, scope

    def _cte_name(self, name: str) -> str:
        # A quoted path as a CTE's name would be opened as a file.
        if not _IDENTIFIER.fullmatch(name):
            raise StatementRefused("a WITH name must be a plain identifier")
        return folded(name)

    def _expression(self, node: dict[str, Any]) -> None:
        kind = node["class"]
        if kind not in EXPRESSIONS:
            raise self._refusal(f"{str(kind).lower()} expressions are not served", node)
        if kind in ("FUNCTION", "WINDOW"):
            self._function(node, allowed_functions())
        elif kind == "COLUMN_REF":
            self._column(node)
        elif kind == "TYPE" and (
            not _is_plain(node, "type_name") or node["type_name"].lower() not in TYPES
        ):
            raise self._refusal("the type is not served", node)

    def _column(self, node: dict[str, Any]) -> None:
        names = list(node.get("column_names") or [])
        if len(names) == 1 and (name := str(names[0]).lower()) in NAMED_FUNCTIONS:
            raise FunctionRefused(
                f"the function {name} is not served", function=name, position=self._position(node)
            )

    def _function(
        self, node: dict[str, Any], allowed: frozenset[str], position: int | None = None
    ) -> None:
        name = str(node.get("function_name", "")).lower()
        plain = _is_plain(node, "function_name")
        if not plain or name not in allowed:
            raise FunctionRefused(
                f"the function {name} is not served"
                if plain
                else f"call functions by their plain name: {name}(value), not value.{name}()",
                function=name,
                position=self._position(node) if position is None else position,
                **_instead(name, allowed),
            )

    def _reference(self, node: dict[str, Any], scope: frozenset[str]) -> None:
        kind = node["type"]
        if kind == "BASE_TABLE":
            self._table(node, scope)
        elif kind == "TABLE_FUNCTION":
            function = node.get("function")
            if not isinstance(function, dict) or function.get("class") != "FUNCTION":
                raise self._refusal("the table function is not served", node)
            self._function(function, TABLE_FUNCTIONS, self._position(node))
        elif kind == "SHOW_REF" and not node.get("query"):
            raise self._refusal("SHOW is not served", node, hint=_WHERE_TABLES_ARE)
        elif kind not in TABLE_REFS | MODIFIERS:
            raise self._refusal("the statement is not a plain SELECT", node)

    def _table(self, node: dict[str, Any], scope: frozenset[str]) -> None:
        if node.get("at_clause"):
            raise self._refusal("AT is not served in the SQL", node, hint="send as_of beside it")
        name = str(node.get("table_name", ""))
        if not _is_plain(node, "table_name"):
            # Who reads a catalogue looks for tables; anybody else wrote too much of a name.
            asks = str(node.get("schema_name", "")).lower() in _CATALOGUES
            raise self._refusal(
                "tables have one plain name, without schema or catalogue",
                node,
                hint=_WHERE_TABLES_ARE if asks else name[:80],
            )
        if folded(name) in scope:
            return
        if not _TABLE.fullmatch(name.lower()):
            raise self._refusal(
                "not the name of a table", node, hint="GET /v1/tables lists the tables"
            )
        self._tables[name.lower()] = None

    def _refusal(self, detail: str, node: dict[str, Any], **facts: Any) -> StatementRefused:
        return StatementRefused(detail, position=self._position(node), **facts)

    def _position(self, node: dict[str, Any]) -> int | None:
        return _characters(self._sql, int(node.get("query_location", _NOWHERE)))


def _instead(name: str, allowed: frozenset[str]) -> dict[str, Any]:
    """What a caller who calls a function of this name may have meant."""
    if said := SAID_HERE.get(name):
        return {"hint": f"here it is said as in {said}"}
    return {"suggestions": difflib.get_close_matches(name, allowed, n=3) or None}


def _is_column(node: dict[str, Any]) -> bool:
    """Whether a part is the name of a source's column, as EXCLUDE and RENAME have them."""
    return node.keys() == {"table", "column"} and all(
        isinstance(each, str) for each in node.values()
    )


def _is_plain(node: dict[str, Any], name_key: str) -> bool:
    """Whether a name stands without schema or catalogue, in both places where the tree keeps it."""
    path = (node.get("qualified_name") or {}).get("path") or []
    return path == [node.get(name_key)] and not any(
        node.get(key) for key in ("schema", "schema_name", "catalog", "catalog_name")
    )
