"""Which edition of a table a caller reads, and which editions the harvest worker has to write.

An edition's name is made of what it shows (:func:`specs.edition_id`), so all that is kept about it
is whether it is written. Until an offer's new edition is written, its callers get what the previous
offer showed them; never what a withdrawn offer or licence showed.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from ckan import model
from ckan.plugins import toolkit as tk
from ckanext.hanoiic.licensing import clock, offers, specs, states, terms
from ckanext.hanoiic.licensing.errors import EditionKeyMissing
from ckanext.hanoiic.licensing.model import Agreement, Edition, LakeTable, Offer
from ckanext.hanoiic.licensing.standing import Standing
from sqlalchemy.dialects.postgresql import insert

WHOLE, PROJECTION, SAMPLE = "whole", "projection", "sample"
LEAST_KEY_BYTES = 16
# The reasons of those who read by the offer itself, without an agreement.
_FREE = ("open", "registered")


@dataclass(frozen=True)
class Chosen:
    """The edition a permitted caller reads (None: the table itself) and its kind."""

    edition: str | None
    kind: str


@dataclass(frozen=True)
class Wanted:
    """One edition to be written of a table: for its newest version, and those that are pinned."""

    edition: str
    table: str
    spec: Mapping[str, Any]
    pinned: set[int] = field(default_factory=set)


THE_TABLE = Chosen(None, WHOLE)


def chosen(permitted: Mapping[str, Standing]) -> dict[str, Chosen]:
    """Table → edition, of standings that permit."""
    first = {table: _of_use(table, one) for table, one in permitted.items()}
    ids = {one.edition for one in first.values() if one.edition}
    known = {
        row.id: row for row in model.Session.scalars(sa.select(Edition).where(Edition.id.in_(ids)))
    } if ids else {}  # fmt: skip
    return {
        table: _previous(table, permitted[table]) or one if _is_awaited(one, known) else one
        for table, one in first.items()
    }


def _of_use(table: str, one: Standing) -> Chosen:
    use = one.use
    if use is None:
        return THE_TABLE
    salt_id = use.agreement.id if use.agreement else use.offer.id
    return _chosen(table, use.offer, salt_id, sample=use.trial)


def _chosen(table: str, offer: Offer, salt_id: str, *, sample: bool = False) -> Chosen:
    spec = specs.spec(offer, salt_id, sample=sample)
    if spec is None:
        return THE_TABLE
    kind = SAMPLE if spec["sample"] else PROJECTION
    return Chosen(specs.edition_id(table, spec), kind)


def _is_awaited(one: Chosen, known: Mapping[str, Edition]) -> bool:
    """Whether the edition is still to be written. For one that failed nothing is served in its
    place."""
    return one.edition is not None and one.edition not in known


def _previous(table: str, one: Standing) -> Chosen | None:
    """What the previous offer showed to this caller; None if it showed nothing."""
    use = one.use
    if use is None or use.agreement is not None or use.trial:
        return None
    before = model.Session.scalars(
        sa.select(Offer).where(
            Offer.dataset_id == use.offer.dataset_id,
            Offer.table_name == use.offer.table_name,
            Offer.number == use.offer.number - 1,
            # One that had been removed is not what anyone saw until now.
            Offer.superseded_at == use.offer.created_at,
        )
    ).first()
    if before is None or before.tier not in _FREE:
        return None
    # A signed-in caller has what anyone has; an anonymous one not what the signed-in have.
    if before.tier == "registered" and one.decision.reason != "registered":
        return None
    if terms.Use(before, use.action, use.at, use.party).refusal():
        return None
    previous = _chosen(table, before, before.id)
    if previous.edition and model.Session.get(Edition, previous.edition) is None:
        return None
    return previous


def wanted(table: str | None = None) -> list[Wanted]:
    """Every edition that somebody may read now, of one table or of all."""
    found: dict[str, Wanted] = {}
    for name, offer, agreements in _offered(table):
        for spec in _specs(offer, agreements):
            id_ = specs.edition_id(name, spec)
            one = found.setdefault(id_, Wanted(id_, name, spec))
            one.pinned.update(offer.pinned_versions.get(name, ()))
    return [found[id_] for id_ in sorted(found)]


def _specs(offer: Offer, agreements: list[str]) -> Iterable[dict[str, Any]]:
    is_current = offer.superseded_at is None
    salt_ids = [offer.id] if is_current and offer.tier in _FREE else []
    salt_ids += agreements
    if is_current and not specs.is_salted(offer):
        # Ready before the first agreement begins.
        salt_ids.append(offer.id)
    every = [specs.spec(offer, salt_id) for salt_id in salt_ids]
    if is_current and offer.sample:
        every.append(specs.spec(offer, offer.id, sample=True))
    return [spec for spec in every if spec is not None]


def _offered(table: str | None) -> Iterable[tuple[str, Offer, list[str]]]:
    """Table, an offer that counts for it, and the live agreements under that offer."""
    held: dict[str, list[str]] = {}
    live = sa.select(Agreement.offer_id, Agreement.id).where(Agreement.state.in_(states.LIVE))
    for offer_id, agreement_id in model.Session.execute(live.order_by(Agreement.id)):
        held.setdefault(offer_id, []).append(agreement_id)
    own = sa.orm.aliased(Offer)
    has_own = sa.exists().where(
        own.dataset_id == LakeTable.dataset_id,
        own.table_name == LakeTable.name,
        own.superseded_at.is_(None),
    )
    query = (
        sa.select(LakeTable.name, Offer)
        .join(model.Package, model.Package.id == LakeTable.dataset_id)
        .join(Offer, Offer.dataset_id == LakeTable.dataset_id)
        .where(
            model.Package.state == "active",
            sa.or_(
                Offer.table_name == LakeTable.name,
                # Who accepted the dataset's before the table had its own reads by that.
                sa.and_(Offer.table_name == "", sa.or_(~has_own, Offer.id.in_(held))),
            ),
            sa.or_(Offer.superseded_at.is_(None), Offer.id.in_(held)),
            sa.or_(
                Offer.columns.isnot(None),
                Offer.sample.isnot(None),
                Offer.masks != sa.literal({}, Offer.masks.type),
                Offer.row_filter != sa.literal([], Offer.row_filter.type),
            ),
        )
        .order_by(LakeTable.name, Offer.number)
    )
    if table is not None:
        query = query.where(LakeTable.name == table)
    now = clock.now()
    for name, offer in model.Session.execute(query):
        if terms.closed(offer, now, held=True) is None:
            yield name, offer, held.get(offer.id, [])


def listed(table: str | None = None) -> list[dict[str, Any]]:
    """:func:`wanted` as the harvest worker is told, with the salt of each and what is known."""
    every = wanted(table)
    rows = {
        row.id: row
        for row in model.Session.scalars(
            sa.select(Edition)
            .where(Edition.id.in_([one.edition for one in every]))
            .execution_options(populate_existing=True)
        )
    }
    return [
        {
            "edition": one.edition,
            "table": one.table,
            "spec": dict(one.spec),
            "salt": salt(one.spec["salt_id"]) if one.spec["salt_id"] else None,
            "state": row.state if (row := rows.get(one.edition)) else "wanted",
            "written_version": row.written_version if row else None,
            "failed_version": row.failed_version if row else None,
            "pinned_versions": sorted(one.pinned),
        }
        for one in every
    ]


def report(edition: str, table: str, version: int, state: str, error: str | None = None) -> None:
    """Note that an edition is written for a version, or failed; the decisions follow."""
    values: dict[str, Any] = {"state": state, "changed_at": clock.now()}
    if state == "written":
        values |= {"written_version": version, "failed_version": None, "error": None}
    else:
        values |= {"failed_version": version, "error": error}
    statement = insert(Edition).values(id=edition, table_name=table, **values)
    model.Session.execute(statement.on_conflict_do_update(index_elements=["id"], set_=values))


def salt(salt_id: str) -> str:
    """The key of hashed columns of one agreement, hex: HMAC-SHA-256 of its id under the secret of
    ``hanoiic.edition_key_file``. Raises :class:`EditionKeyMissing`."""
    path = tk.config.get("hanoiic.edition_key_file")
    try:
        secret = Path(path).read_bytes().strip() if path else b""
    except OSError:
        secret = b""
    if len(secret) < LEAST_KEY_BYTES:
        raise EditionKeyMissing("hanoiic.edition_key_file names no file with a key")
    return hmac.digest(secret, f"edition:{salt_id}".encode(), hashlib.sha256).hex()


def states_of(offer: Offer) -> list[dict[str, Any]]:
    """How far the editions of an offer are, for its officers: ``table``, ``kind``, ``state``."""
    tables = [offer.table_name] if offer.table_name else offers.tables_of(offer.dataset_id)
    kinds = [(PROJECTION, specs.spec(offer, offer.id))]
    if offer.sample:
        kinds.append((SAMPLE, specs.spec(offer, offer.id, sample=True)))
    told = []
    for table in tables:
        for kind, spec in kinds:
            if spec is None or (kind == PROJECTION and _needs_agreement(offer)):
                continue
            row = model.Session.get(Edition, specs.edition_id(table, spec))
            told.append(
                {
                    "table": table,
                    "kind": kind,
                    "state": row.state if row else "wanted",
                    "version": row.written_version if row else None,
                    "error": row.error if row and row.state == "failed" else None,
                }
            )
    return told


def _needs_agreement(offer: Offer) -> bool:
    """Hashed columns of an offer by agreement are written for each agreement."""
    return specs.is_salted(offer) and offer.tier not in _FREE
