"""Solr's facets: how often each value of a field occurs among the matching rows.

The values of the usual fields lie in the rows as numbers (``layout.COUNTED``). A statement joins
those of all matching rows end to end, and they are counted here, which takes a fraction of the time
that PostgreSQL takes to group them. Any other field is counted by PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .errors import FeatureUnsupported, ValueRefused
from .layout import COUNTED, counted_column
from .lexemes import lexeme
from .solr_schema import SolrSchema
from .sql import Sql, like
from .vietnamese import storable

DEFAULT_LIMIT = 100  # Solr's own
ORDERS = {"count": 'n DESC, v COLLATE "C"', "index": 'v COLLATE "C"'}

PACKED = np.dtype(">i8")  # as ``layout.packed`` writes
JOINED = "string_agg(m.f{i}, ''::bytea)"
JOINED_OF_ALL = "(SELECT string_agg(e.{column}, ''::bytea) FROM hanoiic_search.entry e)"

# The values of a column of the matched rows, or of all rows, with the row's number.
VALUES = {
    "text": "SELECT jsonb_array_elements_text({row}.{column}) AS v, {row}.number FROM {rows}",
    # Solr counts the words of a text field, not its values.
    "words": "SELECT substr(w.lexeme, %s::int) AS v, {row}.number FROM {rows}"
    " JOIN hanoiic_search.entry t ON t.number = {row}.number CROSS JOIN unnest(t.lexemes) w"
    " WHERE starts_with(w.lexeme, %s::text)",
}
ALL_ROWS = "(SELECT e.number, {column} AS v FROM hanoiic_search.entry e) a"
IN_MATCHED = "SELECT v, count(*) AS n FROM ({values}) u GROUP BY v"
IN_ALL = (
    "SELECT v, count(f.number) AS n FROM ({values}) u"
    " LEFT JOIN matched f ON f.number = u.number GROUP BY v"
)
COUNTED_TEXTS = (
    "(SELECT coalesce(json_agg(json_build_array(v, n)), '[]') FROM"
    " (SELECT v, n FROM ({counted}) c WHERE n >= %s{prefix} ORDER BY {order} LIMIT %s) c)"
)
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
    def stored(self) -> str | None:
        """The column of ``entry`` that holds the values as numbers."""
        return counted_column(self.field) if self.field in COUNTED else None

    def column(self) -> Sql:
        """What ``matched`` keeps of a row."""
        if self.of_words:
            return Sql("NULL")  # they are read from the lexemes
        if self.stored:
            return Sql(f"e.{self.stored}")
        return Sql("e.exact -> %s::text", (self.field,))

    @property
    def counts_all(self) -> bool:
        """Whether values are answered that no matching row has."""
        return self.mincount <= 0

    def answers(self, i: int) -> list[Sql]:
        """What is answered of the column ``f{i}`` of ``matched``.

        Where the values are numbers those of all rows, packed (and, where it ``counts_all``, those
        of the whole index); else a JSON list ``[[value, count] …]``.
        """
        if not self.stored:
            return [self._counted_by_postgresql(f"f{i}")]
        joined = [Sql(JOINED.format(i=i))]
        if self.counts_all:
            joined.append(Sql(JOINED_OF_ALL.format(column=self.stored)))
        return joined

    def _counted_by_postgresql(self, column: str) -> Sql:
        kind = VALUES["words" if self.of_words else "text"]
        of_column: tuple[Any, ...] = ()
        if not self.counts_all:
            values = kind.format(row="m", column=column, rows="matched m")
            counted = IN_MATCHED.format(values=values)
        else:
            every = self.column()
            values = kind.format(row="a", column="v", rows=ALL_ROWS.format(column=every.text))
            counted, of_column = IN_ALL.format(values=values), every.parameters
        if self.of_words:
            opening = lexeme(self.field, ":")
            of_column = (len(opening) + 1, opening)
        patterns = [f"{like(self.prefix)}%"] if self.prefix else []
        return Sql(
            COUNTED_TEXTS.format(
                counted=counted, prefix=PREFIX if patterns else "", order=ORDERS[self.order]
            ),
            (*of_column, self.mincount, *patterns, self.limit),
        )

    def candidates(self, joined: Sequence[bytes | None]) -> dict[int, int]:
        """Packed numbers → those that may be among the first, with their counts."""
        found, *every = map(_counted, joined)
        if every:
            found = dict.fromkeys(every[0], 0) | found
        least = self.mincount
        # With a prefix the first by count may all have another one.
        if self.order == "count" and not self.prefix and self.limit and self.limit < len(found):
            least = max(least, sorted(found.values(), reverse=True)[self.limit - 1])
        return {value: n for value, n in found.items() if n >= least}

    def first(self, found: Mapping[int, int], texts: Mapping[int, str]) -> list[tuple[str, int]]:
        """Those of the candidates that are answered, in order."""
        named = [(texts[value], n) for value, n in found.items() if value in texts]
        kept = [(text, n) for text, n in named if text.startswith(self.prefix)]
        by_count = self.order == "count"
        kept.sort(key=lambda pair: (-pair[1] if by_count else 0, pair[0]))
        return kept[: self.limit]


def _counted(packed: bytes | None) -> dict[int, int]:
    numbers, counts = np.unique(np.frombuffer(packed or b"", PACKED), return_counts=True)
    return dict(zip(numbers.tolist(), counts.tolist(), strict=True))


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
