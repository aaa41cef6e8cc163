"""Versions that an offer keeps for its holders: the lake removes their files no sooner.

An agreement takes over the pins of the offer it begins under, and keeps them while it lives.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from ckan import model
from ckanext.hanoiic.licensing import states
from ckanext.hanoiic.licensing.errors import OfferInvalid
from ckanext.hanoiic.licensing.model import Agreement, Offer

# Of one table; each is a copy of the table that no upkeep removes.
MOST_VERSIONS = 20


def newest_of(package: model.Package, table: str = "") -> dict[str, int]:
    """Table → its newest version as the catalogue knows it, of one table of a dataset or of all."""
    return {
        name: int(extras.get("lake_version") or 0)
        for resource in package.resources
        if (name := (extras := resource.extras or {}).get("lake_table")) and table in ("", name)
    }


def checked(said: Mapping[str, Any] | None, newest: Mapping[str, int]) -> dict[str, list[int]]:
    """Pins as an offer keeps them: table → versions in order. Raises :class:`OfferInvalid`."""
    kept: dict[str, list[int]] = {}
    for table, versions in (said or {}).items():
        if table not in newest:
            raise _wrong("pinned_table", table=str(table))
        if not isinstance(versions, list) or not all(type(one) is int for one in versions):
            raise _wrong("pinned_list", table=table)
        if len(set(versions)) > MOST_VERSIONS:
            raise _wrong("pinned_most", table=table, most=MOST_VERSIONS)
        for version in versions:
            if not 1 <= version <= newest[table]:
                raise _wrong("pinned_version", table=table, version=version, newest=newest[table])
        if versions:
            kept[table] = sorted(set(versions))
    return kept


def kept() -> dict[str, set[int]]:
    """Table → versions that a living agreement, or an offer that stands, pins."""
    living = sa.select(Agreement.pinned_versions).where(Agreement.state.in_(states.LIVE))
    standing = (
        sa.select(Offer.pinned_versions)
        .join(model.Package, model.Package.id == Offer.dataset_id)
        .where(
            model.Package.state == "active",
            Offer.superseded_at.is_(None),
            Offer.withdrawn_at.is_(None),
        )
    )
    pins: dict[str, set[int]] = {}
    for query in (living, standing):
        for pinned in model.Session.scalars(query):
            for table, versions in pinned.items():
                pins.setdefault(table, set()).update(versions)
    return pins


def _wrong(problem: str, **facts: Any) -> OfferInvalid:
    return OfferInvalid(
        f"pinned_versions: {problem}", field="pinned_versions", problem=problem, **facts
    )
