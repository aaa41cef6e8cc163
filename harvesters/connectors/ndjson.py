"""Newline-delimited JSON (NDJSON, JSON Lines): every line is an object, an object is a row."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from harvesters import decode as decoding
from harvesters.connectors import records
from harvesters.connectors.base import Connector
from harvesters.decode import Text
from harvesters.errors import JsonBroken, LineTooLong, NestedTooDeep, TableEmpty
from harvesters.mending import mend
from harvesters.rawtable import RawTable
from harvesters.source import Options
from harvesters.unreadable import Unreadable
from harvesters.workbench import Workbench
from lake.rejected import Rejected

LONGEST_LINE_BYTES = 32 << 20
_SHOWN_LETTERS = 10_000
# RFC 7464 begins every record with it.
_RECORD_SEPARATOR = b"\x1e"


class _LineBroken(ValueError):
    """A line that is no JSON object; the message is the reason of its rejection."""


def decode(path: Path, options: Options, bench: Workbench) -> list[RawTable]:
    """The file's one table; a line that can't be read is a rejected row.

    Raises JsonBroken (not one line is an object), LineTooLong, NestedTooDeep, TooManyColumns,
    TableEmpty.
    """
    text = decoding.text(path, options.encoding)
    shape, rejected = records.Shape(), Unreadable()
    good = 0
    for _, record in _rows(text, rejected):
        shape.see(record)
        good += 1
    if not good:
        if rejected:
            raise JsonBroken(f"No line of the file is a JSON object: {rejected[0].reason}")
        raise TableEmpty("The file has no lines; nothing was published.")
    found = Unreadable()
    table = records.loaded(shape, lambda: _rows(text, found), bench)
    table.rejected = found
    table.messages.insert(0, f"encoding {text.encoding}, one JSON object a line")
    mend(table, options, bench, text.holds)
    return [table]


def _rows(text: Text, rejected: list[Rejected]) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(lines(text.iter_utf8()), start=1):
        document = line.strip().lstrip(_RECORD_SEPARATOR)
        if not document:
            continue
        try:
            yield number, _object(document)
        except RecursionError as error:
            raise NestedTooDeep(f"Line {number} is nested too deep.") from error
        except (ValueError, OverflowError) as error:
            reason = str(error) if isinstance(error, _LineBroken) else "The line is no valid JSON."
            rejected.append(
                Rejected(
                    row=number,
                    column="",
                    value=document[:_SHOWN_LETTERS].decode("utf-8", errors="replace"),
                    reason_code="json_broken",
                    reason=reason,
                )
            )


def lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The lines of a text. Raises LineTooLong."""
    held = b""
    for chunk in chunks:
        whole = (held + chunk).split(b"\n")
        held = whole.pop()
        yield from whole
        if len(held) > LONGEST_LINE_BYTES:
            raise LineTooLong(f"A line is longer than {LONGEST_LINE_BYTES >> 20} MiB.")
    yield held


def _object(document: bytes) -> dict[str, Any]:
    found = json.loads(
        document,
        parse_float=Decimal,
        parse_constant=_no_constant,
        object_pairs_hook=_without_duplicates,
    )
    if not isinstance(found, dict):
        raise _LineBroken("The line is no JSON object.")
    return records.whole(found) if records.HALF_LETTER.search(document) else found


def _no_constant(name: str) -> Any:
    raise _LineBroken(f"JSON has no {name}.")


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _LineBroken("A key occurs twice in one object.")
    return found


CONNECTOR = Connector(
    kind="ndjson",
    title="JSON lines (NDJSON)",
    help="Every line is a JSON object and becomes a row; nested objects become columns named a.b, "
    "lists stay JSON texts. Options: encoding, columns.",
    decode=decode,
)
