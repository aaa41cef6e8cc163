"""What a dataset offers: its tier and licence, kept with their history.

The dataset's form is the input; the offer is what counts. A change supersedes the current offer,
and those who hold an agreement keep what they accepted until it ends.
"""

from __future__ import annotations

import sqlalchemy as sa
from ckan import model
from ckanext.hanoiic.licensing import audit, clock, licences
from ckanext.hanoiic.licensing.model import Offer

TIERS = ("open", "click", "registered", "request")
STRICTEST = "request"


def current(dataset_id: str, table: str = "") -> Offer | None:
    """The dataset's own current offer, or that of one table; None when there is none."""
    return model.Session.scalars(
        sa.select(Offer)
        .where(
            Offer.dataset_id == dataset_id,
            Offer.table_name == table,
            Offer.superseded_at.is_(None),
        )
        .execution_options(populate_existing=True)
    ).first()


def in_force(dataset_id: str, table: str = "") -> Offer | None:
    """The current offer that counts for a table: its own, else the dataset's."""
    own = current(dataset_id, table) if table else None
    return own or current(dataset_id)


def tier_of(dataset_id: str) -> str:
    """The tier that counts; a dataset without an offer is the strictest."""
    offer = current(dataset_id)
    return offer.tier if offer else STRICTEST


def settle(package: model.Package, actor_id: str | None, table: str = "") -> Offer:
    """Make the dataset's offer agree with its form; flushed, not committed.

    Returns the offer in force for ``table``, or the dataset's own.

    Locks the dataset's row until the transaction ends: everything that makes an offer, a request
    or an agreement of one dataset passes here one by one.
    """
    model.Session.execute(
        sa.select(model.Package.id)
        .where(model.Package.id == package.id)
        .with_for_update(key_share=True)
    )
    licence = licences.published(package.license_id)
    tier = _tier(package, licence is not None)
    terms = (tier, licence.id if licence else None, licence.version if licence else None)
    offer = current(package.id)
    if offer and (offer.tier, offer.licence_id, offer.licence_version) == terms:
        return (table and current(package.id, table)) or offer
    if offer:
        offer.superseded_at = clock.now()
        model.Session.flush()
    new = Offer(
        dataset_id=package.id,
        number=offer.number + 1 if offer else 1,
        tier=tier,
        licence=licence,
        created_by=actor_id,
    )
    model.Session.add(new)
    model.Session.flush()
    audit.record(
        "offer_published",
        actor_id,
        dataset_id=package.id,
        subject_id=new.id,
        tier=tier,
        licence=terms[1],
        licence_version=terms[2],
        supersedes=offer.id if offer else None,
    )
    return (table and current(package.id, table)) or new


def _tier(package: model.Package, has_text: bool) -> str:
    """What the form says; the strictest when that is unknown or there is no text to accept."""
    tier = package.extras.get("access_tier")
    if tier not in TIERS or (tier == "click" and not has_text):
        return STRICTEST
    return tier
