"""Which source may write a lake table. Asked before anything is published.

A reservation is made once and never given back: what lies in a table stays its organisation's, also
when the source and the dataset are gone. Within the organisation the table passes on to another
source when the first one is deleted or fills other tables by now; of a deleted source the dataset
does so too.
"""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa
from ckan import model
from ckanext.hanoiic.licensing import tables as claims
from ckanext.hanoiic.licensing.model import LakeTable
from sqlalchemy.dialects.postgresql import insert

from .errors import TableTaken
from .kinds import kind_of
from .model import Reservation, Source, now
from .states import DELETED


def reserve(source: Source, dataset: str, tables: Iterable[str]) -> set[str]:
    """Keep tables for a source's dataset, known by its identifier in the source; all or none.

    Returns the ids of the datasets that a deleted source left, which become this one. The caller
    commits, or rolls back after TableTaken. Two sources that ask at the same time are served one
    after the other; the order of the names keeps them from waiting for each other.
    """
    left = set()
    for table in sorted(set(tables)):
        values = {"source_id": source.id, "organization_id": source.owner_org}
        made = model.Session.execute(
            insert(Reservation).values(table=table, **values, reserved_at=now())
            .on_conflict_do_nothing()
        )  # fmt: skip
        held = model.Session.get(Reservation, table, with_for_update=True, populate_existing=True)
        if held.source_id != source.id:
            _refuse_unless_free(held, source)
        was_ours = made.rowcount == 0 and held.source_id == source.id
        left |= _registered_elsewhere(table, source, dataset, was_ours)
        held.source_id, held.organization_id = source.id, source.owner_org
    model.Session.flush()
    return left


def is_anothers(table: str, kind: str, organisation: str, source: Source | None) -> bool:
    """Whether a source with this table, or prefix of tables, could write what others have.

    Another living source fills the very table, or something of another organisation is at it.
    """
    others = model.Session.query(Source).filter(Source.state != DELETED)
    others = others.filter(Source.id != source.id) if source else others
    if others.filter(Source.dataset["table"].astext == table).first():
        return True
    foreign = others.filter(Source.owner_org != organisation)
    if any(_fills(other, table) for other in foreign):
        return True
    kept = (
        (Source.dataset["table"].astext, foreign),
        (Reservation.table, _foreign(Reservation, organisation, source)),
        (LakeTable.name, _foreign(LakeTable, organisation, source)),
    )
    return any(query.filter(_within(column, table, kind)).first() for column, query in kept)


def _foreign(cls: type, organisation: str, source: Source | None) -> sa.orm.Query:
    """Rows of other organisations, without what the source itself has from where it was before."""
    query = model.Session.query(cls).filter(cls.organization_id.is_distinct_from(organisation))
    if source is None:
        return query
    own = sa.select(Reservation.table).where(Reservation.source_id == source.id)
    return query.filter(sa.inspect(cls).primary_key[0].not_in(own))


def _within(column: sa.ColumnElement, table: str, kind: str) -> sa.ColumnElement:
    same = column == table
    if not kind_of(kind).many_tables:
        return same
    return sa.or_(same, column.startswith(f"{table}_", autoescape=True))


def _fills(source: Source, table: str) -> bool:
    own = source.dataset["table"]
    return table == own or (kind_of(source.kind).many_tables and table.startswith(f"{own}_"))


def _refuse_unless_free(held: Reservation, source: Source) -> None:
    before = model.Session.get(Source, held.source_id, populate_existing=True)
    is_filled = before.state != DELETED and _fills(before, held.table)
    if held.organization_id != source.owner_org or is_filled:
        raise TableTaken(held.table, before.id if before.state != DELETED else None)


def _registered_elsewhere(table: str, source: Source, dataset: str, was_ours: bool) -> set[str]:
    """The id of the dataset that has the table, if it is one to inherit. Raises TableTaken."""
    claim = claims.holder(table)
    if claim is None:
        return set()
    package = model.Session.get(model.Package, claim.dataset_id)
    inherited = set()
    if package is not None and package.state != DELETED:
        known_as = (package.extras.get("harvest_source"), package.extras.get("harvest_identifier"))
        if known_as != (source.id, dataset):
            if not _is_left_to(source, dataset, package):
                raise TableTaken(table, known_as[0] if known_as[0] != source.id else None)
            inherited = {package.id}
    if claim.organization_id != source.owner_org and not was_ours:
        raise TableTaken(table)
    return inherited


def _is_left_to(source: Source, dataset: str, package: model.Package) -> bool:
    """Whether a deleted source of the department left the dataset, and this one has none yet."""
    former = model.Session.get(Source, package.extras.get("harvest_source") or "")
    if former is None or former.state != DELETED or package.owner_org != source.owner_org:
        return False
    has = model.Package.extras
    own = model.Session.query(model.Package).filter(
        model.Package.state != DELETED,
        has["harvest_source"].astext == source.id,
        has["harvest_identifier"].astext == dataset,
    )
    return own.first() is None
