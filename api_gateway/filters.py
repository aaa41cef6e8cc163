"""Reads a query string in PostgREST's dialect. A pure function, which knows nothing of the table.

    select=name,n:passengers::int&passengers=gte.5&or=(ward.eq.Láng,not.and(a.is.null,b.in.(1,2)))
    &order=passengers.desc.nullslast,name&limit=10&offset=20

`after=500,Láng` continues after the row with these values of the `order` columns, of which `null`
is NULL and `"null"` a text: unlike an offset it costs the same on every page.

https://docs.postgrest.org/en/stable/references/api/tables_views.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from api_gateway.errors import FilterInvalid

OPERATORS = frozenset(
    {
        "eq", "neq", "gt", "gte", "lt", "lte", "like", "ilike", "match", "imatch", "in", "is",
        "isdistinct", "cs", "cd", "ov", "fts", "plfts", "phfts", "wfts",
    }
)  # fmt: skip
QUANTIFIED = frozenset({"eq", "gt", "gte", "lt", "lte", "like", "ilike", "match", "imatch"})
AGGREGATES = frozenset({"avg", "count", "max", "min", "sum"})
# The parameters of the address that are not filters of a column.
RESERVED = frozenset({"select", "order", "limit", "offset", "after"})
_MOST_PARTS = 500
_DEEPEST = 20
_OPERATOR = re.compile(r"(not\.)?([a-z]+)(?:\((\w*)\))?\.")
_INTEGER = re.compile(r"\d{1,15}")


@dataclass(frozen=True)
class Place:
    """Where something stands: the parameter, and how many characters of its value come before
    it."""

    parameter: str
    position: int

    def wrong(self, detail: str, **facts: Any) -> FilterInvalid:
        return FilterInvalid(detail, parameter=self.parameter, position=self.position, **facts)


@dataclass(frozen=True)
class Compare:
    """`column.operator.value`; of `in` and with a quantifier (`any`, `all`) the values are many."""

    column: str
    operator: str
    values: tuple[str | None, ...]
    quantifier: str
    negated: bool
    place: Place


@dataclass(frozen=True)
class Group:
    """Conditions joined by `and` or `or`."""

    joined_by: str
    parts: tuple[Compare | Group, ...]
    negated: bool


@dataclass(frozen=True)
class Selected:
    """A column of the answer; `*` is all of them. `name` is what the caller calls it."""

    column: str
    name: str | None
    cast: str | None
    aggregate: str | None
    place: Place


@dataclass(frozen=True)
class Ordered:
    column: str
    descending: bool
    nulls_first: bool
    place: Place


@dataclass(frozen=True)
class Rows:
    """What a query string asks of one table."""

    select: tuple[Selected, ...]
    where: tuple[Compare | Group, ...]
    order: tuple[Ordered, ...]
    # None: from the first row. Otherwise a value for each of `order`, as a text, or NULL.
    after: tuple[str | None, ...] | None
    limit: int | None
    offset: int


def read(pairs: Iterable[tuple[str, str]]) -> Rows:
    """The `Rows` of a query string's pairs of name and value. Raises FilterInvalid."""
    said: dict[str, str] = {"select": "*"}
    where: list[Compare | Group] = []
    for name, value in pairs:
        if name.removeprefix("not.") in ("and", "or"):
            reader = _Reader(value, name)
            where.append(reader.group(name.removeprefix("not."), name.startswith("not."), 1))
            reader.end()
        elif name in RESERVED:
            said[name] = value
        else:
            where.append(_filter(name, value))
        if len(where) > _MOST_PARTS:
            raise Place(name, 0).wrong(f"there are more than {_MOST_PARTS} filters")
    return Rows(
        select=_Reader(said["select"] or "*", "select").selected(),
        where=tuple(where),
        order=_Reader(said["order"], "order").ordered() if said.get("order") else (),
        # A lone empty text is a value too.
        after=_Reader(said["after"], "after").key() if "after" in said else None,
        limit=_integer(said, "limit"),
        offset=_integer(said, "offset") or 0,
    )


def _integer(said: dict[str, str], name: str) -> int | None:
    text = said.get(name)
    if text in (None, ""):
        return None
    if not _INTEGER.fullmatch(text or ""):
        raise Place(name, 0).wrong(f"{name} must be a whole number from 0")
    return int(text or "")


def _filter(name: str, value: str) -> Compare:
    column = _Reader(name, name)
    read_name = column.name("")
    column.end()
    return _Reader(value, name).compare(read_name, "")


class _Reader:
    """Reads one value from left to right. `stops` are the characters that end a bare word."""

    def __init__(self, text: str, parameter: str) -> None:
        self._text, self._parameter, self._at, self._parts = text, parameter, 0, 0

    @property
    def place(self) -> Place:
        return Place(self._parameter, self._at)

    def end(self) -> None:
        if self._at != len(self._text):
            raise self.place.wrong(f"unexpected {self._text[self._at]!r}")

    def selected(self) -> tuple[Selected, ...]:
        found = [self._selected()]
        while self._next(","):
            found.append(self._selected())
        self.end()
        return tuple(found)

    def ordered(self) -> tuple[Ordered, ...]:
        found = [self._ordered()]
        while self._next(","):
            found.append(self._ordered())
        self.end()
        return tuple(found)

    def group(self, joined_by: str, negated: bool, depth: int) -> Group:
        """`(condition,condition…)`."""
        if depth > _DEEPEST:
            raise self.place.wrong(f"conditions nest deeper than {_DEEPEST}")
        self._expect("(")
        parts = [self._condition(depth)]
        while self._next(","):
            parts.append(self._condition(depth))
        self._expect(")")
        self._spaces()
        return Group(joined_by, tuple(parts), negated)

    def compare(self, column: str, stops: str) -> Compare:
        """`[not.]operator[(any|all)].value`."""
        place = self.place
        match = _OPERATOR.match(self._text, self._at)
        if not match or match[2] not in OPERATORS:
            raise place.wrong("a filter is written column=operator.value", valid=sorted(OPERATORS))
        operator, quantifier = match[2], match[3] or ""
        self._at = match.end()
        if operator.endswith("fts"):
            # The language of a text search; ours knows no word forms.
            quantifier = ""
        elif quantifier and (quantifier not in ("any", "all") or operator not in QUANTIFIED):
            raise place.wrong(f"{operator} takes no ({quantifier})")
        values: tuple[str | None, ...]
        if operator == "in":
            self._expect("(")
            values = () if self._text[self._at : self._at + 1] == ")" else self.values(")")
            self._expect(")")
        elif quantifier or operator in ("cs", "cd", "ov"):
            values = self._array()
        else:
            values = (self._word(stops) if stops else self._rest(),)
        if not stops:
            self.end()
        return Compare(column, operator, values, quantifier, bool(match[1]), place)

    def values(self, stops: str) -> tuple[str, ...]:
        """Words between commas, perhaps quoted."""
        found = [self._word("," + stops)]
        while self._next(","):
            found.append(self._word("," + stops))
        return tuple(found)

    def key(self) -> tuple[str | None, ...]:
        """Values between commas; a bare `null` is NULL."""
        found: list[str | None] = []
        while not found or self._next(","):
            bare = not self._text.startswith('"', self._at)
            word = self._word(",")
            found.append(None if bare and word == "null" else word)
        self.end()
        return tuple(found)

    def name(self, stops: str) -> str:
        """A column's name, perhaps quoted."""
        if name := self._word(stops).strip():
            return name
        raise self.place.wrong("a column's name is missing")

    def _condition(self, depth: int) -> Compare | Group:
        self._spaces()
        self._parts += 1
        if self._parts > _MOST_PARTS:
            raise self.place.wrong(f"there are more than {_MOST_PARTS} conditions")
        for prefix in ("and", "or", "not.and", "not.or"):
            if self._text.startswith(prefix + "(", self._at):
                self._at += len(prefix)
                negated = prefix.startswith("not.")
                return self.group(prefix.removeprefix("not."), negated, depth + 1)
        column = self.name(".,()")
        self._expect(".")
        return self.compare(column, ",)")

    def _selected(self) -> Selected:
        place = self.place
        alias, column = None, self.name(":.,()")
        if self._text.startswith(":", self._at) and not self._text.startswith("::", self._at):
            self._at += 1
            alias, column = column, self.name(":.,()")
        if self._text.startswith(("(", "!"), self._at) and column != "count":
            raise place.wrong("tables are not embedded in each other: ask for each one")
        if "->" in column:
            raise place.wrong("paths into JSON are not served here: use SQL")
        aggregate = None
        if column == "count" and self._next("()"):
            column, aggregate = "*", "count"
        elif self._next("."):
            aggregate = self._word("(,:")
            if aggregate not in AGGREGATES:
                raise self.place.wrong(f"no aggregate {aggregate}", valid=sorted(AGGREGATES))
            self._expect("()")
        cast = self._word(",") if self._next("::") else None
        if column == "*" and (alias or cast) and not aggregate:
            raise place.wrong("* takes no other name and no type")
        return Selected(column, alias, cast, aggregate, place)

    def _ordered(self) -> Ordered:
        place = self.place
        column = self.name(".,")
        descending, nulls = False, ""
        while self._next("."):
            word = self._word(".,")
            if word in ("asc", "desc"):
                descending = word == "desc"
            elif word in ("nullsfirst", "nullslast"):
                nulls = word
            else:
                raise self.place.wrong("order=column.asc or .desc, then .nullsfirst or .nullslast")
        # As PostgreSQL does: NULL counts as the largest.
        first = nulls == "nullsfirst" if nulls else descending
        return Ordered(column, descending, first, place)

    def _array(self) -> tuple[str | None, ...]:
        """`{a,"b,c",NULL}`, as PostgreSQL writes an array."""
        self._expect("{")
        found: list[str | None] = []
        while not self._next("}"):
            if found:
                self._expect(",")
            quoted = self._text.startswith('"', self._at)
            word = self._word(",}")
            found.append(None if word.upper() == "NULL" and not quoted else word)
        return tuple(found)

    def _word(self, stops: str) -> str:
        if self._text.startswith('"', self._at):
            return self._quoted()
        begun = self._at
        while self._at < len(self._text) and self._text[self._at] not in stops:
            self._at += 1
        return self._text[begun : self._at]

    def _quoted(self) -> str:
        begun = self.place
        letters: list[str] = []
        self._at += 1
        while self._at < len(self._text):
            letter = self._text[self._at]
            self._at += 1
            if letter == '"':
                return "".join(letters)
            if letter == "\\" and self._at < len(self._text):
                letter = self._text[self._at]
                self._at += 1
            letters.append(letter)
        raise begun.wrong("a quotation mark is missing")

    def _rest(self) -> str:
        rest, self._at = self._text[self._at :], len(self._text)
        return rest

    def _spaces(self) -> None:
        while self._next(" "):
            pass

    def _next(self, text: str) -> bool:
        found = self._text.startswith(text, self._at)
        self._at += len(text) if found else 0
        return found

    def _expect(self, text: str) -> None:
        if not self._next(text):
            raise self.place.wrong(f"expected {text}")
