"""Actions of officers on what their datasets and tables offer."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from ckan import model
from ckan.lib import search
from ckan.plugins import toolkit as tk
from ckanext.hanoiic.licensing import (
    edition_previews,
    editions,
    licences,
    offers,
    pins,
    questions,
    specs,
    terms,
)
from ckanext.hanoiic.licensing.errors import OfferInvalid
from ckanext.hanoiic.licensing.logic import dictize, schema, subject
from ckanext.hanoiic.licensing.logic.given import validated
from ckanext.hanoiic.licensing.logic.refusal import refusing
from ckanext.hanoiic.licensing.model import EditionPreview, Offer

SHOWN_JSON: dict[str, type] = {
    "columns": list,
    "masks": dict,
    "row_filter": list,
    "sample": dict,
}
OFFER_JSON = SHOWN_JSON | {
    "quota": dict,
    "auto_approve": dict,
    "pinned_versions": dict,
    "questions": list,
}


@tk.side_effect_free
@tk.validate_action_data(schema.dataset)
def hanoiic_offer_list(context: Any, data_dict: dict[str, Any]) -> list[dict[str, Any]]:
    """Every offer of a dataset and of its tables, with its history; for the dataset's officers.

    The current ones first, the dataset's own before those of tables. Each has ``editions``: how
    far what it shows is written.

    :param dataset: id or name
    """
    package = _package(context, data_dict)
    tk.check_access("hanoiic_offer_list", context, {"dataset_id": package.id})
    rows = model.Session.scalars(
        sa.select(Offer)
        .where(Offer.dataset_id == package.id)
        .order_by(Offer.superseded_at.isnot(None), Offer.table_name, Offer.number.desc())
    )
    return [
        dictize.offer(row) | {"editions": [] if row.superseded_at else editions.states_of(row)}
        for row in rows
    ]


@validated(schema.offer, OFFER_JSON)
@refusing
def hanoiic_offer_update(context: Any, data_dict: dict[str, Any]) -> dict[str, Any]:
    """Offer a dataset, or one of its tables, under these terms from now on.

    Who holds an agreement keeps what was accepted until it ends. What isn't given is not asked for
    or not limited; ``tier`` and ``licence`` of a dataset's own offer are written to its form too.

    :param dataset: id or name
    :param table: a table of the dataset that gets an offer of its own (optional)
    :param tier: ``open``, ``click``, ``registered`` or ``request``
    :param licence: id of a licence
    :param columns: names of the columns that are shown (None: all)
    :param masks: {column: ``{"kind": "drop" | "hash" | "truncate" | "bucket" | "round_geo", …}``}
    :param row_filter: list of ``{"column", "op", "value"}``, all of which must hold
    :param sample: ``{"rows", "by", "holders"}``
    :param quota: any of ``queries_per_day``, ``rows_per_month``, ``bytes_per_month``,
        ``concurrent_queries``
    :param valid_from: ISO date or date-time (optional)
    :param valid_until: ISO date or date-time (optional)
    :param agreement_days: how long an agreement lasts (optional)
    :param auto_approve: None, or ``{"organization_kinds", "purposes"}``
    :param sla_working_days: until when officers answer a request (optional)
    :param pinned_versions: {table: [numbers]} of versions that are kept while somebody may read
        them by this offer
    :param questions: list of ``{"id", "vi", "en", "required", "kind"}`` that a request is asked;
        ``kind`` is ``text``, ``line``, ``number``, ``date`` or ``yes_no`` (None: the usual ones)
    """
    package, table = _package(context, data_dict), data_dict.get("table") or ""
    tk.check_access("hanoiic_offer_update", context, {"dataset_id": package.id})
    user = subject.user_of(context)
    said = _terms(package, table, data_dict)
    licence = licences.published(data_dict.get("licence"))
    if data_dict.get("licence") and licence is None:
        raise OfferInvalid("No such licence", field="licence", problem="unknown_licence")
    tier = data_dict["tier"]
    row = offers.publish(package, table, user.id, tier, licence, said)
    subject.commit(context)
    # The list of datasets tells the tier.
    search.rebuild(package.id)
    return dictize.offer(row)


@tk.validate_action_data(schema.offer_reason)
@refusing
def hanoiic_offer_withdraw(context: Any, data_dict: dict[str, Any]) -> dict[str, Any]:
    """End an offer for everyone, those who hold an agreement under it included.

    :param dataset: id or name
    :param table: the table whose own offer it is (optional)
    :param reason: why
    """
    package = _package(context, data_dict)
    tk.check_access("hanoiic_offer_withdraw", context, {"dataset_id": package.id})
    offer = _current(package, data_dict.get("table") or "")
    offers.withdraw(offer, subject.user_of(context).id, data_dict["reason"])
    subject.commit(context)
    return dictize.offer(offer)


@tk.validate_action_data(schema.offer_of_table)
@refusing
def hanoiic_offer_remove(context: Any, data_dict: dict[str, Any]) -> dict[str, Any]:
    """End a table's own offer: the dataset's counts for the table from now on.

    :param dataset: id or name
    :param table: the table
    """
    package = _package(context, data_dict)
    tk.check_access("hanoiic_offer_remove", context, {"dataset_id": package.id})
    offer = _current(package, data_dict["table"])
    offers.remove(offer, subject.user_of(context).id)
    subject.commit(context)
    return dictize.offer(offer)


@validated(schema.offer_of_table, SHOWN_JSON)
@refusing
def hanoiic_edition_preview_create(context: Any, data_dict: dict[str, Any]) -> dict[str, Any]:
    """Ask what an edition would look like: its columns and first rows, made by the harvest worker
    within seconds.

    :param dataset: id or name
    :param table: a table of the dataset
    :param columns: as of ``hanoiic_offer_update``; so are ``masks``, ``row_filter``, ``sample``
    """
    package = _package(context, data_dict)
    tk.check_access("hanoiic_edition_preview_create", context, {"dataset_id": package.id})
    table = data_dict["table"]
    _require_table(package, table)
    shown = specs.checked(_shown(data_dict), offers.columns_of(package, table))
    sample = shown["sample"]
    spec = {
        "columns": shown["columns"],
        "masks": shown["masks"],
        "where": shown["row_filter"],
        "sample": {key: sample[key] for key in ("rows", "by")} if sample else None,
        "salt_id": None,
    }
    row = edition_previews.create(table, spec, subject.user_of(context).id)
    subject.commit(context)
    return dictize.edition_preview(row)


@tk.side_effect_free
@tk.validate_action_data(schema.by_id)
def hanoiic_edition_preview_show(context: Any, data_dict: dict[str, Any]) -> dict[str, Any]:
    """A preview that the user asked for; kept for an hour."""
    tk.check_access("hanoiic_edition_preview_show", context, data_dict)
    return dictize.edition_preview(subject.row(EditionPreview, data_dict["id"]))


def _package(context: Any, data_dict: dict[str, Any]) -> model.Package:
    return subject.visible_dataset(context, data_dict["dataset"])


def _terms(package: model.Package, table: str, data_dict: dict[str, Any]) -> dict[str, Any]:
    if table:
        _require_table(package, table)
    columns = offers.columns_of(package, table)
    plain = {name: data_dict.get(name) for name in offers.TERMS if name not in SHOWN_JSON}
    plain["quota"] = terms.checked_quota(plain["quota"] or {})
    plain["auto_approve"] = terms.checked_rule(plain["auto_approve"])
    plain["pinned_versions"] = pins.checked(
        plain["pinned_versions"], pins.newest_of(package, table)
    )
    plain["questions"] = questions.checked(plain["questions"])
    return specs.checked(_shown(data_dict), columns) | plain


def _shown(data_dict: dict[str, Any]) -> dict[str, Any]:
    return {name: data_dict.get(name) for name in SHOWN_JSON}


def _require_table(package: model.Package, table: str) -> None:
    if table not in offers.tables_of(package.id):
        raise OfferInvalid("No table of the dataset", field="table", problem="unknown_table")


def _current(package: model.Package, table: str) -> Offer:
    offer = offers.current(package.id, table)
    if offer is None:
        raise tk.ObjectNotFound(tk._("Not found"))
    return offer
