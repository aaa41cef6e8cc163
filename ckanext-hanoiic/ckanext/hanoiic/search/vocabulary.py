"""Looks up the words and values of the index that a pattern, a fuzzy word or a range stands for.

How often one query may ask, and how many words it may get, is limited; a query beyond that is
refused.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import sqlalchemy as sa
from rapidfuzz import process
from rapidfuzz.distance import OSA

from .errors import QueryTooComplex

MOST_EXPANSIONS = 2000  # words that one pattern may stand for
MOST_EXPANSIONS_IN_ALL = 10_000  # … and all of a query
MOST_LOOKUPS = 64  # patterns, fuzzy words and ranges of one query

_WORDS = "SELECT word FROM hanoiic_search.vocabulary WHERE field = %s AND "
_VALUES = (
    "SELECT DISTINCT v FROM hanoiic_search.entry, jsonb_array_elements_text(exact -> %s::text) v"
    " WHERE length(v) BETWEEN %s AND %s"
)
_LOWER = {True: "word >= %s", False: "word > %s"}
_ENOUGH = MOST_EXPANSIONS + 1
_UPPER = {True: "word <= %s", False: "word < %s"}


class StoredVocabulary:
    """What one query asks of the index's words, on its connection (see ``expansions``)."""

    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection
        self._answers: dict[tuple[Any, ...], list[str]] = {}

    def like(self, field: str, pattern: str) -> list[str]:
        return self._ask(f"{_WORDS}word LIKE %s LIMIT %s", field, pattern, _ENOUGH)

    def matching(self, field: str, expression: str) -> list[str]:
        """The words that a regular expression of PostgreSQL matches."""
        return self._ask(f"{_WORDS}word ~ %s LIMIT %s", field, expression, _ENOUGH)

    def between(
        self, field: str, low: str | None, high: str | None, lowest: bool, highest: bool
    ) -> list[str]:
        """The words from ``low`` to ``high`` in byte order; ``lowest``, ``highest``: with them."""
        ends = [(_LOWER[lowest], low), (_UPPER[highest], high)]
        given = [(condition, end) for condition, end in ends if end is not None]
        asked = _WORDS + " AND ".join(condition for condition, _ in given)
        return self._ask(f"{asked} LIMIT %s", field, *(end for _, end in given), _ENOUGH)

    def near(self, field: str, word: str, edits: int) -> list[str]:
        lengths = (len(word) - edits, len(word) + edits)
        close = partial(within, word, edits=edits)
        return self._ask(f"{_WORDS}length(word) BETWEEN %s AND %s", field, *lengths, narrow=close)

    def values_near(self, field: str, value: str, edits: int) -> list[str]:
        lengths = (len(value) - edits, len(value) + edits)
        return self._ask(_VALUES, field, *lengths, narrow=partial(within, value, edits=edits))

    def known(self, words: list[str]) -> set[str]:
        """Those of the words that any dataset has."""
        found = self.connection.exec_driver_sql(f"{_WORDS}word = ANY(%s)", ("text", words))
        return set(found.scalars())

    def _ask(
        self,
        statement: str,
        *parameters: Any,
        narrow: Callable[[list[str]], list[str]] = list,
    ) -> list[str]:
        """The answer of the index, narrowed; the same question is asked once."""
        key = (statement, *parameters, repr(narrow))
        if key not in self._answers:
            so_far = sum(map(len, self._answers.values()))
            if len(self._answers) >= MOST_LOOKUPS or so_far > MOST_EXPANSIONS_IN_ALL:
                raise QueryTooComplex("too many patterns, fuzzy words and ranges at once")
            found = narrow(list(self.connection.exec_driver_sql(statement, parameters).scalars()))
            if len(found) > MOST_EXPANSIONS:
                raise QueryTooComplex(
                    f"a pattern matches more than {MOST_EXPANSIONS} words; add letters"
                )
            self._answers[key] = found
        return self._answers[key]


def within(word: str, candidates: list[str], edits: int) -> list[str]:
    """The candidates within ``edits`` insertions, deletions, changes or swaps of a letter."""
    found = process.extract(word, candidates, scorer=OSA.distance, score_cutoff=edits, limit=None)
    return [candidate for candidate, _, _ in found]
