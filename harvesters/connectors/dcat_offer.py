"""A dataset of a DCAT catalogue (`readers.dcat` explains its row) as the portal takes it over."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

import requests
from requests.utils import requote_uri

from harvesters.addresses import check_url
from harvesters.connectors import dcat_words
from harvesters.connectors.base import File, Link, Offer
from harvesters.errors import UrlRefused
from harvesters.source import Source
from lake import names

NAME_LENGTH = 100
LONGEST_SLUG = 60
MOST_TAGS = 50
# The languages of a text by preference; "" is one without.
_FIRST = ("vi", "", "en")
_NO_TAG_LETTER = re.compile(r"[^\w\-. ]+")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_LETTERS = re.compile(r"[^\W\d_]{2}")
_YEAR = re.compile(r"\d{4}")

Row = Mapping[str, Any]


def identifier(row: Row, shared: Iterable[str]) -> str:
    """What a dataset is known by: its dct:identifier, unless others of the catalogue have it too,
    its IRI, its page, its first file, or its title. Empty for one without any of them."""
    files = (one["download"] or one["access"] for one in row["distributions"])
    candidates = (
        "" if row["identifier"] in shared else row["identifier"],
        row["iri"],
        *row["pages"],
        *files,
        _best(row["titles"]),
    )
    return next((text for text in candidates if text), "")


def offer(row: Row, known_by: str, base: str, source: Source) -> Offer:
    """The offer of a dataset found on the page at `base`."""
    defaults = {key: value for key, value in source.dataset.items() if key not in ("table", "name")}
    short = slug(known_by)
    files, links = _resources(row, short, base, source)
    return Offer(
        identifier=known_by,
        name=f"{source.name}-{short}"[:NAME_LENGTH].rstrip("-_"),
        fields={**defaults, **_fields(row, known_by)},
        files=files,
        links=links,
    )


def slug(known_by: str) -> str:
    """An address's part for a dataset: of its identifier, which stays, and not of its title."""
    path = re.sub(r"^https?://[^/]*/+", "", unquote(known_by))
    plain = names.from_vietnamese(path, default="d").replace("_", "-")
    # What was cut, or written in other letters, must not make two datasets one.
    same = re.sub(r"[\W_]+", "-", path).strip("-").lower() == plain
    if same and len(plain) <= LONGEST_SLUG:
        return plain
    digest = hashlib.sha256(known_by.encode()).hexdigest()[:8]
    return f"{plain[: LONGEST_SLUG - 9].rstrip('-')}-{digest}"


def _resources(row: Row, short: str, base: str, source: Source) -> tuple[list[File], list[Link]]:
    files: list[File] = []
    links: list[Link] = []
    seen: set[str] = set()
    taken: set[str] = set()
    for one in row["distributions"]:
        written = one["download"] or one["access"]
        address = web_address(written, base)
        if address is None or address in seen:
            continue
        seen.add(address)
        stem = PurePosixPath(unquote(urlsplit(address).path)).stem
        name = _best(one["titles"]) or stem or address
        description = _best(one["descriptions"])
        kind = dcat_words.kind_of(one["formats"], address, is_file=bool(one["download"]))
        if kind is None:
            shown = dcat_words.format_name(one["formats"], address)
            links.append(Link(address, name, shown, description))
            continue
        # A file's name lasts longer than its title, if it is one.
        is_name = bool(PurePosixPath(urlsplit(address).path).suffix) and bool(_LETTERS.search(stem))
        table = names.table_name(source.table, short, stem if is_name else name)
        if table in taken:
            digest = hashlib.sha256(address.encode()).hexdigest()[:8]
            table = names.table_name(table, digest)
        taken.add(table)
        files.append(File(address, kind, table, name, description, keeps_table=True))
    return files, links


def web_address(written: str, base: str) -> str | None:
    """An address as the portal may show it as a link, or None: no script, nothing broken."""
    try:
        address = urljoin(base, written) if written else ""
        check_url(address)
        return requote_uri(address)
    except (UrlRefused, ValueError, requests.RequestException):
        return None


def _fields(row: Row, known_by: str) -> dict[str, Any]:
    title, notes = _best(row["titles"]), _best(row["descriptions"])
    fields = {
        "title": title or known_by,
        "title_en": _english(row["titles"], title),
        "notes": notes,
        "notes_en": _english(row["descriptions"], notes),
        "tags": _tags(row["keywords"]),
        "license_id": _licence(row),
        "update_frequency": dcat_words.frequency(row["frequency"]),
        "contact_name": row["contact"].get("name") or row["publisher"],
        "contact_email": _email(row["contact"].get("email", "")),
        **_period(row["start"], row["end"]),
        # Whatever the source's datasets are: this one is not for everyone.
        "access_tier": "request" if dcat_words.is_closed(row["rights"]) else None,
    }
    return {key: value for key, value in fields.items() if value}


def _best(texts: Mapping[str, str]) -> str:
    found = next((texts[language] for language in _FIRST if texts.get(language)), "")
    return found or next(iter(texts.values()), "")


def _english(texts: Mapping[str, str], shown: str) -> str | None:
    english = texts.get("en")
    return english if english != shown else None


def _tags(keywords: Iterable[tuple[str, str]]) -> list[str]:
    """Keywords in the letters that CKAN's tags have: in Vietnamese where there are such."""
    pairs = list(keywords)
    language = next((each for each in _FIRST if any(said == each for said, _ in pairs)), None)
    found: dict[str, str] = {}
    for said, word in pairs:
        text = " ".join(_NO_TAG_LETTER.sub(" ", word).split())
        if (language is None or said == language) and 2 <= len(text) <= 100:
            found.setdefault(text.casefold(), text)
    return list(found.values())[:MOST_TAGS]


def _licence(row: Row) -> str | None:
    """The dataset's licence, or the one that all its distributions have; never a guess."""
    said = row["licences"] or [text for one in row["distributions"] for text in one["licences"]]
    found = {dcat_words.licence(text) for text in said}
    if not found:
        return None
    return found.pop() if len(found) == 1 else "notspecified"


def _email(text: str) -> str | None:
    # One that was written as an address is an address of the catalogue's own host by now.
    written = text.rpartition("/")[2]
    return written if _EMAIL.fullmatch(written) else None


def _period(start: str, end: str) -> dict[str, str]:
    begins, ends = _day(start, "-01-01"), _day(end, "-12-31")
    if begins and ends and ends < begins:
        return {}
    days = {"temporal_start": begins, "temporal_end": ends}
    return {key: day.isoformat() for key, day in days.items() if day}


def _day(text: str, rest_of_year: str) -> date | None:
    try:
        written = text.strip()
        return date.fromisoformat(
            f"{written}{rest_of_year}" if _YEAR.fullmatch(written) else written[:10]
        )
    except ValueError:
        return None
