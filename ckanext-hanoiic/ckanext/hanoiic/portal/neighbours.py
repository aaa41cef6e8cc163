"""Addresses outside of this plugin: the gateway's, and pages of the portal's other plugins."""

from __future__ import annotations

from typing import Any

import flask
from ckan.plugins import toolkit as tk

ACCESS_PAGE = "hanoiic_licensing.access"
CONSOLE_PAGE = "hanoiic_console.index"
LICENCE_PAGE = "hanoiic_licensing.licence"


def gateway_url() -> str:
    """The gateway's public address, without a slash at its end."""
    return tk.config["hanoiic.gateway_url"].rstrip("/")


def point_to_gateway(dataset: dict[str, Any]) -> dict[str, Any]:
    """Address the dataset's tables where the gateway is today, not where it was when they came."""
    for resource in dataset.get("resources") or []:
        if table := resource.get("lake_table"):
            resource["url"] = f"{gateway_url()}/v1/tables/{table}/download.csv"
    return dataset


def access_page() -> str | None:
    """Where a person sees their agreements and makes tokens."""
    return _page(ACCESS_PAGE)


def console_page() -> str | None:
    """Where a department sees its sources and runs."""
    return _page(CONSOLE_PAGE)


def licence_page(licence_id: str) -> str | None:
    """The whole address of a licence's text, the same in every language; for want of another."""
    whole = {"locale": "default", "_external": True}
    return _page(LICENCE_PAGE, licence_id=licence_id, **whole) if licence_id else None


def _page(endpoint: str, **values: Any) -> str | None:
    """The address of ``endpoint``, or None where its plugin is not loaded."""
    known = endpoint in flask.current_app.view_functions
    return tk.url_for(endpoint, **values) if known else None
