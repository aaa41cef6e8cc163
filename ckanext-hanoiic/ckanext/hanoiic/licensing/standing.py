"""The facts of a decision, read from the database in a fixed number of queries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa
from ckan import model
from ckanext.hanoiic.licensing import agreements, parties, states, terms
from ckanext.hanoiic.licensing.decision import Decision, Facts, best, decide
from ckanext.hanoiic.licensing.model import AccessRequest, Agreement, LakeTable, Offer
from ckanext.hanoiic.licensing.offers import STRICTEST
from ckanext.hanoiic.licensing.parties import Party

# What is offered: a dataset's id, and the table if that has an offer of its own, else "".
Scope = tuple[str, str]
NOBODY = Party("nobody", "")
# States of agreements and of requests.
LIVING = (*states.LIVE, *states.OPEN)


@dataclass(frozen=True)
class Caller:
    """Who asks. ``scopes`` None: no token limits the caller. ``audience_ok``: the token is for the
    gateway that it was shown to."""

    user: model.User | None = None
    parties: tuple[Party, ...] = ()
    scopes: tuple[str, ...] | None = None
    audience_ok: bool = True

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
    """The caller of a page: a signed-in user, with every party the user speaks for, or nobody."""
    if user is None or user.state != "active":
        return ANONYMOUS
    return Caller(user, parties.held_by(user.id))


@dataclass(frozen=True)
class Dataset:
    """A dataset, or a table with an offer of its own, as decisions see it."""

    package: model.Package
    owner: model.Group | None
    offer: Offer | None

    @property
    def scope(self) -> Scope:
        """The scope that agreements and requests about it belong to."""
        return self.package.id, self.offer.table_name if self.offer else ""

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
    use: terms.Use | None = None


@dataclass
class Held:
    """Newest agreement and request of each (scope, party)."""

    agreements: dict[tuple[Scope, Party], Agreement] = field(default_factory=dict)
    requests: dict[tuple[Scope, Party], AccessRequest] = field(default_factory=dict)

    def counting(self, scope: Scope, party: Party) -> Agreement | None:
        """The agreement that counts: the newest on the table or dataset. For a table that got an
        offer of its own later also that on the whole dataset: who accepted it keeps the table."""
        dataset_id, table = scope
        own = self.agreements.get((scope, party))
        whole = self.agreements.get(((dataset_id, ""), party))
        return own or (whole if whole and agreements.covers(whole, table) else None)


def by_table(names: Sequence[str] | None) -> dict[str, Dataset]:
    """Lake table → its living dataset, with the offer in force for it; all of them for None."""
    if names is None:
        rows = model.Session.execute(_of_tables(every=True))
    else:
        rows = model.Session.execute(_of_tables(every=False), {"names": list(names)})
    return {name: Dataset(*rest) for name, *rest in rows}


def by_id(dataset_id: str, table: str = "") -> Dataset | None:
    """One living dataset, with its own offer or that in force for one of its tables."""
    row = model.Session.execute(_of_id(), {"dataset": dataset_id, "table": table}).first()
    return Dataset(*row[1:]) if row else None


# Made once: putting a statement together takes longer than running it.
@cache
def _of_tables(*, every: bool) -> sa.Select:
    packages = sa.join(model.Package, LakeTable, LakeTable.dataset_id == model.Package.id)
    query = _datasets(packages, LakeTable.name, LakeTable.name)
    names = sa.bindparam("names", expanding=True)
    return query if every else query.where(LakeTable.name.in_(names))


@cache
def _of_id() -> sa.Select:
    query = _datasets(model.Package, model.Package.id, sa.bindparam("table", type_=sa.Text))
    return query.where(model.Package.id == sa.bindparam("dataset"))


def _datasets(packages: Any, key: sa.ColumnElement[str], table: sa.ColumnElement[str]) -> sa.Select:
    def current(offer: type[Offer], name: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
        return sa.and_(
            offer.dataset_id == model.Package.id,
            offer.table_name == name,
            offer.superseded_at.is_(None),
        )

    own, general = sa.orm.aliased(Offer), sa.orm.aliased(Offer)
    in_force = sa.func.coalesce(
        sa.select(own.id).where(own.table_name != "", current(own, table)).scalar_subquery(),
        sa.select(general.id).where(current(general, sa.literal(""))).scalar_subquery(),
    )
    return (
        sa.select(key, model.Package, model.Group, Offer)
        .select_from(packages)
        .outerjoin(model.Group, model.Group.id == model.Package.owner_org)
        .outerjoin(Offer, Offer.id == in_force)
        .where(model.Package.state == "active")
        # Read again what this session may have read before: another request may have changed it.
        .execution_options(populate_existing=True)
    )


def judge(
    caller: Caller,
    datasets: Iterable[Dataset],
    action: str,
    at: datetime,
    *,
    samples: bool = True,
    history: bool = True,
) -> dict[Scope, Standing]:
    """Scope → how the caller stands to it for ``query``, ``download``, ``share`` or ``describe``.

    With ``samples`` false, samples do not count, to see what an agreement would need. With
    ``history`` false, requests that decide nothing are left out.
    """
    scopes = {dataset.scope: dataset for dataset in datasets}
    held = _held(scopes, caller.parties, at, history)
    return {
        scope: _standing(caller, dataset, held, action, at, samples)
        for scope, dataset in scopes.items()
    }


def _standing(
    caller: Caller, dataset: Dataset, held: Held, action: str, at: datetime, samples: bool
) -> Standing:
    def use(party: Party, agreement: Agreement | None, *, trial: bool = False) -> terms.Use | None:
        offer = agreement.offer if agreement else dataset.offer
        return offer and terms.Use(offer, action, at, party, agreement, trial)

    counting = {party: held.counting(dataset.scope, party) for party in caller.parties}
    # A party that an officer shut out gets no sample, even if the caller also speaks for others.
    shut_out = any(mine and mine.state == "revoked" for mine in counting.values())

    def candidate(party: Party) -> tuple[Decision, Standing]:
        agreement, request = counting.get(party), held.requests.get((dataset.scope, party))
        if agreement and request and request.created_at <= agreement.created_at:
            request = None
        state = _state(agreement, at)
        holding = use(party, agreement) if state == "active" else None
        refused = holding.refusal() if holding else None
        if refused and dataset.offer not in (None, holding.offer):
            # As if it had ended: what is offered now counts.
            state, holding, refused = "outdated", None, None
        free = dataset.tier in ("open", "registered")
        without = use(party, None)
        trying = (
            use(party, None, trial=True)
            if samples
            and not shut_out
            and action in ("query", "describe")
            and dataset.offer
            and dataset.offer.sample
            else None
        )
        decision = decide(
            Facts(
                tier=dataset.tier,
                public=not dataset.package.private,
                signed_in=caller.user is not None,
                operator=caller.is_operator,
                owner=caller.owns(dataset.package),
                audience_ok=caller.audience_ok,
                scope_ok=caller.may(action),
                agreement=state,
                request=request.state if request else None,
                terms=without and (without.refusal() if free else without.closed()),
                held_terms=refused,
                sample=trying is not None and trying.refusal() is None,
            )
        )
        uses = {"agreement": holding, "open": without, "registered": without, "sample": trying}
        used = uses.get(decision.reason or "") if decision.permits else None
        return decision, Standing(dataset, decision, agreement, request, used)

    return best([candidate(party) for party in caller.parties or (NOBODY,)])[1]


def _state(agreement: Agreement | None, at: datetime) -> str | None:
    if agreement is None:
        return None
    return "expired" if agreements.is_expired(agreement, at) else agreement.state


def _held(
    datasets: Mapping[Scope, Dataset], of: tuple[Party, ...], at: datetime, history: bool
) -> Held:
    if not of:
        return Held()
    asked = {
        "datasets": list({dataset_id for dataset_id, _ in datasets}),
        "parties": [(party.kind, party.id) for party in of],
    }

    def newest(table: type) -> dict[tuple[Scope, Party], Any]:
        rows = model.Session.scalars(_newest_last(table), asked)
        return {((row.dataset_id, row.table_name), parties.of(row)): row for row in rows}

    held = newest(Agreement)
    served = {scope for (scope, _), row in held.items() if _state(row, at) == "active"}
    free = {scope for scope, dataset in datasets.items() if dataset.tier == "open"}
    # A request only matters where there is no agreement.
    needed = history or datasets.keys() - served - free
    return Held(held, newest(AccessRequest) if needed else {})


@cache
def _newest_last(table: type) -> sa.Select:
    held_by = sa.tuple_(table.party_kind, table.party_id)
    return (
        sa.select(table)
        .where(
            table.dataset_id.in_(sa.bindparam("datasets", expanding=True)),
            held_by.in_(sa.bindparam("parties", expanding=True)),
        )
        # By state before time, as the clock may have been set back: a living agreement is the
        # newest, and a superseded one is older than its successor.
        .order_by(table.state.in_(LIVING), table.state != "superseded", table.created_at)
        .execution_options(populate_existing=True)
    )
