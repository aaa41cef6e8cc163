"""The facets of every list of datasets: their order, their titles, their values in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import flask
from ckan.plugins import toolkit as tk
from ckanext.hanoiic.search import freshness, vietnamese, wards
from ckanext.hanoiic.search.facet_fields import QUALITY, WARDS, YEARS

from .wording import value_label

Words = Callable[[], str]

# Field → its title. The order is the page's; the first ones stand open.
TITLES: Mapping[str, Words] = {
    "organization": lambda: tk._("Departments"),
    "groups": lambda: tk._("Topics"),
    "access_tier": lambda: tk._("Access"),
    freshness.FIELD: lambda: tk._("Updated in time"),
    "res_format": lambda: tk._("Formats"),
    WARDS: lambda: tk._("Wards"),
    YEARS: lambda: tk._("Years covered"),
    "update_frequency": lambda: tk._("Update frequency"),
    QUALITY: lambda: tk._("Data quality"),
}
OPEN = ("organization", "groups", "access_tier", freshness.FIELD)

# Values that are words of the portal, in the order in which they are shown.
VALUES: Mapping[str, Mapping[str, Words]] = {
    "access_tier": {
        "open": lambda: tk._("Open now"),
        "registered": lambda: tk._("Open after signing in"),
        "click": lambda: tk._("One click: accept the terms"),
        "request": lambda: tk._("On request"),
    },
    freshness.FIELD: {
        freshness.CURRENT: lambda: tk._("Updated as promised"),
        freshness.OVERDUE: lambda: tk._("Overdue"),
        freshness.UNKNOWN: lambda: tk._("Nothing promised"),
    },
    QUALITY: {
        "good": lambda: tk._("Good: 95 % complete and valid, or more"),
        "fair": lambda: tk._("Fair: 80 to 95 %"),
        "poor": lambda: tk._("Look closely: below 80 %"),
    },
}
FREQUENCIES = tuple(freshness.PROMISED)


def titles(without: str | None = None) -> dict[str, str]:
    """Field → title in the reader's language."""
    return {field: title() for field, title in TITLES.items() if field != without}


def label(field: str, value: str) -> str:
    """A facet's value as a reader would say it."""
    if words := VALUES.get(field, {}).get(value):
        return words()
    return wards.name_of(value) if field == WARDS else value_label(field, value)


def former_names(field: str, value: str) -> tuple[str, ...]:
    """What a ward was made of in July 2025, by bare names; nothing for other fields."""
    ward = wards.wards().get(value) if field == WARDS else None
    return tuple(dict.fromkeys(map(wards.bare, ward.former))) if ward else ()


def name_values(search_facets: Mapping[str, Any]) -> None:
    """Give the values of our facets their names (``display_name``), where there is a reader."""
    if not flask.has_request_context():
        return
    for field, facet in search_facets.items():
        if field in TITLES:
            for item in facet["items"]:
                item["display_name"] = label(field, item["name"])


def items(
    facet: str,
    search_facets: Mapping[str, Any],
    limit: int | None = None,
    exclude_active: bool = False,
) -> list[dict[str, Any]]:
    """CKAN's helper ``get_facet_items_dict``, in an order that people expect.

    Words of the portal in their own order, years from the newest, all others by count and then by
    the Vietnamese alphabet. Chosen values come first, so that "show more" never hides one.
    """
    chosen = list(tk.request.args.items(multi=True))
    found = [
        dict(item, active=(facet, item["name"]) in chosen)
        for item in search_facets.get(facet, {}).get("items") or []
    ]
    found = [item for item in found if not (exclude_active and item["active"])]
    found.sort(key=lambda item: (not item["active"], *_place(facet, item)))
    if limit is None:
        limit = tk.h.get_param_int(f"_{facet}_limit", tk.config["search.facets.default"])
    return found[:limit] if limit else found


def _place(facet: str, item: Mapping[str, Any]) -> tuple[Any, ...]:
    order = tuple(VALUES.get(facet, ())) or (FREQUENCIES if facet == "update_frequency" else ())
    if order:
        known = item["name"] in order
        return (order.index(item["name"]) if known else len(order), item["display_name"])
    if facet == YEARS:
        return (-int(item["name"]) if item["name"].isdigit() else 0,)
    return (-item["count"], vietnamese.sort_key(item["display_name"]))
