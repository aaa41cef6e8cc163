"""Operators' work on licences: draft, publish, supersede, withdraw; and whether a row is as it was.

A draft is edited freely. Publishing checks it against the profile and freezes it; the database's
trigger refuses any later change of the text, and :func:`faults` finds one made around it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jsonschema
import sqlalchemy as sa
from ckan import model
from ckanext.hanoiic.licensing import (
    audit,
    clock,
    licence_proof,
    licences,
    lifecycle,
    offers,
    policy_profile,
    states,
)
from ckanext.hanoiic.licensing.errors import LicenceInvalid, LicencePublished, ReasonMissing
from ckanext.hanoiic.licensing.licence_proof import Fault
from ckanext.hanoiic.licensing.model import Licence

PROFILE = Path(__file__).with_name("profile") / "odrl-profile-1.schema.json"
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{1,59}")
# What RFC 3986 lets no address have.
_NO_ADDRESS = re.compile(r"""[\x00-\x20\x7f-\x9f<>"{}|\\^`]""")
POINTS = ("may", "must", "must_not")
# What an operator writes.
WRITTEN = ("title_vi", "title_en", "url", "draft", "open", "restricted_edition", "plain", "policy")


@cache
def profile() -> dict[str, Any]:
    """The JSON Schema of the portal's ODRL profile."""
    return dict(json.loads(PROFILE.read_text(encoding="utf-8")))


def draft(licence_id: str, actor_id: str, said: Mapping[str, Any]) -> Licence:
    """Begin a licence, or the next version of one; ``said`` holds :data:`WRITTEN`.

    Raises :class:`LicenceInvalid`, also while another draft of it waits.
    """
    if not ID.fullmatch(licence_id):
        raise LicenceInvalid("Not the id of a licence", field="id", problem="id")
    # A shipped text that was never asked for is the first version all the same.
    licences.published(licence_id)
    newest = versions(licence_id)
    if newest and newest[0].state == "draft":
        raise LicenceInvalid("There is a draft already", field="id", problem="draft_exists")
    version = newest[0].version + 1 if newest else 1
    row = Licence(
        id=licence_id,
        version=version,
        state="draft",
        origin="portal",
        created_by=actor_id,
        **_written(licence_id, version, said),
    )
    row.content_hash = licences.content_hash(licences.content(row))
    model.Session.add(row)
    model.Session.flush()
    audit.record("licence_drafted", actor_id, licence=licence_id, licence_version=version)
    return row


def edit(row: Licence, actor_id: str, said: Mapping[str, Any]) -> Licence:
    """Change a draft. Raises :class:`LicencePublished` for anything else."""
    _lock(row)
    if row.state != "draft":
        raise LicencePublished(
            "A published licence is never edited", licence=row.id, version=row.version
        )
    for name, value in _written(row.id, row.version, said).items():
        setattr(row, name, value)
    row.content_hash = licences.content_hash(licences.content(row))
    row.changed_at, row.changed_by = clock.now(), actor_id
    model.Session.flush()
    return row


def discard(row: Licence, actor_id: str) -> None:
    """Throw a draft away."""
    _lock(row)
    if row.state != "draft":
        raise LicencePublished("Only a draft is thrown away", licence=row.id, version=row.version)
    audit.record("licence_draft_discarded", actor_id, licence=row.id, licence_version=row.version)
    model.Session.delete(row)
    model.Session.flush()


def publish(row: Licence, actor_id: str) -> Licence:
    """Make a draft the version in force: the one before is superseded, and every offer under it
    is offered under the new one. Who holds an agreement keeps its version until it ends.

    Raises :class:`LicenceInvalid`.
    """
    _lock(row)
    state = states.after(lifecycle.LICENCE, row.state, "publish")
    check(row)
    licences.supersede(row.id, actor_id)
    row.state, row.published_at = state, clock.now()
    row.changed_at, row.changed_by = row.published_at, actor_id
    row.content_hash = licences.content_hash(licences.content(row))
    model.Session.flush()
    licences.record_publication(row.id, row.version, row.content_hash, actor_id)
    offers.follow(row, actor_id)
    return row


def withdraw(row: Licence, actor_id: str, reason: str) -> Licence:
    """End a version for everyone: its offers and agreements give no access any more."""
    _lock(row)
    if not reason.strip():
        raise ReasonMissing("Give a reason")
    row.state = states.after(lifecycle.LICENCE, row.state, "withdraw")
    row.changed_at, row.changed_by, row.state_reason = clock.now(), actor_id, reason.strip()
    model.Session.flush()
    audit.record(
        "licence_withdrawn", actor_id, licence=row.id, licence_version=row.version,
        reason=row.state_reason,
    )  # fmt: skip
    return row


def _is_web_address(url: str) -> bool:
    """Whether it can stand in links, headers and linked data, where one that breaks them would
    break the whole catalogue."""
    try:
        parts = urlsplit(url)
        # Reading the port is what checks it.
        _port = parts.port
    except ValueError:
        return False
    return (
        parts.scheme in ("http", "https") and bool(parts.hostname) and not _NO_ADDRESS.search(url)
    )


def check(row: Licence) -> None:
    """Raises :class:`LicenceInvalid` with the ``field`` and the ``problem`` of what keeps the text
    from being published."""
    for field in ("title_vi", "title_en"):
        if not getattr(row, field).strip():
            raise LicenceInvalid(f"{field} is empty", field=field, problem="empty")
    if row.url and not _is_web_address(row.url):
        raise LicenceInvalid("The address is no web address", field="url", problem="url")
    _check_plain(row.plain)
    if unknown := sorted(set(policy_profile.unknown_terms(row.policy))):
        raise LicenceInvalid(
            "The profile has no such term", field="policy", problem="unknown_term",
            terms=", ".join(unknown),
        )  # fmt: skip
    try:
        jsonschema.validate(row.policy, profile())
    except jsonschema.ValidationError as error:
        place = "/".join(map(str, error.absolute_path)) or "policy"
        raise LicenceInvalid(
            f"The policy does not conform at {place}", field="policy", problem="schema",
            terms=place,
        ) from None  # fmt: skip
    if row.policy["uid"] != uid(row.id, row.version):
        raise LicenceInvalid("The policy has another uid", field="policy", problem="uid")


def _check_plain(plain: Mapping[str, Any]) -> None:
    for language in ("vi", "en"):
        words = plain.get(language) or {}
        for name in ("summary", "may"):
            if not "".join(words.get(name) or ()).strip():
                raise LicenceInvalid(
                    "The plain words need a summary and what one may", field=f"{name}_{language}",
                    problem="empty",
                )  # fmt: skip
    for points in POINTS:
        if len(plain["vi"].get(points) or ()) != len(plain["en"].get(points) or ()):
            raise LicenceInvalid(
                "Both languages have the same points", field=f"{points}_en", problem="points"
            )


def versions(licence_id: str) -> list[Licence]:
    """Every version of a licence, newest first."""
    return list(
        model.Session.scalars(
            sa.select(Licence).where(Licence.id == licence_id).order_by(Licence.version.desc())
        )
    )


def faults() -> list[Fault]:
    """Published versions that somebody changed or removed around the portal and its database's
    trigger: by their own hash, and by what the audit noted when they were published."""
    rows, noted = (
        model.Session.execute(sa.text(query)).mappings()
        for query in (licence_proof.ROWS, licence_proof.NOTED)
    )
    return licence_proof.faults(rows, noted)


def uid(licence_id: str, version: int) -> str:
    return f"urn:hanoiic:licence:{licence_id}:{version}"


def _written(licence_id: str, version: int, said: Mapping[str, Any]) -> dict[str, Any]:
    values = {name: said.get(name) for name in WRITTEN}
    values["policy"] = dict(values["policy"]) | {"uid": uid(licence_id, version)}
    return values


def _lock(row: Licence) -> None:
    """Take the licence's lock, then read the row as it is now."""
    model.Session.refresh(row, with_for_update=True)
