"""PX files (PC-Axis), as statistical offices keep their tables: keywords with values, then the
cells.

https://www.scb.se/globalassets/vara-tjanster/px-programmen/px-file_format_specification_2013.pdf
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harvesters import decode as decoding
from harvesters.connectors import cube, typed_rows
from harvesters.connectors.base import Connector
from harvesters.connectors.cube import Content, Cube, Dimension
from harvesters.errors import CubeBroken
from harvesters.mending import mend
from harvesters.rawtable import RawTable
from harvesters.source import Options
from harvesters.workbench import Workbench

LARGEST_BYTES = 64 << 20
_KEYWORD = re.compile(
    r"\s*+([A-Z][A-Z0-9-]*+)(?:\[([^\]]*)\])?\s*+(?:\(((?:[^()\"]++|\"[^\"]*+\")*+)\))?\s*+="
)
_TEXT = re.compile(r'"([^"]*)"')
# A value ends with a semicolon that is in no text.
_VALUE = re.compile(r'(?:[^";]++|"[^"]*+")*+;')
_CELL = re.compile(r'"[^"]*"|[^\s,;"]+')


@dataclass
class _File:
    """Keywords with their (sub-keys → value), in the file's own language."""

    said: dict[str, dict[tuple[str, ...], str]] = field(default_factory=dict)
    cells: str = ""

    def texts(self, keyword: str, *keys: str) -> list[str]:
        return _texts(self.said.get(keyword, {}).get(keys, ""))

    def text(self, keyword: str, *keys: str) -> str:
        """The text of a keyword: its parts on several lines are one."""
        value = self.said.get(keyword, {}).get(keys, "")
        return "".join(_TEXT.findall(value)) if '"' in value else value.strip()


def decode(path: Path, options: Options, bench: Workbench) -> list[RawTable]:
    """The file's one table. Raises CubeBroken, SourceTooLarge, and the errors of `decode.text`."""
    if path.stat().st_size > LARGEST_BYTES:
        raise CubeBroken(f"The PX file is larger than {LARGEST_BYTES >> 20} MiB.")
    text = decoding.text(path, options.encoding)
    found = _cube(_parsed(b"".join(text.iter_utf8()).decode()))
    table = typed_rows.loaded(found.columns(), found.rows(), bench)
    table.messages += found.messages()
    mend(table, options, bench, text.holds)
    return [table]


def _cube(file: _File) -> Cube:
    dimensions = [_dimension(name, file) for name in file.texts("STUB") + file.texts("HEADING")]
    count = cube.check_size(dimensions)
    if "KEYS" in file.said:
        raise CubeBroken("The PX file lists only some of its cells (KEYS), which is not read.")
    metric = file.text("CONTVARIABLE") or None
    if metric and metric not in {each.code for each in dimensions}:
        raise CubeBroken("The PX file's CONTVARIABLE is none of its variables.")
    return Cube(
        title=file.text("TITLE") or file.text("DESCRIPTION") or file.text("CONTENTS"),
        dimensions=dimensions,
        values=_values(file.cells, count),
        contents=_contents(dimensions, metric, file),
        metric=metric,
        renewed=file.text("LAST-UPDATED"),
        notes=[
            text.replace("#", " ")
            for keyword in ("NOTEX", "NOTE")
            for keys in file.said.get(keyword, {})
            if (text := file.text(keyword, *keys))
        ],
    )


def _parsed(text: str) -> _File:
    file = _File()
    at = 0
    while match := _KEYWORD.match(text, at):
        name, language, keys = match[1], match[2], match[3]
        if name == "DATA":
            file.cells = text[match.end() :]
            return file
        value = _VALUE.match(text, match.end())
        if value is None:
            break
        # What is said in a further language has it in brackets.
        if language is None:
            file.said.setdefault(name, {})[tuple(_texts(keys or ""))] = value[0][:-1]
        at = value.end()
    raise CubeBroken("The file is no PX file, or ends before its cells (DATA).")


def _texts(value: str) -> list[str]:
    return [text.strip() for text in _TEXT.findall(value)]


def _dimension(name: str, file: _File) -> Dimension:
    labels = _listed(file, "VALUES", name)
    codes = _listed(file, "CODES", name) or labels
    return Dimension(name, name, codes, labels)


def _listed(file: _File, keyword: str, name: str) -> list[str]:
    """Texts with commas between them; one that is cut into lines goes on without a comma."""
    value = file.said.get(keyword, {}).get((name,), "")
    joined = re.sub(r'"\s*\n\s*"', "", value)
    return _texts(joined)


def _contents(dimensions: list[Dimension], metric: str | None, file: _File) -> list[Content]:
    decimals = file.text("DECIMALS")
    known = int(decimals) if decimals.isdecimal() else None
    if metric is None:
        return [Content(cube.VALUE, cube.VALUE, file.text("UNITS") or None, known)]
    (dimension,) = (each for each in dimensions if each.code == metric)
    found = []
    for code, label in zip(dimension.codes, dimension.labels, strict=True):
        unit = file.text("UNITS", label) or file.text("UNITS")
        precision = file.text("PRECISION", metric, label)
        own = int(precision) if precision.isdecimal() else known
        found.append(Content(code, label, unit or None, own))
    return found


def _values(cells: str, count: int) -> list[Any]:
    found: list[Any] = []
    for text in _cells(cells):
        if len(found) >= count:
            raise CubeBroken(f"The PX file has more cells than its variables: over {count}.")
        found.append(cube.number_or_sign(text.strip('"')))
    if len(found) < count:
        raise CubeBroken(f"The PX file has {len(found)} cells; its variables have {count}.")
    return found


def _cells(text: str) -> Iterator[str]:
    for match in _CELL.finditer(text):
        yield match[0]


CONNECTOR = Connector(
    kind="px",
    title="PX file (PC-Axis)",
    help="A statistical table: a row for each combination of values, a column for each variable "
    "(with its codes) and for each content, in its unit. Cells that say .. or the like are empty. "
    "Options: encoding, secret, columns.",
    decode=decode,
)
