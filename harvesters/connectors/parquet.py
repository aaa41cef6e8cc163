"""Parquet: columns that come with their types, and GeoParquet's geometries."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from harvesters import apart
from harvesters.connectors.base import Connector
from harvesters.decode import refuse_other_formats
from harvesters.errors import ParquetBroken, ParquetEncrypted, ReaderDied
from harvesters.mending import mend
from harvesters.rawtable import RawTable
from harvesters.source import Options
from harvesters.workbench import Workbench

_READER = "harvesters.readers.parquet"


def decode(
    path: Path, options: Options, bench: Workbench, as_text: Collection[str] = ()
) -> list[RawTable]:
    """The file's one table; the type of the columns `as_text` is found out from their texts.

    Raises the errors of the reader and of `apart.tables`.
    """
    with path.open("rb") as file:
        head = file.read(4096)
    if head.startswith(b"PARE"):
        raise ParquetEncrypted("The Parquet file is encrypted.")
    if not head.startswith(b"PAR1"):
        refuse_other_formats(head)
        raise ParquetBroken("The file is no Parquet file.")
    pins = {**dict.fromkeys(as_text, "string"), **pinned_types(options)}
    arguments = {"pins": pins, "crs": options.crs}
    try:
        found = apart.tables(_READER, path, arguments, bench)
    except ReaderDied as died:
        # Encrypted columns below a plain footer end the library's process.
        if "crypt" in died.facts.get("said", ""):
            raise ParquetEncrypted("Columns of the Parquet file are encrypted.") from died
        raise
    for table in found:
        mend(table, options, bench)
    return found


def pinned_types(options: Options) -> dict[str, str]:
    """The types that an officer pinned, by the name of the column."""
    return {name: pin.type for name, pin in options.columns.items() if pin.type}


CONNECTOR = Connector(
    kind="parquet",
    title="Parquet, GeoParquet",
    help="Columns keep their types; structs become columns named a.b, lists of simple values stay "
    "lists, other nested values JSON texts. GeoParquet's geometry is moved to longitude and "
    "latitude. Options: crs, columns.",
    decode=decode,
)
