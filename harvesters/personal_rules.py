"""The rules of the personal-data gate: a dated data file, so that they change with the law."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import yaml

from lake import names

_PREFIX, _SUFFIX = "personal_data-", ".yaml"
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


@dataclass(frozen=True)
class Words:
    """Phrases looked for in a column's name: without case, as whole words."""

    toned: frozenset[str] = frozenset()
    plain: frozenset[str] = frozenset()

    @classmethod
    def of(cls, written: Iterable[str]) -> Words:
        phrases = [str(phrase) for phrase in written]
        return cls(frozenset(map(_toned, phrases)), frozenset(map(plain, phrases)))

    def in_name(self, name: str) -> bool:
        """Whether a phrase is in the name, in whichever way it bears its tones."""
        return _has(plain(name), self.plain)

    def surely_in_name(self, name: str) -> bool:
        """As `in_name`, but with its tones in a name that has any: `trưởng` is no `trường`."""
        return _has(plain(name), self.plain) if name.isascii() else _has(_toned(name), self.toned)

    def __bool__(self) -> bool:
        return bool(self.plain)

    def in_any(self, names_: Iterable[str]) -> bool:
        return any(self.surely_in_name(name) for name in names_)

    def are_name(self, name: str) -> bool:
        return plain(name) in self.plain if name.isascii() else _toned(name) in self.toned


@dataclass(frozen=True)
class Glance:
    """The most digits and words that a cell of a column has, and all its signs."""

    digits: int
    words: int
    signs: str

    @classmethod
    def at(cls, texts: Iterable[str | None]) -> Glance:
        filled = [text for text in texts if text]
        return cls(
            max((sum(map(str.isdigit, text)) for text in filled), default=0),
            max((len(text.split()) for text in filled), default=0),
            "".join(set("".join(filled))),
        )


@dataclass(frozen=True)
class Kind:
    """One kind of personal data; the meaning of the fields stands in the data file."""

    name: str
    title: str
    headers: Words
    header: float
    value: str
    share: float
    below_headers: str = ""
    not_value: str = ""
    number: str = ""
    unless_headers: Words = Words()
    or_headers: Words = Words()
    beside: frozenset[str] = frozenset()
    unless_beside: Words = Words()
    among_words: float | None = None
    least_digits: int = 0
    least_words: int = 0
    sign: str = ""
    needs_header: bool = False
    organisations_own: bool = False

    def may_be_in(self, glance: Glance) -> bool:
        return (
            glance.digits >= self.least_digits
            and glance.words >= self.least_words
            and self.sign in glance.signs
        )


@dataclass(frozen=True)
class Organisations:
    """What tells that the rows of a table are organisations."""

    headers: Words
    value: str
    share: float


@dataclass(frozen=True)
class Rules:
    """One state of the rules; `date` (ISO) is when it came into force."""

    date: str
    hold_from: float
    kinds: tuple[Kind, ...]
    organisations: Organisations

    @classmethod
    def of(cls, date: str, written: Mapping[str, Any]) -> Rules:
        return cls(
            date,
            float(written["hold_from"]),
            tuple(_kind(name, kind) for name, kind in written["kinds"].items()),
            Organisations(**_parsed(written["organisations"])),
        )


@cache
def latest() -> Rules:
    """The newest rules that the package carries."""
    folder = resources.files("harvesters") / "rules"
    dated = {
        entry.name.removeprefix(_PREFIX).removesuffix(_SUFFIX): entry
        for entry in folder.iterdir()
        if entry.name.startswith(_PREFIX) and entry.name.endswith(_SUFFIX)
    }
    date = max(dated)
    return Rules.of(date, yaml.safe_load(dated[date].read_text(encoding="utf-8")))


def plain(name: str) -> str:
    """A name's words without tones and case, joined by `_`; `phoneNumber` has two."""
    return names.from_vietnamese(_CAMEL.sub(" ", name))


def _toned(name: str) -> str:
    composed = unicodedata.normalize("NFC", _CAMEL.sub(" ", name)).casefold()
    return "_".join(re.findall(r"[^\W_]+", composed))


def _has(name: str, phrases: Iterable[str]) -> bool:
    return any(f"_{phrase}_" in f"_{name}_" for phrase in phrases)


def _kind(name: str, written: Mapping[str, Any]) -> Kind:
    return Kind(name=name, **_parsed(written))


def _parsed(written: Mapping[str, Any]) -> dict[str, Any]:
    readers = {"beside": frozenset}
    return {
        key: (
            Words.of
            if isinstance(value, list) and key.endswith(("headers", "unless_beside"))
            else readers.get(key, lambda same: same)
        )(value)
        for key, value in written.items()
    }
