"""Gateway tokens: ``hic_`` + 32 random base62 characters + a checksum of 6.

The prefix lets secret scanners find a leaked token, the checksum lets anyone drop a mistyped one
without asking the database. Only the SHA-256 of a token is stored: its 190 random bits need no
salt. The portal's own pages use ``hic_p_`` tokens, which are signed instead of stored and live
for a minute; links are in :mod:`links`.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import string
import zlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import sqlalchemy as sa
from ckan import model
from ckan.plugins import toolkit as tk
from ckanext.hanoiic.licensing import audit, clock, epoch, parties
from ckanext.hanoiic.licensing.errors import ApplicationRetired, TokenEnded
from ckanext.hanoiic.licensing.model import Application, Token
from itsdangerous import BadSignature, SignatureExpired, URLSafeTimedSerializer

PREFIX = "hic_"
PREVIEW_PREFIX = "hic_p_"
SCOPES = ("query", "download", "share")
DEFAULT_SCOPES = ("query", "download")
GATEWAY = "gateway"
AUDIENCES = (GATEWAY,)
PREVIEW_SCOPES = ("query",)
PREVIEW_LIFETIME_S = 60
RANDOM_LENGTH = 32
CHECKSUM_LENGTH = 6
SHOWN_LENGTH = 10
LONGEST = 512
LIFETIME_DAYS = 90
OVERLAP_HOURS = 24
LAST_USED_PRECISION = timedelta(minutes=1)
BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase


@dataclass(frozen=True)
class Bearer:
    """Whoever presents a token: user, parties and rights as they are at this moment.

    ``parties`` are those the bearer speaks for: the token's organisation alone while the user
    belongs to it, or everything the user is when the token names none. ``link`` is what a link
    token is bound to, else None.
    """

    user: model.User
    organization_id: str | None
    scopes: tuple[str, ...]
    parties: tuple[parties.Party, ...]
    expires_at: datetime
    token_id: str | None = None
    application: Application | None = None
    organization: model.Group | None = None
    audience: tuple[str, ...] = AUDIENCES
    networks: tuple[str, ...] | None = None
    link: Any = None


@dataclass(frozen=True)
class Invalid:
    """A token that proves nothing: ``token_unknown``, ``token_expired`` or ``token_revoked``."""

    token_error: str


def make() -> str:
    """A new token in plain text: the only moment it exists."""
    random = "".join(secrets.choice(BASE62) for _ in range(RANDOM_LENGTH))
    return PREFIX + random + checksum(PREFIX + random)


def checksum(text: str) -> str:
    """CRC-32 of ``text`` in six base62 digits, most significant first."""
    number, digits = zlib.crc32(text.encode()), ""
    for _ in range(CHECKSUM_LENGTH):
        number, digit = divmod(number, len(BASE62))
        digits = BASE62[digit] + digits
    return digits


def well_formed(token: str) -> bool:
    """Whether an ASCII text has the form and the checksum of a token."""
    body, check = token[:-CHECKSUM_LENGTH], token[-CHECKSUM_LENGTH:]
    return (
        len(token) == len(PREFIX) + RANDOM_LENGTH + CHECKSUM_LENGTH
        and token.startswith(PREFIX)
        and hmac.compare_digest(checksum(body), check)
    )


def digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def create(
    application: Application,
    user: model.User,
    scopes: list[str],
    lifetime_days: int = LIFETIME_DAYS,
    *,
    audience: list[str] | None = None,
    networks: list[str] | None = None,
    replaces: Token | None = None,
) -> tuple[str, Token]:
    """Store a new token of an application; returns the plain text, shown once, and its row.

    Raises :class:`ApplicationRetired`.
    """
    if application.retired_at is not None:
        raise ApplicationRetired("The application is no longer used")
    plain, now = make(), clock.now()
    row = Token(
        hash=digest(plain),
        prefix=plain[:SHOWN_LENGTH],
        application=application,
        user_id=user.id,
        organization_id=application.organization_id,
        name=application.name,
        scopes=scopes,
        audience=audience or list(AUDIENCES),
        networks=networks or None,
        replaces=replaces.id if replaces else None,
        created_at=now,
        expires_at=now + timedelta(days=lifetime_days),
    )
    model.Session.add(row)
    model.Session.flush()
    audit.record(
        "token_created", user.id, subject_id=row.id, name=row.name, application=application.id,
        scopes=scopes, audience=row.audience, networks=row.networks, replaces=row.replaces,
        expires_at=row.expires_at.isoformat(), organization=row.organization_id,
    )  # fmt: skip
    return plain, row


def rotate(row: Token, user: model.User, overlap_hours: int) -> tuple[str, Token]:
    """Make the token that replaces ``row``. The old one stays good for the overlap; with 0 it ends
    at once.

    The new one has the same rights and as long a life as the old one had. Raises
    :class:`TokenEnded`.
    """
    # Locked: of two rotations at the same time, the second one sees the first.
    model.Session.refresh(row, with_for_update={"of": Token})
    now = clock.now()
    known = sa.select(Token.id).where(Token.replaces == row.id, Token.revoked_at.is_(None))
    ended = row.revoked_at is not None or row.expires_at <= now
    if ended or model.Session.scalar(known) is not None:
        raise TokenEnded("The token is revoked, replaced or expired")
    lifetime_days = max(1, (row.expires_at - row.created_at).days)
    made = create(
        row.application, user, list(row.scopes), lifetime_days, audience=list(row.audience),
        networks=row.networks, replaces=row,
    )  # fmt: skip
    if overlap_hours == 0:
        revoke(row, user.id)
    else:
        row.expires_at = min(row.expires_at, now + timedelta(hours=overlap_hours))
    return made


def revoke(row: Token, actor_id: str | None) -> None:
    """End a token now; again is harmless."""
    if row.revoked_at is None:
        row.revoked_at = clock.now()
        audit.record("token_revoked", actor_id, subject_id=row.id, name=row.name)


def bearer(token: str) -> Bearer | Invalid:
    """Whoever presents a stored or preview ``token``, or why the token is not valid.

    The use is noted, to the minute.
    """
    if not token.isascii() or len(token) > LONGEST:
        return Invalid("token_unknown")
    if token.startswith(PREVIEW_PREFIX):
        return _preview_bearer(token)
    if not well_formed(token):
        return Invalid("token_unknown")
    return _stored(_known_by("hash"), digest(token))


def of_id(token_id: str) -> Bearer | Invalid:
    """The bearer of a stored token, by the token's id; for links that were made with it."""
    return _stored(_known_by("id"), token_id)


@cache
def _known_by(column: str) -> sa.Select:
    return (
        sa.select(Token, model.User, model.Group, parties.organizations_of(Token.user_id))
        .outerjoin(model.User, model.User.id == Token.user_id)
        .outerjoin(model.Group, model.Group.id == Token.organization_id)
        .where(getattr(Token, column) == sa.bindparam("value"))
        .execution_options(populate_existing=True)
    )


def _stored(query: sa.Select, value: str) -> Bearer | Invalid:
    found = model.Session.execute(query, {"value": value}).first()
    if found is None:
        return Invalid("token_unknown")
    row, user, organisation, own_organizations = found
    if row.revoked_at is not None:
        return Invalid("token_revoked")
    if row.expires_at <= clock.now():
        return Invalid("token_expired")
    if user is None or user.state != "active":
        return Invalid("token_revoked")
    _note_use(row)
    held = parties.with_organizations(row.user_id, own_organizations)
    if row.organization_id is not None:
        own = parties.Party("organization", row.organization_id)
        held = (own,) if own in held else ()
    return Bearer(
        user,
        row.organization_id,
        tuple(row.scopes),
        held,
        row.expires_at,
        token_id=row.id,
        application=row.application,
        organization=organisation,
        audience=tuple(row.audience),
        networks=tuple(row.networks) if row.networks else None,
    )


def _note_use(row: Token) -> None:
    now = clock.now()
    if row.last_used_at is None or now - row.last_used_at >= LAST_USED_PRECISION:
        table = Token.__table__
        model.Session.execute(
            sa.update(table).where(table.c.id == row.id).values(last_used_at=now),
            execution_options=epoch.QUIET,
        )


def preview(user: model.User) -> tuple[str, datetime]:
    """A token that lasts a minute, for the portal's own pages to query as ``user``. Nothing is
    stored."""
    token = PREVIEW_PREFIX + _serializer().dumps(user.id)
    return token, clock.now() + timedelta(seconds=PREVIEW_LIFETIME_S)


def _preview_bearer(token: str) -> Bearer | Invalid:
    try:
        user_id, signed_at = _serializer().loads(
            token.removeprefix(PREVIEW_PREFIX), max_age=PREVIEW_LIFETIME_S, return_timestamp=True
        )
    except SignatureExpired:
        return Invalid("token_expired")
    except BadSignature:
        return Invalid("token_unknown")
    return of_user(user_id, signed_at + timedelta(seconds=PREVIEW_LIFETIME_S))


def of_user(user_id: str, expires_at: datetime | None = None) -> Bearer | Invalid:
    """The bearer who is a signed-in user at the portal's own page."""
    user = model.Session.get(model.User, user_id, populate_existing=True)
    if user is None or user.state != "active":
        return Invalid("token_revoked")
    until = expires_at or clock.now() + timedelta(seconds=PREVIEW_LIFETIME_S)
    return Bearer(user, None, PREVIEW_SCOPES, parties.held_by(user.id), until)


def _serializer() -> URLSafeTimedSerializer:
    # A key of its own, so that nothing else signed with CKAN's secret passes for a token.
    key = hmac.new(tk.config["SECRET_KEY"].encode(), b"hanoiic preview token", "sha256").digest()
    return URLSafeTimedSerializer(
        key, salt="hanoiic-preview", signer_kwargs={"digest_method": hashlib.sha256}
    )
