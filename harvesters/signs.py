"""How a table's texts are written, as far as they tell: remembered from version to version, since
a file of one month may not tell (`1.250`, `01/12/2025`) what the one before did."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Signs:
    """`decimal` is `.` or `,`, `order` that of dates: `dmy` or `mdy`. None is what nothing told.
    `row_kind`: its rows were marked as sums, notes and the like, which a month may not have."""

    decimal: str | None = None
    order: str | None = None
    row_kind: bool = False

    def after(self, earlier: Signs) -> Signs:
        """With what only an earlier version told."""
        return replace(
            self, decimal=self.decimal or earlier.decimal, order=self.order or earlier.order
        )


UNKNOWN = Signs()
