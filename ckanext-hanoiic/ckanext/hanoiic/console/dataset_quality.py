"""The quality of datasets in the catalogue: what is counted, and when it was last looked at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from ckan import model
from ckan.plugins import toolkit as tk

from .model import Run, Source, now
from .quality import Quality, of_dataset
from .states import DELETED

A_TIME = 500
SHOWN = ("name", "title", "title_en")
# A harvest that ended so has seen that the data is up to date.
UP_TO_DATE = ("published", "unchanged")


def dataset_quality(dataset: dict[str, Any]) -> Quality:
    """The quality of a dataset as ``package_show`` answers it; a template helper."""
    source = str(dataset.get("harvest_source") or "")
    return of_dataset(dataset, checked_times([source]).get(source), now())


def of_departments(
    departments: list[str] | None, moment: datetime
) -> list[tuple[dict[str, Any], Quality]]:
    """Datasets of departments (None: of all) with their quality, the worst first.

    Of each dataset only ``name``, ``title`` and ``title_en``.
    """
    wanted = "" if departments is None else f"owner_org:({' OR '.join(departments) or 'none'})"
    rows: list[tuple[dict[str, Any], Quality]] = []
    for found in _in_parts(wanted):
        checked = checked_times({str(one.get("harvest_source") or "") for one in found})
        rows += [
            (
                {name: one.get(name) for name in SHOWN},
                of_dataset(one, checked.get(str(one.get("harvest_source") or "")), moment),
            )
            for one in found
            if any(resource.get("lake_table") for resource in one.get("resources", []))
        ]
    return sorted(rows, key=lambda row: (row[1].score is None, row[1].score or 0.0))


def _in_parts(wanted: str) -> Iterator[list[dict[str, Any]]]:
    """All datasets that a filter wants, as many at a time as one search gives."""
    search = {"fq": wanted, "rows": A_TIME, "include_private": True, "sort": "id asc"}
    start, count = 0, 1
    while start < count:
        answer = tk.get_action("package_search")({}, {**search, "start": start})
        if not answer["results"]:  # deleted meanwhile
            return
        yield answer["results"]
        start, count = start + len(answer["results"]), answer["count"]


def checked_times(sources: Iterable[str]) -> dict[str, datetime]:
    """When a source's last good harvest ended."""
    known = [one for one in sources if one]
    if not known:
        return {}
    query = (
        model.Session.query(Run.source_id, Run.finished_at)
        .join(Source, Source.id == Run.source_id)
        .filter(Run.source_id.in_(known), Run.state.in_(UP_TO_DATE))
        .filter(Run.finished_at.is_not(None), Source.state != DELETED)
        .distinct(Run.source_id)
        .order_by(Run.source_id, Run.finished_at.desc())
    )
    return dict(query.all())
