"""Solr's ``sort`` → ORDER BY."""

from __future__ import annotations

import re

from .errors import FeatureUnsupported, SortRefused
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


def order_by(sort: str | None, schema: SolrSchema) -> Sql:
    """The ORDER BY of ``sort`` (by score without one), made total by the row's number."""
    parts: list[Sql] = []
    for field, direction in keys(sort) if sort and sort.strip() else [(SCORE, "desc")]:
        if field == SCORE:
            parts.append(Sql(f"m.score {direction}"))
            continue
        parts.append(_by_field(field, direction, schema))
    return Sql(
        ", ".join([*(part.text for part in parts), "m.number"]),
        tuple(parameter for part in parts for parameter in part.parameters),
    )


def _by_field(name: str, direction: str, schema: SolrSchema) -> Sql:
    name = storable(name)
    field = schema.field(name)
    if field is None or not field.indexed or field.kind == "binary":
        raise SortRefused(f"'{name} {direction}'")
    if field.multivalued:
        raise FeatureUnsupported(f"a sort on the multivalued field {name!r}")
    if field.kind in ("integer", "number"):
        return Sql(
            f"(m.exact -> %s::text ->> 0)::numeric {direction} {_EMPTY_LOWEST[direction]}", (name,)
        )
    if field.kind == "date":
        return Sql(
            f'(m.exact -> %s::text ->> 0) COLLATE "C" {direction} {_EMPTY_LOWEST[direction]}',
            (name,),
        )
    return Sql(
        'coalesce(m.exact -> %s::text ->> 0, m.exact -> %s::text ->> 0) COLLATE "C" '
        f"{direction} NULLS LAST",
        (sort_field(name), name),
    )


def sort_field(name: str) -> str:
    """Where the row keeps a text's Vietnamese sort key."""
    return f"{name} in order"
