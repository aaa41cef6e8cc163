"""A bucket of an S3 server: its files below a prefix, by ListObjectsV2, each a dataset.

A file's ETag, which the listing has, tells whether it changed: what did not is not asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import quote, unquote, urlencode, urlsplit

from harvesters import decode as decoding
from harvesters import xml_elements
from harvesters.connectors import listing
from harvesters.connectors.base import Connector, Offer
from harvesters.connectors.listing import Listed
from harvesters.errors import ApiRefused, UrlRefused
from harvesters.fetch import Client, Fetched
from harvesters.incoming import Incoming
from harvesters.pages import Pages
from harvesters.source import Source
from harvesters.xml_elements import Elements

PAGE_FILES = 1_000
# What S3 signs must be written as S3 writes it.
_PLAIN = "/-_.~"


def discover(source: Source, client: Client) -> Iterator[Offer]:
    """A dataset for each file that can be read. Raises ApiRefused, UrlRefused, and the errors of
    `listing.offers` and `Pages.get`."""
    bucket, prefix = _place(source.url)
    with Incoming(client.raw_dir, client.limits) as clock:
        yield from listing.offers(
            source, _listed(bucket, prefix, Pages(source, client, clock)), _get
        )


def _place(url: str) -> tuple[str, str]:
    """The bucket's address, and the prefix of the files in it. Raises UrlRefused."""
    parts = urlsplit(url)
    bucket, _, prefix = parts.path.lstrip("/").partition("/")
    if parts.scheme not in ("http", "https") or not bucket or parts.query:
        raise UrlRefused("The address of a bucket is such as https://s3.example.vn/bucket/folder/.")
    return f"{parts.scheme}://{parts.netloc}/{bucket}", unquote(prefix)


def _listed(bucket: str, prefix: str, walk: Pages) -> Iterator[Listed]:
    asked = {"list-type": "2", "max-keys": str(PAGE_FILES), "prefix": prefix}
    folder = prefix[: prefix.rfind("/") + 1]
    while True:
        url = f"{bucket}?{urlencode(sorted(asked.items()), quote_via=quote, safe='-_.~')}"
        page = _page(walk.get(url, "application/xml"))
        for key, etag in page.files:
            if not key.endswith("/") and key.startswith(prefix):
                address = f"{bucket}/{quote(key, safe=_PLAIN)}"
                yield Listed(key.removeprefix(folder), address, etag or None)
        if not page.is_truncated:
            return
        if not page.token:
            raise ApiRefused("The bucket has more files, and the server does not say how to go on.")
        asked["continuation-token"] = page.token


@dataclass
class _Page(Elements):
    files: list[tuple[str, str]] = field(default_factory=list)
    is_truncated: bool = False
    token: str = ""

    def __post_init__(self) -> None:
        super().__init__()
        self._file: dict[str, str] = {}

    def on_end(self, name: str, text: str) -> None:
        inside = self.path[1:]
        if inside[:1] == ["Contents"] and len(inside) == 2:
            # A key is kept as it is written, white space too.
            self._file[name] = self.written if name == "Key" else text
        elif inside == ["Contents"]:
            self.files.append((self._file.get("Key", ""), self._file.get("ETag", "")))
            self._file = {}
        elif inside == ["IsTruncated"]:
            self.is_truncated = text == "true"
        elif inside == ["NextContinuationToken"]:
            self.token = text


def _page(fetched: Fetched) -> _Page:
    with fetched.path.open("rb") as file:
        decoding.refuse_other_formats(file.read(4096))
    page = _Page()
    xml_elements.walk(fetched.path, page)
    if page.root != "ListBucketResult":
        raise ApiRefused(f"The answer is no listing of a bucket: {page.root[:60]}.")
    return page


def _get(each: Listed, client: Client) -> Fetched:
    return client.fetch(each.url)


CONNECTOR = Connector(
    kind="s3",
    title="S3 bucket",
    help="The files of a bucket (address, with the bucket in its path: "
    "https://s3.example.vn/bucket/folder/): each whose ending says a kind that can be read becomes "
    "a dataset. A file whose ETag is the same is not fetched. A private bucket needs a secret of "
    "kind s3 (access key:secret key). Options: parts (a pattern of paths, such as 2026/*.csv), "
    "region, secret.",
    decode=None,
    discover=discover,
)
