"""JSON-stat 2.0, as statistical offices publish it (PX-Web, Eurostat): a dataset as a table.

https://json-stat.org/full/
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import simplejson  # type: ignore[import-untyped]

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


def decode(path: Path, options: Options, bench: Workbench) -> list[RawTable]:
    """The dataset's one table. Raises as `read`."""
    found = read(path, options.encoding)
    table = typed_rows.loaded(found.columns(), found.rows(), bench)
    table.messages += found.messages()
    mend(table, options, bench)
    return [table]


def read(path: Path, encoding: str | None = None) -> Cube:
    """Raises CubeBroken, SourceTooLarge, and the errors of `decode.text`."""
    if path.stat().st_size > LARGEST_BYTES:
        raise CubeBroken(f"The JSON-stat document is larger than {LARGEST_BYTES >> 20} MiB.")
    text = b"".join(decoding.text(path, encoding).iter_utf8())
    try:
        document = simplejson.loads(text, use_decimal=True)
    except (ValueError, RecursionError) as error:
        raise CubeBroken("The document is no valid JSON.") from error
    try:
        return _cube(document)
    except (KeyError, TypeError, AttributeError, ValueError, IndexError) as error:
        raise CubeBroken("The document is no dataset of JSON-stat 2.0.") from error


def _cube(document: Mapping[str, Any]) -> Cube:
    if document.get("class") != "dataset":
        raise CubeBroken("The document is no dataset of JSON-stat 2.0.")
    roles = document.get("role") or {}
    about = document["dimension"]
    dimensions = [_dimension(code, about[code]) for code in document["id"]]
    count = cube.check_size(dimensions)
    if [len(each.codes) for each in dimensions] != list(document["size"]):
        raise CubeBroken("The dimensions have other sizes than the document says.")
    metrics = [code for code in roles.get("metric") or [] if code in about]
    title = str(document.get("label") or "")
    extension = document.get("extension") or {}
    return Cube(
        title=title,
        dimensions=dimensions,
        values=_values(document, count),
        contents=_contents(dimensions, about, metrics[0] if metrics else None, title),
        metric=metrics[0] if metrics else None,
        renewed=str(document.get("updated") or ""),
        notes=[str(text) for text in [*(document.get("note") or []), *_notes(extension)]],
    )


def _dimension(code: str, about: Mapping[str, Any]) -> Dimension:
    category = about["category"]
    labels = category.get("label") or {}
    index = category.get("index")
    if index is None:
        # Of a single category its label is enough.
        codes = list(labels)
    elif isinstance(index, dict):
        codes = sorted(index, key=index.__getitem__)
        if [index[each] for each in codes] != list(range(len(codes))):
            raise CubeBroken(f"The categories of {code[:60]!r} are not numbered one by one.")
    else:
        codes = [str(each) for each in index]
    return Dimension(
        code=str(code),
        label=str(about.get("label") or code),
        codes=codes,
        labels=[str(labels.get(each, each)) for each in codes],
    )


def _contents(
    dimensions: list[Dimension], about: Mapping[str, Any], metric: str | None, title: str
) -> list[Content]:
    if metric is None:
        return [Content(cube.VALUE, cube.VALUE)]
    (dimension,) = (each for each in dimensions if each.code == metric)
    units = about[metric]["category"].get("unit") or {}
    found = []
    for code, label in zip(dimension.codes, dimension.labels, strict=True):
        said = units.get(code) or {}
        decimals = said.get("decimals")
        unit = said.get("base") or said.get("symbol") or said.get("label")
        known = decimals if type(decimals) is int else None
        found.append(Content(code, label or title, str(unit) if unit else None, known))
    return found


def _values(document: Mapping[str, Any], count: int) -> list[Any]:
    given, status = document["value"], document.get("status")
    values = _dense(given, count)
    if isinstance(status, str):
        signs: list[Any] = [status] * count
    else:
        signs = _dense(status or {}, count)
    return [
        sign if value is None and isinstance(sign, str) else _cell(value)
        for value, sign in zip(values, signs, strict=True)
    ]


def _dense(given: Any, count: int) -> list[Any]:
    """Cells that are a list of all, or an object of those that are there."""
    if isinstance(given, dict):
        found: list[Any] = [None] * count
        for place, value in given.items():
            if not 0 <= int(place) < count:
                raise CubeBroken("The document has a cell that no dimension leads to.")
            found[int(place)] = value
        return found
    if len(given) != count:
        raise CubeBroken(f"The document has {len(given)} cells; its dimensions have {count}.")
    return list(given)


def _cell(value: Any) -> Any:
    if isinstance(value, str):
        return cube.number_or_sign(value)
    if value is not None and not isinstance(value, bool | list | dict):
        return value
    if value is None:
        return None
    raise CubeBroken("A cell of the document is no number.")


def _notes(extension: Mapping[str, Any]) -> list[Any]:
    notes = extension.get("notes") or extension.get("note") or []
    texts = [each.get("text") if isinstance(each, dict) else each for each in notes]
    return [text for text in texts if text]


CONNECTOR = Connector(
    kind="jsonstat",
    title="JSON-stat 2.0 dataset",
    help="A statistical table: a row for each combination of categories, a column for each "
    "dimension (with its codes) and for each content, in its unit. Cells that say .. or the like "
    "are empty. Options: encoding, secret, columns.",
    decode=decode,
)
