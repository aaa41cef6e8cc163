"""Where and when: names of places and years, which narrow what a query is about.

``giá đất Gia Lâm 2024`` is about prices of land; a dataset of another subject in Gia Lâm is no
answer, one of the whole city nearly is. So a place or a year is one word of the query, counts less
than a word of its subject, and is the first to be left out (``dismax``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from . import vietnamese
from .fields import Leaf
from .synonyms import Synonyms
from .tree import Term
from .vietnamese import Word

# What stands before a place's name and says its kind: it need not be found.
_KINDS = {
    ("phuong",), ("p",), ("xa",), ("quan",), ("q",), ("huyen",), ("h",), ("tp",),
    ("thi", "tran"), ("tt",), ("thi", "xa"), ("tx",), ("thanh", "pho"),
}  # fmt: skip
_YEAR = re.compile(r"(?:19|20)\d\d\Z", re.ASCII)


def qualifiers(leaves: Sequence[Leaf], synonyms: Synonyms) -> Iterator[tuple[range, range]]:
    """Where leaves together name a place or a year, and where its kind stands before it."""
    named = [_word(leaf) for leaf in leaves]
    start = 0
    while start < len(leaves):
        run: list[Word] = []
        for word in named[start:]:
            if word is None:
                break
            run.append(word)
        length = 1
        if run and _YEAR.match(run[0].folded):
            yield range(start, start + 1), range(0)
        elif run and (found := synonyms.place_at(run, 0)):
            length = found
            yield range(start, start + length), _kind_before(named, start)
        start += length


def _kind_before(named: Sequence[Word | None], end: int) -> range:
    for length in (2, 1):
        before = named[max(0, end - length) : end]
        if tuple(word.folded if word else "" for word in before) in _KINDS:
            return range(end - length, end)
    return range(0)


def _word(leaf: Leaf) -> Word | None:
    """The word of a leaf that is just one."""
    words = vietnamese.words(leaf.text) if isinstance(leaf, Term) else []
    return words[0] if len(words) == 1 else None
