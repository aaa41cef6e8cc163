"""XML tables: the element that repeats is a row, its attributes and children are columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path as File
from typing import Any

from harvesters import xml_stream
from harvesters.connectors import records
from harvesters.connectors.base import Connector
from harvesters.decode import Text
from harvesters.errors import RowsNotFound, TooManyColumns
from harvesters.mending import mend
from harvesters.rawtable import MAX_COLUMNS, RawTable
from harvesters.source import Options
from harvesters.workbench import Workbench
from harvesters.xml_stream import Walk

_MOST_PATHS = 10_000
_SHOWN = 8

Path = tuple[str, ...]


def decode(path: File, options: Options, bench: Workbench) -> list[RawTable]:
    """The document's one table. Passes: what repeats, what the rows have, and the rows.

    Raises XmlBroken, XmlUnsafe, RowsNotFound, NestedTooDeep, LineTooLong, TooManyColumns.
    """
    text = xml_stream.text(path, options.encoding)
    where = _row_path(_Survey(text), options.rows)
    shape = records.Shape()
    for _, record in rows(text, where):
        shape.see(record)
    table = records.loaded(shape, lambda: rows(text, where), bench)
    repeated = [f"“{name}”" for name in list(shape.lists)[:_SHOWN]]
    table.messages = [f"encoding {text.encoding}, rows are {'/'.join(where)}"]
    if repeated:
        table.messages.append(
            f"elements that occur several times in a row are JSON lists: {', '.join(repeated)}"
        )
    mend(table, options, bench, text.holds)
    return [table]


class _Survey:
    """How often each path of elements occurs, and which have something in them."""

    def __init__(self, text: Text) -> None:
        self.counts: Counter[Path] = Counter()
        self.filled: set[Path] = set()
        self._open: list[str] = []
        walk = Walk(self._begin, self._end, lambda _: None)
        for _ in walk.pass_over(text):
            walk.forget()

    def _begin(self, name: str, attributes: Mapping[str, str]) -> None:
        if self._open:
            self.filled.add(tuple(self._open))
        self._open.append(name)
        path = tuple(self._open)
        self.counts[path] += 1
        if attributes:
            self.filled.add(path)
        if len(self.counts) > _MOST_PATHS:
            raise TooManyColumns(f"The document has over {_MOST_PATHS} different elements.")

    def _end(self, _name: str) -> None:
        self._open.pop()


def _row_path(survey: _Survey, pinned: str | None) -> Path:
    if pinned is not None:
        steps = tuple(step for step in pinned.strip().removeprefix("$").split("/") if step)
        fitting = [path for path in survey.counts if steps and path[-len(steps) :] == steps]
        if len(fitting) != 1:
            raise RowsNotFound(
                f"The document has {len(fitting)} kinds of elements {pinned!r}; correct the option "
                f"`rows`, such as {_shown(_candidates(survey)) or 'list/row'}."
            )
        return fitting[0]
    found = _candidates(survey)
    if not found:
        raise RowsNotFound(
            "No element of the document repeats and has parts: no rows were found. If it has one "
            "row, pin its element in the option `rows`.",
            found=0,
        )
    if len(found) > 1:
        raise RowsNotFound(
            f"Several elements of the document repeat: {_shown(found)}. Pin the option `rows` to "
            "one of them.",
            found=len(found),
        )
    return found[0][0]


def _candidates(survey: _Survey) -> list[tuple[Path, int]]:
    """The outermost elements that repeat and have children or attributes, with their counts."""
    found: list[tuple[Path, int]] = []
    for path, count in sorted(survey.counts.items(), key=lambda item: len(item[0])):
        inside = any(path[: len(outer)] == outer for outer, _ in found)
        if count > 1 and path in survey.filled and not inside:
            found.append((path, count))
    return found


def _shown(found: list[tuple[Path, int]]) -> str:
    return "; ".join(f"{'/'.join(path)} ({count})" for path, count in found[:_SHOWN])


def rows(text: Text, where: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The elements at a path as records; a part that occurs again makes a list of its values."""
    reader = _Rows(where)
    walk = Walk(reader.begin, reader.end, reader.letters)
    number = 0
    for _ in walk.pass_over(text):
        for record in reader.finished:
            number += 1
            yield number, record
        if reader.finished:
            walk.forget()
        reader.finished = []


class _Rows:
    """Gathers the row that is open, and those that are finished."""

    def __init__(self, where: Path) -> None:
        self.finished: list[dict[str, Any]] = []
        self._where = list(where)
        self._open: list[str] = []
        self._record: dict[str, Any] | None = None
        # For every element open in the row: its text, and whether it is said to be nothing.
        self._texts: list[list[str]] = []

    def begin(self, name: str, attributes: Mapping[str, str]) -> None:
        self._open.append(name)
        if self._record is None and self._open == self._where:
            self._record = {}
            self._texts = []
        if self._record is not None:
            self._texts.append([])
            for key, value in attributes.items():
                self._put([*self._inner(), key], value)

    def letters(self, letters: str) -> None:
        if self._texts:
            self._texts[-1].append(letters)

    def end(self, name: str) -> None:
        if self._record is not None:
            said = "".join(self._texts.pop()).strip()
            inner = self._inner()
            if said:
                self._put(inner or [name], said)
            if not inner:
                self.finished.append(self._record)
                self._record = None
        self._open.pop()

    def _inner(self) -> list[str]:
        return self._open[len(self._where) :]

    def _put(self, path: list[str], value: str) -> None:
        assert self._record is not None  # noqa: S101  (only called inside of a row)
        key = ".".join(path)
        before = self._record.get(key)
        if before is None:
            self._record[key] = value
            if len(self._record) > MAX_COLUMNS:
                raise TooManyColumns(f"A row has more than {MAX_COLUMNS} parts.")
        elif isinstance(before, list):
            before.append(value)
        else:
            self._record[key] = [before, value]


CONNECTOR = Connector(
    kind="xml",
    title="XML table",
    help="The element that repeats is a row; its attributes and the elements in it are columns, "
    "nested ones named a.b. Where several elements repeat, pin rows (an element's name or path, "
    "such as danh_sach/phuong). Options: rows, encoding, columns.",
    decode=decode,
)
