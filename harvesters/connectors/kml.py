"""KML and KMZ (OGC 12-007r2): a Placemark is a row, with its data, its folder and its geometry."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from shapely.errors import ShapelyError
from shapely.geometry.base import BaseGeometry

from harvesters import archive, xml_stream
from harvesters.connectors import records
from harvesters.connectors.base import Connector
from harvesters.connectors.kml_shapes import points, shape_of, together
from harvesters.decode import Text
from harvesters.errors import FormatMismatch, PartNotFound, RowsNotFound, TooManyColumns
from harvesters.mending import mend
from harvesters.rawtable import MAX_COLUMNS, RawColumn, RawTable, text_schema
from harvesters.readers import places
from harvesters.source import Options
from harvesters.unreadable import Unreadable
from harvesters.workbench import Workbench
from harvesters.xml_stream import Walk
from lake.rejected import Rejected

# A Placemark's own elements that say something in a text.
_SAID = ("name", "description", "address", "phoneNumber", "when", "begin", "end")
_SHAPES = ("Point", "LineString", "LinearRing", "Polygon", "MultiGeometry")
_RESERVED = {each.name for each in places.FIELDS}


def decode(path: Path, options: Options, bench: Workbench) -> list[RawTable]:
    """The document's one table, of all Placemarks in all folders.

    Raises XmlBroken, XmlUnsafe, RowsNotFound, TooManyColumns and the errors of archives.
    """
    with path.open("rb") as file:
        packed = file.read(2) == b"PK"
    document = bench.folder / "document.kml" if packed else path
    if packed:
        _unpack(path, document, options.parts)
    text = xml_stream.text(document, options.encoding)
    headers: dict[str, None] = {}
    count = linked = 0
    for reader in _passed(text):
        for row in reader.finished:
            headers.update(dict.fromkeys(row.data))
            count += 1
            if len(headers) > MAX_COLUMNS:
                raise TooManyColumns(f"The Placemarks have over {MAX_COLUMNS} different names.")
        linked = reader.links
    if not count:
        more = " It only links to others: give the address of one of those." if linked else ""
        raise RowsNotFound(f"The KML has no Placemark.{more}", found=0)
    rejected = Unreadable()
    columns = [RawColumn(f"c{index}", header) for index, header in enumerate(headers)]
    keys = [column.key for column in columns]
    by_key = dict(zip(headers, keys, strict=True))
    schema = text_schema(len(keys), places.FIELDS)
    name = bench.load(
        schema, records.batches(_located(text, by_key, rejected), keys, set(), places.FIELDS)
    )
    messages = [f"{count} Placemarks"]
    if linked:
        messages.append(f"{linked} links to other documents (NetworkLink) were not followed")
    table = RawTable(name, columns + places.COLUMNS, rejected=rejected, messages=messages)
    mend(table, options, bench, text.holds)
    if packed:
        document.unlink()
    return [table]


def _unpack(path: Path, document: Path, parts: str | None) -> None:
    """The document of a KMZ: doc.kml, or the only one, or the one that `parts` names."""
    with archive.opened(path) as opened:
        found = [
            member
            for member in opened.infolist()
            if PurePosixPath(member.filename).suffix.lower() == ".kml"
            and (parts is None or PurePosixPath(member.filename).match(parts))
        ]
        main = [member for member in found if member.filename.lower() == "doc.kml"] or found
        if len(main) != 1:
            names = ", ".join(repr(member.filename) for member in found[:10]) or "none"
            raise PartNotFound(f"The KMZ has no single KML document ({names}); pin `parts`.")
        archive.extract(opened, main[0], document)


def _passed(text: Text) -> Iterator[_Placemarks]:
    reader = _Placemarks()
    walk = Walk(reader.begin, reader.end, reader.letters)
    for _ in walk.pass_over(text):
        if reader.root and reader.root != "kml":
            raise FormatMismatch(f"The document is no KML: its root is {reader.root!r}.")
        yield reader
        if reader.finished:
            walk.forget()
        reader.finished = []


def _located(
    text: Text, by_key: Mapping[str, str], rejected: list[Rejected]
) -> Iterator[tuple[int, dict[str, Any]]]:
    number = 0
    for reader in _passed(text):
        for row in reader.finished:
            number += 1
            try:
                located = places.of(row.geometry())
            except (ValueError, ShapelyError):
                reason = "The Placemark has no readable geometry in longitude and latitude."
                rejected.append(Rejected(number, "geometry", None, "geometry_invalid", reason))
                continue
            cells: dict[str, Any] = {by_key[name]: value for name, value in row.data.items()}
            cells |= {each.name: value for each, value in zip(places.FIELDS, located, strict=True)}
            yield number, cells


class _Placemark:
    """One row while it is read: texts by name, and coordinates by the shapes around them."""

    def __init__(self, folder: str) -> None:
        self.data: dict[str, str] = {}
        self._shapes: list[tuple[str, list[str]]] = []
        if folder:
            self.data["folder"] = folder

    def say(self, name: str, value: str) -> None:
        if value:
            # A datum called lon is not the place's own.
            key = f"{name}_2" if name in _RESERVED else name
            before = self.data.get(key)
            self.data[key] = value if before is None else f"{before}; {value}"

    def open_shape(self, shape: str) -> None:
        self._shapes.append((shape, []))

    def coordinates(self, written: str) -> None:
        if not self._shapes:
            self._shapes.append(("Point", []))
        self._shapes[-1][1].append(written)

    def geometry(self) -> BaseGeometry | None:
        """Raises ValueError, ShapelyError."""
        found = [
            shape_of(shape, [points(each) for each in written])
            for shape, written in self._shapes
            if written
        ]
        if not found:
            return None
        return found[0] if len(found) == 1 else together(found)


class _Placemarks:
    """Gathers the Placemark that is open, and those that are finished."""

    def __init__(self) -> None:
        self.finished: list[_Placemark] = []
        self.root = ""
        self.links = 0
        self._open: list[str] = []
        self._folders: list[str] = []
        self._row: _Placemark | None = None
        self._datum = ""
        self._text: list[str] = []

    def begin(self, name: str, attributes: Mapping[str, str]) -> None:
        self.root = self.root or name
        self._open.append(name)
        self._text = []
        self.links += name == "NetworkLink"
        if name in ("Folder", "Document"):
            self._folders.append("")
        elif name == "Placemark":
            folder = " / ".join(folder for folder in self._folders if folder)
            self._row = _Placemark(folder)
        elif name in ("Data", "SimpleData"):
            self._datum = attributes.get("name", "")
        elif self._row is not None and name in _SHAPES:
            self._begin_shape(name)

    def _begin_shape(self, name: str) -> None:
        assert self._row is not None  # noqa: S101  (only called inside of a Placemark)
        # The rings of a polygon are its own coordinates, one after the other.
        inside_polygon = "Polygon" in self._open[:-1]
        if name != "MultiGeometry" and not inside_polygon:
            self._row.open_shape(name)

    def letters(self, letters: str) -> None:
        self._text.append(letters)

    def end(self, name: str) -> None:
        said = "".join(self._text).strip()
        self._text = []
        self._open.pop()
        row = self._row
        if name in ("Folder", "Document"):
            self._folders.pop()
        elif row is None:
            # The document's own name is no folder of the data.
            if name == "name" and self._parent() == "Folder":
                self._folders[-1] = said
        elif name == "Placemark":
            self.finished.append(row)
            self._row = None
        elif name == "coordinates":
            row.coordinates(said)
        elif name == "SimpleData" or (name == "value" and self._parent() == "Data"):
            row.say(self._datum or "value", said)
        elif name in _SAID and self._parent() in ("Placemark", "TimeStamp", "TimeSpan"):
            row.say(name, said)

    def _parent(self) -> str:
        return self._open[-1] if self._open else ""


CONNECTOR = Connector(
    kind="kml",
    title="KML, KMZ",
    help="A Placemark is a row: its name, description, folder and extended data, lon and lat, its "
    "box, and its geometry as WKB. Links to other documents are not followed. Options: parts (of "
    "a KMZ with several documents), columns.",
    decode=decode,
)
