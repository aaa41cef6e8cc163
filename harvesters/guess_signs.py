"""What kinds of files and addresses are told by: magic bytes, patterns, media types, endings.

Kinds are those of the connectors' registry; the third of a row is the reason that officers read.
"""

from __future__ import annotations

import re

ZIP = b"PK\x03\x04"
MAGIC = (
    (b"PAR1", 0, "parquet", "The file begins as Parquet does."),
    (b"PARE", 0, "parquet", "The file begins as encrypted Parquet does."),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", 0, "excel", "The file is an old Office document (xls)."),
    (b"\x1f\x8b", 0, "archive", "The file is packed with gzip."),
    (b"ustar", 257, "archive", "The file is a tar archive."),
    (b"PK\x05\x06", 0, "archive", "The file is an empty zip archive."),
    (b"GPKG", 68, "geopackage", "The file is a GeoPackage database."),
    (b"SQLite format 3\x00", 0, "geopackage", "The file is an SQLite database."),
)
# What is no table, whatever its address says.
NO_DATA = (
    (b"%PDF-", "a PDF"),
    (b"\x89PNG", "an image"),
    (b"\xff\xd8\xff", "an image"),
    (b"GIF8", "an image"),
    (b"II*\x00", "a TIFF image"),
    (b"MM\x00*", "a TIFF image"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive; only zip, gz and tar.gz are opened"),
    (b"Rar!", "a RAR archive; only zip, gz and tar.gz are opened"),
    (b"{\\rtf", "a text document (rtf)"),
    (b"\x00\x00\x27\x0a", "a part of a Shapefile (shp); all its parts must come in one zip"),
)
# Addresses that say what answers there, whatever it says of itself.
ADDRESSES = (
    (
        "ckan",
        re.compile(r"/api/3/action/package_search"),
        "The address is a search of CKAN.",
    ),
    (
        "arcgis",
        re.compile(r"/(?:Feature|Map)Server(?:/\d+)?(?:/query)?/?(?:\?|$)"),
        "The address is a layer of an ArcGIS server.",
    ),
    ("ogcapi", re.compile(r"/collections/[^/?]+/items(?:\?|$)"), "The address is an OGC API."),
    (
        "sensorthings",
        re.compile(r"/v1\.[01]/(?:Things\([^()]*\)(?:/Datastreams)?|Datastreams[^/?]*)/?(?:\?|$)"),
        "The address is of a SensorThings service.",
    ),
    ("wfs", re.compile(r"[?&]service=wfs(?:&|$)", re.I), "The address asks a WFS."),
    (
        "opendatasoft",
        re.compile(
            r"/api/explore/v2\.\d/catalog/datasets(?:/[^/?]+)?/?(?:\?|$)|/explore/(?:dataset/|\?|$)"
        ),
        "The address is of an Opendatasoft portal.",
    ),
    (
        "socrata",
        re.compile(
            r"/(?:d|api/views|resource)/[a-z0-9]{4}-[a-z0-9]{4}(?:\.json)?(?:/about_data)?/?(?:\?|$)"
            r"|/[a-z0-9]{4}-[a-z0-9]{4}/about_data|/api/catalog/v1(?:\?|$)"
        ),
        "The address is of a Socrata site.",
    ),
)
SCHEMES = {
    **dict.fromkeys(("postgresql", "postgres", "mariadb", "mysql", "mssql", "oracle"), "sql"),
    "sftp": "sftp",
}
GTFS = {"agency", "stops", "routes", "trips", "stop_times", "calendar", "calendar_dates"}

CKAN_PAGE = re.compile(rb"<meta[^>]{1,99}?generator[^>]{1,99}?\bckan\b", re.I)
# Signs in the first bytes of a JSON document: what publishes such documents.
JSON_SIGNS = (
    (
        "geojson",
        re.compile(rb'"type"\s*:\s*"FeatureCollection"'),
        "The JSON is a GeoJSON FeatureCollection.",
    ),
    (
        "ogcapi",
        re.compile(rb'"rel"\s*:\s*"(?:http://www\.opengis\.net/def/rel/ogc/1\.0/)?conformance"'),
        "The JSON is the landing page of an OGC API.",
    ),
    (
        "sensorthings",
        re.compile(rb'"url"\s*:\s*"[^"]*/v1\.[01]/(?:Things|Datastreams|Observations)"'),
        "The JSON is the start of a SensorThings service.",
    ),
    (
        "jsonstat",
        re.compile(rb'^\s*\{(?:\s*"version"\s*:\s*"2[.0]*"\s*,)?\s*"class"\s*:\s*"dataset"'),
        "The JSON is a JSON-stat dataset.",
    ),
    (
        "pxweb",
        re.compile(
            rb'^\s*\[\s*\{\s*"(?:dbid"\s*:\s*"[^"]*"|id"\s*:\s*"[^"]*"\s*,\s*"type"\s*:\s*"[lth]")'
            rb'\s*,\s*"text"\s*:|^\s*\{\s*"title"\s*:\s*"[^"]*"\s*,\s*"variables"\s*:\s*\[\s*\{\s*"code"'
        ),
        "The JSON is a folder or a table of PX-Web.",
    ),
    ("ckan", re.compile(rb'"help"\s*:\s*"[^"]*/api/3/action/'), "The JSON is an answer of CKAN."),
)
PX = re.compile(rb'(?:CHARSET|AXIS-VERSION|CODEPAGE|LANGUAGE|MATRIX|CREATION-DATE)="[^"]*";')
DCAT = re.compile(rb"\bwww\.w3\.org/ns/dcat[#.]|\bproject-open-data\.cio\.gov/v1")
XML_ROOT = re.compile(
    # Atomic and possessive: what was passed over once is not tried in other ways.
    rb"\s*+(?>(?><\?.*?\?>|<!--.*?-->|<!DOCTYPE[^>\[]*+(?>\[.*?\]\s*+)?>)\s*+)*+"
    rb"<(?:[\w.-]+:)?([A-Za-z_][\w.-]*)[\s/>]",
    re.S,
)
XML_ROOTS = {
    "kml": ("kml", "The root of the XML is kml."),
    "wfs_capabilities": ("wfs", "The XML says what a WFS can."),
}

EXCEL = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
MEDIA_TYPES = {
    **dict.fromkeys(("text/csv", "application/csv", "text/tab-separated-values"), "csv"),
    **dict.fromkeys(("application/x-ndjson", "application/jsonl"), "ndjson"),
    **dict.fromkeys((EXCEL, "application/vnd.oasis.opendocument.spreadsheet"), "excel"),
    **dict.fromkeys(("application/zip", "application/gzip"), "archive"),
    **dict.fromkeys(("application/xml", "text/xml"), "xml"),
    **dict.fromkeys(("application/x-protobuf", "application/protobuf"), "gtfs_rt"),
    "application/x-google-protobuf": "gtfs_rt",
    "application/geo+json": "geojson",
    "application/geopackage+sqlite3": "geopackage",
    "application/json": "json",
    "application/vnd.apache.parquet": "parquet",
    "application/vnd.google-earth.kml+xml": "kml",
    "application/vnd.google-earth.kmz": "kml",
}
ENDINGS = {
    **dict.fromkeys((".csv", ".tsv", ".tab", ".txt"), "csv"),
    **dict.fromkeys((".xlsx", ".xls", ".xlsm", ".ods"), "excel"),
    **dict.fromkeys((".ndjson", ".jsonl", ".jsonlines"), "ndjson"),
    **dict.fromkeys((".zip", ".gz", ".tgz", ".tar"), "archive"),
    **dict.fromkeys((".kml", ".kmz"), "kml"),
    ".pb": "gtfs_rt",
    ".px": "px",
    ".parquet": "parquet",
    ".geojson": "geojson",
    ".gpkg": "geopackage",
    ".json": "json",
    ".xml": "xml",
}
