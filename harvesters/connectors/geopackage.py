"""GeoPackage: the layers of an SQLite database of maps, a table each."""

from __future__ import annotations

from pathlib import Path

from harvesters import apart
from harvesters.connectors.base import Connector
from harvesters.connectors.parquet import pinned_types
from harvesters.connectors.shapefile import READER
from harvesters.decode import refuse_other_formats
from harvesters.errors import FormatMismatch
from harvesters.mending import mend
from harvesters.rawtable import RawTable
from harvesters.source import Options
from harvesters.workbench import Workbench

_SQLITE = b"SQLite format 3\x00"
# The application's number in the header of the database.
_NUMBERS = (b"GPKG", b"GP10", b"GP11")


def decode(path: Path, options: Options, bench: Workbench) -> list[RawTable]:
    """A table for each layer, or for those that `parts` names.

    Raises the errors of the reader and of `apart.tables`.
    """
    with path.open("rb") as file:
        head = file.read(4096)
    if not head.startswith(_SQLITE):
        refuse_other_formats(head)
    if not head.startswith(_SQLITE) or head[68:72] not in _NUMBERS:
        raise FormatMismatch("The file is no GeoPackage.")
    arguments = {
        "pins": pinned_types(options),
        "crs": options.crs,
        "parts": options.parts,
    }
    # GDAL goes by the ending of a name.
    named = bench.folder / "layers.gpkg"
    named.unlink(missing_ok=True)
    named.symlink_to(path.resolve())
    tables = apart.tables(READER, named, arguments, bench, beside=path.resolve())
    for table in tables:
        mend(table, options, bench)
    return tables


CONNECTOR = Connector(
    kind="geopackage",
    title="GeoPackage",
    help="A feature is a row: its attributes, lon and lat, its box, and its geometry as WKB, moved "
    "to longitude and latitude. Several layers are tables named <table>_<layer>. Options: crs, "
    "parts (a pattern of layers), columns.",
    decode=decode,
)
