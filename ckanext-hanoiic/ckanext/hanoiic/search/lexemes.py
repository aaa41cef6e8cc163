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
import math
from itertools import pairwise

from . import vietnamese
from .errors import QueryTooComplex
from .solr_schema import Field
from .sql import Match, Words, any_of

LONGEST_LEXEME = 1500  # bytes of PostgreSQL's 2046; longer values are hashed
LONGEST_NAME = 200
MOST_SLOP_WAYS = 200
LONGEST_PHRASE = 256  # words
PAIRED = "text"  # CKAN's catch-all field


def lexeme(field: str, mark: str, value: str = "") -> str:
    """One lexeme; a long value is replaced by its hash, the same way at both sides."""
    if len(value) > LONGEST_LEXEME // 4 and len(value.encode()) > LONGEST_LEXEME:
        value = "\x7f" + hashlib.sha256(value.encode()).hexdigest()
    return f"{_field_part(field)}{mark}{value}"


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
    words = [_word(field, word, exactly) for chunk in chunks for word in chunk.words]
    if not words:
        return False
    phrase: Words = _phrase(words, slop)
    if field.name == PAIRED and len(words) > 1 and slop == 0 and not exactly:
        folded = [word.folded for chunk in chunks for word in chunk.words]
        phrase = _paired(folded, None if roughly or len(words) == 2 else phrase)
    if len(chunks) == 1 and chunks[0].joined and not exactly:
        return any_of([phrase, Words(quoted(lexeme(field.name, ":", chunks[0].joined)))])
    return phrase


def _word(field: Field, word: vietnamese.Word, exactly: bool) -> str:
    if exactly and word.has_diacritics:
        return quoted(lexeme(field.name, "!", word.spelling))
    forms = {quoted(lexeme(field.name, ":", word.folded)): None}
    if field.kind == "stemmed" and not exactly:
        stem = vietnamese.stem(word.folded)
        forms[quoted(lexeme(field.name, ":", stem))] = None
        forms[quoted(lexeme(field.name, "~", stem))] = None
    return next(iter(forms)) if len(forms) == 1 else f"({' | '.join(forms)})"


def _phrase(words: list[str], slop: int) -> Words:
    if len(words) == 1:
        return Words(words[0])
    if len(words) > LONGEST_PHRASE:
        raise QueryTooComplex(f"a phrase of more than {LONGEST_PHRASE} words")
    ways = math.comb(slop + len(words) - 1, slop)
    if ways > MOST_SLOP_WAYS:
        raise QueryTooComplex(f"a slop of {slop} for {len(words)} words")
    return Words(_any_written([_spaced(words, extra) for extra in _extras(len(words) - 1, slop)]))


def _paired(folded: list[str], phrase: Words | None) -> Words:
    """A phrase by its pairs, which the index answers without reading any row.

    Three pairs may stand in three places of a text, so ``phrase`` compares them for those rows.
    """
    stems = [vietnamese.stem(word) for word in folded]
    parts = [quoted(pair(one, two)) for one, two in pairwise(stems)]
    parts += [phrase.tsquery] if phrase else []
    return Words(parts[0] if len(parts) == 1 else f"({' & '.join(parts)})")


def _extras(gaps: int, slop: int) -> list[tuple[int, ...]]:
    """All ways to share at most ``slop`` extra places among the gaps."""
    if gaps == 0 or slop == 0:
        return [(0,) * gaps]
    return [(extra, *rest) for extra in range(slop + 1) for rest in _extras(gaps - 1, slop - extra)]


def _spaced(words: list[str], extra: tuple[int, ...]) -> str:
    written = words[0]
    for word, places in zip(words[1:], extra, strict=True):
        written += f" <{places + 1}> {word}"
    return f"({written})"


def _any_written(ways: list[str]) -> str:
    return ways[0] if len(ways) == 1 else f"({' | '.join(ways)})"


def begins(field: Field, prefix: str) -> Match:
    words = [quoted(lexeme(field.name, ":", word.folded)) for word in vietnamese.words(prefix)]
    if not words:
        return False
    return _phrase([*words[:-1], f"{words[-1]}:*"], 0)
