"""Which dataset a lake table belongs to.

Whoever puts a table under a dataset decides its terms, so a claim needs care: a table has one
dataset, only the harvester and sysadmins claim a new one, and the claim stays with the
organisation after the dataset is gone, or another department could reopen a closed table.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from ckan import model
from ckan.plugins import toolkit as tk
from ckanext.hanoiic.licensing import audit, clock
from ckanext.hanoiic.licensing.errors import TableNotYours, TableTaken
from ckanext.hanoiic.licensing.model import LakeTable
from sqlalchemy.dialects.postgresql import insert


def holder(table: str) -> LakeTable | None:
    """The claim on a lake table, whether or not its dataset still lives."""
    return model.Session.get(LakeTable, table, populate_existing=True)


def of(dataset_id: str) -> list[str]:
    """The lake tables of a dataset."""
    query = sa.select(LakeTable.name).where(LakeTable.dataset_id == dataset_id)
    return list(model.Session.scalars(query.order_by(LakeTable.name)))


def settle(package: model.Package, user: model.User | None, *, trusted: bool) -> None:
    """Make the claims of a dataset those of its resources; flushed, not committed.

    ``trusted`` marks a call inside CKAN that needs no rights. Raises :class:`TableTaken` or
    :class:`TableNotYours`.
    """
    wanted = {
        name: resource.id
        for resource in reversed(package.resources)
        if (name := (resource.extras or {}).get("lake_table"))
    }
    held = {
        row.name: row
        for row in model.Session.scalars(
            sa.select(LakeTable).where(LakeTable.dataset_id == package.id)
        )
    }
    for name in held.keys() - wanted.keys():
        model.Session.delete(held[name])
        audit.record("table_released", user and user.id, dataset_id=package.id, table=name)
    for name, resource_id in sorted(wanted.items()):
        if name in held:
            held[name].resource_id = resource_id
            held[name].organization_id = package.owner_org
        else:
            _claim(name, package, resource_id, user, trusted or _may_claim(user))
    model.Session.flush()


def _may_claim(user: model.User | None) -> bool:
    return user is not None and (
        bool(user.sysadmin) or user.name == tk.config.get("hanoiic.harvester_user")
    )


def _claim(
    name: str,
    package: model.Package,
    resource_id: str,
    user: model.User | None,
    allowed: bool,
) -> None:
    if not allowed:
        raise TableNotYours("Only the harvester puts a lake table under a dataset", table=name)
    values: dict[str, Any] = {
        "dataset_id": package.id,
        "resource_id": resource_id,
        "organization_id": package.owner_org,
        "claimed_at": clock.now(),
    }
    # Waits for a simultaneous claim to commit or fail, then sees it.
    model.Session.execute(insert(LakeTable).values(name=name, **values).on_conflict_do_nothing())
    claim = holder(name)
    if claim.dataset_id != package.id:
        previous = model.Session.get(model.Package, claim.dataset_id)
        alive = previous is not None and previous.state != "deleted"
        if alive or claim.organization_id != package.owner_org:
            raise TableTaken("Another dataset holds this lake table", table=name)
        for column, value in values.items():
            setattr(claim, column, value)
    audit.record("table_claimed", user and user.id, dataset_id=package.id, table=name)
