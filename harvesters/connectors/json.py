"""A JSON document with one list of objects somewhere in it: an object is a row."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ijson  # type: ignore[import-untyped]

from harvesters import decode as decoding
from harvesters.connectors import json_path, records
from harvesters.connectors.base import Connector
from harvesters.connectors.json_stream import (
    BUFFER_BYTES,
    LONGEST_ROW_BYTES,
    LONGEST_VALUE_BYTES,
    JsonStream,
    prefix,
    walk,
)
from harvesters.decode import Text
from harvesters.errors import (
    FormatMismatch,
    JsonBroken,
    LineTooLong,
    RowsNotFound,
    TableEmpty,
    TooManyColumns,
)
from harvesters.mending import mend
from harvesters.rawtable import RawTable
from harvesters.source import Options
from harvesters.unreadable import Unreadable
from harvesters.workbench import Workbench
from lake.rejected import Rejected

_MOST_LISTS = 1_000
_MOST_KEYS = 100_000
_SHOWN_LISTS = 8


@dataclass
class _Found:
    """A list in the document: ijson's prefix of it, and what it holds."""

    prefix: str
    times: int = 0
    objects: int = 0
    others: int = 0


def decode(path: Path, options: Options, bench: Workbench) -> list[RawTable]:
    """The document's one table. Three passes: where the rows are, what they have, and the rows.

    Raises JsonBroken, RowsNotFound, NestedTooDeep, LineTooLong, TooManyColumns, TableEmpty.
    """
    text = decoding.text(path, options.encoding)
    _refuse_lines(text)
    found = place(text, options.rows)
    shape, others = records.Shape(), Unreadable()
    for _, record in _rows(text, found, []):
        shape.see(record)
    table = records.loaded(shape, lambda: _rows(text, found, others), bench)
    table.rejected = others
    where = found.replace(".item", "[*]") or "the document itself"
    table.messages.insert(0, f"encoding {text.encoding}, rows in {where}")
    mend(table, options, bench, text.holds)
    return [table]


def place(text: Text, pinned: str | None) -> str:
    """Where the rows are, as ijson writes it: the only list of objects, or the one that an officer
    pinned. Raises as `decode`."""
    wanted = None if pinned is None else json_path.dotted(pinned)
    return _choose(_lists(text, wanted), pinned).prefix


def has_list(text: Text, place: str) -> bool:
    """Whether a document has a list at a place. Raises JsonBroken and the like."""
    return bool(_lists(text, place))


def _lists(text: Text, wanted: str | None) -> list[_Found]:
    """The lists that could be the rows: those outside of other lists, or the one that is wanted.

    The whole document is read, and refused where it is not valid, ambiguous or too deep.
    """
    stream = JsonStream(text.iter_utf8(), LONGEST_VALUE_BYTES)
    lists: dict[str, _Found] = {}
    # What is open: an object's keys (a list has none), and the list that it is found as.
    keys: list[set[str] | None] = []
    found: list[_Found | None] = []
    row_depth: int | None = None
    row_start = 0
    for steps, name, event, value in _events(stream):
        if event == "map_key":
            _note_key(keys[-1], value, stream)
            continue
        if event in ("end_map", "end_array"):
            keys.pop()
            found.pop()
            row_depth = None if row_depth == len(keys) else row_depth
            continue
        within = found[-1] if found else None
        if within is not None:
            within.objects += event == "start_map"
            within.others += event != "start_map"
        if event in ("start_map", "start_array"):
            if within is not None:
                row_depth, row_start = len(keys), stream.read_bytes
            is_list = event == "start_array"
            could_be = is_list and (wanted is not None or None not in keys)
            place = prefix(steps, name) if could_be else ""
            keys.append(None if is_list else set())
            could_be = could_be and wanted in (None, place)
            found.append(_opened(lists, place) if could_be else None)
        if row_depth is not None and stream.read_bytes - row_start > LONGEST_ROW_BYTES:
            raise LineTooLong(
                f"A row of the document is longer than {LONGEST_ROW_BYTES >> 20} MiB, near byte "
                f"{row_start}."
            )
    return list(lists.values())


def _note_key(keys: set[str] | None, key: str, stream: JsonStream) -> None:
    if keys is None:
        return
    if key in keys:
        raise JsonBroken(
            f"The key {key[:60]!r} occurs twice in one object, near byte {stream.read_bytes}."
        )
    if len(keys) >= _MOST_KEYS:
        raise TooManyColumns(f"An object of the document has more than {_MOST_KEYS} keys.")
    keys.add(key)


def _opened(lists: dict[str, _Found], place: str) -> _Found:
    found = lists.setdefault(place, _Found(place))
    found.times += 1
    if len(lists) > _MOST_LISTS:
        raise RowsNotFound(
            f"The document has more than {_MOST_LISTS} lists; pin the option `rows`."
        )
    return found


def _choose(lists: list[_Found], pinned: str | None) -> _Found:
    with_objects = [found for found in lists if found.objects]
    if len(with_objects) == 1:
        (found,) = with_objects
        if pinned is None and found.times > 1:
            raise RowsNotFound(f"The document has two different lists called {found.prefix!r}.")
        return found
    if with_objects:
        shown = "; ".join(
            f"{found.prefix or '$'} ({found.objects} rows)" for found in with_objects[:_SHOWN_LISTS]
        )
        raise RowsNotFound(
            f"The document has {len(with_objects)} lists of objects: {shown}. Pin the option "
            "`rows` to one of them.",
            found=len(with_objects),
        )
    if pinned is not None and not lists:
        raise RowsNotFound(f"The document has no list at {pinned!r}; correct the option `rows`.")
    if lists and not any(found.others for found in lists):
        raise TableEmpty("The list of the document is empty; nothing was published.")
    raise RowsNotFound("The document has no list of objects that could be rows.", found=0)


def _events(stream: JsonStream) -> Iterator[tuple[list[str], str, str, Any]]:
    try:
        yield from walk(stream)
    except (ijson.JSONError, UnicodeDecodeError, ValueError, OverflowError) as error:
        raise JsonBroken(_sentence(error, stream)) from error


def _sentence(error: Exception, stream: JsonStream) -> str:
    said = str(error)
    place = f"near byte {stream.read_bytes}"
    if "premature" in said or "incomplete" in said.lower():
        return f"The JSON ends in the middle, {place}: the file is truncated."
    if "NaN" in said or "Infinity" in said:
        return f"The file is no valid JSON, {place}: JSON has no NaN and no Infinity."
    return f"The file is no valid JSON, {place}: {said.splitlines()[0][:100] if said else 'error'}."


def _rows(text: Text, place: str, others: list[Rejected]) -> Iterator[tuple[int, dict[str, Any]]]:
    # Twice as long: what stands between two rows comes on top.
    stream = JsonStream(text.iter_utf8(), 2 * LONGEST_ROW_BYTES)
    item = f"{place}.item" if place else "item"
    try:
        for number, row in enumerate(ijson.items(stream, item, buf_size=BUFFER_BYTES), start=1):
            stream.mark()
            if isinstance(row, dict):
                yield number, row
            else:
                others.append(
                    Rejected(
                        row=number,
                        column="",
                        value=(records.text(row) or "null")[:10_000],
                        reason_code="not_an_object",
                        reason="The row is no JSON object.",
                    )
                )
    except (ijson.JSONError, UnicodeDecodeError) as error:
        raise JsonBroken(_sentence(error, stream)) from error


def _refuse_lines(text: Text) -> None:
    """Raise FormatMismatch when every line is a document of its own."""
    lines = text.head(1 << 16).lstrip().splitlines()
    if len(lines) > 1 and all(line.startswith("{") for line in lines[:2]):
        try:
            json.loads(lines[0])
        except (ValueError, RecursionError):
            return
        raise FormatMismatch(
            "Every line of the file is a JSON object; choose the kind `ndjson`.", found="ndjson"
        )


CONNECTOR = Connector(
    kind="json",
    title="JSON document",
    help="The list of objects in the document becomes a table, an object a row; nested objects "
    "become columns named a.b, lists stay JSON texts. A document with several lists needs the "
    "option rows (elements, $.result.items, /result/items). Options: rows, encoding, columns.",
    decode=decode,
)
