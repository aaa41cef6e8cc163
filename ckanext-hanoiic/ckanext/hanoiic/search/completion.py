"""A word half typed → the query that finds the titles it may become.

Every word must be in the title, the last one perhaps only begun. Words of letters and digits are
all that gets into the query, so nothing that is typed can be syntax.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from . import vietnamese
from .synonyms import Synonyms
from .telex import telex

TITLES = ("title", "extras_title_en")
EVERYTHING = "text"
MOST_WORDS = 8
MOST_OTHER_NAMES = 3
WHOLE = 2  # a finished word counts more than a begun one
_WORD = re.compile(r"[^\W_]+")


def words(typed: str) -> list[str]:
    """What is searched of ``typed``: its first words, in lower case, tones kept."""
    return _WORD.findall(vietnamese.storable(typed).lower())[:MOST_WORDS]


def titles_query(typed: Sequence[str], synonyms: Synonyms) -> str:
    """Titles with the words, or with another name of all of them (`gtvt`)."""
    clauses = [_clause(field, typed) for field in TITLES]
    query = vietnamese.words(" ".join(typed))
    for spot in synonyms.spots(query):
        if (spot.first, spot.last) == (query[0].place, query[-1].place):
            for other in spot.alternatives[:MOST_OTHER_NAMES]:
                named = " ".join(words(other.text))
                clauses += [f'{field}:"{named}"' for field in TITLES if named]
    return " OR ".join(clauses)


def wider_query(typed: Sequence[str]) -> str:
    """For words in no title: as the keys of Telex would have them, or anywhere in a dataset."""
    clauses = [_clause(EVERYTHING, typed)]
    keyed = [telex(word) or word for word in typed]
    if keyed != list(typed):
        clauses += [_clause(field, keyed) for field in (*TITLES, EVERYTHING)]
    return " OR ".join(clauses)


def _clause(field: str, typed: Sequence[str]) -> str:
    *whole, last = typed
    parts = [f"{field}:{word}" for word in whole]
    parts.append(f"({field}:{last}^{WHOLE} OR {field}:{last}*)")
    return f"({' AND '.join(parts)})"


def fit(title: str, typed: Sequence[str]) -> int:
    """How exactly ``title`` holds what was typed: its words with their tones, from the start."""
    named = words(title)
    spelled = [vietnamese.spelling(word) for word in named]
    exact = sum(
        vietnamese.spelling(word) in spelled or any(name.startswith(word) for name in named)
        for word in typed
    )
    folded = [vietnamese.fold(word) for word in typed]
    starts = vietnamese.fold(" ".join(named)).startswith(" ".join(folded))
    return 2 * exact + starts
