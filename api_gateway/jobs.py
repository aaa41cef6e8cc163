"""What a query process is told of a query, and what its report of a failure means to the caller."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Any

from api_gateway import attribution, following
from api_gateway.asked import Asked
from api_gateway.errors import BY_CODE, GatewayError, QueryTimeout, TableUnreadable
from api_gateway.gate import Statement
from api_gateway.lake_reads import RETRY_AFTER
from api_gateway.origins import Select
from api_gateway.shelf import Shelf, Shelved
from lake import Column, Version, logs


class Jobs:
    """Makes jobs. What the columns of the last answers mean is remembered."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._described = lru_cache(maxsize=1024)(self._describe)

    def job(
        self,
        kind: str,
        statement: Statement,
        asked: Asked,
        shelved: tuple[Shelved, ...],
        timeout_s: float,
    ) -> dict[str, Any]:
        """A job of `kind` (`query` or `plan`), with all that its answer says besides rows."""
        read = tuple((each.table, each.version, each.decision.edition) for each in shelved)
        return {
            "kind": kind,
            "sql": statement.sql,
            "params": _composed(asked.params),
            "format": asked.format,
            "limit": asked.limit,
            "most_rows": statement.most_rows,
            "flows": statement.flows,
            "repeatable": statement.repeatable,
            "csv_safe": asked.csv_safe,
            "count": _composed(vars(asked.count)) if asked.count else None,
            "reach": _composed(vars(asked.reach)) if asked.reach else None,
            "timeout_s": timeout_s,
            "request_id": logs.request_id(),
            "described": self._described(statement.origins, read),
            "envelope": {
                "request_id": logs.request_id(),
                "tables": [each.attribution for each in shelved],
                "attribution": attribution.text(shelved),
            },
        }

    def _describe(
        self, select: Select | None, read: tuple[tuple[str, Version, str | None], ...]
    ) -> dict[str, dict[str, str]]:
        """The unit, titles and description of each of the answer's columns, by its name."""
        taken = {table: (version, edition) for table, version, edition in read}

        def columns_of(table: str) -> dict[str, Column]:
            columns = self._shelf.columns(table, *taken[table]) if table in taken else []
            return {each.name.casefold(): each for each in columns}

        found = following.resolve(select, columns_of)
        said = {name: attribution.described(column) for name, column in found.items()}
        return {name: facts for name, facts in said.items() if facts}


def reported(
    content: dict[str, Any], asked: Asked, timeout_s: float, memory_mb: int
) -> GatewayError:
    """The error that a query process reported, with the facts the caller may see."""
    facts: dict[str, Any] = {}
    if content["code"] == QueryTimeout.code:
        facts["timeout_s"] = timeout_s
    if content["code"] == "query_memory_exceeded":
        facts["memory_mb"] = memory_mb
    if content["code"] == "format_unsuited":
        facts["format"] = asked.format
    if near := content.get("near"):
        place = re.search(rf"(?<!\w){re.escape(near)}(?!\w)", asked.sql, re.IGNORECASE)
        facts |= {"near": near, "position": place.start() if place else None}
    if content["code"] == TableUnreadable.code:
        facts["headers"] = RETRY_AFTER
    return BY_CODE[content["code"]](content["detail"], **facts)


def _composed(value: Any) -> Any:
    """Parameters with their texts in Unicode's NFC, as the lake's texts and the SQL are."""
    if isinstance(value, str):
        return unicodedata.normalize("NFC", value)
    if isinstance(value, list | tuple):
        return [_composed(each) for each in value]
    if isinstance(value, dict):
        return {_composed(key): _composed(each) for key, each in value.items()}
    return value
