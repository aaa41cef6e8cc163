"""The lexemes of the index, the same for documents and queries.

Every searchable thing is a lexeme of one tsvector, its field's name in front:

``tags=bus``      the whole value of a string, boolean, number or date field
``title:giao``    a folded word of a text field, at its place
``title~flood``   the English stem, where it differs from the folded word
``title!duong1``  the spelling with diacritics, where it differs from the folded word
``title?``        the field has a value
``text&giao thong``  two words side by side (their stems), of the catch-all field only
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence
from itertools import pairwise, product

from . import vietnamese
from .errors import QueryTooComplex
from .solr_schema import Field
from .sql import Match, Sql, Words, all_of, any_of

LONGEST_LEXEME = 1500  # bytes of PostgreSQL's 2046; longer values are hashed
LONGEST_NAME = 200
MOST_SLOP_WAYS = 200  # that a sloppy phrase is spelled out in; more are compared row by row
LONGEST_PHRASE = 256  # words
LAST_PLACE = 16_383  # PostgreSQL's last position in a tsvector
PAIRED = "text"  # CKAN's catch-all field

# Whether each word (its place, itself, its lexemes) stands somewhere such that all are moved by
# nearly as much from where the phrase has them; a word that the phrase has twice must stand twice.
MOVED_NEARLY_ALIKE = (
    "EXISTS (WITH spot AS (SELECT w.place, w.word, p, p - w.place AS moved FROM unnest(e.lexemes) t"
    " JOIN unnest(%s::int[], %s::text[], %s::text[]) w(place, word, lexeme) USING (lexeme),"
    " unnest(t.positions) p)"
    " SELECT FROM (SELECT a.moved, count(DISTINCT b.place) AS asked, count(DISTINCT b.p) AS found"
    " FROM spot a JOIN spot b ON b.moved BETWEEN a.moved AND a.moved + %s"
    " GROUP BY a.moved, b.word) c GROUP BY moved HAVING sum(least(asked, found)) >= %s)"
)

Forms = tuple[str, ...]  # the lexemes of one word, any of which will do


def lexeme(field: str, mark: str, value: str = "") -> str:
    """One lexeme; a long value is replaced by its hash, the same way at both sides."""
    if len(value) > LONGEST_LEXEME // 4 and len(value.encode()) > LONGEST_LEXEME:
        value = "\x7f" + hashlib.sha256(value.encode()).hexdigest()
    return f"{_field_part(field)}{mark}{value}"


@functools.lru_cache(maxsize=4096)  # a document's fields have few different names
def _field_part(field: str) -> str:
    # The marks may not occur in a field's name, else two fields could share a lexeme.
    if field.replace("_", "").isalnum():
        return field[:LONGEST_NAME]
    return "".join(c if c.isalnum() or c in "_-." else f"%{ord(c):X}" for c in field)[:LONGEST_NAME]


def quoted(name: str) -> str:
    """A lexeme as PostgreSQL reads it within a tsvector or tsquery."""
    if "'" in name or "\\" in name:
        name = name.replace("\\", "\\\\").replace("'", "''")
    return f"'{name}'"


def pair(stem: str, next_stem: str) -> str:
    """The lexeme of two words side by side: a Vietnamese word is several syllables."""
    return f"{PAIRED}&{stem} {next_stem}"


@functools.lru_cache(maxsize=8192)  # a query asks for its words in every field, several times
def spoken(
    field: Field, text: str, slop: int = 0, exactly: bool = False, roughly: bool = False
) -> Match:
    """The words of ``text`` side by side in a text field.

    ``exactly``: with the diacritics and endings as written, else folded and stemmed. ``roughly``:
    by their pairs alone, where the field has pairs.
    """
    chunks = list(vietnamese.chunks(text))
    words = [_forms(field, word, exactly) for chunk in chunks for word in chunk.words]
    if not words:
        return False
    phrase = _phrase(words, slop)
    if field.name == PAIRED and len(words) > 1 and slop == 0 and not exactly:
        folded = [word.folded for chunk in chunks for word in chunk.words]
        phrase = _paired(folded, None if roughly or len(words) == 2 else phrase)
    if len(chunks) == 1 and chunks[0].joined and not exactly:
        return any_of([phrase, Words(quoted(lexeme(field.name, ":", chunks[0].joined)))])
    return phrase


def _forms(field: Field, word: vietnamese.Word, exactly: bool) -> Forms:
    if exactly and word.has_diacritics:
        return (lexeme(field.name, "!", word.spelling),)
    forms = {lexeme(field.name, ":", word.folded): None}
    if field.kind == "stemmed" and not exactly:
        stem = vietnamese.stem(word.folded)
        forms |= {lexeme(field.name, mark, stem): None for mark in ":~"}
    return tuple(forms)


def _any_of(ways: Sequence[str]) -> str:
    return ways[0] if len(ways) == 1 else f"({' | '.join(ways)})"


def _phrase(words: Sequence[Forms], slop: int) -> Match:
    """The words in this order; ``slop``: how much further one may be moved than another.

    So two words may change places for a slop of 2, as in Lucene's ``SloppyPhraseMatcher``.
    """
    written = [_any_of([quoted(form) for form in forms]) for forms in words]
    if len(words) == 1 or slop == 0:
        return Words(_in_a_row(list(enumerate(written))))
    slop = min(slop, LAST_PLACE)
    if (slop + 1) ** len(words) - slop ** len(words) <= MOST_SLOP_WAYS:
        return Words(_any_of(_ways(written, slop)))
    spots = [(place, forms[0], form) for place, forms in enumerate(words) for form in forms]
    compared = Sql(MOVED_NEARLY_ALIKE, (*map(list, zip(*spots, strict=True)), slop, len(words)))
    return all_of([*map(Words, written), compared])


def _ways(written: Sequence[str], slop: int) -> list[str]:
    """Every way to move the words, at least one of them by nothing and none by more than slop."""
    ways = []
    for moves in product(range(slop + 1), repeat=len(written)):
        places = {place + move: written[place] for place, move in enumerate(moves)}
        if min(moves) == 0 and len(places) == len(written):
            ways.append(_in_a_row(sorted(places.items())))
    return ways


def _in_a_row(placed: Sequence[tuple[int, str]]) -> str:
    """Words at their distances, by rising place."""
    if len(placed) > LONGEST_PHRASE:
        raise QueryTooComplex(f"a phrase of more than {LONGEST_PHRASE} words")
    written = placed[0][1]
    for (before, _), (at, word) in pairwise(placed):
        written += f" <{at - before}> {word}"
    return written if len(placed) == 1 else f"({written})"


def _paired(folded: list[str], phrase: Match | None) -> Words:
    """A phrase by its pairs, which the index answers without reading any row.

    Three pairs may stand in three places of a text, so ``phrase`` compares them for those rows.
    """
    stems = [vietnamese.stem(word) for word in folded]
    parts = [quoted(pair(one, two)) for one, two in pairwise(stems)]
    parts += [phrase.tsquery] if isinstance(phrase, Words) else []
    return Words(parts[0] if len(parts) == 1 else f"({' & '.join(parts)})")


def begins(field: Field, prefix: str) -> Match:
    words = [quoted(lexeme(field.name, ":", word.folded)) for word in vietnamese.words(prefix)]
    if not words:
        return False
    return Words(_in_a_row(list(enumerate([*words[:-1], f"{words[-1]}:*"]))))
