"""A document as CKAN's indexer sends it → the row of the index."""

from __future__ import annotations

import json
import logging
import math
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import islice
from typing import Any

from dateutil.parser import isoparse

from . import dates, vietnamese
from .errors import DocumentRefused
from .layout import COUNTED, FILTERED, HEADLINE, SORTED, packed
from .lexemes import LAST_PLACE, PAIRED, lexeme, pair, quoted
from .solr_schema import INFIX, Field, SolrSchema
from .sorting import sort_field

log = logging.getLogger(__name__)

GAP_BETWEEN_VALUES = 100  # Solr's positionIncrementGap: no phrase spans two values
MOST_PLACES = 255  # PostgreSQL's most positions of one lexeme
MOST_LEXEME_BYTES = 900_000  # a tsvector holds 1 MB
LONGEST_SORT_KEY = 200  # characters
MOST_HEADLINE_BYTES = 3000
TITLE_FOR_SORTING = "title_string"
# Stored, never searched, and by far the largest: columns of their own.
LARGE_FIELDS = ("data_dict", "validated_data_dict")

NO_PLACES: list[int] = []
PLACE = tuple(map(str, range(LAST_PLACE + 1))).__getitem__  # a document has thousands


@dataclass
class Row:
    """What the index keeps of one document.

    ``lexemes``: each with its places, rising. ``filtered``, ``named``: those of them that lie in
    the row: of every search's filters, and of the fields that decide most of a rank (``rank`` reads
    the others later). ``words``: each text field's folded words, for the vocabulary.
    """

    index_id: str
    exact: dict[str, list[str | float]] = field(default_factory=dict)
    lexemes: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    filtered: list[str] = field(default_factory=list)
    named: list[str] = field(default_factory=list)
    words: dict[str, list[str]] = field(default_factory=dict)
    stored: dict[str, Any] = field(default_factory=dict)
    large: dict[str, str] = field(default_factory=dict)
    infix: dict[str, str] = field(default_factory=dict)

    def tsvector(self) -> str:
        """The lexemes in the text form of a tsvector."""
        return self._tsvector(self.lexemes, MOST_LEXEME_BYTES)

    def headline(self) -> str:
        """The lexemes that lie in the row, in the same form."""
        parts = (
            self._tsvector(self.filtered, MOST_LEXEME_BYTES),
            self._tsvector(self.named, MOST_HEADLINE_BYTES),
        )
        return " ".join(part for part in parts if part)

    def _tsvector(self, names: Collection[str], most_bytes: int) -> str:
        together = "".join(names)
        plain = "'" not in together and "\\" not in together
        lexemes = self.lexemes
        written = [
            (f"'{name}'" if plain else quoted(name)) + _places(lexemes[name]) for name in names
        ]
        text = " ".join(written)
        if len(text.encode()) + 8 * len(written) > most_bytes:
            return " ".join(written[: self._fitting(names, most_bytes)])
        return text

    def _fitting(self, names: Iterable[str], most_bytes: int) -> int:
        """How many of the lexemes a tsvector of so many bytes holds."""
        size = 0
        for count, name in enumerate(names):
            size += len(name.encode()) + 2 * len(self.lexemes[name][:MOST_PLACES]) + 8
            if size > most_bytes:
                if most_bytes == MOST_LEXEME_BYTES:
                    log.warning(
                        "Document %s is too long: its last words are not indexed", self.index_id
                    )
                return count
        return len(self.lexemes)

    def infix_lines(self) -> str:
        """One line for each field whose parts are searched, in the order of ``INFIX``."""
        return "\n".join(self.infix.get(name, "") for name in INFIX)

    def sorts(self) -> dict[str, str | float]:
        """What lists are sorted by: field → its first value, or a text's sort key."""
        keys = {name: self.exact.get(sort_field(name)) or self.exact.get(name) for name in SORTED}
        return {name: _cut(values[0]) for name, values in keys.items() if values}

    def counted(self) -> dict[str, bytes]:
        """The values of the facets as numbers (``layout.packed``)."""
        return {name: packed(map(str, self.exact[name])) for name in COUNTED if name in self.exact}

    def counted_values(self) -> set[str]:
        return {str(value) for name in COUNTED for value in self.exact.get(name, ())}


def _places(places: list[int]) -> str:
    """As they stand behind a lexeme in a tsvector."""
    if len(places) > MOST_PLACES:
        places = places[:MOST_PLACES]
    return f":{','.join(map(PLACE, places))}" if places else ""


def _cut(value: str | float) -> str | float:
    return value[:LONGEST_SORT_KEY] if isinstance(value, str) else value


def row_of(document: dict[str, Any], schema: SolrSchema, now: dates.Clock = dates.utc_now) -> Row:
    """The row of ``document``; raises DocumentRefused where Solr would refuse it too."""
    values: dict[str, list[Any]] = {}
    for name, value in document.items():
        kept = [item for item in _flat(value) if item is not None and item != ""]
        if kept:
            values[name] = kept
    for name, description in schema.fields.items():
        if description.default == "NOW" and name not in values:
            values[name] = [now()]
    if "index_id" not in values:
        raise DocumentRefused("it has no index_id")
    row = Row(index_id=vietnamese.storable(str(values["index_id"][0])))
    targets = dict.fromkeys(target for _, target in schema.copies)
    copies: dict[str, list[list[Any]]] = defaultdict(list)
    for name, items in values.items():
        description = schema.field(name)
        if description is None:
            raise DocumentRefused(f"unknown field {name!r}")
        _store(row, description, items)
        for target in schema.copied_to(name):
            copies[target].append(items)
        if description.indexed and name not in targets:
            _index(row, description, items)
    for target in targets:
        # Short fields first: what a tsvector can't hold is the end of the longest.
        copied = sorted(copies[target], key=lambda items: sum(len(str(item)) for item in items))
        items = [item for items in [*copied, values.get(target, [])] for item in items]
        description = schema.field(target)
        if items and description is not None:
            _index(row, description, items)
    return row


def _flat(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list | tuple | set) else [value]


def _text(value: Any) -> str:
    if isinstance(value, str):  # most are
        return vietnamese.storable(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime | date):
        return _date(value)
    if isinstance(value, dict | list):
        value = json.dumps(value, ensure_ascii=False)
    return vietnamese.storable(str(value))


def _date(value: Any) -> str:
    if isinstance(value, datetime):
        return dates.canonical(value)
    try:
        return dates.canonical(isoparse(str(value)))
    except (ValueError, OverflowError) as error:
        raise DocumentRefused(f"Invalid Date String: {value!r} ({error})") from None


def number(value: Any) -> float | int:
    """A number as the index keeps it: whole where it is whole."""
    try:
        found = float(value)
    except (TypeError, ValueError):
        raise DocumentRefused(f"{value!r} is no number") from None
    if not math.isfinite(found):
        raise DocumentRefused(f"{value!r} is no finite number")
    return int(found) if found.is_integer() else found


def _store(row: Row, description: Field, items: list[Any]) -> None:
    if not description.stored:
        return
    name = description.name
    if name in LARGE_FIELDS:
        row.large[name] = _text(items[0])
        return
    kept = [_stored(description, item) for item in items]
    row.stored[name] = kept if description.multivalued else kept[0]


def _stored(description: Field, item: Any) -> Any:
    if description.kind == "date":
        return dates.as_solr_writes(_date(item))
    if description.kind in ("integer", "number"):
        return number(item)
    return _text(item)


def _index(row: Row, description: Field, items: list[Any]) -> None:
    name = description.name
    row.lexemes[lexeme(name, "?")] = NO_PLACES
    others = len(row.lexemes)
    _index_values(row, description, items)
    if name in FILTERED:
        row.filtered += islice(row.lexemes, others, None)
    elif name in HEADLINE:
        row.named += islice(row.lexemes, others, None)


def _index_values(row: Row, description: Field, items: list[Any]) -> None:
    name = description.name
    if not description.multivalued and (description.is_words or name == TITLE_FOR_SORTING):
        # No more of a long text than its key shows.
        first = _text(items[0]).strip()[:LONGEST_SORT_KEY]
        row.exact[sort_field(name)] = [vietnamese.sort_key(first)[:LONGEST_SORT_KEY]]
    if description.is_words:
        _index_words(row, description, [_text(item) for item in items])
        return
    keys: list[str | float] = []
    for item in items:
        if description.kind == "infix":
            keys.append(" ".join(vietnamese.fold(_text(item)).split()))
        elif description.kind == "date":
            keys.append(_date(item))
        elif description.kind in ("integer", "number"):
            keys.append(number(item))
        else:
            keys.append(_text(item))
    row.exact[name] = list(dict.fromkeys(keys))
    if description.kind == "infix":
        row.infix[name] = str(keys[0])
        return
    for key in row.exact[name]:
        row.lexemes[lexeme(name, "=", str(key))] = NO_PLACES


def _index_words(row: Row, description: Field, texts: list[str]) -> None:
    name = description.name
    folded_as, stemmed_as, spelt_as = (lexeme(name, mark) for mark in ":~!")
    stems = description.kind == "stemmed"
    pairs = name == PAIRED
    lexemes = row.lexemes
    others = len(lexemes)
    paired: list[str] = []
    place = 1
    for text in texts:
        before = None
        for cut, joined in vietnamese.cuts(text):
            first = place if place < LAST_PLACE else LAST_PLACE
            for spelling, folded in cut:
                at = place if place < LAST_PLACE else LAST_PLACE
                place += 1
                lexemes[folded_as + folded].append(at)
                stem = vietnamese.stem(folded) if stems else folded
                if stem != folded:
                    lexemes[stemmed_as + stem].append(at)
                if spelling != folded:
                    lexemes[spelt_as + spelling].append(at)
                if pairs:
                    if before is not None:
                        paired.append(pair(before, stem))
                    before = stem
            if joined:
                lexemes[folded_as + joined].append(first)
        place += GAP_BETWEEN_VALUES
    row.words[name] = [
        added[len(folded_as) :]
        for added in islice(lexemes, others, None)
        if added.startswith(folded_as)
    ]
    lexemes.update(dict.fromkeys(paired, NO_PLACES))
