"""Delta Sharing's files: their addresses, each with a link of a few minutes, and what these open.

A file is read without Authorization: its link says who reads, and is asked about every time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, jsonify

from api_gateway import asked, links
from api_gateway.asked import Asked
from api_gateway.errors import (
    PROBLEM_TYPE,
    GatewayError,
    LinkInvalid,
    RangeMissing,
    TokenInvalid,
    VersionNotFound,
)
from api_gateway.exchange import Caller
from api_gateway.formats import FORMATS
from api_gateway.links import LIFETIME_S, Link
from api_gateway.query import whole
from api_gateway.routes import bearer, gateway, public_url
from api_gateway.routes.stored import stored
from api_gateway.sharing import SharedFile, Step
from api_gateway.shelf import Shelved
from api_gateway.visit import Visit
from lake import logs

pages = Blueprint("share", __name__, url_prefix="/v1/share")

# Stands for a link token where anyone may read the table.
OPEN = "open"


@pages.get("/files/<link>/<table>/<int:number>/<int:part>.parquet")
def file(link: str, table: str, number: int, part: int) -> Response:
    """One Parquet file, by a link of `query` or `changes`: the link says who reads."""
    visit, who = _linked(link, table, {"version": number})
    (shelved,) = visit.shelved
    if part >= len(shelved.source.files):
        raise RangeMissing("the version has fewer files")
    return _sent(visit, who, Path(shelved.source.files[part]), f"{number}_{part}")


@pages.get("/files/<link>/<table>/<int:since>-<int:number>/changes.parquet")
def changed_rows(link: str, table: str, since: int, number: int) -> Response:
    """The rows that changed between two versions, by a link of `changes`."""
    visit, who = _linked(link, table, {"version": number, "since": since})
    before = at_version(visit, since)
    timeout_s = gateway().settings.gateway_timeout_s
    path = gateway().changes.file(before, visit.shelved[0], visit.who, timeout_s)
    if path is None:
        raise VersionNotFound("the changed rows are no longer kept: ask for them again")
    return _sent(visit, who, path, f"{since}_{number}_changes")


def _linked(link: str, table: str, claims: dict[str, int]) -> tuple[Visit, Caller]:
    """The visit of who has a link with these claims, and the caller. Raises LinkInvalid."""
    token = None if link == OPEN else link
    who = bearer(token)
    try:
        visit = gateway().visit("share", "share", whole(table), asked_at(claims["version"]), who)
    except TokenInvalid as error:
        raise LinkInvalid(**error.facts) from None
    told = visit.decision.claims or {}
    if token and {name: told.get(name) for name in ("version", "since")} != {
        "version": claims["version"], "since": claims.get("since"),
    }:  # fmt: skip
        raise LinkInvalid("the link is made for another version")
    return visit, who


def _sent(visit: Visit, who: Caller, path: Path, part: str) -> Response:
    (shelved,) = visit.shelved
    edition, content = shelved.decision.edition or "whole", shelved.version.content_hash[-16:]
    return stored(
        path,
        visit,
        who,
        media_type=FORMATS["parquet"].media_type,
        name=f"{shelved.table}_v{part}.parquet",
        tag="-".join([shelved.table, part, edition, content]),
        modified=shelved.version.published_at,
    )


@pages.errorhandler(GatewayError)
def refused(error: GatewayError) -> Response:
    """The protocol's members beside those of RFC 9457."""
    body = error.problem(logs.request_id())
    response = jsonify({"errorCode": error.code.upper(), "message": error.detail, **body})
    response.status_code = int(error.status)
    response.content_type = PROBLEM_TYPE
    response.headers.extend(error.headers)
    response.headers["Cache-Control"] = "no-store"
    return response


def address(visit: Visit) -> Callable[[Shelved, SharedFile], tuple[str, int]]:
    """Addresses of files: one link for each version, made when it is first needed."""
    made: dict[int, Link] = {}

    def of_file(shelved: Shelved, of: SharedFile) -> tuple[str, int]:
        number = shelved.version.number
        if number not in made:
            made[number] = _link(visit, number)
        link = made[number]
        url = f"{public_url()}/v1/share/files/{link.token}/{shelved.table}/{number}/{of.number}"
        return f"{url}.parquet", link.expires_at * 1000

    return of_file


def changed_address(visit: Visit) -> Callable[[Step], tuple[str, int]]:
    """Addresses of files of changes, each with a link of its own."""

    def of_step(step: Step) -> tuple[str, int]:
        assert step.before  # noqa: S101 (for the type checker: what changed was there before)
        since, number = step.before.version.number, step.after.version.number
        link = _link(visit, number, since=since)
        place = f"{public_url()}/v1/share/files/{link.token}/{step.after.table}"
        return f"{place}/{since}-{number}/changes.parquet", link.expires_at * 1000

    return of_step


def _link(visit: Visit, number: int, **more: int) -> Link:
    if visit.token is None:
        return Link(OPEN, int(time.time()) + LIFETIME_S)
    claims = {"version": number, **more}
    return links.make(gateway().portal, visit.token, visit.tables[0], "share", claims)


def asked_at(as_of: Any) -> Asked:
    """What is asked of a version: a number, an instant, or None for the latest."""
    return Asked(format="parquet", as_of=asked.as_of(as_of))


def at_version(visit: Visit, number: int) -> Shelved:
    """The table of a visit at another version. Raises VersionNotFound, EditionMissing."""
    name = visit.tables[0]
    return gateway().shelf.take(name, visit.decision.of(name), number)
