"""Datasets are indexed anew where what they tell of others has changed.

CKAN indexes a dataset that is written itself, or put into a group. It forgets those whose
organisation or group gets another name or title by the API, or is deleted by its name, and one that
``package_owner_org_update`` moves: searches, ``package_show`` and the labels that say who may find
it would tell of the old organisation for ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ckan.lib.search as ckan_search
from ckan import model
from ckan.plugins import toolkit as tk

MOST_AT_ONCE = 50  # datasets; more are a background job's
TOLD = ("name", "title", "description", "image_url", "state")  # of a group, in each of its datasets


@tk.chained_action
def of_group(original: Any, context: Any, data_dict: dict[str, Any]) -> Any:
    """An action that changes the group or organisation ``id``."""
    group = model.Group.get(data_dict.get("id"))
    if group is None or context.get("defer_commit"):
        return original(context, data_dict)
    before, datasets = _told(group), _datasets(group)
    # By its id: of one that is named otherwise CKAN's deletion forgets the members.
    answer = original(context, {**data_dict, "id": group.id})
    if _told(group) != before:
        index_anew(datasets)
    return answer


@tk.chained_action
def of_dataset(original: Any, context: Any, data_dict: dict[str, Any]) -> Any:
    """An action that changes the dataset ``id`` without indexing it."""
    answer = original(context, data_dict)
    dataset = model.Package.get(data_dict.get("id"))
    if dataset is not None and not context.get("defer_commit"):
        index_anew([dataset.id])
    return answer


ACTIONS = {
    "package_owner_org_update": of_dataset,
    "group_delete": of_group,
    "group_update": of_group,
    "organization_delete": of_group,
    "organization_update": of_group,
}


def index_anew(datasets: Sequence[str]) -> None:
    """Index datasets (ids): a few now, many in the background."""
    if len(datasets) > MOST_AT_ONCE:
        tk.enqueue_job(_in_background, [list(datasets)], title="index datasets anew")
        return
    for dataset in datasets:
        ckan_search.rebuild(dataset)


def _in_background(datasets: list[str]) -> None:
    ckan_search.rebuild(package_ids=datasets, force=True, quiet=True)


def _told(group: model.Group) -> tuple[Any, ...]:
    return tuple(getattr(group, field) for field in TOLD)


def _datasets(group: model.Group) -> list[str]:
    """The ids of the datasets that tell of ``group``."""
    asked = model.Session.query(model.Package.id).filter(model.Package.state != model.State.DELETED)
    if group.is_organization:
        return [row.id for row in asked.filter(model.Package.owner_org == group.id)]
    member = model.Session.query(model.Member.table_id).filter_by(
        group_id=group.id, table_name="package", state=model.State.ACTIVE
    )
    return [row.id for row in asked.filter(model.Package.id.in_(member))]
