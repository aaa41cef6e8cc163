"""Map layers of Shapefiles and GeoPackages, read apart (`harvesters.apart`) by GDAL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyogrio  # type: ignore[import-untyped]
from pyogrio import errors as gdal_errors
from pyogrio import raw

from harvesters.errors import CrsMissing, LayerBroken, PartNotFound
from harvesters.rawtable import ROW
from harvesters.readers import arrow_columns, places
from harvesters.readers.arrow_columns import Kept
from harvesters.readers.parquet import as_text
from harvesters.readers.process import REJECTED, Table

BATCH_ROWS = 2_048
MAX_LAYERS = 200
# Every byte is a character of it: what the bytes mean is found out from all of them, later.
ANY_BYTES = "ISO-8859-1"
# What programs keep beside the data.
_NO_DATA = ("layer_styles", "qgis_projects")
_GDAL_ERRORS = (
    *(gdal_errors.DataSourceError, gdal_errors.DataLayerError, gdal_errors.FieldError),
    *(gdal_errors.GeometryError, gdal_errors.CRSError, pa.ArrowException, OSError, UnicodeError),
)


def read(path: Path, arguments: Mapping[str, Any]) -> Iterator[Table]:
    """The layers of a file as tables. `arguments`: `pins` (type by column), `crs`, `parts` (a
    pattern of layers), `any_bytes` (texts are bytes of an encoding not known yet).

    Raises LayerBroken, PartNotFound, CrsMissing, CrsUnsupported, TooManyColumns.
    """
    with named_errors():
        listed = [(str(name), kind) for name, kind in pyogrio.list_layers(path)]
    wanted = [
        (name, kind)
        for name, kind in listed
        if name not in _NO_DATA and fnmatchcase(name, arguments.get("parts") or "*")
    ]
    if not wanted:
        names = ", ".join(repr(name) for name, _ in listed[:10]) or "none"
        raise PartNotFound(f"The file has no layer that is wanted; its layers: {names}.")
    if len(wanted) > MAX_LAYERS:
        raise PartNotFound(f"The file has {len(wanted)} layers; name some in the option `parts`.")
    for name, kind in wanted:
        encoding = ANY_BYTES if arguments.get("any_bytes") else None
        with (
            named_errors(),
            raw.open_arrow(
                path, layer=name, encoding=encoding, use_pyarrow=True, batch_size=BATCH_ROWS
            ) as (about, reader),
        ):
            part = name if len(wanted) > 1 else ""
            yield _table(part, kind is not None, about, reader, arguments)


@contextmanager
def named_errors() -> Iterator[None]:
    try:
        yield
    except _GDAL_ERRORS as error:
        raise LayerBroken("The map layer can't be read: it is damaged or incomplete.") from error


def _table(
    part: str,
    has_geometry: bool,
    about: Mapping[str, Any],
    reader: pa.RecordBatchReader,
    arguments: Mapping[str, Any],
) -> Table:
    geometry = (about["geometry_name"] or "wkb_geometry") if has_geometry else None
    others = pa.schema([each for each in reader.schema if each.name != geometry])
    columns = arrow_columns.kept(others, as_text(others, arguments["pins"]))
    fields = [pa.field(ROW, pa.int64()), *(each.field for each in columns)]
    listed = [each.column for each in columns]
    messages = []
    to_crs84 = None
    if geometry is not None:
        crs = arguments.get("crs") or about["crs"]
        if not crs:
            raise CrsMissing(
                "The layer does not say its coordinate system (a Shapefile's .prj file is missing);"
                " pin the option `crs`, such as EPSG:3405 (VN-2000 / UTM 48N)."
            )
        to_crs84 = places.transformer(crs)
        fields += places.FIELDS
        listed += places.COLUMNS
        messages.append(f"{about['geometry_type']} geometries in {places.name(crs)}")
        if places.is_guess(crs):
            messages.append(
                "how this coordinate system lies to WGS 84 is not known: places may be off by "
                "some hundred metres; pin the option `crs` if you know its code"
            )
    schema = pa.schema([*fields, pa.field(REJECTED, pa.string())])
    batches = places.batches(_rows(reader, columns, geometry), to_crs84, schema)
    return Table(schema, batches, listed, part, messages)


def _rows(
    reader: pa.RecordBatchReader, columns: list[Kept], geometry: str | None
) -> Iterator[places.Rows]:
    while True:
        with named_errors():
            batch = next(iter(reader), None)
            if batch is None:
                return
            kept = [each.convert(batch.column(each.column.header)) for each in columns]
        wkb = None if geometry is None else batch.column(geometry).to_pylist()
        yield places.Rows(len(batch), kept, wkb)
