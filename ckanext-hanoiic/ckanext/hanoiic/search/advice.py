"""Suggestions for a reader who found nothing: other spellings, or fewer words."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from itertools import islice, pairwise
from typing import Any, Protocol

from . import vietnamese
from .telex import telex

MOST_SUGGESTIONS = 3
MOST_TRIED = 6
MOST_WORDS = 8
LONGEST_QUERY = 200  # characters; a longer one is no search of a person
_WORD = re.compile(r"[^\W_]+(?:[.,/-][^\W_]+)*")
_SYNTAX = re.compile(r'[:"()\[\]{}^~*?]')


class Words(Protocol):
    """The words of the index, of all datasets, whoever may read those."""

    def known(self, words: list[str]) -> set[str]: ...

    def near(self, field: str, word: str, edits: int) -> list[str]: ...


def other_spellings(q: str, index: Words, count: Callable[[str], int]) -> Iterator[str]:
    """The query with its unknown words replaced by near ones of the index, best first.

    A word that ``count`` finds in no dataset is unknown, and never a replacement.
    """
    typed = q.split()
    folded = [vietnamese.fold(word) for word in typed]
    known = _seen([word for text in typed for word in _words(text)], index, count)
    choices = []
    for text, plain in zip(typed, folded, strict=True):
        if not plain.isalpha() or all(word in known for word in _words(text)):
            choices.append([text])
            continue
        choices.append(_candidates(text, plain, index, count) or [text])
    for step in range(max(map(len, choices), default=0)):
        found = " ".join(choice[min(step, len(choice) - 1)] for choice in choices)
        if found != q:
            yield found


def _words(text: str) -> list[str]:
    return [word.folded for word in vietnamese.words(text)]


def _seen(words: list[str], index: Words, count: Callable[[str], int]) -> set[str]:
    return {word for word in index.known(words) if count(word)}


def _candidates(text: str, plain: str, index: Words, count: Callable[[str], int]) -> list[str]:
    keyed = telex(text)
    if keyed and set(_words(keyed)) <= _seen(_words(keyed), index, count):
        return [keyed]
    found: list[str] = []
    for edits in (1, 2) if len(plain) > 3 else (1,):
        near = [word for word in index.near("text", plain, edits) if word.isalpha()]
        # A reader rarely mistakes the first letter.
        near.sort(key=lambda word: (word[0] != plain[0], abs(len(word) - len(plain))))
        found = [word for word in near[:MOST_TRIED] if count(word)]
        if found:
            break
    return found[:MOST_SUGGESTIONS]


def fewer_words(q: str) -> Iterator[str]:
    """Parts of the query to try instead: of a short one all words but one, of a longer one pairs of
    neighbours."""
    typed = q.split()
    if 2 <= len(typed) <= 3:
        for place in range(len(typed) - 1, -1, -1):
            yield " ".join(typed[:place] + typed[place + 1 :])
    else:
        yield from (f"{one} {two}" for one, two in pairwise(typed))


def as_words(q: str) -> str:
    """The words of a query without its signs, to search for when the query can't be parsed."""
    found = _WORD.findall(vietnamese.storable(q[:LONGEST_QUERY]))
    return " ".join(word.lower() if word in ("AND", "OR", "NOT") else word for word in found)


def advice(
    q: str, index: Words, count: Callable[[str], int], with_fewer: bool = True
) -> dict[str, list[dict[str, Any]]]:
    """``did_you_mean`` and ``fewer_words``: queries that find something, with how many.

    ``count``: how many datasets a query finds for this reader, so nothing hidden shows through.
    """
    too_long = len(q) > LONGEST_QUERY or len(q.split()) > MOST_WORDS
    if too_long or _SYNTAX.search(q) or not q.strip():
        return {"did_you_mean": [], "fewer_words": []}
    count = cache(count)

    def that_find(queries: Iterator[str]) -> list[dict[str, Any]]:
        counted = ({"q": text, "count": count(text)} for text in islice(queries, MOST_TRIED))
        return list(islice((one for one in counted if one["count"]), MOST_SUGGESTIONS))

    meant = that_find(other_spellings(q, index, count))
    fewer = that_find(fewer_words(q)) if with_fewer and not meant else []
    return {"did_you_mean": meant, "fewer_words": sorted(fewer, key=lambda one: -one["count"])}
