"""Lucene's regular expressions → PostgreSQL's.

Lucene's always match a whole word (or value), and know no anchors, groups to capture or lazy
repeats. Every letter is written anew, so nothing of PostgreSQL's own syntax gets through; the size
is bounded, because a pattern is compiled before any time limit is looked at.

Source: the grammar of ``org.apache.lucene.util.automaton.RegExp`` (Lucene 9).
"""

from __future__ import annotations

import re
from collections.abc import Callable

from .errors import FeatureUnsupported, QueryTooComplex, SyntaxRefused

LONGEST_EXPRESSION = 200  # letters
MOST_REPEATS_OF_ONE = 255  # PostgreSQL's own limit
MOST_REPEATS = 500  # a{n} within a{m} is n × m
DEEPEST_GROUP = 20

_REPEAT = re.compile(r"[?*+]|\{(?P<least>\d{1,4})(?P<open>,(?P<most>\d{1,4})?)?\}")
_CLASSES = frozenset("dDwWsS")  # the same in both
_UNSUPPORTED = {
    "&": "an intersection (&)",
    "~": "a complement (~)",
    "<": "a range of numbers (<1-9>)",
    "#": "the empty language (#)",
}

Form = Callable[[str], str]  # a text as the index keeps it: folded, or as it is


def expression(text: str, form: Form) -> str:
    """The PostgreSQL expression; raises SyntaxRefused, FeatureUnsupported or QueryTooComplex."""
    if len(text) > LONGEST_EXPRESSION:
        raise QueryTooComplex(f"a regular expression of more than {LONGEST_EXPRESSION} letters")
    return _Translator(text, form).whole()


class _Translator:
    """A recursive descent: ``a|b``, then sequences, then repeats, then single letters."""

    def __init__(self, text: str, form: Form) -> None:
        self.text = text
        self.form = form
        self.place = 0

    def whole(self) -> str:
        written, _ = self._union(0)
        if self.place < len(self.text):
            raise self._mistake("a closing bracket too many")
        return f"^(?:{written})$"

    def _union(self, depth: int) -> tuple[str, int]:
        """The text of alternatives, and how many letters its repeats may stand for."""
        if depth > DEEPEST_GROUP:
            raise QueryTooComplex(f"a regular expression nested deeper than {DEEPEST_GROUP}")
        found = [self._sequence(depth)]
        while self._next("|"):
            found.append(self._sequence(depth))
        return "|".join(text for text, _ in found), sum(size for _, size in found)

    def _sequence(self, depth: int) -> tuple[str, int]:
        written, size = "", 0
        while self.place < len(self.text) and self.text[self.place] not in "|)":
            text, length = self._repeated(depth)
            written, size = written + text, size + length
        return written, size

    def _repeated(self, depth: int) -> tuple[str, int]:
        text, size = self._single(depth)
        while repeat := _REPEAT.match(self.text, self.place):
            self.place = repeat.end()
            most = max(int(repeat["most"] or 0), int(repeat["least"] or 1))
            if repeat["most"] and int(repeat["most"]) < int(repeat["least"]):
                raise self._mistake("a repeat whose end is before its start")
            size *= most
            if most > MOST_REPEATS_OF_ONE or size > MOST_REPEATS:
                raise QueryTooComplex(f"a regular expression of more than {MOST_REPEATS} repeats")
            text = f"(?:{text}){repeat.group()}"
        return text, max(1, size)

    def _single(self, depth: int) -> tuple[str, int]:
        letter = self.text[self.place]
        self.place += 1
        if letter in _UNSUPPORTED:
            raise FeatureUnsupported(f"{_UNSUPPORTED[letter]} in a regular expression")
        if letter in "?*+{":
            raise self._mistake("a repeat of nothing")
        if letter == "(":
            text, size = self._union(depth + 1)
            if not self._next(")"):
                raise self._mistake("a bracket is not closed")
            return f"(?:{text})", size
        if letter == "[":
            return self._class(), 1
        if letter == '"':
            end = self.text.find('"', self.place)
            if end < 0:
                raise self._mistake("a quote is not closed")
            quoted, self.place = self.text[self.place : end], end + 1
            return self._literal(quoted), 1
        if letter in ".@":
            return {".": ".", "@": ".*"}[letter], 1
        if letter == "\\":
            escaped = self._escaped()
            return (f"\\{escaped}" if escaped in _CLASSES else self._literal(escaped)), 1
        return self._literal(letter), 1

    def _class(self) -> str:
        """``[a-z0-9]``, ``[^a]``."""
        written = "[^" if self._next("^") else "["
        empty = True
        while not self._next("]"):
            low = self._class_letter()
            if self.text[self.place : self.place + 1] == "-" and self._peek(1) != "]":
                self.place += 1
                high = self._class_letter()
                if len(low) > 1 or len(high) > 1 or low > high:
                    raise self._mistake("a range of letters that is none")
                written += f"{_safe(low)}-{_safe(high)}"
            else:
                written += low if len(low) > 1 else _safe(low)
            empty = False
        if empty:
            raise self._mistake("an empty class")
        return f"{written}]"

    def _class_letter(self) -> str:
        """A letter of a class as it is kept, or ``\\d`` and the like."""
        if self.place >= len(self.text):
            raise self._mistake("a class is not closed")
        letter = self.text[self.place]
        self.place += 1
        if letter == "\\":
            letter = self._escaped()
            if letter in _CLASSES:
                return f"\\{letter}"
        kept = self.form(letter)
        if len(kept) != 1:
            raise self._mistake(f"{letter!r} is no single letter in the index")
        return kept

    def _escaped(self) -> str:
        if self.place >= len(self.text):
            raise self._mistake("a backslash at the end")
        self.place += 1
        return self.text[self.place - 1]

    def _literal(self, text: str) -> str:
        kept = "".join(_safe(letter) for letter in self.form(text))
        return kept if len(text) == 1 and len(self.form(text)) == 1 else f"(?:{kept})"

    def _peek(self, ahead: int) -> str:
        return self.text[self.place + ahead : self.place + ahead + 1]

    def _next(self, expected: str) -> bool:
        found = self._peek(0) == expected
        self.place += found
        return found

    def _mistake(self, what: str) -> SyntaxRefused:
        return SyntaxRefused(f"/{self.text}/: {what}")


def _safe(letter: str) -> str:
    """A letter that means itself, within a class too."""
    return (
        letter
        if letter.isalnum() or letter in " _"
        else f"\\u{ord(letter):04X}"
        if ord(letter) <= 0xFFFF
        else f"\\U{ord(letter):08X}"
    )
