"""Conditions over a row of the index, and how they combine.

SQL texts are constant; every value and every field's name is a bound parameter. As much as
possible stays one tsquery, which the index answers in one go.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

_PLACES = re.compile(r" <\d+> ")
AND, OR = " & ", " | "  # of tsquery
MOST_SPELLED_OUT = 300  # words that `mm` may become before they are counted instead


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


Match = Words | Sql | bool


def sql_of(match: Match) -> Sql:
    if isinstance(match, Words):
        return Sql("e.lexemes @@ %s::tsquery", (match.tsquery,))
    if isinstance(match, Sql):
        return match
    return Sql("TRUE" if match else "FALSE")


def _in_row(match: Words | Sql) -> Sql:
    if isinstance(match, Words) and match.in_row:
        return Sql("e.headline @@ %s::tsquery", (match.tsquery,))
    return sql_of(match)


def loosely(tsquery: str) -> str:
    """``tsquery`` with its words anywhere instead of side by side, so that no row is read."""
    return _PLACES.sub(" & ", tsquery)


def all_of(matches: Sequence[Match]) -> Match:
    if any(match is False for match in matches):
        return False
    return _joined(matches, AND, " AND ", True)


def any_of(matches: Sequence[Match]) -> Match:
    if any(match is True for match in matches):
        return True
    return _joined(matches, OR, " OR ", False)


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
    conditions = [_in_row(part) if in_row else sql_of(part) for part in parts]
    return Sql(
        "(" + sql_operator.join(part.text for part in conditions) + ")",
        tuple(parameter for part in conditions for parameter in part.parameters),
        apart,
    )


def at_least(least: int, matches: Sequence[Match]) -> Match:
    """``least`` of the matches: spelled out as one condition, or counted where that is too long.

    Spelled out by halves: some number of the one half and the others of the other half.
    """
    if least <= 0:
        return True
    if least > len(matches):
        return False
    if _spelled_out(least, len(matches)) <= MOST_SPELLED_OUT:
        return _at_least(least, matches)
    # If `least` of n match, at least one of any n - least + 1 does: that much the index answers.
    some = sql_of(any_of(matches[: len(matches) - least + 1]))
    written = [sql_of(match) for match in matches]
    return Sql(
        f"({some.text} AND {' + '.join(f'({part.text})::int' for part in written)} >= %s)",
        (*some.parameters, *(p for part in written for p in part.parameters), least),
    )


def _at_least(least: int, matches: Sequence[Match]) -> Match:
    if least <= 0:
        return True
    if least > len(matches):
        return False
    if least == len(matches):
        return all_of(matches)
    if least == 1:
        return any_of(matches)
    half = len(matches) // 2
    one, other = matches[:half], matches[half:]
    return any_of(
        [
            all_of([_at_least(part, one), _at_least(least - part, other)])
            for part in range(max(0, least - len(other)), min(least, half) + 1)
        ]
    )


@functools.cache
def _spelled_out(least: int, count: int) -> int:
    """How often matches are written to say ``least`` of ``count``."""
    if least <= 0 or least > count:
        return 0
    if least in (1, count):
        return count
    half = count // 2
    return sum(
        _spelled_out(part, half) + _spelled_out(least - part, count - half)
        for part in range(max(0, least - (count - half)), min(least, half) + 1)
    )


def like(text: str) -> str:
    """``text`` literally, within a LIKE pattern."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
