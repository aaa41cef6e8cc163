"""What the columns of a table look like, seen while their texts stream past.

A column all of whose texts are written plainly (numbers with a point and no groups, dates and
times as ISO 8601 has them) is known for what it is without asking about every text again; what is
said of it is exactly what its readings would find. For every other column the readings are asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from harvesters import letters
from harvesters.letters import Letters
from harvesters.readings import SENTINEL_NUMBERS, SENTINELS_ANYWHERE, SENTINELS_BESIDE_VALUES

# The shapes of a column: NOTHING has no text yet, ANY is none of the others.
NOTHING, NUMBER, DATE, TIMESTAMP, ANY = "nothing", "number", "date", "timestamp", "any"
EXAMPLES = 10
_DIGIT_0, _DIGIT_9, _MINUS, _POINT = b"09-."
_ISO = {
    10: (DATE, {4: b"-", 7: b"-"}, pa.date32()),
    16: (TIMESTAMP, {4: b"-", 7: b"-", 10: b" T", 13: b":"}, pa.timestamp("s")),
    19: (TIMESTAMP, {4: b"-", 7: b"-", 10: b" T", 13: b":", 16: b":"}, pa.timestamp("s")),
}
_ANYWHERE = pa.array(SENTINELS_ANYWHERE)
_BESIDE_VALUES = pa.array(SENTINELS_BESIDE_VALUES)
_ENCODED = [text.encode() for text in SENTINELS_BESIDE_VALUES]
_LONGEST_SENTINEL = max(map(len, _ENCODED))
_BEGINS_SENTINEL = np.isin(np.arange(256), [text[0] for text in _ENCODED])


@dataclass(frozen=True)
class Numbers:
    """How the numbers of a column are written: the most `digits` before the point and after it
    (`scale`). `fits_groups`: none would be written otherwise with groups of three, whatever divides
    them; `fits_points`: nor if the points divide groups. `smallest` of all, where one is negative,
    and `second` the smallest that is none of the sentinels."""

    digits: int
    scale: int
    fits_groups: bool
    fits_points: bool
    smallest: float | None
    second: float | None

    def __add__(self, other: Numbers) -> Numbers:
        return Numbers(
            max(self.digits, other.digits),
            max(self.scale, other.scale),
            self.fits_groups and other.fits_groups,
            self.fits_points and other.fits_points,
            _least(self.smallest, other.smallest),
            _least(self.second, other.second),
        )


@dataclass(frozen=True)
class Look:
    """What some texts of one column look like.

    `filled` of them are there; `sentinels` count those that say "no value", `anywhere` those of
    them that do so beside texts too. `foreign`: one is not ASCII and has no letter that only
    Unicode's Vietnamese has, so its letters might be those of an older encoding. `examples` are a
    few of the texts, none of them a sentinel, where they have no plain shape.
    """

    shape: str = NOTHING
    filled: int = 0
    sentinels: int = 0
    anywhere: int = 0
    foreign: bool = False
    numbers: Numbers | None = None
    examples: tuple[str, ...] = ()

    def __add__(self, other: Look) -> Look:
        if NOTHING in (self.shape, other.shape):
            return other if self.shape == NOTHING else self
        alike = self.shape == other.shape
        numbers = self.numbers + other.numbers if alike and self.numbers and other.numbers else None
        return Look(
            self.shape if alike else ANY,
            self.filled + other.filled,
            self.sentinels + other.sentinels,
            self.anywhere + other.anywhere,
            self.foreign or other.foreign,
            numbers,
            (self.examples + other.examples)[:EXAMPLES],
        )


class Census:
    """The looks of a whole table, by the names of its columns."""

    def __init__(self, keys: Sequence[str]) -> None:
        self.looks = dict.fromkeys(keys, Look())
        self.row_count = 0

    def add(self, row_count: int, seen: Iterable[Look]) -> None:
        self.row_count += row_count
        self.looks = {
            key: known + look for (key, known), look in zip(self.looks.items(), seen, strict=True)
        }


def looks(batch: pa.RecordBatch) -> list[Look]:
    """The look of each text column of a cleaned batch, in order."""
    return [_look(column) for column in batch.columns if pa.types.is_string(column.type)]


def _look(column: pa.Array) -> Look:
    filled = len(column) - column.null_count
    if not filled:
        return Look()
    texts = Letters.of(column)
    if numbers := _numbers(texts, column):
        return Look(NUMBER, filled, numbers=numbers)
    if shape := _iso(texts, column):
        return Look(shape, filled)
    sentinels = _count_in(column, _BESIDE_VALUES) if _may_be_in(texts) else 0
    anywhere = _count_in(column, _ANYWHERE) if sentinels else 0
    foreign = letters.may_be_legacy(column, texts)
    return Look(ANY, filled, sentinels, anywhere, foreign, examples=_examples(column))


def _examples(column: pa.Array) -> tuple[str, ...]:
    some = column.slice(0, 4 * EXAMPLES).drop_null().to_pylist()
    return tuple(text for text in some if text not in SENTINELS_BESIDE_VALUES)[:EXAMPLES]


def _may_be_in(texts: Letters) -> bool:
    """Whether a text begins as one of those that say "no value" does, and is no longer."""
    short = texts.end - texts.begin <= _LONGEST_SENTINEL
    return bool(_BEGINS_SENTINEL[texts.bytes_[texts.begin[short]]].any())


def _count_in(column: pa.Array, listed: pa.Array) -> int:
    return int(pc.sum(pc.is_in(column, value_set=listed)).as_py() or 0)


def _numbers(texts: Letters, column: pa.Array) -> Numbers | None:
    """`-?(0|[1-9][0-9]*)([.][0-9]+)?` for every text, or None."""
    bytes_ = texts.bytes_
    if bytes_.min() < _MINUS or bytes_.max() > _DIGIT_9 or texts.count(b"/"):
        return None
    begin, end = texts.begin, texts.end
    negative = bytes_[begin] == _MINUS
    if np.count_nonzero(negative) != texts.count(b"-"):
        return None
    begin = begin + negative
    point = np.flatnonzero(bytes_ == _POINT) if texts.count(b".") else np.empty(0, np.int64)
    of = np.searchsorted(texts.begin, point, side="right") - 1
    whole_end = end.copy()
    whole_end[of] = point
    scale = end[of] - point - 1
    digits = whole_end - begin
    if digits.min() < 1 or (len(of) and (scale.min() < 1 or (np.diff(of) == 0).any())):
        return None
    zero = bytes_[begin] == _DIGIT_0
    if (zero & (digits > 1)).any():
        return None
    fits_groups = bool(digits.max() <= 3)
    smallest = second = None
    if negative.any():
        values = column.drop_null().cast(pa.float64()).to_numpy()
        smallest, others = float(values.min()), values[~np.isin(values, SENTINEL_NUMBERS)]
        second = float(others.min()) if len(others) else None
    elif len(negative):
        smallest = second = 0.0
    return Numbers(
        int(digits.max()),
        int(scale.max(initial=0)),
        fits_groups,
        bool(fits_groups and (scale == 3).all() and not zero[of].any()),
        smallest,
        second,
    )


def _least(one: float | None, other: float | None) -> float | None:
    return min((value for value in (one, other) if value is not None), default=None)


def _iso(texts: Letters, column: pa.Array) -> str | None:
    """The shape of texts that are all ISO 8601 dates, or all times of day of one, or None."""
    length = int(texts.end[0] - texts.begin[0])
    if length not in _ISO:
        return None
    shape, signs, arrow_type = _ISO[length]
    table = texts.as_table(length)
    if table is None:
        return None
    for place in range(length):
        written = table[:, place]
        if place in signs:
            if not np.isin(written, list(signs[place])).all():
                return None
        elif written.min() < _DIGIT_0 or written.max() > _DIGIT_9:
            return None
    # Years before 1000 are no plain ones.
    if (table[:, 0] == _DIGIT_0).any():
        return None
    try:
        column.cast(arrow_type)
    except pa.ArrowInvalid:
        return None
    return shape
