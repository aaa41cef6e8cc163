"""Rows of a file that can't be read. They are kept in memory until the table is published, so a
file that holds hardly anything else is refused before they fill it."""

from __future__ import annotations

from collections.abc import Iterable

from harvesters.errors import TooManyRejected
from lake.rejected import Rejected

MOST_ROWS = 500_000
MOST_LETTERS = 128 << 20


class Unreadable(list[Rejected]):
    """Grows by `append` and `extend` only, which raise TooManyRejected when it is full."""

    def __init__(self) -> None:
        super().__init__()
        self._letters = 0

    @property
    def is_full(self) -> bool:
        return len(self) >= MOST_ROWS or self._letters >= MOST_LETTERS

    def append(self, row: Rejected, /) -> None:
        if self.is_full:
            raise self.refusal()
        super().append(row)
        self._letters += len(row.value or "")

    def extend(self, rows: Iterable[Rejected], /) -> None:
        for row in rows:
            self.append(row)

    def refusal(self) -> TooManyRejected:
        return TooManyRejected(
            f"More than {len(self)} rows can't be read; the rest was not tried. "
            "Nothing was published.",
            rejected=len(self),
        )
