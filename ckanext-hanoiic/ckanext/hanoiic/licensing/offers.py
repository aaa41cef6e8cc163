"""What a dataset, or one of its tables, offers: tier, licence and terms, kept with their history.

The dataset's form sets tier and licence, the offers editor everything else; what counts is the
offer. A change makes a new offer that supersedes the current one. Those who hold an agreement keep
what they accepted until it ends.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from ckan import model
from ckanext.hanoiic.licensing import audit, clock, licences, specs
from ckanext.hanoiic.licensing.errors import OfferInvalid, ReasonMissing
from ckanext.hanoiic.licensing.model import LakeTable, Licence, Offer

TIERS = ("open", "click", "registered", "request")
STRICTEST = "request"
# What an offer says besides tier and licence. When only those two change, it is carried over.
TERMS = (
    "columns", "masks", "row_filter", "sample", "quota", "valid_from", "valid_until",
    "agreement_days", "auto_approve", "sla_working_days", "pinned_versions", "questions",
)  # fmt: skip


# Made once, as it is asked for every dataset that is shown or indexed: making a statement takes as
# long as running it.
_ALL_CURRENT = (
    sa.select(Offer)
    .where(Offer.dataset_id == sa.bindparam("dataset"), Offer.superseded_at.is_(None))
    .execution_options(populate_existing=True)
)
_CURRENT = _ALL_CURRENT.where(Offer.table_name == sa.bindparam("table"))
_TIER = sa.select(Offer.tier).where(
    Offer.dataset_id == sa.bindparam("dataset"),
    Offer.superseded_at.is_(None),
    Offer.table_name == "",
)


def current(dataset_id: str, table: str = "") -> Offer | None:
    """The dataset's own current offer, or that of one table; None when there is none."""
    return model.Session.scalars(_CURRENT, {"dataset": dataset_id, "table": table}).first()


def all_current(dataset_id: str) -> dict[str, Offer]:
    """The current offers of a dataset by table, "" for its own."""
    rows = model.Session.scalars(_ALL_CURRENT, {"dataset": dataset_id})
    return {offer.table_name: offer for offer in rows}


def in_force(dataset_id: str, table: str = "") -> Offer | None:
    """The current offer that counts for a table: its own, else the dataset's."""
    own = current(dataset_id, table) if table else None
    return own or current(dataset_id)


def had_own(dataset_id: str, table: str, at: datetime) -> bool:
    """Whether a table had an offer of its own then."""
    stood = sa.or_(Offer.superseded_at.is_(None), Offer.superseded_at > at)
    mine = sa.and_(Offer.dataset_id == dataset_id, Offer.table_name == table)
    return bool(
        model.Session.scalar(sa.select(sa.exists().where(mine, Offer.created_at <= at, stood)))
    )


def tier_of(dataset_id: str) -> str:
    """The tier that counts; a dataset without an offer is the strictest."""
    return model.Session.scalars(_TIER, {"dataset": dataset_id}).first() or STRICTEST


def settle(
    package: model.Package, actor_id: str | None, table: str = "", *, is_new: bool = False
) -> Offer:
    """Make the dataset's offer agree with its form; flushed, not committed.

    Returns the offer in force for ``table``, or the dataset's own.

    Locks the dataset's row until the transaction ends, so that whatever makes an offer, a request
    or an agreement of a dataset happens one after the other. A dataset that ``is_new`` in this
    transaction needs no lock: nobody else sees it yet.
    """
    if not is_new:
        _lock(package.id)
    licence = licences.of_form(package.license_id)
    tier = _tier(package, licence is not None)
    last = _last(package.id)
    offer = _standing(last)
    if offer is None or not _says(offer, tier, licence):
        offer = _replace(package.id, "", last, actor_id, tier, licence, carried(offer))
    return (table and current(package.id, table)) or offer


def publish(
    package: model.Package,
    table: str,
    actor_id: str,
    tier: str,
    licence: Licence | None,
    terms: Mapping[str, Any],
) -> Offer:
    """Make an offer of tier, licence and :data:`TERMS` the current one; one that changes nothing is
    not made.

    Tier and licence of the dataset's own offer also stand in its form, and are written there in the
    same transaction, so that a new tier never meets old terms. Raises :class:`OfferInvalid`.
    """
    _lock(package.id)
    if tier == "click" and licence is None:
        raise OfferInvalid("Nothing to accept", field="licence", problem="no_licence")
    last = _last(package.id, table)
    before = _standing(last)
    if before and before.withdrawn_at is None and _same(before, tier, licence, terms):
        return before
    if not table:
        package.extras = {**package.extras, "access_tier": tier}
        package.license_id = licence.id if licence else ""
        package.metadata_modified = clock.now().replace(tzinfo=None)
    new = _replace(package.id, table, last, actor_id, tier, licence, terms)
    if licence and licence.restricted_edition and not specs.hides(new):
        raise OfferInvalid(
            "This licence is for samples and masked editions", field="licence",
            problem="restricted_edition",
        )  # fmt: skip
    return new


def withdraw(offer: Offer, actor_id: str, reason: str) -> Offer:
    """End an offer for everyone who uses it, agreements under it included, until another one is
    published in its place."""
    _lock(offer.dataset_id)
    model.Session.refresh(offer)
    if not reason.strip():
        raise ReasonMissing("Give a reason")
    if offer.withdrawn_at is None:
        offer.withdrawn_at, offer.withdrawn_by = clock.now(), actor_id
        offer.withdrawn_reason = reason.strip()
        model.Session.flush()
        audit.record(
            "offer_withdrawn", actor_id, dataset_id=offer.dataset_id, subject_id=offer.id,
            table=offer.table_name, reason=offer.withdrawn_reason,
        )  # fmt: skip
    return offer


def remove(offer: Offer, actor_id: str) -> None:
    """End a table's own offer: the dataset's counts for it from now on."""
    _lock(offer.dataset_id)
    offer.superseded_at = clock.now()
    model.Session.flush()
    audit.record(
        "offer_removed", actor_id, dataset_id=offer.dataset_id, subject_id=offer.id,
        table=offer.table_name,
    )  # fmt: skip


def follow(licence: Licence, actor_id: str | None) -> int:
    """Move every offer under an older version of a licence to its new version; returns how many."""
    query = (
        sa.select(Offer)
        .where(
            Offer.licence_id == licence.id,
            Offer.licence_version < licence.version,
            Offer.superseded_at.is_(None),
            Offer.withdrawn_at.is_(None),
        )
        .order_by(Offer.dataset_id, Offer.table_name)
    )
    old = list(model.Session.scalars(query))
    for offer in old:
        _lock(offer.dataset_id)
        _replace(
            offer.dataset_id, offer.table_name, offer, actor_id, offer.tier, licence,
            carried(offer),
        )  # fmt: skip
    return len(old)


def carried(offer: Offer | None) -> dict[str, Any]:
    """An offer's :data:`TERMS`; for None, those of an offer that says nothing."""
    if offer is None:
        return {}
    return {name: getattr(offer, name) for name in TERMS}


def tables_of(dataset_id: str) -> list[str]:
    """The lake tables of a dataset, in order."""
    return list(
        model.Session.scalars(
            sa.select(LakeTable.name)
            .where(LakeTable.dataset_id == dataset_id)
            .order_by(LakeTable.name)
        )
    )


def columns_of(package: model.Package, table: str = "") -> list[list[dict[str, Any]]]:
    """The columns (``name``, ``type`` …) of one table of a dataset, or of each for ""."""
    return [
        _columns((resource.extras or {}).get("columns"))
        for resource in package.resources
        if (name := (resource.extras or {}).get("lake_table")) and table in ("", name)
    ]


def _columns(stored: Any) -> list[dict[str, Any]]:
    return list(json.loads(stored) if isinstance(stored, str) else stored or [])


def _lock(dataset_id: str) -> None:
    model.Session.execute(
        sa.select(model.Package.id)
        .where(model.Package.id == dataset_id)
        .with_for_update(key_share=True)
    )


def _replace(
    dataset_id: str,
    table: str,
    last: Offer | None,
    actor_id: str | None,
    tier: str,
    licence: Licence | None,
    terms: Mapping[str, Any],
) -> Offer:
    """Put a new offer in the place of the last one, or after it if that has ended already."""
    before, now = _standing(last), clock.now()
    if before:
        before.superseded_at = now
        model.Session.flush()
    new = Offer(
        created_at=now,
        dataset_id=dataset_id,
        table_name=table,
        number=last.number + 1 if last else 1,
        tier=tier,
        licence=licence,
        created_by=actor_id,
        **terms,
    )
    model.Session.add(new)
    model.Session.flush()
    hidden = {name: getattr(new, name) for name in ("columns", "masks", "row_filter", "sample")}
    audit.record(
        "offer_published",
        actor_id,
        dataset_id=dataset_id,
        subject_id=new.id,
        table=table,
        tier=tier,
        licence=licence.id if licence else None,
        licence_version=licence.version if licence else None,
        supersedes=before.id if before else None,
        **(hidden if specs.hides(new) else {}),
    )
    return new


_LAST = (
    sa.select(Offer)
    .where(Offer.dataset_id == sa.bindparam("dataset"), Offer.table_name == sa.bindparam("table"))
    .order_by(Offer.number.desc())
    .limit(1)
    .execution_options(populate_existing=True)
)


def _last(dataset_id: str, table: str = "") -> Offer | None:
    """The newest offer, whether or not it is still the current one."""
    return model.Session.scalars(_LAST, {"dataset": dataset_id, "table": table}).first()


def _standing(offer: Offer | None) -> Offer | None:
    return offer if offer and offer.superseded_at is None else None


def _same(offer: Offer, tier: str, licence: Licence | None, terms: Mapping[str, Any]) -> bool:
    return (offer.tier, _version(offer.licence)) == (tier, _version(licence)) and all(
        getattr(offer, name) == value for name, value in terms.items()
    )


def _says(offer: Offer, tier: str, licence: Licence | None) -> bool:
    """Whether an offer is what the form says. A withdrawn offer stays withdrawn when its licence
    gets a new version: only a person can offer the data again, not a harvest."""
    of_offer, of_form = _version(offer.licence), _version(licence)
    if offer.withdrawn_at is not None:
        of_offer, of_form = of_offer and of_offer[:1], of_form and of_form[:1]
    return (offer.tier, of_offer) == (tier, of_form)


def _version(licence: Licence | None) -> tuple[str, int] | None:
    return (licence.id, licence.version) if licence else None


def _tier(package: model.Package, has_text: bool) -> str:
    """The tier that the form says; the strictest one if it is unknown, or if there is no licence
    text to accept."""
    tier = package.extras.get("access_tier")
    if tier not in TIERS or (tier == "click" and not has_text):
        return STRICTEST
    return tier
