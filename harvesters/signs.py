"""How a table's texts are written, as far as they tell: remembered from version to version, since
a file of one month may not tell (`1.250`, `01/12/2025`) what the one before did."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Signs:
    """`decimal` is `.` or `,`, `order` that of dates: `dmy` or `mdy`. None is what nothing told."""

    decimal: str | None = None
    order: str | None = None

    def after(self, earlier: Signs) -> Signs:
        """With what only an earlier version told."""
        return Signs(self.decimal or earlier.decimal, self.order or earlier.order)


UNKNOWN = Signs()
