"""Conditions over a row of the index, and how they combine.

SQL texts are constant; every value and every field's name is a bound parameter. As much as
possible stays one tsquery, which the index answers in one go.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

_PLACES = re.compile(r" <\d+> ")
AND, OR = " & ", " | "  # of tsquery


@dataclass(frozen=True)
class Sql:
    """A piece of constant SQL with its bound parameters."""

    text: str
    parameters: tuple[Any, ...] = ()
    found_apart: bool = False  # by an index other than the one of the lexemes


@dataclass(frozen=True)
class Words:
    """A condition in PostgreSQL's tsquery syntax, every lexeme quoted."""

    tsquery: str
    in_row: bool = False  # each lexeme lies in the row, in its headline too
    # What it is any of, where it was put together so (see ``at_least``).
    ways: tuple[Words, ...] = field(default=(), compare=False)


Match = Words | Sql | bool


def sql_of(match: Match) -> Sql:
    if isinstance(match, Words):
        return Sql("e.lexemes @@ %s::tsquery", (match.tsquery,))
    if isinstance(match, Sql):
        return match
    return Sql("TRUE" if match else "FALSE")


def sql_in_row(match: Match) -> Sql:
    """The same, of the row's own columns where they hold all that is asked."""
    if isinstance(match, Words) and match.in_row:
        return Sql("e.headline @@ %s::tsquery", (match.tsquery,))
    return sql_of(match)


def loosely(tsquery: str) -> str:
    """``tsquery`` with its words anywhere instead of side by side, so that no row is read."""
    return _PLACES.sub(" & ", tsquery)


def all_of(matches: Sequence[Match]) -> Match:
    if len(matches) == 1:
        return matches[0]
    if any(match is False for match in matches):
        return False
    return _joined(matches, AND, " AND ", True)


def any_of(matches: Sequence[Match]) -> Match:
    if len(matches) == 1:
        return matches[0]
    if any(match is True for match in matches):
        return True
    found = _joined(matches, OR, " OR ", False)
    if not isinstance(found, Words):
        return found
    parts = [part for match in matches if isinstance(match, Words) for part in ways_of(match)]
    return Words(found.tsquery, found.in_row, tuple(dict.fromkeys(parts)))


def ways_of(words: Words) -> tuple[Words, ...]:
    return words.ways or (words,)


def none_of(match: Match) -> Match:
    if isinstance(match, bool):
        return not match
    if isinstance(match, Words):
        return Words(f"!({match.tsquery})", match.in_row)
    return Sql(f"NOT ({match.text})", match.parameters)


def _joined(matches: Sequence[Match], operator: str, sql_operator: str, empty: bool) -> Match:
    words = [match for match in matches if isinstance(match, Words)]
    others = [match for match in matches if isinstance(match, Sql)]
    # Rows that another index finds are read anyway: what lies in them is asked first, and of them.
    apart = bool(others) and all(other.found_apart for other in others)
    parts: list[Words | Sql] = []
    if words:
        written = list(dict.fromkeys(match.tsquery for match in words))
        tsquery = written[0] if len(written) == 1 else f"({operator.join(written)})"
        parts.append(Words(tsquery, all(match.in_row for match in words)))
    parts = [*others, *parts] if apart else [*parts, *others]
    if not parts:
        return empty
    if len(parts) == 1:
        return parts[0]
    in_row = apart and operator == AND
    conditions = [sql_in_row(part) if in_row else sql_of(part) for part in parts]
    return Sql(
        "(" + sql_operator.join(part.text for part in conditions) + ")",
        tuple(parameter for part in conditions for parameter in part.parameters),
        apart,
    )


def like(text: str) -> str:
    """``text`` literally, within a LIKE pattern."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
