"""The kinds of source, in an officer's words. A new kind is one more row."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit


def N_(text: str) -> str:
    """Marks a text for translation; it is translated where it is shown."""
    return text


@dataclass(frozen=True)
class Kind:
    """A kind of source: its title, what it is for, and the endings of URLs that suggest it.

    ``many_tables``: its table's name is the beginning of the names of all its tables.
    ``catalogue``: it has many datasets, each described there.
    ``reading``: the options that say how its files are read (``reading.READING``).
    ``schemes``: those of its addresses where they are not http's.
    """

    title: str
    explanation: str
    suffixes: tuple[str, ...] = ()
    many_tables: bool = False
    catalogue: bool = False
    reading: tuple[str, ...] = ()
    schemes: tuple[str, ...] = ()


HEADER = ("header_row", "header_rows", "skip_rows", "row_kind")
TEXT = ("encoding", "delimiter", "decimal", *HEADER)
SHEET = ("sheet", "tables", *HEADER)
DOCUMENT = ("rows", "encoding")
LAYER = ("parts", "crs", "encoding")
# Of what has files of any kind: the options hold for those that they are for.
FILES = ("encoding", "delimiter", "decimal", "sheet", "tables", *HEADER, "rows", "crs")

KINDS: dict[str, Kind] = {
    "csv": Kind(
        N_("CSV or text table"),
        N_(
            "One table in a text file (.csv, .tsv, .txt); encoding, separator and header are found."
        ),
        (".csv", ".tsv", ".txt"),
        reading=TEXT,
    ),
    "excel": Kind(
        N_("Excel or OpenDocument workbook"),
        N_("A sheet of a workbook (.xlsx, .xls, .ods), old Vietnamese fonts included."),
        (".xlsx", ".xls", ".xlsm", ".ods"),
        reading=SHEET,
    ),
    "geojson": Kind(
        N_("GeoJSON map layer"),
        N_("Points, lines or areas with their properties (.geojson, .json)."),
        (".geojson", ".json"),
    ),
    "json": Kind(
        N_("JSON document"),
        N_("A list of records in a JSON file; where the list stands is found or named."),
        reading=DOCUMENT,
    ),
    "ndjson": Kind(
        N_("JSON lines"),
        N_("One JSON record a line (.ndjson, .jsonl)."),
        (".ndjson", ".jsonl"),
        reading=("encoding",),
    ),
    "xml": Kind(
        N_("XML document"),
        N_("The element that repeats is a row; which one it is, is found or named (.xml)."),
        (".xml",),
        reading=DOCUMENT,
    ),
    "kml": Kind(
        N_("KML map layer"),
        N_("Places of Google Earth and the like, with their data (.kml, .kmz)."),
        (".kml", ".kmz"),
        reading=("parts",),
    ),
    "parquet": Kind(
        N_("Parquet file"),
        N_("A table with its own types (.parquet); places of GeoParquet are understood."),
        (".parquet",),
        reading=("crs",),
    ),
    "shapefile": Kind(
        N_("Shapefile in a zip"),
        N_("Map layers with .shp, .shx, .dbf and .prj; VN-2000 is converted."),
        many_tables=True,
        reading=LAYER,
    ),
    "geopackage": Kind(
        N_("GeoPackage"),
        N_("Map layers in one file (.gpkg); VN-2000 is converted."),
        (".gpkg",),
        many_tables=True,
        reading=("parts", "crs"),
    ),
    "rest": Kind(
        N_("JSON API in pages"),
        N_("The records of all pages of an API; how it turns its pages is found or chosen."),
        reading=("paging", "page_parameter", "first_page", "next", "rows"),
    ),
    "arcgis": Kind(
        N_("ArcGIS layer"),
        N_("A layer or table of an ArcGIS server (…/FeatureServer/0)."),
    ),
    "ogcapi": Kind(
        N_("OGC API – Features"),
        N_("The map layers of a server, or one of them (…/collections/name)."),
        many_tables=True,
        reading=("parts",),
    ),
    "sensorthings": Kind(
        N_("SensorThings API"),
        N_(
            "Measurements of sensors (…/v1.1): where they stand, and a table for each thing that "
            "is measured."
        ),
        many_tables=True,
    ),
    "wfs": Kind(
        N_("Web Feature Service (WFS)"),
        N_("The map layers of a server (…/ows?service=WFS); each becomes a dataset."),
        many_tables=True,
        catalogue=True,
        reading=("parts",),
    ),
    "sql": Kind(
        N_("SQL database"),
        N_("A table or a SELECT of PostgreSQL or MariaDB (postgresql://host/name)."),
        reading=("query", "key", "crs"),
        schemes=("postgresql", "postgres", "mariadb", "mysql", "mssql", "oracle"),
    ),
    "s3": Kind(
        N_("S3 bucket"),
        N_("The files of a bucket (https://host/bucket/folder/); each becomes a dataset."),
        many_tables=True,
        catalogue=True,
        reading=("parts", "region", *FILES),
    ),
    "sftp": Kind(
        N_("SFTP folder"),
        N_("The files of a folder (sftp://host/folder/); each becomes a dataset."),
        many_tables=True,
        catalogue=True,
        reading=("host_key", "parts", *FILES),
        schemes=("sftp",),
    ),
    "gtfs": Kind(
        N_("GTFS public transport timetable"),
        N_("A zip file of stops, routes and timetables; every file in it becomes a table."),
        (".zip",),
        many_tables=True,
    ),
    "gtfs_rt": Kind(
        N_("GTFS-Realtime live feed"),
        N_("Where vehicles are, how late trips run, and alerts (.pb); each becomes a table."),
        (".pb",),
        many_tables=True,
    ),
    "px": Kind(
        N_("PX file of a statistical office"),
        N_("A statistical table (.px): a row for each combination, in the units it says."),
        (".px",),
        reading=("encoding",),
    ),
    "jsonstat": Kind(
        N_("JSON-stat dataset"),
        N_("A statistical table in JSON-stat 2.0, as Eurostat and others give it."),
        reading=("encoding",),
    ),
    "archive": Kind(
        N_("Archive of tables (zip, gz, tar.gz)"),
        N_("Every table file in the archive becomes a table; a single one is the table."),
        (".gz", ".tgz", ".tar"),
        many_tables=True,
        reading=("parts", *FILES),
    ),
    "ckan": Kind(
        N_("Another CKAN catalogue"),
        N_("The address of a CKAN portal; its datasets and their files are taken over."),
        many_tables=True,
        catalogue=True,
        reading=FILES,
    ),
    "opendatasoft": Kind(
        N_("Opendatasoft portal"),
        N_(
            "The address of a portal, or of one of its datasets (…/explore/dataset/name); fields "
            "keep their types and units."
        ),
        many_tables=True,
        catalogue=True,
    ),
    "socrata": Kind(
        N_("Socrata site"),
        N_(
            "The address of a site, or of one of its datasets (…/d/abcd-1234); only rows that "
            "changed are asked for."
        ),
        many_tables=True,
        catalogue=True,
    ),
    "pxweb": Kind(
        N_("PX-Web statistics"),
        N_(
            "The tables of a statistical office (…/api/v1/vi), of a folder there, or one of them; "
            "only tables that were renewed are asked for."
        ),
        many_tables=True,
        catalogue=True,
    ),
    "dcat": Kind(
        N_("DCAT catalogue"),
        N_(
            "A catalogue in RDF/XML, Turtle, JSON-LD or data.json; its datasets and their files "
            "are taken over, page by page."
        ),
        (".rdf", ".ttl", ".jsonld", "/data.json"),
        many_tables=True,
        catalogue=True,
        reading=("rdf_format", *FILES),
    ),
}


def kind_of(name: str) -> Kind:
    """A kind by its name; one without a row is called by its name and may have many tables."""
    return KINDS.get(name) or Kind(name, "", many_tables=True)


def fits_scheme(url: str, name: str) -> bool:
    """Whether a kind of source has addresses of this URL's scheme."""
    scheme = urlsplit(url).scheme
    return scheme in (kind_of(name).schemes or ("http", "https", "upload"))


def guess_kind(url: str) -> str:
    """The kind that a URL's scheme or its path's ending suggests; ``csv`` when none does."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "csv"
    for name, kind in KINDS.items():
        if parts.scheme in kind.schemes:
            return name
    path = parts.path.lower()
    fitting = (name for name, kind in KINDS.items() if path.endswith(kind.suffixes or ("\x00",)))
    return next(fitting, "csv")
