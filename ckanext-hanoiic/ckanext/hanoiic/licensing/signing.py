"""Ed25519 keys in PEM files, and as JSON Web Keys (RFC 8037)."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

PrivateKey = ed25519.Ed25519PrivateKey
PublicKey = ed25519.Ed25519PublicKey


def private_key(file: Path) -> PrivateKey:
    """Raises ValueError where the file holds no Ed25519 private key, OSError without the file."""
    key = serialization.load_pem_private_key(file.read_bytes(), password=None)
    if not isinstance(key, PrivateKey):
        raise ValueError(f"{file} holds no Ed25519 key")
    return key


def public_key(file: Path) -> PublicKey:
    """The public key of a PEM file, of either half; ValueError or OSError as above."""
    text = file.read_bytes()
    if b"PRIVATE KEY" in text:
        return private_key(file).public_key()
    key = serialization.load_pem_public_key(text)
    if not isinstance(key, PublicKey):
        raise ValueError(f"{file} holds no Ed25519 key")
    return key


def public_of_jwk(jwk: dict[str, str]) -> PublicKey:
    """ValueError for any other than an Ed25519 key."""
    if jwk.get("kty") != "OKP" or jwk.get("crv") != "Ed25519":
        raise ValueError("not an Ed25519 key")
    text = jwk["x"]
    return PublicKey.from_public_bytes(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


def jwk_of(key: PublicKey) -> dict[str, str]:
    raw = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return {"kty": "OKP", "crv": "Ed25519", "x": _base64url(raw)}


def key_id(key: PublicKey) -> str:
    """The JWK thumbprint (RFC 7638)."""
    text = json.dumps(jwk_of(key), sort_keys=True, separators=(",", ":"))
    return _base64url(hashlib.sha256(text.encode()).digest())


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
