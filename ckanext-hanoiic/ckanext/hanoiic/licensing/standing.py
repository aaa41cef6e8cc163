"""The facts of a decision, read from the database in a fixed number of queries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa
from ckan import model
from ckanext.hanoiic.licensing import agreements, parties
from ckanext.hanoiic.licensing.decision import Decision, Facts, best, decide
from ckanext.hanoiic.licensing.model import AccessRequest, Agreement, LakeTable, Offer
from ckanext.hanoiic.licensing.offers import STRICTEST
from ckanext.hanoiic.licensing.parties import Party

NOBODY = Party("nobody", "")


@dataclass(frozen=True)
class Caller:
    """Who asks. ``scopes`` None: not limited by a token."""

    user: model.User | None = None
    parties: tuple[Party, ...] = ()
    scopes: tuple[str, ...] | None = None

    @property
    def is_operator(self) -> bool:
        return self.user is not None and bool(self.user.sysadmin)

    def owns(self, package: model.Package) -> bool:
        return Party("organization", package.owner_org or "") in self.parties

    def may(self, action: str) -> bool:
        """Whether the token covers ``action``; to describe needs no scope."""
        return self.scopes is None or action == "describe" or action in self.scopes


ANONYMOUS = Caller()


def signed_in(user: model.User | None) -> Caller:
    """The caller of a page: a signed-in user with everything the user is, or nobody."""
    if user is None or user.state != "active":
        return ANONYMOUS
    return Caller(user, parties.held_by(user.id))


@dataclass(frozen=True)
class Dataset:
    """A dataset as decisions see it."""

    package: model.Package
    owner: model.Group | None
    offer: Offer | None

    @property
    def tier(self) -> str:
        return self.offer.tier if self.offer else STRICTEST


@dataclass(frozen=True)
class Standing:
    """How a caller stands to a dataset: the decision and what it rests on."""

    dataset: Dataset
    decision: Decision
    agreement: Agreement | None = None
    request: AccessRequest | None = None


@dataclass
class Held:
    """Newest agreement and request of each (dataset, party)."""

    agreements: dict[tuple[str, Party], Agreement] = field(default_factory=dict)
    requests: dict[tuple[str, Party], AccessRequest] = field(default_factory=dict)


def by_table(names: Sequence[str] | None) -> dict[str, Dataset]:
    """Lake table → its living dataset; all of them for None."""
    query = _datasets(LakeTable.name).join(LakeTable, LakeTable.dataset_id == model.Package.id)
    if names is not None:
        query = query.where(LakeTable.name.in_(names))
    return {name: Dataset(*rest) for name, *rest in model.Session.execute(query)}


def by_id(dataset_id: str) -> Dataset | None:
    """One living dataset."""
    query = _datasets(model.Package.id).where(model.Package.id == dataset_id)
    row = model.Session.execute(query).first()
    return Dataset(*row[1:]) if row else None


def _datasets(key: sa.ColumnElement[str]) -> sa.Select:
    return (
        sa.select(key, model.Package, model.Group, Offer)
        .select_from(model.Package)
        .outerjoin(model.Group, model.Group.id == model.Package.owner_org)
        .outerjoin(
            Offer, sa.and_(Offer.dataset_id == model.Package.id, Offer.superseded_at.is_(None))
        )
        .where(model.Package.state == "active")
        # Another request may have changed what this session read before.
        .execution_options(populate_existing=True)
    )


def judge(
    caller: Caller, datasets: Iterable[Dataset], action: str, at: datetime
) -> dict[str, Standing]:
    """Dataset id → how the caller stands to it for ``query``, ``download`` or ``describe``."""
    datasets = {dataset.package.id: dataset for dataset in datasets}
    held = _held(list(datasets), caller.parties)
    return {id_: _standing(caller, dataset, held, action, at) for id_, dataset in datasets.items()}


def _standing(caller: Caller, dataset: Dataset, held: Held, action: str, at: datetime) -> Standing:
    def candidate(party: Party) -> tuple[Decision, Standing]:
        key = (dataset.package.id, party)
        agreement, request = held.agreements.get(key), held.requests.get(key)
        if agreement and request and request.created_at <= agreement.created_at:
            request = None
        decision = decide(
            Facts(
                tier=dataset.tier,
                public=not dataset.package.private,
                signed_in=caller.user is not None,
                operator=caller.is_operator,
                owner=caller.owns(dataset.package),
                scope_ok=caller.may(action),
                agreement=_state(agreement, at),
                request=request.state if request else None,
            )
        )
        return decision, Standing(dataset, decision, agreement, request)

    return best([candidate(party) for party in caller.parties or (NOBODY,)])[1]


def _state(agreement: Agreement | None, at: datetime) -> str | None:
    if agreement is None:
        return None
    return "expired" if agreements.is_expired(agreement, at) else agreement.state


def _held(dataset_ids: list[str], of: tuple[Party, ...]) -> Held:
    if not of:
        return Held()

    def newest(table: type) -> dict[tuple[str, Party], object]:
        rows = model.Session.scalars(
            sa.select(table)
            .where(
                table.dataset_id.in_(dataset_ids),
                sa.tuple_(table.party_kind, table.party_id).in_([(p.kind, p.id) for p in of]),
            )
            .order_by(table.created_at)
            .execution_options(populate_existing=True)
        )
        return {(row.dataset_id, parties.of(row)): row for row in rows}

    return Held(newest(Agreement), newest(AccessRequest))
