"""Receipts: a signed statement of what an answer was made of, and of its bytes.

A receipt is a JWS (RFC 7515, compact) signed with Ed25519 (RFC 8037). It is made when the answer is
complete, and kept for a day. The answer's headers have its number, which is also the secret needed
to fetch it. The keys are served as a JWK set (RFC 7517).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import jwt
import redis
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from jwt.algorithms import OKPAlgorithm

from api_gateway.errors import ReceiptNotFound
from lake import logs

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/jose"
KEPT_S = 24 * 3600
_KEY = "hanoiic:receipt:"


@dataclass
class Receipt:
    """A receipt in the making: what the answer is made of, and the receipt's number."""

    facts: dict[str, Any]
    jti: str


class Receipts:
    """Signs and keeps receipts; `key_file` holds a private Ed25519 key in PEM (PKCS #8)."""

    def __init__(self, key_file: Path, client: redis.Redis) -> None:
        key = load_pem_private_key(key_file.read_bytes(), password=None)
        if not isinstance(key, Ed25519PrivateKey):
            raise ValueError(f"{key_file} holds no Ed25519 key")
        self._key, self._client = key, client
        self._numbers_key = hmac.digest(key.private_bytes_raw(), b"receipt number", "sha256")
        self._reader = ThreadPoolExecutor(1, "receipts")
        public: dict[str, Any] = OKPAlgorithm.to_jwk(key.public_key(), as_dict=True)
        self._jwk = {**public, "kid": thumbprint(public), "use": "sig", "alg": "EdDSA"}

    @property
    def keys(self) -> dict[str, Any]:
        """The JWK set that receipts are checked with."""
        return {"keys": [self._jwk]}

    def begin(self, facts: dict[str, Any], once: str | None = None) -> Receipt:
        """Begin a receipt. With the same `once`, the same facts get the same number, which nobody
        without the key can compute; without `once` every number is a new one."""
        if once is None:
            return Receipt(facts, str(uuid4()))
        made_of = f"{once}\0{json.dumps(facts, sort_keys=True)}".encode()
        number = hmac.digest(self._numbers_key, made_of, "sha256")
        return Receipt(facts, str(UUID(bytes=number[:16], version=4)))

    def complete(self, receipt: Receipt, issuer: str, result: dict[str, Any]) -> None:
        """Sign a receipt and keep it. If it can't be kept, the receipt is missing, but the answer
        is sent all the same."""
        payload = {
            "iss": issuer, "iat": int(time.time()), "jti": receipt.jti, **receipt.facts,
            "result": result,
        }  # fmt: skip
        signed = jwt.encode(
            payload, self._key, algorithm="EdDSA", headers={"kid": self._jwk["kid"]}
        )
        try:
            self._client.set(_KEY + receipt.jti, signed, ex=KEPT_S)
        except redis.RedisError as error:
            log.warning("receipt_not_kept", extra=logs.facts(error=type(error).__qualname__))

    def complete_file(
        self, receipt: Receipt, issuer: str, media_type: str, file: Path, rows: int
    ) -> None:
        """As `complete`, for a file of the lake, which is read once and not in the request."""

        def read_and_sign() -> None:
            size = file.stat().st_size
            result = described(_sha256(file, size), size, rows, media_type)
            self.complete(receipt, issuer, result)

        self._reader.submit(read_and_sign)

    def get(self, jti: str) -> str:
        """A receipt in compact form. Raises ReceiptNotFound."""
        try:
            kept = self._client.get(_KEY + jti)
        except redis.RedisError:
            kept = None
        if not isinstance(kept, bytes):
            raise ReceiptNotFound
        return kept.decode()


def described(sha256: str, byte_count: int, rows: int, media_type: str) -> dict[str, Any]:
    """What a receipt says of an answer's content, as it is without `Content-Encoding`."""
    return {"sha256": sha256, "bytes": byte_count, "rows": rows, "media_type": media_type}


# A file of the lake is never changed, so its path and size say which bytes it has.
@lru_cache(maxsize=1024)
def _sha256(file: Path, _size: int) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def thumbprint(jwk: dict[str, Any]) -> str:
    """The SHA-256 thumbprint of an Ed25519 key (RFC 7638, RFC 8037 section 2)."""
    needed = json.dumps({name: jwk[name] for name in ("crv", "kty", "x")}, separators=(",", ":"))
    digest = hashlib.sha256(needed.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
