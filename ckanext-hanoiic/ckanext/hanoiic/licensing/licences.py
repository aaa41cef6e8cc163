"""The licences the portal ships: YAML texts, loaded into immutable rows when first offered.

Also CKAN's own licence list is made from them, so that the choices of ``license_id`` agree.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import rfc8785
import yaml
from ckan import model
from ckan.model.license import DefaultLicense, License, LicenseRegister
from ckanext.hanoiic.licensing import clock, language
from ckanext.hanoiic.licensing.errors import LicenceChanged
from ckanext.hanoiic.licensing.model import Licence
from sqlalchemy.dialects.postgresql import insert

FOLDER = Path(__file__).with_name("texts")


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


# What the hash of a licence is about: the text, its policy and their name.
HASHED = (
    "id", "version", "title_vi", "title_en", "url", "draft", "open", "restricted_edition",
    "plain", "policy",
)  # fmt: skip


def content_hash(columns: Mapping[str, Any]) -> str:
    """SHA-256, hex, over the canonical JSON (RFC 8785) of :data:`HASHED`."""
    return hashlib.sha256(rfc8785.dumps({name: columns[name] for name in HASHED})).hexdigest()


@cache
def shipped() -> dict[str, Text]:
    """The newest version of every shipped licence, by id, in the order of the files."""
    texts = [
        Text(**yaml.safe_load(file.read_text(encoding="utf-8")))
        for file in sorted(FOLDER.glob("*.yaml"))
    ]
    return {text.id: text for text in sorted(texts, key=lambda text: text.version)}


def published(licence_id: str | None) -> Licence | None:
    """The current row of a licence; None for one the portal doesn't know.

    Raises :class:`LicenceChanged` when the shipped text differs from the published row.
    """
    text = shipped().get(licence_id or "")
    if text is None:
        return None
    row = model.Session.get(Licence, (text.id, text.version)) or _publish(text)
    if row.content_hash != text.content_hash:
        raise LicenceChanged(
            "A published licence text was edited; give it a new version",
            licence=text.id,
            version=text.version,
        )
    return row


def _publish(text: Text) -> Licence:
    values = text.columns() | {
        "content_hash": text.content_hash,
        "state": "published",
        "origin": "shipped",
        "published_at": clock.now(),
    }
    model.Session.execute(insert(Licence).values(values).on_conflict_do_nothing())
    return model.Session.get(Licence, (text.id, text.version))


def load() -> int:
    """Publish every shipped licence that isn't yet; returns how many are shipped."""
    return sum(published(licence_id) is not None for licence_id in shipped())


class ListedLicence(DefaultLicense):
    """An entry of CKAN's licence list, titled in the reader's language."""

    domain_data = True

    def __init__(self, text: Text) -> None:
        super().__init__()
        self.text = text
        self.id = text.id
        self.url = text.url or ""
        self.od_conformance = "approved" if text.open else "not reviewed"

    @property
    def title(self) -> str:
        return self.text.title[language.current()]


class Register(LicenseRegister):
    """CKAN's licence list, made of the shipped licences."""

    def __init__(self) -> None:
        self.licenses = [License(ListedLicence(text)) for text in shipped().values()]
