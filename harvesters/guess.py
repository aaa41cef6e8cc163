"""Which kind a file is of: told by its own first bytes, then by what the server calls it, then by
the ending of its address.

The bytes come first since servers and endings lie: `application/octet-stream` is what most servers
say of most files, and a moved file is often answered with a page under the old address.
"""

from __future__ import annotations

import codecs
import json
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from harvesters import archive, webpage
from harvesters.errors import BinaryContent, FormatMismatch

# As much of a file as `kind` needs to see.
HEAD_BYTES = 1 << 16


@dataclass(frozen=True)
class Guess:
    """A kind of the connectors' registry, and in one sentence why."""

    kind: str
    reason: str


_ZIP = b"PK\x03\x04"
_MAGIC = (
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
_NO_DATA = (
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
_ADDRESSES = (
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
_SCHEMES = {
    **dict.fromkeys(("postgresql", "postgres", "mariadb", "mysql", "mssql", "oracle"), "sql"),
    "sftp": "sftp",
}
_GTFS = {"agency", "stops", "routes", "trips", "stop_times", "calendar", "calendar_dates"}

_CKAN_PAGE = re.compile(rb"<meta[^>]{1,99}?generator[^>]{1,99}?\bckan\b", re.I)
# Signs in the first bytes of a JSON document: what publishes such documents.
_JSON_SIGNS = (
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
_PX = re.compile(rb'(?:CHARSET|AXIS-VERSION|CODEPAGE|LANGUAGE|MATRIX|CREATION-DATE)="[^"]*";')
_DCAT = re.compile(rb"\bwww\.w3\.org/ns/dcat[#.]|\bproject-open-data\.cio\.gov/v1")
_XML_ROOT = re.compile(
    # Atomic and possessive: what was passed over once is not tried in other ways.
    rb"\s*+(?>(?><\?.*?\?>|<!--.*?-->|<!DOCTYPE[^>\[]*+(?>\[.*?\]\s*+)?>)\s*+)*+"
    rb"<(?:[\w.-]+:)?([A-Za-z_][\w.-]*)[\s/>]",
    re.S,
)
_XML_ROOTS = {
    "kml": ("kml", "The root of the XML is kml."),
    "wfs_capabilities": ("wfs", "The XML says what a WFS can."),
}

_EXCEL = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_MEDIA_TYPES = {
    **dict.fromkeys(("text/csv", "application/csv", "text/tab-separated-values"), "csv"),
    **dict.fromkeys(("application/x-ndjson", "application/jsonl"), "ndjson"),
    **dict.fromkeys((_EXCEL, "application/vnd.oasis.opendocument.spreadsheet"), "excel"),
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
_ENDINGS = {
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


def kind(url: str, content_type: str | None, head: bytes) -> Guess:
    """The kind of a file by its address, its media type and its first bytes (`HEAD_BYTES`).

    Raises HtmlInsteadOfData for a web page (a CKAN portal's start page is of kind `ckan`),
    FormatMismatch for what is known to be no table, and BinaryContent.
    """
    for found, address, reason in _ADDRESSES:
        if address.search(url):
            return Guess(found, reason)
    if head.startswith(_ZIP):
        return _packed(url, _names_in_zip(head), head)
    return _bare(url, content_type, head)


def of_file(url: str, content_type: str | None, path: Path) -> Guess:
    """As `kind`, with the whole file at hand: a zip is judged by all its members.

    Raises the errors of `kind` and of `archive.opened`.
    """
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if not head.startswith(_ZIP):
        return kind(url, content_type, head)
    with archive.opened(path) as opened:
        return _packed(url, opened.namelist(), head)


def _bare(url: str, content_type: str | None, head: bytes) -> Guess:
    for magic, at, found, reason in _MAGIC:
        if head.startswith(magic, at):
            return Guess(found, reason)
    for magic, what in _NO_DATA:
        if head.startswith(magic):
            raise FormatMismatch(f"The source gave {what}, and no table.", found=what)
    if webpage.is_web_page(head) and _CKAN_PAGE.search(head):
        return Guess("ckan", "The address is the start page of a CKAN portal.")
    webpage.refuse(head)
    text = head.removeprefix(codecs.BOM_UTF8).lstrip()
    said, ending = _said(content_type), _ending(url)
    if text[:1] in (b"{", b"[", b"<", b"@") and _DCAT.search(head):
        return Guess("dcat", "The document speaks of data in the words of DCAT.")
    if text[:1] in (b"{", b"["):
        return _json(text, said, ending)
    if text[:1] == b"<" and (root := _XML_ROOT.match(text)):
        name = root[1].decode()
        return Guess(*_XML_ROOTS.get(name.lower(), ("xml", f"The root of the XML is {name}.")))
    if _PX.match(text):
        return Guess("px", "The file begins as a PX file does.")
    if not text:
        return _by_name(said, ending)
    if "gtfs_rt" in (said, ending):
        return Guess("gtfs_rt", "Its address or its server says GTFS-Realtime.")
    if b"\x00" in head and not _is_wide(head):
        raise BinaryContent("The source gave bytes of no known kind; they are no text.")
    # What is left is text: a media type or an ending of another kind would be a lie.
    return Guess("csv", "The file is text and of no other known kind.")


def _by_name(said: str | None, ending: str | None) -> Guess:
    if said:
        return Guess(said, "The server's Content-Type says so.")
    if ending:
        return Guess(ending, "The address ends so.")
    return Guess("csv", "Nothing tells; most files are text tables.")


def _is_wide(head: bytes) -> bool:
    """Whether the zero bytes of a text are those of UTF-16 or UTF-32."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)):
        return True
    even, odd = head[::2].count(0), head[1::2].count(0)
    return min(even, odd) * 20 < max(even, odd)


def _json(text: bytes, said: str | None, ending: str | None) -> Guess:
    # A line that is whole with more below it: one document a line, whatever it is called.
    first, _, rest = text.partition(b"\n")
    if text.startswith(b"{") and rest.lstrip()[:1] == b"{" and _is_json(first):
        return Guess("ndjson", "Every line is a JSON object.")
    if "ndjson" in (said, ending):
        return Guess("ndjson", "It is JSON, and its address or its server says one object a line.")
    for found, sign, reason in _JSON_SIGNS:
        if sign.search(text):
            return Guess(found, reason)
    if "geojson" in (said, ending):
        return Guess("geojson", "It is JSON, and its address or its server says GeoJSON.")
    return Guess("json", "The file begins as a JSON document does.")


def _packed(url: str, names: Sequence[str], head: bytes) -> Guess:
    """The kind of a zip by the names of its members."""
    if names[:1] == ["mimetype"] and b"application/vnd.oasis.opendocument" in head[:200]:
        if b"opendocument.spreadsheet" in head[:200]:
            return Guess("excel", "The file is an OpenDocument workbook (ods).")
        raise FormatMismatch("The source gave an OpenDocument text, and no table.")
    if "[Content_Types].xml" in names:
        if any(name.startswith(("word/", "ppt/")) for name in names):
            raise FormatMismatch("The source gave an Office document that is no workbook.")
        return Guess("excel", "The file is an Office workbook (xlsx).")
    paths = [PurePosixPath(name) for name in names if "__MACOSX" not in name]
    endings = {path.suffix.lower() for path in paths}
    texts = {path.stem.lower() for path in paths if path.suffix.lower() == ".txt"}
    if len(texts & _GTFS) >= min(2, len(paths)) and texts & _GTFS:
        return Guess("gtfs", "The zip has the files of a GTFS timetable.")
    if ".shp" in endings or {".dbf", ".shx"} <= endings:
        return Guess("shapefile", "The zip has the files of a Shapefile.")
    if ".kml" in endings and (_ending(url) == "kml" or PurePosixPath("doc.kml") in paths):
        return Guess("kml", "The zip is a KMZ: it has a KML document.")
    return Guess("archive", "The file is a zip archive.")


def _names_in_zip(head: bytes) -> list[str]:
    """The names of the members whose local headers lie in the first bytes of a zip."""
    names, at = [], 0
    while at >= 0 and len(head) >= at + 30:
        flags, _, _, _, _, packed, _, name_length, extra_length = struct.unpack_from(
            "<HHHHIIIHH", head, at + 6
        )
        names.append(head[at + 30 : at + 30 + name_length].decode("utf-8", errors="replace"))
        # With flag 8 the size comes after the member: look for the next header instead.
        skipped = 0 if flags & 0x8 else packed
        at = head.find(_ZIP, at + 30 + name_length + extra_length + skipped)
    return names


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _said(content_type: str | None) -> str | None:
    return _MEDIA_TYPES.get((content_type or "").partition(";")[0].strip().lower())


def of_scheme(url: str) -> Guess | None:
    """The kind of an address that is no web address; None for those of files."""
    try:
        found = _SCHEMES.get(urlsplit(url).scheme)
    except ValueError:
        return None
    return Guess(found, f"The address is of kind {found}.") if found else None


def of_name(url: str) -> str | None:
    """The kind that the ending of a name says, if it says one."""
    return _ending(url)


def _ending(url: str) -> str | None:
    try:
        path = PurePosixPath(urlsplit(url).path.lower())
    except ValueError:
        return None
    return _ENDINGS.get(path.suffix)
