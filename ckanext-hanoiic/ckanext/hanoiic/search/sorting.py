"""Solr's ``sort`` → ORDER BY."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .errors import FeatureUnsupported, SortRefused
from .layout import SORTED
from .solr_schema import SolrSchema
from .sql import Sql
from .vietnamese import storable

SCORE = "score"
_KEY = re.compile(r"(?P<field>[^\s,()]+)\s+(?P<direction>asc|desc)\Z", re.IGNORECASE)

# A date or number that is missing counts as the lowest, a missing text comes last (as in Solr).
_EMPTY_LOWEST = {"asc": "NULLS FIRST", "desc": "NULLS LAST"}


def keys(sort: str) -> list[tuple[str, str]]:
    """The fields of ``sort`` with their directions; raises SortRefused."""
    found = []
    for written in sort.split(","):
        key = _KEY.match(written.strip())
        if not key:
            raise SortRefused(f"'{sort}'")
        found.append((key["field"], key["direction"].lower()))
    return found


@dataclass(frozen=True)
class Order:
    """What rows are sorted by: SQL expressions of a row (``k0``, ``k1`` …), and ORDER BY's text."""

    keys: tuple[Sql, ...]
    text: str
    by_score: bool
    begins_with_score: bool = False  # the highest first
    without_score: str = "m.number"  # for rows that are all as good

    @property
    def columns(self) -> Sql:
        """The keys as further columns of a row."""
        return Sql(
            "".join(f", {key.text} AS k{i}" for i, key in enumerate(self.keys)),
            tuple(parameter for key in self.keys for parameter in key.parameters),
        )


BY_NUMBER = Order((), "m.number", by_score=False)


def order_by(sort: str | None, schema: SolrSchema) -> Order:
    """The order of ``sort`` (by score without one), made total by the row's number."""
    expressions: list[Sql] = []
    parts = []
    asked = keys(sort) if sort and sort.strip() else [(SCORE, "desc")]
    for field, direction in asked:
        if field == SCORE:
            parts.append(f"m.score {direction}")
            continue
        expression, empty = _by_field(field, direction, schema)
        parts.append(f"m.k{len(expressions)} {direction} {empty}")
        expressions.append(expression)
    parts.append("m.number")
    return Order(
        tuple(expressions),
        ", ".join(parts),
        any(field == SCORE for field, _ in asked),
        asked[0] == (SCORE, "desc"),
        ", ".join(part for part in parts if not part.startswith("m.score ")),
    )


def _by_field(name: str, direction: str, schema: SolrSchema) -> tuple[Sql, str]:
    """The expression to sort by, and where rows without a value come."""
    name = storable(name)
    field = schema.field(name)
    if field is None or not field.indexed or field.kind == "binary":
        raise SortRefused(f"'{name} {direction}'")
    if field.multivalued:
        raise FeatureUnsupported(f"a sort on the multivalued field {name!r}")
    is_text = field.kind not in ("integer", "number", "date")
    if name in SORTED:
        value = Sql("e.sorts ->> %s::text", (name,))
    elif is_text:
        value = Sql(
            "coalesce(e.exact -> %s::text ->> 0, e.exact -> %s::text ->> 0)",
            (sort_field(name), name),
        )
    else:
        value = Sql("e.exact -> %s::text ->> 0", (name,))
    kind = "::numeric" if field.kind in ("integer", "number") else ' COLLATE "C"'
    return (
        Sql(f"({value.text}){kind}", value.parameters),
        "NULLS LAST" if is_text else _EMPTY_LOWEST[direction],
    )


def sort_field(name: str) -> str:
    """Where the row keeps a text's Vietnamese sort key."""
    return f"{name} in order"
