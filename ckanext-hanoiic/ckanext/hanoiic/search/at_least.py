"""At least so many of several conditions, as one tsquery that is as short as possible.

A GIN index evaluates the condition for each row that has any of its words, so a query of many words
takes as long as its condition is.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Iterator, Sequence

from .sql import Match, Sql, Words, all_of, any_of, sql_of, ways_of

DEEPEST = 2  # cases within cases; more would take longer to write than they save
MOST_SPELLED_OUT = 300  # words that `mm` may become before they are counted instead
# What is set apart is looked for among so many ways to find the matches, and so often: names have a
# few ways, but each of a hundred wildcards has all the words of the index that fit.
MOST_WAYS = 500
MOST_APART = 10


def at_least(least: int, matches: Sequence[Match]) -> Match:
    """``least`` of the matches: spelled out as one condition, or counted where that is too long.

    Spelled out by halves: some number of the one half and the others of the other half.
    """
    if least <= 0:
        return True
    if least > len(matches):
        return False
    if _spelled_out(least, len(matches)) <= MOST_SPELLED_OUT:
        return _shortest(least, matches)
    # If `least` of n match, at least one of any n - least + 1 does: that much the index answers.
    some = sql_of(any_of(matches[: len(matches) - least + 1]))
    written = [sql_of(match) for match in matches]
    return Sql(
        f"({some.text} AND {' + '.join(f'({part.text})::int' for part in written)} >= %s)",
        (*some.parameters, *(p for part in written for p in part.parameters), least),
    )


def _shortest(least: int, matches: Sequence[Match], deeper: int = DEEPEST) -> Match:
    """Spelled out as they are, or with what several of them share set apart."""
    found = _at_least(least, matches)
    if deeper and isinstance(found, Words) and _ways(matches) <= MOST_WAYS:
        apart = any_of(list(_with_shared_apart(least, matches, deeper - 1)))
        if isinstance(apart, Words) and len(apart.tsquery) < len(found.tsquery):
            return apart
    return found


def _with_shared_apart(least: int, matches: Sequence[Match], deeper: int) -> Iterator[Match]:
    """The same in cases, each way that some of the matches share written once.

    A department's abbreviation is a way to find each word of its name. It is found, and as many of
    the other matches as are still missing; or it is not, and the matches hold in another way.
    """
    for places, shared in _shared(matches)[:MOST_APART]:
        others = [match for place, match in enumerate(matches) if place not in places]
        yield all_of([any_of(shared), _shortest(least - len(places), others, deeper)])
        matches = [_without(match, shared) for match in matches]
    yield _at_least(least, matches)


def _shared(matches: Sequence[Match]) -> list[tuple[frozenset[int], list[Words]]]:
    """The ways of more than one match, by which those are; what most of them share first."""
    places: dict[Words, set[int]] = defaultdict(set)
    for place, match in enumerate(matches):
        for way in ways_of(match) if isinstance(match, Words) else ():
            places[way].add(place)
    together: dict[frozenset[int], list[Words]] = defaultdict(list)
    for way, found in places.items():
        if len(found) > 1:
            together[frozenset(found)].append(way)
    return sorted(together.items(), key=lambda pair: -len(pair[0]))


def _ways(matches: Sequence[Match]) -> int:
    return sum(len(ways_of(match)) for match in matches if isinstance(match, Words))


def _without(match: Match, ways: Sequence[Words]) -> Match:
    if not isinstance(match, Words):
        return match
    return any_of([way for way in ways_of(match) if way not in ways])


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
