"""Reads words that were typed for Telex while its program was off: ``beenhj vieenj`` as ``bệnh
viện``.

Telex is the usual way to type Vietnamese, and it is easy to overlook that it is off.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from . import vietnamese
from .synonyms import Synonyms

MOST_WORDS = 16
SHORTEST = 4  # keys
_SYLLABLE = re.compile(
    r"(?:[bcdghklmnpqrstvx]|[cgknpt]h|tr|ngh?|qu|gi)?[aeiouy]{1,3}(?:ch|ng|nh|[cmnpt])?\Z"
)

_TELEX_LETTERS = {
    "dd": "đ", "aa": "â", "aw": "ă", "ee": "ê", "oo": "ô", "uow": "ươ", "uwow": "ươ",
    "ow": "ơ", "uw": "ư",
}  # fmt: skip
_TELEX_TONES = {"f": "\u0300", "r": "\u0309", "x": "\u0303", "s": "\u0301", "j": "\u0323"}
_TELEX_LETTER = re.compile("|".join(sorted(_TELEX_LETTERS, key=len, reverse=True)))
_VOWELS = "aăâeêioôơuưy"


def telex(word: str) -> str | None:
    """``benhj`` → ``bệnh``: the word that Telex would have made of the keys, None if none."""
    lower = word.lower()
    if not lower.isascii() or not lower.isalpha():
        return None
    tone = ""
    tones = [place for place, key in enumerate(lower) if place and key in _TELEX_TONES]
    after_vowel = [place for place in tones if any(key in _VOWELS for key in lower[:place])]
    if after_vowel:
        tone = _TELEX_TONES[lower[after_vowel[-1]]]
        lower = lower[: after_vowel[-1]] + lower[after_vowel[-1] + 1 :]
    letters = _TELEX_LETTER.sub(lambda found: _TELEX_LETTERS[found.group()], lower)
    if not tone and letters == lower:
        return None
    return vietnamese.storable(_with_tone(letters, tone))


def _with_tone(letters: str, tone: str) -> str:
    """The tone on its vowel: a marked one, else the one before a closing consonant or the last."""
    vowels = [place for place, letter in enumerate(letters) if letter in _VOWELS]
    if letters[:2] in ("qu", "gi") and len(vowels) > 1:
        vowels = vowels[1:]
    if not vowels:
        return letters
    marked = [place for place in vowels if letters[place] in "ăâêôơư"]
    closed = vowels[-1] < len(letters) - 1
    place = marked[-1] if marked else vowels[-1] if closed or len(vowels) == 1 else vowels[-2]
    return letters[: place + 1] + tone + letters[place + 1 :]


def as_meant(q: str, synonyms: Synonyms, known: Callable[[list[str]], Iterable[str]]) -> str:
    """A search box's text, its words of Telex keys as they were meant.

    A word is of keys where Telex makes a Vietnamese syllable of it that the index knows, and the
    index does not know the word itself (``known``: those of some folded words that any dataset
    has). Short words are left: `OR`, `of` and `gas` are keys of something too.
    """
    typed = q.split()
    keyed = {
        word: meant
        for word in typed[:MOST_WORDS]
        if len(word) >= SHORTEST
        and (meant := telex(word))
        and _SYLLABLE.match(vietnamese.fold(meant))
        and not synonyms.alternatives(vietnamese.words(word))
    }
    if not keyed:
        return q
    forms = [vietnamese.fold(form) for pair in keyed.items() for form in pair]
    found = set(known([*forms, *(vietnamese.stem(word.lower()) for word in keyed)]))
    return " ".join(
        keyed[word] if word in keyed and _is_of_keys(word, keyed[word], found) else word
        for word in typed
    )


def _is_of_keys(word: str, meant: str, found: set[str]) -> bool:
    as_typed = {word.lower(), vietnamese.stem(word.lower())}
    return vietnamese.fold(meant) in found and not as_typed & found
