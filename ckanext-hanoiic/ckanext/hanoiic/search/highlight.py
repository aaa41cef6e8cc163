"""Where a dataset answers a query: its title, description and columns with ``<mark>``."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup, escape

from . import vietnamese
from .synonyms import Synonyms
from .telex import telex

EXTRACT_LENGTH = 180  # characters
MOST_COLUMNS = 4
COLUMN_WORDS = ("name", "title", "title_en", "unit", "description")
_WORD = re.compile(r"[^\W\d_]+|\d+")
_FIELD_SYNTAX = re.compile(r"[\w.]+:|[(){}\[\]^~*?]")


@dataclass(frozen=True)
class Wanted:
    """The words of a query: folded or stemmed form → the spellings that a reader typed."""

    words: Mapping[str, frozenset[str]]
    asked: int  # how many words the reader typed

    @classmethod
    def of(cls, q: str, synonyms: Synonyms) -> Wanted:
        query = [
            word
            for word in vietnamese.words(_FIELD_SYNTAX.sub(" ", q))
            if word.folded not in ("and", "or", "not")
        ]
        kept = [word for word in query if word.spelling not in synonyms.ignored] or query
        others = [
            word
            for spot in synonyms.spots(query)
            for other in spot.alternatives
            for word in vietnamese.words(other.text)
        ]
        keyed = [meant for word in query if (meant := telex(word.spelling))]
        others += vietnamese.words(" ".join(keyed))
        forms: dict[str, set[str]] = {}
        for word in [*kept, *others]:
            forms.setdefault(vietnamese.stem(word.folded), set()).add(word.spelling)
        return cls({form: frozenset(s) for form, s in forms.items()}, len(kept))

    def has(self, text: str) -> bool:
        """Whether ``text`` is one of the words; tones decide where both sides have them."""
        folded = vietnamese.fold(text)
        typed = self.words.get(vietnamese.stem(folded))
        if typed is None:
            return False
        written = vietnamese.spelling(text)
        without_tones = any(spelling.isascii() and spelling.isalpha() for spelling in typed)
        return without_tones or written == folded or written in typed


def marked(text: str, wanted: Wanted) -> Markup | None:
    """``text`` escaped, its found words in ``<mark>`` (neighbours in one); None without any."""
    text = unicodedata.normalize("NFC", text)
    spans = list(_joined(_found(text, wanted), text))
    if not spans:
        return None
    written = Markup()
    end = 0
    for first, last in spans:
        written += escape(text[end:first]) + Markup("<mark>{}</mark>").format(text[first:last])
        end = last
    return written + escape(text[end:])


def extract(text: str, wanted: Wanted, length: int = EXTRACT_LENGTH) -> Markup | None:
    """The part of ``text`` with the first found word, whole words only."""
    text = " ".join(unicodedata.normalize("NFC", text).split())
    first = next((start for start, _ in _found(text, wanted)), None)
    if first is None:
        return None
    start = 0 if first < length // 2 else text.rfind(" ", 0, first - length // 3) + 1
    end = len(text) if len(text) <= start + length else text.rfind(" ", start, start + length)
    shown = marked(text[start : end if end > first else start + length], wanted)
    if shown is None:
        return None
    return Markup("{}{}{}").format("… " if start else "", shown, " …" if end < len(text) else "")


def _found(text: str, wanted: Wanted) -> Iterator[tuple[int, int]]:
    return (found.span() for found in _WORD.finditer(text) if wanted.has(found.group()))


def _joined(spans: Iterable[tuple[int, int]], text: str) -> Iterator[tuple[int, int]]:
    """Neighbours with a space, a point or nothing between them become one."""
    open_span: tuple[int, int] | None = None
    for first, last in spans:
        if open_span and text[open_span[1] : first] in ("", " ", ".", "/", "_"):
            open_span = (open_span[0], last)
            continue
        if open_span:
            yield open_span
        open_span = (first, last)
    if open_span:
        yield open_span


def columns(dataset: Mapping[str, Any], wanted: Wanted) -> list[dict[str, Any]]:
    """Tables and columns that hold the query: several of its words, or the one there is.

    Each: ``table`` (marked), ``column`` (its name, marked; None: the table's own name was found),
    ``words`` (title, unit or description where found, marked) and ``count`` of words found.
    """
    hits = []
    for resource in dataset.get("resources", []):
        table = str(resource.get("lake_table") or resource.get("name") or "")
        if not table:
            continue
        shown = marked(table, wanted) or escape(table)
        if _count(table, wanted) >= min(2, wanted.asked) > 0:
            hits.append(
                {"table": shown, "column": None, "words": [], "count": _count(table, wanted)}
            )
        for column in resource.get("columns") or []:
            texts = {key: str(column.get(key) or "") for key in COLUMN_WORDS}
            count = max(_count(text, wanted) for text in texts.values())
            if count >= min(2, wanted.asked) > 0:
                found = [marked(text, wanted) for key, text in texts.items() if key != "name"]
                hits.append(
                    {
                        "table": shown,
                        "column": marked(texts["name"], wanted) or escape(texts["name"]),
                        "words": [text for text in found if text],
                        "count": count,
                    }
                )
    return sorted(hits, key=lambda hit: -hit["count"])[:MOST_COLUMNS]


def _count(text: str, wanted: Wanted) -> int:
    return len({vietnamese.fold(f.group()) for f in _WORD.finditer(text) if wanted.has(f.group())})
