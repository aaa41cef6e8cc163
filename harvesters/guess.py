"""Which kind a file is of: told by its own first bytes, then by what the server calls it, then by
the ending of its address.

The bytes come first since servers and endings lie: `application/octet-stream` is what most servers
say of most files, and a moved file is often answered with a page under the old address.
"""

from __future__ import annotations

import codecs
import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from harvesters import archive, webpage
from harvesters import guess_signs as signs
from harvesters.errors import BinaryContent, FormatMismatch

# As much of a file as `kind` needs to see.
HEAD_BYTES = 1 << 16


@dataclass(frozen=True)
class Guess:
    """A kind of the connectors' registry, and in one sentence why."""

    kind: str
    reason: str


def kind(url: str, content_type: str | None, head: bytes) -> Guess:
    """The kind of a file by its address, its media type and its first bytes (`HEAD_BYTES`).

    Raises HtmlInsteadOfData for a web page (a CKAN portal's start page is of kind `ckan`),
    FormatMismatch for what is known to be no table, and BinaryContent.
    """
    for found, address, reason in signs.ADDRESSES:
        if address.search(url):
            return Guess(found, reason)
    if head.startswith(signs.ZIP):
        return _packed(url, _names_in_zip(head), head)
    return _bare(url, content_type, head)


def of_file(url: str, content_type: str | None, path: Path) -> Guess:
    """As `kind`, with the whole file at hand: a zip is judged by all its members.

    Raises the errors of `kind` and of `archive.opened`.
    """
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if not head.startswith(signs.ZIP):
        return kind(url, content_type, head)
    with archive.opened(path) as opened:
        return _packed(url, opened.namelist(), head)


def _bare(url: str, content_type: str | None, head: bytes) -> Guess:
    for magic, at, found, reason in signs.MAGIC:
        if head.startswith(magic, at):
            return Guess(found, reason)
    for magic, what in signs.NO_DATA:
        if head.startswith(magic):
            raise FormatMismatch(f"The source gave {what}, and no table.", found=what)
    if webpage.is_web_page(head) and signs.CKAN_PAGE.search(head):
        return Guess("ckan", "The address is the start page of a CKAN portal.")
    webpage.refuse(head)
    text = head.removeprefix(codecs.BOM_UTF8).lstrip()
    said, ending = _said(content_type), _ending(url)
    if text[:1] in (b"{", b"[", b"<", b"@") and signs.DCAT.search(head):
        return Guess("dcat", "The document speaks of data in the words of DCAT.")
    if text[:1] in (b"{", b"["):
        return _json(text, said, ending)
    if text[:1] == b"<" and (root := signs.XML_ROOT.match(text)):
        name = root[1].decode()
        return Guess(*signs.XML_ROOTS.get(name.lower(), ("xml", f"The root of the XML is {name}.")))
    if signs.PX.match(text):
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
    for found, sign, reason in signs.JSON_SIGNS:
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
    if len(texts & signs.GTFS) >= min(2, len(paths)) and texts & signs.GTFS:
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
        at = head.find(signs.ZIP, at + 30 + name_length + extra_length + skipped)
    return names


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _said(content_type: str | None) -> str | None:
    return signs.MEDIA_TYPES.get((content_type or "").partition(";")[0].strip().lower())


def of_scheme(url: str) -> Guess | None:
    """The kind of an address that is no web address; None for those of files."""
    try:
        found = signs.SCHEMES.get(urlsplit(url).scheme)
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
    return signs.ENDINGS.get(path.suffix)
