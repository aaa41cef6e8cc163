"""A document as CKAN's indexer sends it → the row of the index."""

from __future__ import annotations

import json
import logging
import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from dateutil.parser import isoparse

from . import dates, vietnamese
from .errors import DocumentRefused
from .lexemes import lexeme, quoted
from .solr_schema import Field, SolrSchema
from .sorting import sort_field

log = logging.getLogger(__name__)

GAP_BETWEEN_VALUES = 100  # Solr's positionIncrementGap: no phrase spans two values
LAST_PLACE = 16_383  # PostgreSQL's last position in a tsvector
MOST_PLACES = 255  # … and its most positions of one lexeme
MOST_LEXEME_BYTES = 900_000  # a tsvector holds 1 MB
LONGEST_SORT_KEY = 200  # characters
TITLE_FOR_SORTING = "title_string"
# Stored, never searched, and by far the largest: columns of their own.
LARGE_FIELDS = ("data_dict", "validated_data_dict")


@dataclass
class Row:
    """What the index keeps of one document."""

    index_id: str
    exact: dict[str, list[str | float]] = field(default_factory=dict)
    lexemes: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    stored: dict[str, Any] = field(default_factory=dict)
    large: dict[str, str] = field(default_factory=dict)
    infix: list[str] = field(default_factory=list)
    vocabulary: set[tuple[str, str]] = field(default_factory=set)

    def tsvector(self) -> str:
        """The lexemes in the text form of a tsvector."""
        written = []
        size = 0
        for name, places in self.lexemes.items():
            kept = sorted(places)[:MOST_PLACES]
            size += len(name.encode()) + 2 * len(kept) + 8
            if size > MOST_LEXEME_BYTES:
                log.warning(
                    "Document %s is too long: its last words are not indexed", self.index_id
                )
                break
            written.append(f"{quoted(name)}{':' if kept else ''}{','.join(map(str, kept))}")
        return " ".join(written)


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
    row.lexemes[lexeme(name, "?")] = set()
    if not description.multivalued and (description.is_words or name == TITLE_FOR_SORTING):
        row.exact[sort_field(name)] = [vietnamese.sort_key(_text(items[0]))[:LONGEST_SORT_KEY]]
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
        row.infix.extend(str(key) for key in keys)
        return
    for key in row.exact[name]:
        row.lexemes[lexeme(name, "=", str(key))] = set()


def _index_words(row: Row, description: Field, texts: list[str]) -> None:
    name = description.name
    place = 1
    for text in texts:
        for chunk in vietnamese.chunks(text, place):
            for word in chunk.words:
                at = min(word.place, LAST_PLACE)
                row.lexemes[lexeme(name, ":", word.folded)].add(at)
                row.vocabulary.add((name, word.folded))
                if description.kind == "stemmed":
                    stem = vietnamese.stem(word.folded)
                    if stem != word.folded:
                        row.lexemes[lexeme(name, "~", stem)].add(at)
                if word.has_diacritics:
                    row.lexemes[lexeme(name, "!", word.spelling)].add(at)
            if chunk.joined:
                row.lexemes[lexeme(name, ":", chunk.joined)].add(
                    min(chunk.words[0].place, LAST_PLACE)
                )
                row.vocabulary.add((name, chunk.joined))
            place = chunk.words[-1].place + 1
        place += GAP_BETWEEN_VALUES
