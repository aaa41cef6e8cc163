"""Solr's facets: how often each value of a field occurs among the matching rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .errors import FeatureUnsupported, ValueRefused
from .layout import COUNTED, counted_column
from .lexemes import lexeme
from .solr_schema import SolrSchema
from .sql import Sql, like
from .vietnamese import storable

DEFAULT_LIMIT = 100  # Solr's own
ORDERS = {"count": 'n DESC, v COLLATE "C"', "index": 'v COLLATE "C"'}

# The values of a column of the matched rows, or of all rows, with the row's number.
VALUES = {
    "number": "SELECT {row}.{column} AS v, {row}.number FROM {rows}"
    " WHERE {row}.{column} IS NOT NULL",
    "numbers": "SELECT unnest({row}.{column}) AS v, {row}.number FROM {rows}",
    "text": "SELECT jsonb_array_elements_text({row}.{column}) AS v, {row}.number FROM {rows}",
    # Solr counts the words of a text field, not its values.
    "words": "SELECT substr(w.lexeme, %s::int) AS v, {row}.number FROM {rows}"
    " JOIN hanoiic_search.entry t ON t.number = {row}.number CROSS JOIN unnest(t.lexemes) w"
    " WHERE starts_with(w.lexeme, %s::text)",
}
ALL_ROWS = "(SELECT e.number, {column} AS v FROM hanoiic_search.entry e) a"
IN_MATCHED = "SELECT v, count(*) AS n FROM ({values}) u GROUP BY v"
# Facets that the rows hold as numbers are counted in one pass, with the rows themselves: ``facet``
# says which column a line of ``together`` counts.
TOGETHER = (
    ", together AS MATERIALIZED (SELECT GROUPING({columns}) AS facet, {columns}, count(*) AS n"
    " FROM matched m GROUP BY GROUPING SETS ({sets}, ()))"
)
ROWS_TOGETHER = "(SELECT n FROM together WHERE facet = {mask})"
IN_TOGETHER = {
    "number": "SELECT {column} AS v, n FROM together WHERE facet = {mask} AND {column} IS NOT NULL",
    # A row has no value twice.
    "numbers": "SELECT v, sum(n)::bigint AS n FROM (SELECT unnest({column}) AS v, n FROM together"
    " WHERE facet = {mask}) u GROUP BY v",
}
MOST_TOGETHER = 30  # PostgreSQL's GROUPING takes 31
IN_ALL = (
    "SELECT v, count(f.number) AS n FROM ({values}) u"
    " LEFT JOIN matched f ON f.number = u.number GROUP BY v"
)
COUNTED_TEXTS = (
    "(SELECT coalesce(json_agg(json_build_array(v, n)), '[]') FROM"
    " (SELECT v, n FROM ({counted}) c WHERE n >= %s{prefix} ORDER BY {order} LIMIT %s) c)"
)
# Numbers stand for values; only those that may be among the first are looked up, where the order
# is by count.
COUNTED_NUMBERS = (
    "(WITH c AS MATERIALIZED ({counted}) SELECT coalesce(json_agg(json_build_array(v, n)), '[]')"
    " FROM (SELECT v, n FROM (SELECT w.value AS v, c.n FROM c JOIN hanoiic_search.value w"
    " ON w.id = c.v WHERE c.n >= %s{enough}) c WHERE TRUE{prefix} ORDER BY {order} LIMIT %s) c)"
)
ENOUGH = " AND c.n >= coalesce((SELECT n FROM c ORDER BY n DESC LIMIT 1 OFFSET %s), 0)"
PREFIX = " AND v LIKE %s"


@dataclass(frozen=True)
class Facet:
    """One facet: at most ``limit`` values (None: all) found at least ``mincount`` times."""

    field: str
    limit: int | None = DEFAULT_LIMIT
    mincount: int = 0
    prefix: str = ""
    order: str = "count"
    of_words: bool = False

    @property
    def kind(self) -> str:
        """How a row keeps the values: a key of ``VALUES``."""
        if self.of_words:
            return "words"
        if self.field not in COUNTED:
            return "text"
        return "numbers" if COUNTED[self.field] else "number"

    @property
    def stored(self) -> str | None:
        """The column of ``entry`` that holds the values as numbers."""
        return counted_column(self.field) if self.field in COUNTED else None

    @property
    def named(self) -> tuple[str, ...]:
        """The parameters of ``column``."""
        return () if self.stored or self.of_words else (self.field,)

    def column(self, row: str) -> str:
        if self.of_words:
            return "NULL"  # they are read from the lexemes
        return f"{row}.{self.stored}" if self.stored else f"{row}.exact -> %s::text"

    @property
    def may_be_together(self) -> bool:
        return self.stored is not None and self.mincount > 0

    def sql(self, column: str, mask: int | None = None) -> Sql:
        """A JSON list ``[[value, count] …]`` over that column of ``matched`` or ``together``."""
        if mask is not None:
            counted, named = IN_TOGETHER[self.kind].format(column=column, mask=mask), ()
        elif self.mincount > 0:
            values = VALUES[self.kind].format(row="m", column=column, rows="matched m")
            counted, named = IN_MATCHED.format(values=values), ()
        else:
            rows = ALL_ROWS.format(column=self.column("e"))
            values = VALUES[self.kind].format(row="a", column="v", rows=rows)
            counted, named = IN_ALL.format(values=values), self.named
        if self.of_words:
            opening = lexeme(self.field, ":")
            named = (len(opening) + 1, opening)
        patterns = [f"{like(self.prefix)}%"] if self.prefix else []
        # With a prefix the first by count may all have another one.
        narrows = self.order == "count" and self.limit and not self.prefix and self.stored
        template = COUNTED_NUMBERS if self.stored else COUNTED_TEXTS
        return Sql(
            template.format(
                counted=counted,
                enough=ENOUGH if narrows else "",
                prefix=PREFIX if patterns else "",
                order=ORDERS[self.order],
            ),
            (
                *named,
                self.mincount,
                *([self.limit - 1] if narrows else []),
                *patterns,
                self.limit,
            ),
        )


@dataclass(frozen=True)
class Together:
    """The columns of ``matched`` that are counted in one pass."""

    columns: tuple[str, ...]

    @classmethod
    def of(cls, facets: Sequence[Facet]) -> Together:
        found = [f"f{i}" for i, facet in enumerate(facets) if facet.may_be_together]
        return cls(tuple(found[:MOST_TOGETHER]))

    @property
    def text(self) -> str:
        columns, sets = ", ".join(self.columns), ", ".join(f"({c})" for c in self.columns)
        return TOGETHER.format(columns=columns, sets=sets) if self.columns else ""

    @property
    def rows(self) -> str | None:
        """How many rows there are; None where they are not counted here."""
        return ROWS_TOGETHER.format(mask=self._all) if self.columns else None

    def mask(self, column: str) -> int | None:
        """What ``facet`` is where that column is counted: a bit for each one that is not."""
        if column not in self.columns:
            return None
        return self._all - (1 << len(self.columns) - 1 - self.columns.index(column))

    @property
    def _all(self) -> int:
        return (1 << len(self.columns)) - 1


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
    if field.kind == "infix":
        raise FeatureUnsupported(f"a facet of the parts of words in {name!r}")
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
        field.is_words,
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
