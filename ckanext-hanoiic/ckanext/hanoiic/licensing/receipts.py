"""Receipts of the gateway's answers, checked: who signed, over which tables, and for which bytes.

A receipt is a JWS (RFC 7515, compact, EdDSA); the gateway publishes its keys as a JWK set.
docs/architecture.md, "Receipts", is the contract. Knows nothing of CKAN.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, BinaryIO

import jwt
from ckanext.hanoiic.licensing import signing

LONGEST = 100_000
REQUIRED = ("iss", "iat", "jti", "sub", "query_sha256", "tables", "result")


@dataclass(frozen=True)
class Verdict:
    """``fault`` is None for a good receipt, else why it isn't one:

    ``not_a_receipt``, ``key_unknown``, ``signature_wrong``, ``result_differs``. ``told`` is what
    it says, where its signature is good. ``result_checked``: whether the answer's bytes were
    compared.
    """

    fault: str | None
    told: dict[str, Any] | None = None
    result_checked: bool = False


def verify(text: str, key_set: dict[str, Any], result: BinaryIO | None = None) -> Verdict:
    """Check a receipt against a JWK set and, where it is given, the answer's bytes."""
    text = text.strip()
    try:
        if len(text) > LONGEST:
            return Verdict("not_a_receipt")
        header = jwt.get_unverified_header(text)
    except jwt.InvalidTokenError:
        return Verdict("not_a_receipt")
    key = _key(key_set, header.get("kid"))
    if key is None:
        return Verdict("key_unknown")
    try:
        # A receipt says when it was signed; that clocks differ makes it none the worse.
        told = jwt.decode(
            text,
            key,
            algorithms=["EdDSA"],
            options={"verify_iat": False, "verify_aud": False, "verify_sub": False},
        )
    except jwt.InvalidTokenError:
        return Verdict("signature_wrong")
    if not all(name in told for name in REQUIRED):
        return Verdict("not_a_receipt")
    if result is None:
        return Verdict(None, told)
    digest = hashlib.file_digest(result, "sha256").hexdigest()
    same = digest == told["result"].get("sha256")
    return Verdict(None if same else "result_differs", told, result_checked=True)


def _key(key_set: dict[str, Any], key_id: Any) -> signing.PublicKey | None:
    for jwk in key_set.get("keys", ()):
        if jwk.get("kid") == key_id:
            try:
                return signing.public_of_jwk(jwk)
            except (ValueError, KeyError):
                return None
    return None
