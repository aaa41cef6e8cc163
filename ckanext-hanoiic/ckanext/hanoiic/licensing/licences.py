"""The licences: immutable versions in the database, first of all the texts that the portal ships.

A shipped text (``texts/*.yaml``) is published when it is first asked for. Operators write others,
or newer versions, as drafts (:mod:`licence_desk`). CKAN's own licence list is made from what is
published, so that the choices of ``license_id`` agree.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import yaml
from ckan import model
from ckan.model.license import DefaultLicense, License, LicenseRegister
from ckanext.hanoiic.licensing import audit, clock, language
from ckanext.hanoiic.licensing.errors import LicenceChanged
from ckanext.hanoiic.licensing.licence_proof import HASHED, content_hash
from ckanext.hanoiic.licensing.model import Licence
from sqlalchemy.dialects.postgresql import insert

FOLDER = Path(__file__).with_name("texts")
LISTED_FOR_S = 2.0


@dataclass(frozen=True)
class Text:
    """A licence as shipped: ``plain`` is {language: {summary, may, must, must_not}}."""

    id: str
    version: int
    title: dict[str, str]
    url: str | None
    draft: bool
    open: bool
    plain: dict[str, dict[str, Any]]
    policy: dict[str, Any]
    restricted_edition: bool = False

    def columns(self) -> dict[str, Any]:
        """The text as columns of :class:`Licence`."""
        return {
            "id": self.id,
            "version": self.version,
            "title_vi": self.title["vi"],
            "title_en": self.title["en"],
            "url": self.url,
            "draft": self.draft,
            "open": self.open,
            "restricted_edition": self.restricted_edition,
            "plain": self.plain,
            "policy": self.policy,
        }

    @property
    def content_hash(self) -> str:
        return content_hash(self.columns())


def content(row: Licence) -> dict[str, Any]:
    """The columns of a row that its hash is about."""
    return {name: getattr(row, name) for name in HASHED}


@cache
def shipped() -> dict[str, Text]:
    """The newest version of every shipped licence, by id, in the order of the files."""
    texts = [
        Text(**yaml.safe_load(file.read_text(encoding="utf-8")))
        for file in sorted(FOLDER.glob("*.yaml"))
    ]
    return {text.id: text for text in sorted(texts, key=lambda text: text.version)}


def published(licence_id: str | None) -> Licence | None:
    """The version of a licence that new offers take; None for one the portal doesn't know, and
    for one that was withdrawn.

    Raises :class:`LicenceChanged` when the shipped text differs from the published row.
    """
    row = _in_force(licence_id)
    text = shipped().get(licence_id or "")
    if text is None or (row is not None and row.version > text.version):
        return row
    if row is None or row.version < text.version:
        row = _publish(text)
    if row.content_hash != text.content_hash:
        raise LicenceChanged(
            "A published licence text was edited; give it a new version",
            licence=text.id,
            version=text.version,
        )
    return row if row.state == "published" else None


def of_form(licence_id: str | None) -> Licence | None:
    """The version that a dataset's form means: :func:`published`, else the newest one that was
    withdrawn, so that a dataset is never offered as if it had no licence."""
    return published(licence_id) or _newest(licence_id, "withdrawn")


def _in_force(licence_id: str | None) -> Licence | None:
    return _newest(licence_id, "published")


def _newest(licence_id: str | None, state: str) -> Licence | None:
    return model.Session.scalars(
        sa.select(Licence)
        .where(Licence.id == licence_id, Licence.state == state)
        .order_by(Licence.version.desc())
        .limit(1)
    ).first()


def shown(licence_id: str, version: int | None = None) -> Licence | Text | None:
    """A licence to read: one version that was published, or the one in force, or the shipped text
    that will be, or the one that was withdrawn last."""
    text = shipped().get(licence_id)
    if version is None:
        return _in_force(licence_id) or text or _newest(licence_id, "withdrawn")
    row = model.Session.get(Licence, (licence_id, version))
    if row is None:
        return text if text is not None and version == text.version else None
    return row if row.state != "draft" else None


def _publish(text: Text) -> Licence:
    known = model.Session.get(Licence, (text.id, text.version))
    if known is not None:
        return known
    supersede(text.id, None)
    values = text.columns() | {
        "content_hash": text.content_hash,
        "state": "published",
        "origin": "shipped",
        "published_at": clock.now(),
    }
    added = model.Session.execute(
        insert(Licence).values(values).on_conflict_do_nothing().returning(Licence.id)
    ).first()
    if added:
        record_publication(text.id, text.version, text.content_hash, None)
    return model.Session.get(Licence, (text.id, text.version))


def supersede(licence_id: str, actor_id: str | None) -> None:
    """End the version in force for new offers; who holds it keeps it. Flushed."""
    row = _in_force(licence_id)
    if row is not None:
        row.state, row.changed_at, row.changed_by = "superseded", clock.now(), actor_id
        model.Session.flush()
        audit.record("licence_superseded", actor_id, licence=row.id, licence_version=row.version)


def record_publication(licence_id: str, version: int, hash_: str, actor_id: str | None) -> None:
    """Note in the audit what was published: a row changed afterwards is found by its hash."""
    audit.record(
        "licence_published", actor_id, licence=licence_id, licence_version=version,
        content_hash=hash_,
    )  # fmt: skip


def load() -> int:
    """Publish every shipped licence that isn't yet; returns how many are in force."""
    return sum(published(licence_id) is not None for licence_id in shipped())


class ListedLicence(DefaultLicense):
    """An entry of CKAN's licence list, titled in the reader's language."""

    domain_data = True

    def __init__(self, id_: str, titles: dict[str, str], url: str | None, is_open: bool) -> None:
        super().__init__()
        self.titles = titles
        self.id = id_
        self.url = url or ""
        self.od_conformance = "approved" if is_open else "not reviewed"

    @property
    def title(self) -> str:
        return self.titles[language.current()]


class Register(LicenseRegister):
    """CKAN's licence list: the shipped licences and those that operators published."""

    def __init__(self) -> None:
        self._listed: list[License] = []
        self._until = 0.0

    @property
    def licenses(self) -> list[License]:  # type: ignore[override]
        """Read anew when older than :data:`LISTED_FOR_S`: CKAN asks for it with every dataset."""
        if time.monotonic() >= self._until:
            self._listed = [License(one) for one in _listed()]
            self._until = time.monotonic() + LISTED_FOR_S
        return self._listed

    def forget(self) -> None:
        self._until = 0.0


def _listed() -> list[ListedLicence]:
    rows = model.Session.execute(
        sa.select(
            Licence.id, Licence.state, Licence.title_vi, Licence.title_en, Licence.url, Licence.open
        )
        .where(Licence.state.in_(("published", "withdrawn")))
        .order_by(Licence.version)
    ).all()
    known = {row.id: row for row in rows}
    listed = {
        text.id: ListedLicence(text.id, text.title, text.url, text.open)
        for text in shipped().values()
    }
    for row in known.values():
        if row.state == "withdrawn":
            listed.pop(row.id, None)
            continue
        titles = {"vi": row.title_vi, "en": row.title_en}
        listed[row.id] = ListedLicence(row.id, titles, row.url, row.open)
    return list(listed.values())
