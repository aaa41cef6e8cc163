"""Links to files: `POST /v1/tables/<table>/links` makes one, `/v1/files/<link>/<name>` follows it.

A link needs no Authorization header, so that browsers and other programs can fetch what it is for:
one version of one table, for minutes. The portal signs it and is asked again whenever it is used.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from flask import Blueprint, Response, request

from api_gateway import asked, links
from api_gateway.asked import AsOf
from api_gateway.errors import (
    BadRequest,
    LinkInvalid,
    TokenInvalid,
)
from api_gateway.exchange import Caller
from api_gateway.query import whole
from api_gateway.routes import bearer, body, caller, gateway, public_url
from api_gateway.routes.downloads import send
from api_gateway.visit import Visit

pages = Blueprint("files", __name__)

# Long enough for a signed token, short enough for an address.
_TOKEN = re.compile(r"hic_l_[A-Za-z0-9._~=-]{1,2000}")
_NAME = re.compile(r"([a-z][a-z0-9_]{0,62})_v(\d{1,18})\.([a-z]+)")
_FIELDS = frozenset({"format", "as_of"})


@pages.post("/v1/tables/<table>/links")
def make(table: str) -> tuple[dict[str, Any], int]:
    """A link to a version of a table that the caller may download, good for five minutes."""
    parts, who, name = gateway(), caller(), table.lower()
    wanted = _wanted()
    visit = parts.visit("file", "download", whole(name), wanted, who)
    version = visit.shelved[0].version.number
    claims = {"version": version, "format": wanted.format}
    made = links.make(parts.portal, who.token, name, "download", claims)
    url = f"{public_url()}/v1/files/{made.token}/{name}_v{version}.{wanted.format}"
    return {"url": url, "expires_at": made.expires_at}, 201


@pages.get("/v1/files/<link>/<name>")
def follow(link: str, name: str) -> Response:
    """The file that a link is for."""
    match = _NAME.fullmatch(name)
    # Other tokens don't belong into an address: they are not even tried.
    if not match or not _TOKEN.fullmatch(link):
        raise LinkInvalid("this is no link to a file")
    table, version, format_name = match[1], int(match[2]), match[3]
    wanted = asked.from_download(request.args, format_name)
    wanted = replace(wanted, as_of=AsOf(every=version))
    who = bearer(link)
    visit = _visit(table, wanted, who)
    claims = visit.decision.claims or {}
    if (claims.get("version"), claims.get("format")) != (version, format_name):
        raise LinkInvalid("the link is made for another file")
    response = send(visit, wanted, who)
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


def _visit(table: str, wanted: asked.Asked, who: Caller) -> Visit:
    try:
        return gateway().visit("file", "download", whole(table), wanted, who)
    except TokenInvalid as error:
        # Not 401, which asks for an Authorization header: links have none.
        raise LinkInvalid(**error.facts) from None


def _wanted() -> asked.Asked:
    told = body() if request.get_data() else {}
    if not isinstance(told, dict) or not set(told) <= _FIELDS:
        raise BadRequest("the body is a JSON object", valid=sorted(_FIELDS))
    named = "parquet" if told.get("format") in (None, "") else told["format"]
    if not isinstance(named, str):
        raise BadRequest("format must be a text", parameter="format")
    wanted = asked.from_download({}, named)
    return replace(wanted, as_of=asked.as_of(told.get("as_of")))
