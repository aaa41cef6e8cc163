"""The gateway's pages, one file for each subject, and what they share about a request."""

from __future__ import annotations

import re
import socket
from functools import lru_cache
from typing import Any, cast

from flask import current_app, g, request
from werkzeug.datastructures import MIMEAccept
from werkzeug.exceptions import BadRequest as NotJson
from werkzeug.sansio.utils import get_current_url

from api_gateway import encodings, forwarded
from api_gateway.errors import BadRequest, EncodingUnsupported, TokenInvalid
from api_gateway.exchange import Caller
from api_gateway.query import Gateway
from lake import logs

_UTF8 = re.compile(r"(?i)\s*;\s*charset=utf-?8(?=\s*(?:;|$))")
_BEARER = re.compile(r"(?i)bearer +([A-Za-z0-9._~+/=-]{1,512})")


def gateway() -> Gateway:
    """The parts of this application."""
    return cast(Gateway, current_app.extensions["hanoiic_gateway"])


def caller() -> Caller:
    """Who asks. Raises TokenInvalid for an Authorization header that is no bearer token."""
    if "caller" not in g:
        g.caller = _caller()
    return cast(Caller, g.caller)


def _caller() -> Caller:
    said = request.headers.get("Authorization", "").strip()
    if not said:
        return bearer(None)
    if not (match := _BEARER.fullmatch(said)):
        raise TokenInvalid(
            "send Authorization: Bearer hic_…",
            headers={"WWW-Authenticate": 'Bearer realm="hanoiic", error="invalid_request"'},
            token_error="token_unknown",  # noqa: S106
        )
    return bearer(match[1])


def bearer(token: str | None) -> Caller:
    """Who asks, by a token that was not in the Authorization header."""
    connection = request.environ.get("gunicorn.socket")
    if not isinstance(connection, socket.socket):
        connection = None
    address = forwarded.address(
        request.remote_addr,
        request.headers.getlist("X-Forwarded-For"),
        gateway().settings.gateway_trusted_proxies,
    )
    return Caller(
        token, connection, address, public_url(),
        request.headers.get("Idempotency-Key"), request.if_none_match, query_id(),
        encodings.choose(request.accept_encodings),
        request.environ.get("SERVER_PROTOCOL") != "HTTP/1.0",
    )  # fmt: skip


def body() -> Any:
    """The request's JSON, whatever its content type says. Raises BadRequest, EncodingUnsupported
    for one that is compressed."""
    try:
        return request.get_json(force=True)
    except (NotJson, RecursionError):
        if request.headers.get("Content-Encoding"):
            raise EncodingUnsupported(headers={"Accept-Encoding": "identity"}) from None
        raise BadRequest("the body is not JSON") from None


def accepted() -> MIMEAccept:
    """The media types of `Accept`, without `charset=utf-8`: all texts are UTF-8."""
    return MIMEAccept([(_UTF8.sub("", kind), q) for kind, q in request.accept_mimetypes])


def query_id() -> str:
    """The caller's own name for its query, else the request's id. With a name of its own a caller
    can cancel before the answer begins."""
    said = request.headers.get("Hanoiic-Query-Id")
    return said if said and logs.accept_request_id(said) == said else logs.request_id() or ""


def public_url() -> str:
    """Where callers reach the gateway, without a slash at the end."""
    if "public_url" not in g:
        told = gateway().settings.gateway_url.rstrip("/")
        g.public_url = told or _origin(request.scheme, request.host)
    return str(g.public_url)


@lru_cache(maxsize=64)
def _origin(scheme: str, host: str) -> str:
    return get_current_url(scheme, host).rstrip("/")
