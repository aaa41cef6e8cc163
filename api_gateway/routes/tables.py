"""`GET /v1/tables` and `GET /v1/tables/<table>`: what a caller may know of."""

from __future__ import annotations

import unicodedata
from contextlib import suppress
from typing import Any

from flask import Blueprint, request

from api_gateway.errors import TableNotFound, TableUnreadable
from api_gateway.formats import FORMATS
from api_gateway.introspection import TableDecision
from api_gateway.routes import caller, gateway, public_url
from api_gateway.shelf import instant
from api_gateway.verdicts import not_found
from lake import Column, Version

pages = Blueprint("tables", __name__)


@pages.get("/v1/tables")
def listed() -> dict[str, Any]:
    """The tables the caller may know of; `q` keeps those whose name or title holds its words, with
    or without diacritics."""
    words = _folded(request.args.get("q", "")).split()
    decision = gateway().decide(caller(), None, "describe")
    tables = []
    for name, of in sorted(decision.tables.items()):
        if of.decision in ("permit", "deny") and _matches(name, of, words):
            # A table that is registered and not yet published has nothing to show.
            with suppress(TableNotFound):
                tables.append(_listed(name, of))
    return {"tables": tables, "count": len(tables)}


@pages.get("/v1/tables/<table>")
def shown(table: str) -> dict[str, Any]:
    """Columns, versions, licence, and what this caller may do."""
    parts, who, name = gateway(), caller(), table.lower()
    of = parts.decide(who, (name,), "describe").of(name)
    if of.decision not in ("permit", "deny"):
        raise not_found(name, who.token, parts.decisions)
    try:
        versions = _read(name, of)
    except TableNotFound:
        raise not_found(name, who.token, parts.decisions) from None
    # A table whose edition is being written has no columns to show yet.
    columns = parts.shelf.columns(name, versions[0], _edition(of)) if versions else []
    return {
        **_summary(name, of, versions),
        "columns": [_column(each) for each in columns],
        "versions": [
            {
                "version": each.number,
                "published_at": instant(each),
                "row_count": each.row_count,
                # Not the size of the whole table: it would tell how much an edition hides.
                "byte_count": None if _edition(of) else each.byte_count,
            }
            for each in versions
        ],
        "downloads": {each: f"{public_url()}/v1/tables/{name}/download.{each}" for each in FORMATS},
    }


def _listed(name: str, of: TableDecision) -> dict[str, Any]:
    """What the list says of a table; of one that cannot be read, that it is there."""
    try:
        return _summary(name, of, _read(name, of)) | {"error": None}
    except TableUnreadable as error:
        return _summary(name, of, []) | {"error": error.code}


def _edition(of: TableDecision) -> str | None:
    """What the caller reads; who reads nothing is told of the whole table, as its page tells."""
    return of.edition if of.permitted else None


def _read(name: str, of: TableDecision) -> list[Version]:
    return gateway().shelf.read(name, _edition(of))


def _summary(name: str, of: TableDecision, versions: list[Version]) -> dict[str, Any]:
    latest = versions[0] if versions else None
    return {
        "name": name,
        "title": of.dataset.get("title"),
        "title_en": of.dataset.get("title_en"),
        "dataset": dict(of.dataset) or None,
        "tier": of.tier or None,
        "access": _access(of),
        "licence": dict(of.licence) or None,
        "version": latest.number if latest else None,
        "published_at": instant(latest) if latest else None,
        "row_count": latest.row_count if latest else None,
        "url": f"{public_url()}/v1/tables/{name}",
    }


def _access(of: TableDecision) -> dict[str, Any]:
    access: dict[str, Any] = {"decision": of.decision, "reason": of.reason or None}
    if not of.permitted:
        access["access_url"] = of.access_url or None
    return access


def _column(column: Column) -> dict[str, Any]:
    return {key: value for key, value in vars(column).items() if value or key in ("name", "type")}


def _matches(name: str, of: TableDecision, words: list[str]) -> bool:
    text = _folded(
        " ".join(str(of.dataset.get(key) or "") for key in ("title", "title_en", "name"))
    )
    return all(word in text or word in name for word in words)


def _folded(text: str) -> str:
    plain = unicodedata.normalize("NFD", text.casefold().replace("đ", "d"))
    return "".join(letter for letter in plain if not unicodedata.combining(letter))
