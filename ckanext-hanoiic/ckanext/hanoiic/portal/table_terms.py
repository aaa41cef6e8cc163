"""What is offered of each of a dataset's tables: its own offer, for want of one the dataset's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ckan.plugins import toolkit as tk

from .validators import TABLE_NAME


@dataclass(frozen=True)
class Terms:
    """``is_open``: anybody reads it, without a token. ``whole``: and all there is of it."""

    is_open: bool
    whole: bool
    offer_id: str


def table_terms(dataset: Mapping[str, Any]) -> dict[str, Terms]:
    """The terms of every resource of ``dataset`` with a lake table, by the resource's id."""
    tables = {
        resource["id"]: table
        for resource in dataset.get("resources", [])
        if TABLE_NAME.fullmatch(table := resource.get("lake_table") or "")
    }
    licensed = tables and tk.h.plugin_loaded("hanoiic_licensing")
    offers = tk.h.hanoiic_offers(dataset["id"]) if licensed else {}
    return {
        id_: _terms(dataset, offers.get(table) or offers.get("") or {}, whole=not offers)
        for id_, table in tables.items()
    }


def _terms(dataset: Mapping[str, Any], offer: Mapping[str, Any], *, whole: bool) -> Terms:
    is_open = offer.get("tier", dataset.get("access_tier")) == "open" and not dataset.get("private")
    return Terms(is_open, is_open and offer.get("whole", whole), offer.get("id", ""))
