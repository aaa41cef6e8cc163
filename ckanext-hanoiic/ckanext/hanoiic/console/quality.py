"""Quality of a dataset in five dimensions, each 0 to 1. Pure functions over what the catalogue has.

The dimensions are those of ISO/IEC 25012 and of the European data portal that can be counted here.
A dimension without numbers is None and has no part in the score.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from .kinds import N_

# What each dimension is worth; of those that have numbers the weights are shared out anew.
WEIGHTS: dict[str, float] = {
    "completeness": 0.25,
    "validity": 0.25,
    "timeliness": 0.25,
    "uniqueness": 0.10,
    "interpretability": 0.15,
}
DIMENSIONS: dict[str, tuple[str, str]] = {
    "completeness": (N_("Completeness"), N_("Filled cells of all cells.")),
    "validity": (N_("Validity"), N_("Rows that kept the table’s rules of all rows harvested.")),
    "timeliness": (
        N_("Timeliness"),
        N_(
            "1 while the data is no older than promised, then falling: the promised interval "
            "divided by the age."
        ),
    ),
    "uniqueness": (N_("Uniqueness"), N_("Rows that are not a repetition of another row.")),
    "interpretability": (
        N_("Interpretability"),
        N_(
            "How much is explained: descriptions, licence, contact, period, and of the columns "
            "their titles, and units of numbers."
        ),
    ),
}
# The promised interval of an update frequency; a little late is not late.
PROMISED: dict[str, timedelta] = {
    "CONT": timedelta(hours=1),
    "HOURLY": timedelta(hours=2),
    "DAILY": timedelta(days=2),
    "WEEKLY": timedelta(days=9),
    "MONTHLY": timedelta(days=35),
    "QUARTERLY": timedelta(days=100),
    "ANNUAL": timedelta(days=380),
}
NUMBERS = ("int64", "float64", "decimal")
# What of a dataset explains it.
EXPLAINED_BY = ("notes", "license_id", "contact_email", "update_frequency", "title_en", "notes_en")


@dataclass(frozen=True)
class Quality:
    """The dimensions (0 to 1, or None where nothing is known) and their weighted mean."""

    dimensions: dict[str, float | None]
    age: timedelta | None

    @property
    def score(self) -> float | None:
        known = {name: value for name, value in self.dimensions.items() if value is not None}
        weight = sum(WEIGHTS[name] for name in known)
        return (
            sum(WEIGHTS[name] * value for name, value in known.items()) / weight if known else None
        )


def of_dataset(dataset: Mapping[str, Any], checked_at: datetime | None, now: datetime) -> Quality:
    """The quality of a dataset as ``package_show`` answers it.

    ``checked_at``: when a harvest last found the data up to date, changed or not; without it the
    newest version's time counts.
    """
    tables = [one for one in dataset.get("resources", []) if one.get("lake_table")]
    counted = [
        (parsed(table.get("quality"), {}), int(table.get("row_count") or 0)) for table in tables
    ]
    fresh = max([moment for moment in map(version_time, tables) if moment], default=None)
    newest = max(filter(None, (fresh, checked_at)), default=None)
    age = now - newest if newest else None
    dimensions = {
        "completeness": mean_by_rows(counted, "completeness"),
        "validity": mean_by_rows(counted, "validity"),
        "timeliness": timeliness(str(dataset.get("update_frequency") or ""), age),
        "uniqueness": mean_by_rows(counted, "uniqueness"),
        "interpretability": interpretability(dataset, tables) if tables else None,
    }
    return Quality(dimensions, age)


def mean_by_rows(counted: Iterable[tuple[Mapping[str, Any], int]], key: str) -> float | None:
    """The tables' shares weighted by their rows; None when no table has one."""
    shares = [(share(said.get(key)), max(rows, 1)) for said, rows in counted]
    known = [(value, rows) for value, rows in shares if value is not None]
    total = sum(rows for _value, rows in known)
    return sum(value * rows for value, rows in known) / total if total else None


def timeliness(frequency: str, age: timedelta | None) -> float | None:
    """1 up to the promised interval, then the interval divided by the age; None without promise."""
    promised = PROMISED.get(frequency)
    if promised is None or age is None:
        return None
    return 1.0 if age <= promised else promised / age


def interpretability(dataset: Mapping[str, Any], tables: Iterable[Mapping[str, Any]]) -> float:
    """Half what explains the dataset, half what explains its columns."""
    said = [dataset.get(key) for key in EXPLAINED_BY]
    about = sum(bool(value) and value not in ("UNKNOWN", "notspecified") for value in said)
    columns = [column for table in tables for column in parsed(table.get("columns"), [])]
    explained = [explains(column) for column in columns if isinstance(column, dict)]
    of_columns = sum(explained) / len(explained) if explained else 0.0
    return (about / len(EXPLAINED_BY) + of_columns) / 2


def explains(column: Mapping[str, Any]) -> float:
    """How much a column says of itself: a title or description, and a unit if it is a number."""
    wanted = [bool(column.get("title") or column.get("title_en") or column.get("description"))]
    if str(column.get("type") or "").startswith(NUMBERS):
        wanted.append(bool(column.get("unit")))
    return sum(wanted) / len(wanted)


def share(value: Any) -> float | None:
    """A number from 0 to 1; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if 0 <= value <= 1 else None


def version_time(table: Mapping[str, Any]) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(table.get("lake_version_at")))
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def parsed(value: Any, empty: Any) -> Any:
    """JSON text or the thing itself; ``empty`` when it is neither."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except json.JSONDecodeError:
            return empty
    return value if isinstance(value, type(empty)) else empty
