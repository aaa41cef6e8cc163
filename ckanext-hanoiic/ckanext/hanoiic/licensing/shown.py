"""What the pages show: licences in plain words, how a reader stands to a dataset, choices."""

from __future__ import annotations

from typing import Any

import flask
from ckan.plugins import toolkit as tk
from ckanext.hanoiic.licensing import (
    clock,
    language,
    licences,
    offers,
    specs,
    terms,
    tokens,
)
from ckanext.hanoiic.licensing.logic.action.request import waiting_count
from ckanext.hanoiic.licensing.model import Licence, Offer
from ckanext.hanoiic.licensing.words import OVERLAPS


def licence(license_id: str | None, version: int | None = None) -> dict[str, Any] | None:
    """A licence in plain words in the reader's language; None for one the portal doesn't know.

    ``{id, version, title, url, draft, summary, may, must, must_not}``; without ``version`` the
    newest one.
    """
    row: Any = licences.shown(license_id or "", version)
    if row is None:
        return None
    titles = {"vi": row.title_vi, "en": row.title_en} if isinstance(row, Licence) else row.title
    return {
        "id": row.id,
        "version": row.version,
        "title": titles[language.current()],
        "url": row.url,
        "draft": row.draft,
        **row.plain[language.current()],
    }


def accesses(dataset: dict[str, Any]) -> list[dict[str, Any]]:
    """How the reader of the page stands to a dataset and to each table with an offer of its own.

    Answers of ``hanoiic_access_show`` with ``table`` (None: the dataset's own offer) and ``tables``
    it is about (``{name, title}``); the dataset's own comes first, and is left out where every
    table has its own. Empty for a draft or a deleted dataset: nobody has or gets access to it.
    """
    if dataset.get("state") != "active":
        return []
    titles = {
        resource["lake_table"]: resource.get("name") or resource["lake_table"]
        for resource in dataset.get("resources", [])
        if resource.get("lake_table")
    }
    own = [table for table in _current(dataset["id"]) if table in titles]
    general = [table for table in titles if table not in own]
    scopes = [("", general)] if general or not titles else []
    scopes += [(table, [table]) for table in titles if table in own]
    show = tk.get_action("hanoiic_access_show")
    return [
        show({}, {"id": dataset["id"], "table": table})
        | {"table": table, "tables": [{"name": one, "title": titles[one]} for one in about]}
        for table, about in scopes
    ]


def offers_of(dataset_id: str) -> dict[str, dict[str, Any]]:
    """Table → ``{tier, id, whole}`` of the current offer that is its own; "" for the dataset's.

    ``whole``: it is in force and shows the whole table.
    """
    now = clock.now()
    return {
        table: {
            "tier": offer.tier,
            "id": offer.id,
            "whole": terms.closed(offer, now) is None and not specs.hides(offer),
        }
        for table, offer in _current(dataset_id).items()
    }


def _current(dataset_id: str) -> dict[str, Offer]:
    """The current offers by table, read once for a page."""
    known: dict[str, dict[str, Offer]] = flask.g.setdefault("_hanoiic_current_offers", {})
    if dataset_id not in known:
        known[dataset_id] = offers.all_current(dataset_id)
    return known[dataset_id]


def waiting_requests() -> int:
    """How many requests for access wait for the reader's decision."""
    user = tk.current_user
    return waiting_count(user) if user.is_authenticated else 0


def token_choices() -> dict[str, Any]:
    """What the form of a new token offers."""
    return {
        "scopes": tokens.SCOPES,
        "default": tokens.DEFAULT_SCOPES,
        "days": (7, 30, 90, 180, 365),
        "day": tokens.LIFETIME_DAYS,
        "overlaps": [(hours, tk._(words)) for hours, words in OVERLAPS.items()],
        "overlap": tokens.OVERLAP_HOURS,
    }
