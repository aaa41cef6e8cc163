"""What the index keeps of a dataset for its facets and for places: wards, years, quality, due time.

Fields named ``vocab_…`` hold several values, in Solr's schema too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from . import dates, freshness
from .wards import wards

WARDS = "vocab_wards"
YEARS = "vocab_years"
QUALITY = "quality_band"
WARD_NAMES = "extras_ward_names"

# A dataset of the whole city is found by its filter; the names of all wards as words in it would
# make every street and surname find it.
MOST_NAMED_WARDS = 30
MOST_YEARS = 150
# The least share (of cells filled, of rows valid) for each band, best first.
QUALITY_BANDS = {"good": 0.95, "fair": 0.8, "poor": 0.0}
SHARES = ("completeness", "validity")


def facet_fields(dataset: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of the index document, those without a value left out."""
    codes = [str(code) for code in _list(dataset.get("spatial_wards"))]
    moment = freshness.due(dataset)
    fields = {
        WARDS: codes,
        WARD_NAMES: ward_names(codes),
        YEARS: years(dataset),
        QUALITY: quality_band(dataset),
        freshness.DUE: dates.canonical(moment) if moment else None,
    }
    return {name: value for name, value in fields.items() if value}


def ward_names(codes: list[str]) -> str:
    """Today's and former names of the wards, for the words of a reader."""
    if len(codes) > MOST_NAMED_WARDS:
        return ""
    known = [wards()[code] for code in codes if code in wards()]
    return "; ".join(dict.fromkeys(name for ward in known for name in ward.names))


def years(dataset: Mapping[str, Any]) -> list[str]:
    """The years that the data covers; without an end, to the year of its newest version."""
    first, last = _year(dataset.get("temporal_start")), _year(dataset.get("temporal_end"))
    updated = freshness.last_update(dataset)
    if first and not last:
        last = max(first, updated.year) if updated else first
    if not last:
        return []
    first = max(first or last, last - MOST_YEARS)
    return [str(year) for year in range(first, last + 1)]


def quality_band(dataset: Mapping[str, Any]) -> str | None:
    """``good``, ``fair`` or ``poor`` by the worst share of any table; None without a figure."""
    shares = list(_shares(dataset))
    if not shares:
        return None
    return next(band for band, least in QUALITY_BANDS.items() if min(shares) >= least)


def _shares(dataset: Mapping[str, Any]) -> Iterator[float]:
    for resource in dataset.get("resources") or []:
        quality = resource.get("quality")
        if isinstance(quality, dict):
            yield from (float(quality[name]) for name in SHARES if _is_share(quality.get(name)))


def _is_share(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _year(value: Any) -> int | None:
    try:
        return date.fromisoformat(str(value or "")[:10]).year
    except ValueError:
        return None
