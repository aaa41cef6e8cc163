"""Solr's facets: how often each value of a field occurs among the matching rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .errors import FeatureUnsupported, ValueRefused
from .solr_schema import SolrSchema
from .sql import Sql, like
from .vietnamese import storable

DEFAULT_LIMIT = 100  # Solr's own
ORDERS = {"count": 'n DESC, v COLLATE "C"', "index": 'v COLLATE "C"'}

IN_MATCHED = (
    "SELECT v, count(*) AS n FROM matched m, jsonb_array_elements_text(m.exact -> %s::text) v"
    "{where} GROUP BY v"
)
# A field of one value is read without unfolding a list.
ONE_IN_MATCHED = (
    "SELECT v, count(*) AS n FROM (SELECT m.exact -> %s::text ->> 0 AS v FROM matched m) m"
    " WHERE v IS NOT NULL{where} GROUP BY v"
)
IN_ALL = (
    "SELECT v, count(f.number) AS n FROM hanoiic_search.entry m"
    " CROSS JOIN LATERAL jsonb_array_elements_text(m.exact -> %s::text) v"
    " LEFT JOIN matched f ON f.number = m.number{where} GROUP BY v"
)
COUNTED = (
    "(SELECT coalesce(json_agg(json_build_array(v, n)), '[]') FROM"
    " (SELECT v, n FROM ({counted}) c WHERE n >= %s ORDER BY {order} LIMIT %s) c)"
)


@dataclass(frozen=True)
class Facet:
    """One facet: at most ``limit`` values (None: all) found at least ``mincount`` times."""

    field: str
    limit: int | None = DEFAULT_LIMIT
    mincount: int = 0
    prefix: str = ""
    order: str = "count"
    multivalued: bool = True

    def sql(self) -> Sql:
        """A JSON list ``[[value, count] …]`` over the rows of ``matched``."""
        condition, patterns = ("v LIKE %s", [f"{like(self.prefix)}%"]) if self.prefix else ("", [])
        if self.mincount > 0 and not self.multivalued:
            counted = ONE_IN_MATCHED.format(where=condition and f" AND {condition}")
        else:
            counted = (IN_MATCHED if self.mincount > 0 else IN_ALL).format(
                where=condition and f" WHERE {condition}"
            )
        return Sql(
            COUNTED.format(counted=counted, order=ORDERS[self.order]),
            (self.field, *patterns, self.mincount, self.limit),
        )


def facets_of(parameters: Mapping[str, Any], schema: SolrSchema) -> list[Facet]:
    """The facets that a query asks for; ``f.<field>.facet.limit`` and the like included."""
    if str(parameters.get("facet", "false")).lower() not in ("true", "on", "1"):
        return []
    fields = parameters.get("facet.field") or []
    if isinstance(fields, str):
        fields = [fields]
    return [_facet(name, parameters, schema) for name in dict.fromkeys(fields)]


def _facet(name: str, parameters: Mapping[str, Any], schema: SolrSchema) -> Facet:
    def setting(key: str, default: Any) -> Any:
        return parameters.get(f"f.{name}.facet.{key}", parameters.get(f"facet.{key}", default))

    field = schema.field(storable(name))
    if field is None or not field.indexed:
        raise ValueRefused(f"undefined field {name!r}")
    if field.is_words or field.kind == "infix":
        raise FeatureUnsupported(f"a facet of the words in {name!r}")
    limit = whole(setting("limit", DEFAULT_LIMIT), "facet.limit")
    order = {"true": "count", "false": "index"}.get(
        str(setting("sort", "")), setting("sort", "") or ("count" if limit > 0 else "index")
    )
    if order not in ORDERS:
        raise ValueRefused(f"facet.sort={order!r}")
    return Facet(
        field.name,
        None if limit < 0 else limit,
        whole(setting("mincount", 0), "facet.mincount"),
        storable(str(setting("prefix", "") or "")),
        order,
        field.multivalued,
    )


def whole(value: Any, name: str) -> int:
    """A whole number that PostgreSQL's bigint holds."""
    try:
        found = int(value)
    except (TypeError, ValueError):
        raise ValueRefused(f"{name}={value!r} is no whole number") from None
    if abs(found) > 2**31 - 1:
        raise ValueRefused(f"{name}={value!r} is out of range")
    return found
