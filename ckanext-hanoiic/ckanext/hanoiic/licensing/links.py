"""Link tokens: ``hic_l_`` and a signed statement of who may fetch what for some minutes.

Nothing is stored. A link is bound to the token it was made with (and ends with it), its user and
organisation, one table and action, and the agreement and edition that the decision gave; claims of
the gateway travel along. At every use all of it is decided again.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import zlib
from dataclasses import asdict, dataclass
from typing import Any

from ckan.plugins import toolkit as tk
from ckanext.hanoiic.licensing import clock, tokens
from ckanext.hanoiic.licensing.tokens import Bearer, Invalid
from itsdangerous import BadSignature, URLSafeTimedSerializer

PREFIX = "hic_l_"
LIFETIME_S = 300
LONGEST = 3000
CLAIMS_LENGTH = 1000


@dataclass(frozen=True)
class Link:
    """What a link token is bound to. ``token_id`` and ``user_id`` None: an anonymous bearer's, of
    open data; a preview's has no token."""

    table: str
    action: str
    user_id: str | None
    token_id: str | None
    agreement: str | None
    edition: str | None
    claims: dict[str, Any]
    expires_at: int


def make(bound: Link) -> str:
    return PREFIX + str(_serializer().dumps(asdict(bound)))


def expires(lifetime_s: int, bearer_expires_at: int | None) -> int:
    """When a link ends (seconds since 1970): it never outlives the token it was made with."""
    end = int(clock.now().timestamp()) + min(lifetime_s, LIFETIME_S)
    return end if bearer_expires_at is None else min(end, bearer_expires_at)


def read(token: str) -> Link | Invalid:
    """What a link token says, where it is ours and still good."""
    if len(token) > LONGEST or not token.isascii():
        return Invalid("token_unknown")
    try:
        link = Link(**_serializer().loads(token.removeprefix(PREFIX)))
    except (BadSignature, TypeError, ValueError, zlib.error):
        return Invalid("token_unknown")
    if link.expires_at <= clock.now().timestamp():
        return Invalid("token_expired")
    return link


def bearer(token: str) -> tuple[Bearer | None, Link] | Invalid:
    """Who presents a link, as it is now (None: an anonymous caller), and what it is bound to."""
    link = read(token)
    if isinstance(link, Invalid):
        return link
    if link.user_id is None:
        return None, link
    found = tokens.of_id(link.token_id) if link.token_id else tokens.of_user(link.user_id)
    if isinstance(found, Invalid):
        return found
    if found.user.id != link.user_id:
        return Invalid("token_unknown")
    return found, link


def claims_fit(claims: dict[str, Any]) -> bool:
    """Whether they are small enough to travel in an address."""
    return len(json.dumps(claims)) <= CLAIMS_LENGTH


def _serializer() -> URLSafeTimedSerializer:
    # A key of its own, so that nothing else signed with CKAN's secret passes for a link.
    key = hmac.new(tk.config["SECRET_KEY"].encode(), b"hanoiic link token", "sha256").digest()
    return URLSafeTimedSerializer(
        key, salt="hanoiic-link", signer_kwargs={"digest_method": hashlib.sha256}
    )
