"""Bytes to text: a file as a stream of UTF-8, whatever its encoding; what is no text is refused."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harvesters import encodings, utf8, webpage
from harvesters.encodings import HEAD_BYTES, LATIN
from harvesters.errors import (
    BinaryContent,
    EncodingBroken,
    EncodingUnknown,
    FormatMismatch,
)
from harvesters.legacy_alphabets import ALPHABETS

CHUNK_BYTES = 1 << 20

_UTF8 = ("utf-8", "utf-8-sig")
_MAGIC = (
    (b"PK\x03\x04", "a zip archive or an Excel workbook (xlsx)"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office document (xls)"),
    (b"%PDF-", "a PDF"),
    (b"PAR1", "a Parquet file"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\x89PNG", "an image"),
    (b"\xff\xd8\xff", "an image"),
    (b"SQLite format 3\x00", "an SQLite database"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!", "a RAR archive"),
)


@dataclass(frozen=True)
class Text:
    """A file and its encoding; `iter_utf8` streams it.

    `holds` is the legacy Vietnamese encoding whose bytes are read as Latin-1 characters first, when
    an officer pinned one. `checked`: the whole file was seen to be of the encoding.
    """

    path: Path
    encoding: str
    holds: str | None = None
    checked: bool = False

    def iter_utf8(self) -> Iterator[bytes]:
        """The file as UTF-8 without byte order mark. Raises EncodingBroken, BinaryContent."""
        if self.encoding in _UTF8:
            yield from self._as_it_is()
            return
        decoder = codecs.getincrementaldecoder(self.encoding)("strict")
        offset = 0
        with self.path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                yield self._decode(decoder, chunk, offset, final=False).encode("utf-8")
                offset += len(chunk)
        if rest := self._decode(decoder, b"", offset, final=True):
            yield rest.encode("utf-8")

    def head(self, size: int = HEAD_BYTES) -> str:
        """The beginning of the text, about `size` bytes of it."""
        decoder = codecs.getincrementaldecoder(self.encoding)("strict")
        with self.path.open("rb") as file:
            chunk = file.read(size)
        return self._decode(decoder, chunk, 0, final=False)

    def _as_it_is(self) -> Iterator[bytes]:
        offset = 0
        for chunk in utf8.chunks(self.path):
            if not self.checked and (wrong := utf8.first_wrong_of(chunk)) is not None:
                raise self._broken(offset + wrong)
            if b"\x00" in chunk:
                raise _no_text()
            yield chunk if offset else chunk.removeprefix(codecs.BOM_UTF8)
            offset += len(chunk)

    def _broken(self, offset: int) -> EncodingBroken:
        return EncodingBroken(
            f"The file is not {self.encoding}: wrong at {offset}.",
            encoding=self.encoding,
            offset=offset,
        )

    def _decode(
        self, decoder: codecs.IncrementalDecoder, chunk: bytes, offset: int, *, final: bool
    ) -> str:
        try:
            text = decoder.decode(chunk, final)
        except UnicodeDecodeError as error:
            raise self._broken(offset + error.start) from error
        if "\x00" in text:
            raise _no_text()
        if self.encoding == LATIN:
            return encodings.as_typed(text)
        return text.removeprefix("\ufeff") if offset == 0 else text


def _no_text() -> BinaryContent:
    return BinaryContent("The file has NUL characters; it is not a text.")


def text(path: Path, pinned: str | None = None) -> Text:
    """The file's text. Raises the errors of `refuse_other_formats` and of `encoding`."""
    with path.open("rb") as file:
        refuse_other_formats(file.read(4096))
    if pinned and pinned.lower() in ALPHABETS:
        return Text(path, LATIN, pinned.lower())
    if pinned:
        try:
            return Text(path, codecs.lookup(pinned).name)
        except LookupError as error:
            raise EncodingUnknown(f"There is no encoding {pinned!r}.") from error
    found = encodings.of(path)
    return Text(path, found, checked=found == "utf-8")


def refuse_other_formats(head: bytes) -> None:
    """Raise when a file that should be text is something that is known better.

    Raises HtmlInsteadOfData, FormatMismatch.
    """
    for magic, what in _MAGIC:
        if head.startswith(magic):
            raise FormatMismatch(f"A text was expected, and the source gave {what}.", found=what)
    webpage.refuse(head)
