"""Bytes to text: which encoding a file has, and a stream of it as UTF-8.

A byte order mark decides. Without one, the whole file is tried as UTF-8, since one wrong letter in
a million is what a sample does not see; then UTF-16 by its zero bytes; then Windows code pages, the
Vietnamese one (1258, whose tone marks are separate letters) where it gives Vietnamese words, and
Latin-1 where it holds an encoding from before Unicode, which is mended in the table.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from harvesters import legacy, utf8, webpage
from harvesters.errors import (
    BinaryContent,
    EncodingBroken,
    EncodingUnknown,
    FormatMismatch,
)

CHUNK_BYTES = 1 << 20
HEAD_BYTES = 1 << 18
# Every byte is a character of it, so that what it holds is found out from the table's texts.
LATIN = "latin-1"

_UTF8 = ("utf-8", "utf-8-sig")
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
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
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f]")
# Letters that Vietnamese has and other Latin texts do not, precomposed.
_VIETNAMESE = re.compile(r"[\u0103\u0111\u01a1\u01b0\u1ea0-\u1ef9]", re.I)
_WORD = re.compile(r"[^\W\d_]+")


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
        return text.removeprefix("\ufeff") if offset == 0 else text


def _no_text() -> BinaryContent:
    return BinaryContent("The file has NUL characters; it is not a text.")


def text(path: Path, pinned: str | None = None) -> Text:
    """The file's text. Raises the errors of `refuse_other_formats` and of `encoding`."""
    with path.open("rb") as file:
        refuse_other_formats(file.read(4096))
    if pinned and pinned.lower() in legacy.ALPHABETS:
        return Text(path, LATIN, pinned.lower())
    if pinned:
        try:
            return Text(path, codecs.lookup(pinned).name)
        except LookupError as error:
            raise EncodingUnknown(f"There is no encoding {pinned!r}.") from error
    found = encoding(path)
    return Text(path, found, checked=found == "utf-8")


def refuse_other_formats(head: bytes) -> None:
    """Raise when a file that should be text is something that is known better.

    Raises HtmlInsteadOfData, FormatMismatch.
    """
    for magic, what in _MAGIC:
        if head.startswith(magic):
            raise FormatMismatch(f"A text was expected, and the source gave {what}.", found=what)
    webpage.refuse(head)


def encoding(path: Path) -> str:
    """The Python name of the file's encoding.

    Raises EncodingUnknown, EncodingBroken (UTF-8 with a few wrong bytes), BinaryContent.
    """
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    for mark, name in _BOMS:
        if head.startswith(mark):
            return name
    if wide := _utf16_without_mark(head):
        return wide
    if b"\x00" in head:
        raise BinaryContent("The file has NUL bytes; it is not a text.")
    wrong = utf8.first_wrong(path)
    if wrong is None:
        return "utf-8"
    return _code_page(path, wrong)


def _utf16_without_mark(head: bytes) -> str | None:
    # ASCII signs (digits, delimiters, line ends) have a zero byte beside them in UTF-16.
    sample = head[: len(head) // 2 * 2]
    if len(sample) < 4:
        return None
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    half = len(sample) // 2
    for zeros, others, name in ((odd, even, "utf-16-le"), (even, odd, "utf-16-be")):
        if zeros > half * 0.4 and others < half * 0.02:
            try:
                codecs.getincrementaldecoder(name)("strict").decode(sample)
            except UnicodeDecodeError:
                continue
            return name
    return None


def _code_page(path: Path, wrong: int) -> str:
    with path.open("rb") as file:
        file.seek(max(0, wrong - HEAD_BYTES // 2))
        sample = file.read(HEAD_BYTES)
    lenient = sample.decode("utf-8", errors="replace")
    good = sum(ord(letter) > 127 for letter in lenient) - lenient.count("\ufffd")
    if good > 10 * lenient.count("\ufffd"):
        raise EncodingBroken(
            f"The file is UTF-8 with wrong bytes, the first at position {wrong}.",
            encoding="utf-8",
            offset=wrong,
        )
    if legacy.detect(sample.decode(LATIN).splitlines()):
        return LATIN
    best: tuple[float, str] | None = None
    for name in ("cp1258", "cp1252"):
        try:
            decoded = sample.decode(name)
        except UnicodeDecodeError:
            continue
        score = _plausible(unicodedata.normalize("NFC", decoded))
        if best is None or score > best[0]:
            best = (score, name)
    if best is None or best[0] <= 0:
        raise EncodingUnknown(
            "The file's encoding can't be told; pin the option `encoding`.", offset=wrong
        )
    return best[1]


def _plausible(text: str) -> float:
    """How much a decoded sample looks like words: the higher the better, 0 or less is none."""
    if _CONTROL.search(text):
        return -1.0
    foreign = sum(ord(letter) > 127 for letter in text)
    if not foreign:
        return 0.0
    # A tone mark left alone or a sign inside a word means the wrong code page.
    stray = sum(unicodedata.combining(letter) > 0 for letter in text)
    letters = sum(letter.isalpha() and ord(letter) > 127 for letter in text)
    mixed = sum(
        any(a.islower() and b.isupper() for a, b in pairwise(word))
        for word in _WORD.findall(text)
        if not word.isascii()
    )
    return (letters - 4 * stray - mixed + 2 * len(_VIETNAMESE.findall(text))) / foreign
