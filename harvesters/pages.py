"""A table that an API gives in pages: asked for one after the other, kept as one file.

Every page comes through the guarded client (conditional requests, caps, politeness, the source's
secret) and is kept in the raw store as it came. The file that is made of the pages has only their
rows: what an API writes around them, such as the time, must not make a new version.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urldefrag, urlencode, urljoin, urlsplit

import ijson  # type: ignore[import-untyped]
import simplejson  # type: ignore[import-untyped]

from harvesters import decode
from harvesters.connectors.json_stream import (
    BUFFER_BYTES,
    LONGEST_ROW_BYTES,
    JsonStream,
    prefix,
    walk,
)
from harvesters.errors import ApiRefused, PagesBroken, SourceTooLarge
from harvesters.fetch import Client, Fetched
from harvesters.incoming import Incoming
from harvesters.source import Source

MOST_PAGES = 20_000
# Beside the rows: what an API says of itself and of a layer.
LONGEST_ABOUT_BYTES = 32 << 20
_LINK = re.compile(
    r"<([^<>]*)>((?:\s*;\s*[\w!#$&+.^`|~*-]+(?:\s*=\s*(?:\"[^\"]*\"|[^\s\";,]+))?)*)"
)
_PLAIN = ("string", "number", "boolean", "null")
_RELATION = re.compile(r";\s*rel\s*=\s*(?:\"([^\"]*)\"|([^\s\";,]+))", re.I)


class Pages:
    """The pages of one source, up to a count, a size and a time over all of them."""

    def __init__(self, source: Source, client: Client, incoming: Incoming) -> None:
        self._source, self._client, self._incoming = source, client, incoming
        self._asked: set[str] = set()
        self._rows_before = ""
        self.count = 0

    def get(self, url: str, accept: str = "application/json", *, is_page: bool = True) -> Fetched:
        """Get one page. Its address must be of the source's host, and may be asked for only once;
        documents about the rows may be asked for again.

        Raises PagesBroken, SourceTooLarge, SourceTooSlow, and the errors of `Client.fetch`.
        """
        address = same_host(self._source.url, url)
        self._count(address, is_page)
        return self._client.fetch_again(address, self._source.id, accept)

    def answer(self, url: str, question: Any) -> Fetched:
        """The answer to a question (of JSON, by POST). Raises as `get`."""
        body = line(question).strip()
        address = same_host(self._source.url, url)
        self._count(f"{address} {body.decode()}", True)
        return self._client.fetch(address, accept="application/json", body=body)

    def _count(self, asked: str, is_page: bool) -> None:
        if is_page and asked in self._asked:
            raise PagesBroken("The pages of the source lead in a circle: one came twice.")
        if self.count >= MOST_PAGES:
            raise SourceTooLarge(f"The source has more than {MOST_PAGES} pages.")
        self._asked.add(asked)
        self.count += 1
        # Nothing is written; whoever is late is told so.
        self._incoming.add(b"")

    def about(self, url: str, *, is_page: bool = True) -> dict[str, Any]:
        """A small answer whole: a JSON object. Raises as `get`, and ApiRefused for what is none."""
        answer = self.document(url, is_page=is_page)
        if not isinstance(answer, dict):
            raise ApiRefused("The source's answer is no JSON object.")
        return answer

    def document(self, url: str, *, is_page: bool = True) -> Any:
        """A small answer whole, of JSON. Raises as `get`, and ApiRefused for what is none."""
        return document(self.get(url, is_page=is_page))

    def rows(self, each: Iterator[bytes]) -> Iterator[bytes]:
        """The rows of a page as they come. Raises PagesBroken when they are those of the page
        before: an API that does not know its own parameter gives its first page for ever."""
        digest, is_empty = hashlib.sha256(), True
        for row in each:
            is_empty = False
            digest.update(row)
            yield row
        if not is_empty and digest.hexdigest() == self._rows_before:
            raise PagesBroken(
                "The source gave the same rows again for the next page; does it know the way of "
                "paging that the source's options say?"
            )
        self._rows_before = digest.hexdigest()


def document(fetched: Fetched) -> Any:
    """A small answer whole, of JSON. Raises SourceTooLarge, ApiRefused."""
    if fetched.byte_count > LONGEST_ABOUT_BYTES:
        raise SourceTooLarge(
            f"What the source says of its data is over {LONGEST_ABOUT_BYTES >> 20} MiB."
        )
    try:
        return simplejson.loads(fetched.path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ApiRefused("The source's answer is no JSON.") from error


def gathered(source: Source, client: Client, chunks: Callable[[Pages], Iterator[bytes]]) -> Fetched:
    """One file in the raw store of what `chunks` makes of the pages. Raises what it raises."""
    with Incoming(client.raw_dir, client.limits) as incoming:
        incoming.begin()
        for chunk in chunks(Pages(source, client, incoming)):
            incoming.add(chunk)
        sha256 = incoming.keep()
        return Fetched(
            *(source.url, client.raw_path(sha256), sha256, incoming.byte_count, None, None)
        )


def same_host(base: str, url: str) -> str:
    """An address that an API gave, if it is of the host of `base`. Raises PagesBroken.

    Behind a proxy an API often writes `http` where it is asked with `https`; that is mended.
    """
    try:
        own, other = urlsplit(base), urlsplit(urldefrag(urljoin(base, url)).url)
        ports = own.port, other.port
    except ValueError as error:
        raise PagesBroken("The source names a next page whose address is none.") from error
    if own.scheme == "https" and other.scheme == "http" and ports in ((None, None), (443, 80)):
        other = other._replace(scheme=own.scheme, netloc=own.netloc)
    if (own.scheme, own.hostname, ports[0]) != (other.scheme, other.hostname, other.port):
        raise PagesBroken("The source names a next page on another host; it is not asked for.")
    return other.geturl()


def joined(base: str, url: str) -> str:
    """An address as it is meant on the page at `base`. Raises PagesBroken."""
    try:
        return urljoin(base, url)
    except ValueError as error:
        raise PagesBroken("The source names a next page whose address is none.") from error


def with_query(url: str, **parameters: str | int) -> str:
    """The address with these parameters in place of its own of the same names."""
    parts = urlsplit(url)
    kept = [
        (name, value)
        for name, value in parse_qsl(parts.query, keep_blank_values=True)
        if name not in parameters
    ]
    # Not every server takes a plus for a space.
    query = urlencode([*kept, *parameters.items()], quote_via=quote)
    return parts._replace(query=query, fragment="").geturl()


def query_of(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))


def next_link(header: str | None) -> str | None:
    """The address of the `Link` header (RFC 8288) whose relation is `next`."""
    for target, about in _LINK.findall(header or ""):
        relation = _RELATION.search(about)
        if relation and "next" in (relation[1] or relation[2] or "").lower().split():
            return str(target)
    return None


def items(path: Path, place: str) -> Iterator[Any]:
    """The elements at ijson's `place` in a JSON file, one by one.

    Raises ApiRefused, and the errors of `decode.text` and `JsonStream`.
    """
    stream = JsonStream(decode.text(path).iter_utf8(), 2 * LONGEST_ROW_BYTES)
    try:
        for item in ijson.items(stream, place, buf_size=BUFFER_BYTES):
            stream.mark()
            yield item
    except (ijson.JSONError, UnicodeDecodeError) as error:
        raise ApiRefused("The source's answer is no valid JSON.") from error


def scalars(path: Path, places: Collection[str]) -> dict[str, Any]:
    """The plain values (null too) that stand at these places of a JSON file. Raises as `items`."""
    stream = JsonStream(decode.text(path).iter_utf8())
    found: dict[str, Any] = {}
    try:
        for steps, name, event, value in walk(stream):
            if event in _PLAIN and (place := prefix(steps, name)) in places:
                found[place] = value
    except (ijson.JSONError, UnicodeDecodeError) as error:
        raise ApiRefused("The source's answer is no valid JSON.") from error
    return found


def line(row: Any) -> bytes:
    """A row as one line of JSON, numbers with their own digits; half of a letter is U+FFFD."""
    text = str(simplejson.dumps(row, ensure_ascii=False, separators=(",", ":"), use_decimal=True))
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode() + b"\n"


def collection(head: bytes, features: Iterator[bytes]) -> Iterator[bytes]:
    """Features as one GeoJSON FeatureCollection, a feature a line; `head` are its other members."""
    yield b'{"type":"FeatureCollection",' + head + b'"features":[\n'
    before = b""
    for feature in features:
        yield before + feature
        before = b","
    yield b"]}\n"


__all__ = [
    "Pages",
    "collection",
    "document",
    "gathered",
    "items",
    "joined",
    "line",
    "next_link",
    "query_of",
    "same_host",
    "scalars",
    "with_query",
]
