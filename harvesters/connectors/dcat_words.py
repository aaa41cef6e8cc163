"""What DCAT catalogues write for formats, licences and frequencies, in the portal's words."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePosixPath
from urllib.parse import urlsplit

# Ends of IRIs of the EU and IANA registers, media types, endings, and what people write.
KINDS = {
    **dict.fromkeys(("csv", "tsv", "text/csv", "text/tab-separated-values"), "csv"),
    **dict.fromkeys(("xls", "xlsx", "ods", "excel", "application/vnd.ms-excel"), "excel"),
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "excel",
    "application/vnd.oasis.opendocument.spreadsheet": "excel",
    **dict.fromkeys(("geojson", "application/geo+json", "application/vnd.geo+json"), "geojson"),
    **dict.fromkeys(("json", "application/json"), "json"),
    **dict.fromkeys(("ndjson", "jsonl", "json_lines", "application/x-ndjson"), "ndjson"),
    **dict.fromkeys(("xml", "application/xml", "text/xml"), "xml"),
    **dict.fromkeys(("kml", "kmz", "application/vnd.google-earth.kml+xml"), "kml"),
    "application/vnd.google-earth.kmz": "kml",
    **dict.fromkeys(("parquet", "application/vnd.apache.parquet"), "parquet"),
    **dict.fromkeys(("shp", "shapefile", "esri shapefile", "shape"), "shapefile"),
    **dict.fromkeys(("gpkg", "geopackage", "application/geopackage+sqlite3"), "geopackage"),
    **dict.fromkeys(("zip", "gz", "gzip", "tgz", "zipped csv", "csv zip"), "archive"),
    **dict.fromkeys(("application/zip", "application/gzip"), "archive"),
    **dict.fromkeys(("gtfs", "gtfs_zip", "gtfs zip"), "gtfs"),
}
# A page about the data often has one of these formats too: they need the address of a file.
_NEED_A_FILE = ("json", "xml", "archive")
_FORMAT_REGISTERS = (
    "publications.europa.eu/resource/authority/file-type/",
    "www.iana.org/assignments/media-types/",
)

_LICENCES = {
    "creativecommons.org/licenses/by/4.0": "CC-BY-4.0",
    "creativecommons.org/licenses/by-sa/4.0": "CC-BY-SA-4.0",
    "creativecommons.org/publicdomain/zero/1.0": "CC0-1.0",
    "opendatacommons.org/licenses/by": "ODC-BY-1.0",
    "opendatacommons.org/licenses/by/1-0": "ODC-BY-1.0",
    "opendatacommons.org/licenses/odbl": "ODbL-1.0",
    "opendatacommons.org/licenses/odbl/1-0": "ODbL-1.0",
    "opendatacommons.org/licenses/pddl": "PDDL-1.0",
    "opendatacommons.org/licenses/pddl/1-0": "PDDL-1.0",
    "publications.europa.eu/resource/authority/licence/cc_by_4_0": "CC-BY-4.0",
    "publications.europa.eu/resource/authority/licence/cc_bysa_4_0": "CC-BY-SA-4.0",
    "publications.europa.eu/resource/authority/licence/cc0": "CC0-1.0",
    "publications.europa.eu/resource/authority/licence/odc_by": "ODC-BY-1.0",
    "publications.europa.eu/resource/authority/licence/odc_bl": "ODbL-1.0",
    "publications.europa.eu/resource/authority/licence/odc_pddl": "PDDL-1.0",
    "www.nationalarchives.gov.uk/doc/open-government-licence/version/3": "OGL-UK-3.0",
}
_LICENCE_NAMES = {
    **dict.fromkeys(("cc by", "cc by 4 0", "creative commons attribution 4 0"), "CC-BY-4.0"),
    **dict.fromkeys(
        ("creative commons attribution 4 0 international", "cc attribution 4 0"), "CC-BY-4.0"
    ),
    **dict.fromkeys(("cc by sa", "cc by sa 4 0"), "CC-BY-SA-4.0"),
    **dict.fromkeys(("cc0", "cc0 1 0", "cc zero", "public domain cc0"), "CC0-1.0"),
    "creative commons 1 0 universal public domain dedication": "CC0-1.0",
    **dict.fromkeys(("odbl", "odbl 1 0", "open database license odbl"), "ODbL-1.0"),
    "open database license": "ODbL-1.0",
    **dict.fromkeys(("odc by", "odc by 1 0"), "ODC-BY-1.0"),
    "open data commons attribution license": "ODC-BY-1.0",
    **dict.fromkeys(("pddl", "pddl 1 0"), "PDDL-1.0"),
    "open data commons public domain dedication and license": "PDDL-1.0",
}
_LEGAL_TEXT = re.compile(r"/(?:deed|legalcode)(?:\.[\w-]+)?$")

# The portal's terms of the EU vocabulary, by its other terms, by those of Dublin Core, and by the
# repeating durations (ISO 8601) of data.json.
_OWN = ("CONT", "HOURLY", "DAILY", "WEEKLY", "MONTHLY", "QUARTERLY", "ANNUAL", "IRREG", "UNKNOWN")
_FREQUENCIES = {
    **{term: term for term in _OWN},
    **dict.fromkeys(("UPDATE_CONT", "CONTINUOUS", "R/PT1S", "1MIN", "5MIN", "10MIN"), "CONT"),
    **dict.fromkeys(("15MIN", "30MIN", "R/PT1H"), "HOURLY"),
    **dict.fromkeys(("DAILY_2", "R/P1D"), "DAILY"),
    **dict.fromkeys(("WEEKLY_2", "WEEKLY_3", "SEMIWEEKLY", "THREETIMESAWEEK", "R/P1W"), "WEEKLY"),
    **dict.fromkeys(("R/P7D", "R/P3.5D", "R/P0.33W"), "WEEKLY"),
    **dict.fromkeys(("MONTHLY_2", "MONTHLY_3", "SEMIMONTHLY", "THREETIMESAMONTH"), "MONTHLY"),
    **dict.fromkeys(("BIWEEKLY", "R/P1M", "R/P0.5M", "R/P0.33M", "R/P2W"), "MONTHLY"),
    **dict.fromkeys(("BIMONTHLY", "R/P3M", "R/P2M"), "QUARTERLY"),
    **dict.fromkeys(("ANNUAL_2", "ANNUAL_3", "SEMIANNUAL", "THREETIMESAYEAR"), "ANNUAL"),
    **dict.fromkeys(("R/P1Y", "R/P6M", "R/P4M", "YEARLY"), "ANNUAL"),
    **dict.fromkeys(("IRREGULAR", "NEVER", "BIENNIAL", "TRIENNIAL", "QUADRENNIAL"), "IRREG"),
    **dict.fromkeys(("QUINQUENNIAL", "DECENNIAL", "AS_NEEDED", "OTHER", "NOT_PLANNED"), "IRREG"),
}
_CLOSED = re.compile(r"\b(?:non[-_ ]?public|restricted|confidential|sensitive)\b", re.I)


def kind_of(formats: Iterable[str], address: str, *, is_file: bool) -> str | None:
    """The kind that reads a distribution, or None. `is_file`: the address is said to be a file's;
    else it may be a page about it, unless it ends as the file does."""
    ending = PurePosixPath(urlsplit(address).path).suffix.lower().lstrip(".")
    ends_as = KINDS.get(ending)
    said = next((KINDS[text] for text in map(_format, formats) if text in KINDS), None)
    if said is None and not any(_format(text) for text in formats):
        return ends_as
    if said == "archive" or (said in _NEED_A_FILE and ends_as in ("geojson", "gtfs", "kml")):
        return ends_as or (said if is_file else None)
    if is_file or (ends_as and (said not in _NEED_A_FILE)):
        return said
    return said if ends_as == said else None


def format_name(formats: Iterable[str], address: str) -> str:
    """A format as a link shows it."""
    names = [name.rpartition("/")[2] for name in map(_format, formats) if name]
    shortest = min(names, key=len, default="")
    return (shortest or PurePosixPath(urlsplit(address).path).suffix.lstrip(".")).upper()[:60]


def _format(text: str) -> str:
    plain = text.strip().partition(";")[0].lower()
    for register in _FORMAT_REGISTERS:
        plain = plain.rpartition(register)[2]
    if "://" in plain:
        # Of another register, or a word that was written as an address.
        plain = plain.rstrip("/").rpartition("/")[2]
    return plain.lstrip(".").strip()


def licence(text: str) -> str:
    """A licence as CKAN's register names it; one that is not known stays as it was written."""
    address = re.sub(r"^https?://", "", text.strip().lower())
    plain = _LEGAL_TEXT.sub("", address).rstrip("/")
    return _LICENCES.get(plain, text.strip())


def licence_named(text: str) -> str:
    """A licence by its name (`CC BY 4.0`), as CKAN's register has it; else as it was written."""
    plain = re.sub(r"[^a-z0-9]+", " ", text.casefold()).strip()
    return _LICENCE_NAMES.get(plain, text.strip())


def frequency(text: str) -> str | None:
    """The portal's term for how often data is renewed; None for one that is not known."""
    written = text.strip()
    term = written if written.startswith("R/") else re.split(r"[/#]", written.rstrip("/"))[-1]
    return _FREQUENCIES.get(term.upper().replace(" ", "_").replace("-", "_"))


def is_closed(rights: Iterable[str]) -> bool:
    """Whether access rights say that not everyone may have the data."""
    return any(_CLOSED.search(text.rstrip("/").rpartition("/")[2]) for text in rights)
