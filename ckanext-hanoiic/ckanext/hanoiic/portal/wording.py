"""How values are written for a reader: language, labels, dates, numbers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import flask
from babel.dates import format_datetime
from babel.numbers import format_decimal, format_percent
from ckan import model
from ckan.plugins import toolkit as tk
from ckanext.hanoiic.search import wards

from .catalogue import entity_title

DAY = {"vi": "dd/MM/yyyy", "en": "d MMM yyyy"}
MINUTE = {"vi": "dd/MM/yyyy HH:mm", "en": "d MMM yyyy HH:mm"}
# Types of columns that are shown as days and times, in Hanoi's clock.
MOMENTS = {"date": DAY, "timestamp": MINUTE}
SHOWN_WARDS = 12
LONGEST_CELL = 80


def language() -> str:
    """``vi`` or ``en``."""
    return "en" if tk.h.lang() == "en" else "vi"


def in_language(fields: Mapping[str, Any], name: str) -> Any:
    """``fields[name]`` in the reader's language: ``…_en`` for English where it is filled in."""
    translated = fields.get(f"{name}_en") if language() == "en" else None
    return translated or fields.get(name) or ""


def dataset_title(dataset: Any) -> str:
    """A dataset's title in the reader's language, for dicts and for CKAN's own objects."""
    if isinstance(dataset, Mapping):
        return in_language(dataset, "title") or dataset["name"]
    return (language() == "en" and dataset.extras.get("title_en")) or dataset.title or dataset.name


def value_label(field: str, value: str) -> str:
    """A facet's or field's value in words: a choice of the schema, a topic or an organisation."""
    if field in ("organization", "groups"):
        return entity_title(value)
    schema = tk.h.scheming_get_dataset_schema("dataset") or {"dataset_fields": []}
    described = tk.h.scheming_field_by_name(schema["dataset_fields"], field) or {}
    for choice in described.get("choices", []):
        if choice["value"] == value:
            return tk.h.scheming_language_text(choice["label"])
    return value


def number(value: float | str | None) -> str:
    """``1.234.567`` in Vietnamese, ``1,234,567`` in English."""
    return "" if value in (None, "") else _decimal(value, language())


@lru_cache(maxsize=4096)  # a page of facets writes hundreds of small numbers
def _decimal(value: float | str, locale: str) -> str:
    return str(format_decimal(value, locale=locale))


def percent(share: float) -> str:
    """A share from 0 to 1, as ``98,2 %``; the space does not break."""
    return format_percent(share, "#,##0.#\u00a0%", locale=language())


def licence_title(dataset: Mapping[str, Any]) -> str:
    """The name of a dataset's licence, in the reader's language where the register has one."""
    known = model.Package.get_license_register().get(dataset.get("license_id") or "")
    return known.title if known else dataset.get("license_title") or ""


def size(value: int | str | None) -> str:
    """Bytes in a handy unit."""
    if value in (None, ""):
        return ""
    count, unit = float(value), "B"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if count < 1000 or unit == "TB":
            break
        count /= 1000
    return f"{format_decimal(round(count, 1 if count < 10 else 0), locale=language())} {unit}"


def day(value: Any) -> str:
    return _moment(value, DAY)


def minute(value: Any) -> str:
    return _moment(value, MINUTE)


def period(start: str | None, end: str | None) -> str:
    """The days a dataset covers, open at the side where nothing is said."""
    if start and end:
        return f"{day(start)} – {day(end)}"
    if start:
        return tk._("from {day}").format(day=day(start))
    return tk._("until {day}").format(day=day(end)) if end else ""


def cell(value: Any, column_type: str = "") -> str:
    """A value of a table, short enough for a preview, as readers write it."""
    if value is None:
        return ""
    if column_type in MOMENTS and isinstance(value, str):
        return _moment(value, MOMENTS[column_type])
    if isinstance(value, bool):
        return tk._("yes") if value else tk._("no")
    if isinstance(value, float):
        text = format(value, ".12g")
        # No groups of digits: a year or a code has none either.
        return text if language() == "en" else text.replace(".", ",")
    text = str(value)
    if column_type.startswith("decimal") and language() != "en":  # it comes as exact text
        text = text.replace(".", ",")
    return text if len(text) <= LONGEST_CELL else text[: LONGEST_CELL - 1] + "…"


def is_number(column_type: str) -> bool:
    """Whether a column reads better at the right edge."""
    return column_type in ("int64", "float64") or column_type.startswith("decimal")


def page_in(other: str) -> str:
    """The address of the very page in another language."""
    query = quote(flask.request.query_string, safe="%&=+")
    here = quote(flask.request.path) + (f"?{query}" if query else "")
    locale = "default" if other == tk.config["ckan.locale_default"] else other
    return tk.url_for("home.index", locale=locale).rstrip("/") + here


def ward_names(codes: list[str]) -> tuple[list[str], int]:
    """The names of the first wards of ``codes``, and how many more there are."""
    names = [wards.name_of(code) for code in codes]
    return names[:SHOWN_WARDS], max(0, len(names) - SHOWN_WARDS)


def _moment(value: Any, patterns: Mapping[str, str]) -> str:
    """Date or time in Hanoi's clock. A time without a zone is UTC, as CKAN stores it."""
    if not value:
        return ""
    text = value if isinstance(value, str) else value.isoformat()
    try:
        moment = datetime.fromisoformat(text)
        if len(text) > len("2026-01-01"):
            moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            moment = moment.astimezone(ZoneInfo(tk.config["ckan.display_timezone"]))
    except (ValueError, OverflowError):  # no date; or one whose day in Hanoi is in the year 10000
        return text
    return format_datetime(moment, patterns[language()], locale=language())
