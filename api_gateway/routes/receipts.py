"""`GET /v1/receipts/<jti>`: a signed receipt; `GET /v1/receipts/keys`: what it is checked with."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from api_gateway.errors import ReceiptNotFound
from api_gateway.receipts import MEDIA_TYPE
from api_gateway.routes import gateway

pages = Blueprint("receipts", __name__)


@pages.get("/v1/receipts/keys")
def keys() -> dict[str, Any]:
    """The public keys, as a JWK set (RFC 7517)."""
    receipts = gateway().meter.receipts
    return receipts.keys if receipts else {"keys": []}


@pages.get("/v1/receipts/<jti>")
def receipt(jti: str) -> Response:
    """A receipt as a compact JWS (RFC 7515). Its number is the secret that opens it."""
    receipts = gateway().meter.receipts
    if receipts is None:
        raise ReceiptNotFound("this gateway signs no receipts")
    return Response(receipts.get(jti), content_type=MEDIA_TYPE)
