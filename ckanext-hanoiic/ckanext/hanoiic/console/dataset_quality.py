"""The quality of datasets in the catalogue: what is counted, and when it was last looked at."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from ckan import model
from ckan.plugins import toolkit as tk

from .model import Run, Source, now
from .quality import Quality, of_dataset
from .states import DELETED

# A harvest that ended so has seen that the data is up to date.
UP_TO_DATE = ("published", "unchanged")


def dataset_quality(dataset: dict[str, Any]) -> Quality:
    """The quality of a dataset as ``package_show`` answers it; a template helper."""
    source = str(dataset.get("harvest_source") or "")
    return of_dataset(dataset, checked_times([source]).get(source), now())


def of_departments(
    departments: list[str] | None, limit: int, moment: datetime
) -> list[tuple[dict[str, Any], Quality]]:
    """Datasets of departments (None: of all) with their quality, the worst first."""
    wanted = "" if departments is None else f"owner_org:({' OR '.join(departments) or 'none'})"
    search = {"fq": wanted, "rows": limit, "include_private": True}
    found = tk.get_action("package_search")({}, search)["results"]
    checked = checked_times({str(one.get("harvest_source") or "") for one in found})
    rows = [
        (one, of_dataset(one, checked.get(str(one.get("harvest_source") or "")), moment))
        for one in found
        if any(resource.get("lake_table") for resource in one.get("resources", []))
    ]
    return sorted(rows, key=lambda row: (row[1].score is None, row[1].score or 0.0))


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
