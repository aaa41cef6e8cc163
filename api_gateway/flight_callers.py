"""Who calls over Flight: the token that a call carries, and its address."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import pyarrow.flight as flight

from api_gateway.exchange import Caller

_MIDDLEWARE = "bearer"


class _Bearer(flight.ServerMiddleware):  # type: ignore[misc]
    """The token of one call; a handshake gets it back, as drivers expect."""

    def __init__(self, token: str | None) -> None:
        self.token = token

    def sending_headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token}"} if self.token else {}


class _Bearers(flight.ServerMiddlewareFactory):  # type: ignore[misc]
    def start_call(self, info: Any, headers: dict[str, list[str]]) -> _Bearer:
        """`Bearer <token>`, or `Basic` with the token as the password."""
        said = next(iter(headers.get("authorization", [])), "")
        kind, _, value = said.partition(" ")
        if kind.lower() == "bearer":
            return _Bearer(value.strip() or None)
        if kind.lower() == "basic":
            try:
                text = base64.b64decode(value, validate=True).decode()
            except (binascii.Error, UnicodeDecodeError):
                raise flight.FlightUnauthenticatedError(
                    "the user and password are no text"
                ) from None
            return _Bearer(text.partition(":")[2] or None)
        return _Bearer(None)


class _Handshake(flight.ServerAuthHandler):  # type: ignore[misc]
    """Nothing to agree upon: every call carries its token."""

    def authenticate(self, outgoing: Any, incoming: Any) -> None:
        """The middleware has read the token and sends it back."""

    def is_valid(self, token: bytes) -> bytes:
        return b""


def caller(context: Any) -> Caller:
    """The caller of one call."""
    # `ipv4:127.0.0.1:51234` or `ipv6:[::1]:51234`
    address = context.peer().partition(":")[2].rpartition(":")[0].strip("[]")
    return Caller(context.get_middleware(_MIDDLEWARE).token, None, address or None)


def login() -> dict[str, Any]:
    """What a FlightServerBase is made with, so that `caller` knows who calls."""
    return {"auth_handler": _Handshake(), "middleware": {_MIDDLEWARE: _Bearers()}}
