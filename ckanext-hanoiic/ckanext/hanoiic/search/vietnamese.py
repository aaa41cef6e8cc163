"""Words of Vietnamese and English text: how they are cut, folded, stemmed and put in order.

The same functions run over documents and queries, in Python, so both sides always agree; the
database needs no dictionary, no ICU and no ``unaccent``.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import snowballstemmer

LONGEST_WORD = 128  # letters; the rest of a longer run is cut off on both sides
MOST_JOINED_PARTS = 4

# PostgreSQL's text holds no NUL, and UTF-8 no lone surrogate.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_COMBINING_MARKS = re.compile("[\u0300-\u036f]")
_NO_DECOMPOSITION = str.maketrans("đĐðÐøØłŁ", "dDdDoOlL")
_POSSESSIVE = re.compile(r"['’][sS]\b")
_RUNS = re.compile(r"[^\W\d_]+|\d+")
_CASE_CHANGE = re.compile(r"(?<=.)(?=[A-ZÀ-ÖØ-ÞĂĐĨŨƠƯẠ-Ỹ][^A-Z])")

ALPHABET = "aăâbcdđeêfghijklmnoôơpqrstuưvwxyz"
_TONES = {"\u0300": "1", "\u0309": "2", "\u0303": "3", "\u0301": "4", "\u0323": "5"}
_PLACE = {letter: chr(ord("A") + place) for place, letter in enumerate(ALPHABET)}


def storable(text: str) -> str:
    """``text`` in Unicode's composed form (NFC), without what PostgreSQL can't hold."""
    if text.isascii() and "\x00" not in text:
        return text
    return unicodedata.normalize("NFC", _UNSTORABLE.sub("", text))


def fold(text: str) -> str:
    """Lower case without diacritics: ``Đống Đa`` → ``dong da``.

    Compatibility forms are resolved too (``m³`` → ``m3``). Marks of other scripts stay: dropping
    them would change the letter, not its accent.
    """
    decomposed = unicodedata.normalize("NFKD", _UNSTORABLE.sub("", text))
    bare = _COMBINING_MARKS.sub("", decomposed).translate(_NO_DECOMPOSITION)
    return unicodedata.normalize("NFC", bare.casefold())


@functools.lru_cache(maxsize=65536)
def stem(word: str) -> str:
    """The English stem of a folded word (``floods`` → ``flood``).

    Folding comes first, so that a word with and without diacritics has one stem.
    """
    if len(word) < 4 or not word.isascii() or not word.isalpha():
        return word
    # A stemmer keeps its state in itself, so threads can't share one.
    return snowballstemmer.stemmer("english").stemWord(word)


def spelling(word: str) -> str:
    """A word with its diacritics, wherever its tone mark is put: ``hòa`` and ``hoà`` are one."""
    letters, tones = _letters_and_tones(word.lower())
    return "".join(letters) + "".join(tone for tone in tones if tone != "0")


@dataclass(frozen=True)
class Word:
    """One word of a text: its place (from 1), its spelling with diacritics, and folded."""

    place: int
    spelling: str
    folded: str

    @property
    def has_diacritics(self) -> bool:
        return self.spelling != self.folded


@dataclass(frozen=True)
class Chunk:
    """What stands between two spaces: its words, and several joined (``PM2.5`` → ``pm25``)."""

    words: tuple[Word, ...]
    joined: str | None


def chunks(text: str, first_place: int = 1) -> Iterator[Chunk]:
    """Cut ``text`` into chunks and words.

    A word ends at a space, at punctuation, between letters and digits, and before a capital within
    a word (``OpenData``); a capitalised or upper-case word is one word.
    """
    place = first_place
    for cut, joined in cuts(text):
        yield Chunk(tuple(Word(place + i, *forms) for i, forms in enumerate(cut)), joined)
        place += len(cut)


Cut = tuple[tuple[tuple[str, str], ...], str | None]


@functools.lru_cache(maxsize=256)  # a document has most of its texts in several fields
def cuts(text: str) -> tuple[Cut, ...]:
    """The same as plain tuples, for long texts: words as (spelling, folded), and them joined."""
    return tuple(cut for cut in map(_cut, storable(text).split()) if cut[0])


@functools.lru_cache(maxsize=65536)  # a language has few words, and a catalogue repeats them
def _cut(piece: str) -> Cut:
    """A piece without spaces."""
    parts = [part for run in _RUNS.findall(_POSSESSIVE.sub("", piece)) for part in _parts(run)]
    forms = [(spelling(part)[:LONGEST_WORD], fold(part)[:LONGEST_WORD]) for part in parts]
    cut = tuple(form for form in forms if form[1])
    several = 1 < len(cut) <= MOST_JOINED_PARTS
    return cut, "".join(word[1] for word in cut)[:LONGEST_WORD] if several else None


def _parts(run: str) -> list[str]:
    if run.islower() or run.isupper() or run.istitle():
        return [run]
    return [part for part in _CASE_CHANGE.split(run) if part]


def words(text: str) -> list[Word]:
    return [word for chunk in chunks(text) for word in chunk.words]


def sort_key(text: str) -> str:
    """A key whose byte order is the Vietnamese alphabetical order.

    Letters first (A Ă Â B C D Đ E Ê … O Ô Ơ … U Ư …), then tones in the order of Vietnamese
    dictionaries (ngang, huyền, hỏi, ngã, sắc, nặng), then the text itself. Digits stand before
    letters; other characters keep their own order behind them.
    """
    lower = storable(text).strip().lower()
    return f"{lower.translate(_places)}\x01{lower.translate(_tones)}\x01{text}"


def _letters_and_tones(text: str) -> tuple[list[str], list[str]]:
    """The letters of the Vietnamese alphabet and, for each, its tone as a digit (``0``: none)."""
    pairs = [_letter_and_tone(character) for character in text]
    return [letter for letter, _ in pairs], [tone for _, tone in pairs]


@functools.lru_cache(maxsize=4096)
def _letter_and_tone(character: str) -> tuple[str, str]:
    tone = "0"
    kept = ""
    for mark in unicodedata.normalize("NFD", character):
        if mark in _TONES:
            tone = _TONES[mark]
        else:
            kept += mark
    return unicodedata.normalize("NFC", kept), tone


class _Table(dict[int, str]):
    """A table for ``str.translate`` that works each character out when it first comes."""

    def __init__(self, of: Callable[[str], str]) -> None:
        self._of = of

    def __missing__(self, code: int) -> str:
        self[code] = found = self._of(chr(code))
        return found


def _place(character: str) -> str:
    letter, _ = _letter_and_tone(character)
    return _PLACE.get(letter, letter)


_places = _Table(_place)
_tones = _Table(lambda character: _letter_and_tone(character)[1])
