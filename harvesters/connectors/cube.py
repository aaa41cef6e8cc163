"""A statistical table of many dimensions (PX, JSON-stat) as rows: a row for each combination of
categories, a column for each dimension, and one for each content (what is counted or measured).

A cell without a number says why by a sign (`..`, `...`, `-`); it is empty here, and the signs are
counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import product
from math import prod
from typing import Any

from harvesters.connectors.typed_rows import TypedColumn
from harvesters.errors import CubeBroken, SourceTooLarge

MOST_CELLS = 5_000_000
MOST_DIMENSIONS = 50
VALUE = "value"
_SHOWN_NOTES = 5
_SHOWN_LETTERS = 300


@dataclass(frozen=True)
class Dimension:
    """`labels` are the texts of the `codes`. `is_coded`: the codes are a column; with `None` they
    are when they say more than the labels."""

    code: str
    label: str
    codes: Sequence[str]
    labels: Sequence[str]
    is_coded: bool | None = None

    @property
    def has_codes(self) -> bool:
        """Whether the codes say more than the labels and their order do."""
        if self.is_coded is not None:
            return self.is_coded
        plain = [str(number) for number in range(len(self.codes))]
        return list(self.codes) != list(self.labels) and list(self.codes) != plain


@dataclass(frozen=True)
class Content:
    """A kind of number in the table: its unit, and its decimals where they are known."""

    code: str
    label: str
    unit: str | None = None
    decimals: int | None = None

    def column(self, description: str) -> TypedColumn:
        # No decimals are shown: that does not say that none are there.
        of_values = "float64" if self.decimals else None
        return TypedColumn(self.label, of_values, self.unit, description or None)


@dataclass
class Cube:
    """`values` are in the order of `dimensions`, the last one fastest; a text is a sign for none.

    `metric` is the code of the dimension whose categories are the `contents`; without one there is
    one content. `renewed` is when the table last changed, as its office writes it.
    """

    title: str
    dimensions: list[Dimension]
    values: Sequence[Any]
    contents: list[Content]
    metric: str | None = None
    renewed: str = ""
    notes: list[str] = field(default_factory=list)
    signs: Counter[str] = field(default_factory=Counter)

    @property
    def free(self) -> list[Dimension]:
        """The dimensions that are columns."""
        return [each for each in self.dimensions if each.code != self.metric]

    def columns(self) -> list[TypedColumn]:
        found = []
        for each in self.free:
            # Years too: next to 2024 stands “Sơ bộ 2025” one day.
            found.append(TypedColumn(each.label, "string"))
            if each.has_codes:
                found.append(TypedColumn(f"{each.label} (mã)", "string"))
        return found + [content.column(self.title) for content in self.contents]

    def rows(self) -> Iterator[list[Any]]:
        """The rows, in the order of the values. Counts the signs on the way."""
        sizes = [len(each.codes) for each in self.dimensions]
        steps = [prod(sizes[index + 1 :]) for index in range(len(sizes))]
        metric_step, metric_size = 0, 1
        free: list[list[tuple[list[str], int]]] = []
        for each, step in zip(self.dimensions, steps, strict=True):
            if each.code == self.metric:
                metric_step, metric_size = step, len(each.codes)
                continue
            cells = zip(each.labels, each.codes, strict=True)
            free.append(
                [
                    ([label, code] if each.has_codes else [label], step * position)
                    for position, (label, code) in enumerate(cells)
                ]
            )
        for combination in product(*free):
            start = sum(offset for _, offset in combination)
            row: list[Any] = [text for texts, _ in combination for text in texts]
            places = (start + metric_step * number for number in range(metric_size))
            yield row + [self._number(self.values[place]) for place in places]

    def _number(self, value: Any) -> Any:
        if isinstance(value, str):
            self.signs[value] += 1
            return None
        return value

    def messages(self) -> list[str]:
        """What the officer should know, once the rows were read."""
        said = [f"{text[:_SHOWN_LETTERS]}" for text in self.notes[:_SHOWN_NOTES]]
        return said + signs_told(self.signs)


def signs_told(signs: Mapping[str, int]) -> list[str]:
    return [
        f"cells that say “{sign}” became empty: {count}" for sign, count in sorted(signs.items())
    ]


def number_or_sign(text: str) -> Any:
    """A cell as it is written: a number, a sign for none, or None where nothing stands."""
    written = text.strip()
    if not written:
        return None
    try:
        number = Decimal(written)
    except ArithmeticError:
        return written
    return number if number.is_finite() else written


def check_size(dimensions: Sequence[Dimension], most: int = MOST_CELLS) -> int:
    """The number of cells. Raises CubeBroken, SourceTooLarge."""
    if not 0 < len(dimensions) <= MOST_DIMENSIONS:
        raise CubeBroken(
            f"The table has {len(dimensions)} dimensions, from 1 to {MOST_DIMENSIONS} may be."
        )
    for each in dimensions:
        if not each.codes or len(each.codes) != len(each.labels):
            raise CubeBroken(f"The dimension {each.label[:60]!r} has no categories, or too few.")
        if len(set(each.codes)) != len(each.codes):
            raise CubeBroken(f"The dimension {each.label[:60]!r} has a category twice.")
    if len({each.code for each in dimensions}) != len(dimensions):
        raise CubeBroken("The table has a dimension twice.")
    count = prod(len(each.codes) for each in dimensions)
    if count > most:
        raise SourceTooLarge(f"The table has {count} cells; {most} are allowed.")
    return count
