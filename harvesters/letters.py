"""The bytes of a column's texts as numpy sees them, and what they tell unread."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

# The letters that only Vietnamese in Unicode has; no older encoding shows them.
UNICODE_LETTER = "[ăđĩũơưĂĐĨŨƠƯ\u1ea0-\u1ef9]"
# Below this byte, which begins U+0300, a letter of UTF-8 is one that NFC leaves as it is.
_FIRST_MARK = 0xCC
_LEAST_TEXTS = 2_000


@dataclass(frozen=True)
class Letters:
    """`bytes_` of all texts, and where each that is not NULL begins and ends in them."""

    bytes_: npt.NDArray[np.uint8]
    begin: npt.NDArray[np.int64]
    end: npt.NDArray[np.int64]

    @classmethod
    def of(cls, column: pa.StringArray) -> Letters:
        """Of a column that has at least one text that is not empty."""
        _, offsets, content = column.buffers()
        stored = np.frombuffer(offsets, np.int32)
        bounds = stored[column.offset : column.offset + len(column) + 1].astype(np.int64)
        first = int(bounds[0])
        bounds -= first
        bytes_ = np.frombuffer(content, np.uint8)[first : first + int(bounds[-1])]
        begin, end = bounds[:-1], bounds[1:]
        if column.null_count:
            valid = column.is_valid().to_numpy(zero_copy_only=False)
            begin, end = begin[valid], end[valid]
        return cls(bytes_, begin, end)

    def count(self, letter: bytes) -> int:
        """How often one ASCII letter is there."""
        return int(np.count_nonzero(self.bytes_ == letter[0]))

    def as_table(self, length: int) -> npt.NDArray[np.uint8] | None:
        """One text a row; None where one has another length."""
        if (self.end - self.begin != length).any() or len(self.bytes_) != length * len(self.end):
            return None
        return self.bytes_.reshape(-1, length)


def is_nfc(column: pa.StringArray) -> bool:
    """Whether all texts are NFC already: much cheaper to ask than to normalise."""
    _, _, content = column.buffers()
    if content is None or not len(column):
        return True
    texts = Letters.of(column)
    return _surely_nfc(texts.bytes_) or unicodedata.is_normalized(
        "NFC", texts.bytes_.tobytes().decode()
    )


def _surely_nfc(bytes_: npt.NDArray[np.uint8]) -> bool:
    """Whether there are only letters up to U+02FF, those of U+1E80 to U+1EFF (Vietnamese), and
    the dashes and quotation marks from U+2002 on: all as NFC has them, and no marks to combine."""
    high = np.count_nonzero(bytes_ >= _FIRST_MARK)
    if not high:
        return True
    second = bytes_[1:]
    vietnamese = np.count_nonzero((bytes_[:-1] == 0xE1) & ((second & 0xFE) == 0xBA))
    if high == vietnamese:
        return True
    dashes = (bytes_[:-2] == 0xE2) & (second[:-1] == 0x80) & (bytes_[2:] >= 0x82)
    return bool(high == vietnamese + np.count_nonzero(dashes))


def may_be_legacy(column: pa.StringArray, texts: Letters) -> bool:
    """Whether a text is not ASCII and has none of the letters that tell Unicode."""
    if texts.bytes_.max() < 0x80:
        return False
    some = column.slice(0, _LEAST_TEXTS)
    return _has_foreign(some) or (len(column) > _LEAST_TEXTS and _has_foreign(column))


def _has_foreign(column: pa.StringArray) -> bool:
    told = pc.match_substring_regex(column, UNICODE_LETTER)
    rest = column.filter(pc.invert(told))
    return bool(pc.any(pc.not_equal(pc.binary_length(rest), pc.utf8_length(rest))).as_py())
