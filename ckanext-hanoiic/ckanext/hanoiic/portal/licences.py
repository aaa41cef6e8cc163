"""A dataset's licence in plain words, taken from the licensing plugin where it is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ckan.plugins import plugin_loaded

from .wording import language


@dataclass(frozen=True)
class PlainLicence:
    """What a licence lets one do, in the reader's language."""

    title: str = ""
    url: str = ""
    summary: str = ""
    may: list[str] = field(default_factory=list)
    must: list[str] = field(default_factory=list)
    must_not: list[str] = field(default_factory=list)


def licence(dataset: Mapping[str, Any]) -> PlainLicence:
    """The licence of ``dataset``; only title and address for one that has no plain words."""
    text = _shipped(dataset.get("license_id"))
    if text is None:
        return PlainLicence(dataset.get("license_title") or "", dataset.get("license_url") or "")
    words = text.plain.get(language(), {})
    return PlainLicence(
        title=text.title.get(language()) or text.id,
        url=text.url or "",
        summary=words.get("summary", ""),
        may=words.get("may", []),
        must=words.get("must", []),
        must_not=words.get("must_not", []),
    )


def _shipped(licence_id: str | None) -> Any:
    if not plugin_loaded("hanoiic_licensing"):
        return None
    from ckanext.hanoiic.licensing.licences import shipped  # only where the plugin is in use

    return shipped().get(licence_id or "")
