"""Which encoding a text file has.

A byte order mark decides. Without one, the whole file is tried as UTF-8, since one wrong letter in
a million is what a sample does not see; then UTF-16 by its zero bytes; then Windows code pages, the
Vietnamese one (1258, whose tone marks are separate letters) where it gives Vietnamese words, and
Latin-1 where it holds an encoding from before Unicode, which is mended in the table.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from itertools import pairwise
from pathlib import Path

from harvesters import legacy, utf8
from harvesters.errors import BinaryContent, EncodingBroken, EncodingUnknown

HEAD_BYTES = 1 << 18
# Every byte is a character of it, so that what it holds is found out from the table's texts.
LATIN = "latin-1"
# Where Latin-1 has control characters, Windows has the signs that people type (… – “ ”).
_TYPED = {
    place: bytes([place]).decode("cp1252")
    for place in range(0x80, 0xA0)
    if place not in (0x81, 0x8D, 0x8F, 0x90, 0x9D)
}

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f]")
# Letters that Vietnamese has and other Latin texts do not, precomposed.
_VIETNAMESE = re.compile(r"[\u0103\u0111\u01a1\u01b0\u1ea0-\u1ef9]", re.I)
_WORD = re.compile(r"[^\W\d_]+")


def of(path: Path) -> str:
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


def as_typed(text: str) -> str:
    """A text read as Latin-1, with Windows's signs instead of control characters."""
    return text.translate(_TYPED)


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
    if legacy.detect(as_typed(sample.decode(LATIN)).splitlines()):
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
