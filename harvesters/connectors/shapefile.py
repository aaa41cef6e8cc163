"""Zipped Shapefiles: a .shp with its .shx, .dbf and .prj is a table."""

from __future__ import annotations

import struct
import zipfile
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

import numpy as np

from harvesters import apart, archive, encodings
from harvesters.connectors.base import Connector
from harvesters.connectors.dbf_texts import mend_bytes
from harvesters.connectors.parquet import pinned_types
from harvesters.decode import refuse_other_formats
from harvesters.errors import FormatMismatch, LayerBroken, PartNotFound
from harvesters.mending import mend
from harvesters.rawtable import RawTable
from harvesters.source import Options
from harvesters.workbench import Workbench

READER = "harvesters.readers.layers"
_NEEDED = (".shp", ".shx", ".dbf")
_TAKEN = (*_NEEDED, ".prj", ".cpg")
_SHP_MAGIC = b"\x00\x00\x27\x0a"
_LONGEST_WORD = 64
_HEADER_BYTES = 100
# Of a .dbf: its first part, and each of its fields after that.
_FIELD_BYTES = 32
_LONG_NUMBER = 19


@dataclass
class _Layer:
    """The members of one Shapefile, by their endings."""

    name: str
    members: dict[str, zipfile.ZipInfo] = field(default_factory=dict)


def decode(path: Path, options: Options, bench: Workbench) -> list[RawTable]:
    """A table for each Shapefile in the zip, or those that `parts` names.

    Raises LayerBroken, PartNotFound, CrsMissing, CrsUnsupported and the errors of archives.
    """
    with path.open("rb") as file:
        head = file.read(4096)
    if head.startswith(_SHP_MAGIC):
        raise LayerBroken("A .shp alone is no layer: its .shx, .dbf and .prj must come in one zip.")
    if not head.startswith(b"PK"):
        refuse_other_formats(head)
        raise FormatMismatch("The file is no zip archive of a Shapefile.")
    tables: list[RawTable] = []
    with archive.opened(path) as opened:
        layers = _layers(opened, options.parts)
        for number, layer in enumerate(layers):
            table = _table(opened, layer, bench.folder / f"layer-{number}", options, bench)
            table.part = layer.name if len(layers) > 1 else ""
            tables.append(table)
    return tables


def _layers(opened: zipfile.ZipFile, parts: str | None) -> list[_Layer]:
    found: dict[str, _Layer] = {}
    for member in opened.infolist():
        path = PurePosixPath(member.filename)
        if path.suffix.lower() in _TAKEN and "__MACOSX" not in path.parts:
            stem = str(path.with_suffix(""))
            layer = found.setdefault(stem.lower(), _Layer(path.stem))
            layer.members[path.suffix.lower()] = member
    layers = [layer for layer in found.values() if ".shp" in layer.members]
    wanted = [layer for layer in layers if fnmatchcase(layer.name, parts or "*")]
    if not wanted:
        names = ", ".join(repr(layer.name) for layer in layers[:10]) or "none"
        raise PartNotFound(f"The zip has no Shapefile that is wanted; it has: {names}.")
    return wanted


def _table(
    opened: zipfile.ZipFile, layer: _Layer, folder: Path, options: Options, bench: Workbench
) -> RawTable:
    missing = [ending for ending in _NEEDED if ending not in layer.members]
    if missing:
        raise LayerBroken(f"The Shapefile {layer.name!r} lacks its {', '.join(missing)} file.")
    folder.mkdir()
    for ending, member in layer.members.items():
        archive.extract(opened, member, folder / f"layer{ending}")
    _refuse_truncated(folder, layer.name)
    long_numbers = _call_texts(folder / "layer.dbf")
    said = folder / "layer.cpg"
    encoding = None
    if said.exists():
        encoding = said.read_bytes()[:_LONGEST_WORD].decode("ascii", errors="replace").strip()
        said.unlink()
    arguments = {"pins": pinned_types(options), "crs": options.crs, "any_bytes": True}
    (table,) = apart.tables(
        READER, folder / "layer.shp", arguments, bench, beside=folder, are_bytes=True
    )
    for each in folder.iterdir():
        each.unlink()
    table.columns = [
        replace(column, type=None) if column.header in long_numbers else column
        for column in table.columns
    ]
    known = mend_bytes(table, options.encoding, encoding, bench)
    mend(table, options, bench, known)
    return table


def _call_texts(dbf: Path) -> set[str]:
    """Have whole numbers of more digits than GDAL's integers have read as texts: as floats, which
    it would make of them, two identifiers become one. Their names, whose types are to be inferred.
    """
    names: set[str] = set()
    with dbf.open("r+b") as file:
        (header_bytes,) = struct.unpack_from("<H", file.read(_FIELD_BYTES), 8)
        for at in range(_FIELD_BYTES, header_bytes - 1, _FIELD_BYTES):
            file.seek(at)
            about = file.read(_FIELD_BYTES)
            if len(about) < _FIELD_BYTES or about.startswith(b"\r"):
                break
            kind, width, decimals = about[11:12], about[16], about[17]
            if kind == b"N" and width >= _LONG_NUMBER and not decimals:
                file.seek(at + 11)
                file.write(b"C")
                names.add(about[:11].split(b"\0")[0].decode(encodings.LATIN))
    return names


def _refuse_truncated(folder: Path, name: str) -> None:
    """GDAL gives what there is of a file and calls the rest empty; the headers know better."""
    for ending in (".shp", ".shx"):
        path = folder / f"layer{ending}"
        with path.open("rb") as file:
            head = file.read(_HEADER_BYTES)
        if len(head) < _HEADER_BYTES or not head.startswith(_SHP_MAGIC):
            raise LayerBroken(f"The {ending} file of {name!r} is no Shapefile.")
        (words,) = struct.unpack_from(">i", head, 24)
        if words * 2 > path.stat().st_size:
            raise LayerBroken(f"The {ending} file of {name!r} is truncated.")
    _refuse_garbled(folder, name)
    table = folder / "layer.dbf"
    with table.open("rb") as file:
        head = file.read(32)
    if len(head) < 32:
        raise LayerBroken(f"The .dbf file of {name!r} is truncated.")
    rows, header_bytes, row_bytes = struct.unpack_from("<IHH", head, 4)
    if header_bytes + rows * row_bytes > table.stat().st_size + 1:
        raise LayerBroken(f"The .dbf file of {name!r} is truncated.")


def _refuse_garbled(folder: Path, name: str) -> None:
    """Every record that the index names is a shape of the file's own type, or an empty one."""
    shapes = np.memmap(folder / "layer.shp", dtype=np.uint8, mode="r")
    index = np.fromfile(folder / "layer.shx", dtype=">i4", offset=_HEADER_BYTES)
    # An offset in words of two bytes; the record's own header takes eight more.
    starts = index[: len(index) // 2 * 2 : 2].astype(np.int64) * 2 + 8
    own_type = int(shapes[32:36].view("<i4")[0])
    inside = (starts >= _HEADER_BYTES) & (starts + 4 <= len(shapes))
    wrong = np.flatnonzero(~inside)
    if not len(wrong):
        found = sum(shapes[starts + at].astype(np.int64) << (8 * at) for at in range(4))
        wrong = np.flatnonzero((found != 0) & (found != own_type))
    if len(wrong):
        raise LayerBroken(f"Shape {wrong[0] + 1} of {name!r} is damaged.")


CONNECTOR = Connector(
    kind="shapefile",
    title="Shapefile (zip)",
    help="A feature is a row: its attributes, lon and lat, its box, and its geometry as WKB, moved "
    "to longitude and latitude (VN-2000 included). The zip must hold .shp, .shx, .dbf and .prj. "
    "Several layers are tables named <table>_<layer>. Options: crs (without .prj), encoding "
    "(without .cpg it is found out), parts (a pattern of layers), columns.",
    decode=decode,
)
