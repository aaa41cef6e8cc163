"""The licences the portal ships: YAML texts, loaded into immutable rows when first offered.

Also CKAN's own licence list is made from them, so that the choices of ``license_id`` agree.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

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

    @property
    def content_hash(self) -> str:
        """SHA-256 over the text in JSON with sorted keys."""
        content = json.dumps(asdict(self), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(content.encode()).hexdigest()


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
    values = {
        "id": text.id,
        "version": text.version,
        "title_vi": text.title["vi"],
        "title_en": text.title["en"],
        "url": text.url,
        "draft": text.draft,
        "plain": text.plain,
        "policy": text.policy,
        "content_hash": text.content_hash,
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
