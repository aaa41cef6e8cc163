"""What a source is made of: the options an officer pins and the dataset it registers."""

from __future__ import annotations

from typing import Any

from ckan import model
from ckan.plugins import toolkit as tk
from ckan.plugins.toolkit import _

from . import checks
from .checks import Check
from .kinds import N_
from .states import MASKS

ACCESS_TIERS: dict[str, str] = {
    "open": N_("Open: anyone may use it"),
    "registered": N_("Signed in: any signed-in user may use it"),
    "click": N_("Terms: signed-in users accept the terms once"),
    "request": N_("By request: an officer approves every organisation"),
}
FREQUENCIES: dict[str, str] = {
    "CONT": N_("Continuous"),
    "HOURLY": N_("Hourly"),
    "DAILY": N_("Daily"),
    "WEEKLY": N_("Weekly"),
    "MONTHLY": N_("Monthly"),
    "QUARTERLY": N_("Quarterly"),
    "ANNUAL": N_("Yearly"),
    "IRREG": N_("Irregular"),
    "UNKNOWN": N_("Unknown"),
}

TABLE_NAME_LONGEST = 63
TABLE_NAME = r"[a-z][a-z0-9_]{0,62}"
TABLE_NAME_RULE = N_(
    "Must start with a letter and have only a–z, 0–9 and _ (no diacritics, 63 characters at most)"
)
CREDENTIAL_NAME = r"[a-z0-9][a-z0-9_-]{1,59}"
CREDENTIAL_NAME_RULE = N_("Must be the name of a secret: a–z, 0–9, - and _ only")
COLUMN_TYPE = (
    r"(string|boolean|int64|float64|date|timestamp|time|binary|geometry"
    r"|decimal\(\d{1,2},\s*\d{1,2}\)|list<[a-z0-9]+>)"
)


def known_group(value: Any) -> str:
    """The name of a topic that exists."""
    group = model.Group.get(value) if isinstance(value, str) else None
    if group is None or group.is_organization or group.state != "active":
        raise tk.Invalid(_("No such topic: {name}").format(name=value))
    return group.name


def known_license(value: Any) -> str:
    """The id of a licence in CKAN's register; an empty one stays empty."""
    register = model.Package.get_license_register()
    if value and value not in register.keys():  # noqa: SIM118 -- no mapping: it lacks __contains__
        raise tk.Invalid(_("No such licence: {id}").format(id=value))
    return value


def sheet(value: Any) -> str | int:
    """A sheet's name, or its position counted from 0."""
    if isinstance(value, str):
        return checks.text(200)(value)
    return checks.integer(0, 10_000)(value)


# What the texts inside the cells of an old workbook may be hidden in.
text_encoding = checks.one_of("auto", "none", "tcvn3", "vni", "viscii")

COLUMN: dict[str, Check] = {
    "type": checks.matching(
        COLUMN_TYPE, N_("Not a column type; one is for example string, int64, decimal(10,2), date")
    ),
    "format": checks.one_of("dmy", "mdy", "ymd", "serial"),
    "unit": checks.text(50),
    "title": checks.text(300),
    "title_en": checks.text(300),
    "description": checks.text(2000),
    "required": checks.boolean,
    "unique": checks.boolean,
    "minimum": checks.bound,
    "maximum": checks.bound,
    "pattern": checks.pattern,
    "text_encoding": text_encoding,
    "references": checks.matching(
        TABLE_NAME + r"\..{1,200}", N_("Must be a table and a column of it, such as wards.code")
    ),
    "mask": checks.one_of(*MASKS),
}
OPTIONS: dict[str, Check] = {
    "encoding": checks.matching(
        r"[A-Za-z0-9_.:-]{1,40}", N_("Must be the name of an encoding, such as utf-8 or tcvn3")
    ),
    "delimiter": checks.matching(r"[^\r\n\"]", N_('Must be one character, such as , ; or "\\t"')),
    "decimal": checks.one_of(".", ","),
    "header_row": checks.integer(0, 10_000),
    "header_rows": checks.integer(1, 10),
    "skip_rows": checks.integer(0, 1_000_000),
    "tables": checks.list_of(
        checks.matching(r"[A-Z]{1,3}\d{1,7}:[A-Z]{1,3}\d{1,7}", N_("Must be a range like A4:F23")),
        most=100,
    ),
    "row_kind": checks.boolean,
    "geometry": checks.boolean,
    "ward_units": checks.one_of("today", "old", "auto", "none"),
    "unique": checks.list_of(checks.list_of(checks.text(300), most=50), most=20),
    "sheet": sheet,
    "rows": checks.text(500),
    "parts": checks.text(200),
    "paging": checks.one_of("auto", "none", "page", "offset", "cursor", "next", "link"),
    "page_parameter": checks.matching(r"[!-~]{1,100}", N_("Must be the name of a parameter")),
    "first_page": checks.integer(0, 1_000_000),
    "next": checks.text(500),
    "query": checks.text(20_000),
    "key": checks.text(200),
    "region": checks.matching(r"[a-z0-9-]{1,40}", N_("Must be a region such as us-east-1")),
    "host_key": checks.text(1000),
    "crs": checks.matching(r"[A-Za-z]+:\d{1,7}", N_("Must be a code such as EPSG:3405")),
    "text_encoding": text_encoding,
    "columns": checks.mapping_of(checks.object_of(COLUMN), most=2000),
    "max_rejected_share": checks.share,
    "adaptive": checks.boolean,
    "archive_runs": checks.integer(1, 1000),
    "archive_days": checks.integer(0, 3650),
    "max_missing_share": checks.share,
    "secret": checks.matching(CREDENTIAL_NAME, CREDENTIAL_NAME_RULE),
    "rdf_format": checks.one_of("xml", "turtle", "n-triples", "json-ld", "data.json"),
}
DATASET: dict[str, Check] = {
    "table": checks.matching(TABLE_NAME, TABLE_NAME_RULE),
    "name": checks.matching(r"[a-z0-9_-]{2,100}", N_("Must be a–z, 0–9, - and _ only")),
    "title": checks.text(300),
    "title_en": checks.text(300),
    "notes": checks.text(20_000),
    "notes_en": checks.text(20_000),
    "groups": checks.named(known_group, most=20),
    "tags": checks.named(checks.text(100), most=50),
    "update_frequency": checks.one_of(*FREQUENCIES),
    "temporal_start": checks.iso_date,
    "temporal_end": checks.iso_date,
    "spatial_wards": checks.list_of(
        checks.matching(r"\d{5}", N_("Must be ward codes of five digits")), most=1000
    ),
    "contact_name": checks.text(200),
    "contact_email": checks.email,
    "license_id": known_license,
    "access_tier": checks.one_of(*ACCESS_TIERS),
    "data_quality": checks.text(5000),
    "is_simulated": checks.true_or_false,
}


def table_name_for(organisation: str, source: str) -> str:
    """A lake name made of two slugs, ``<department>_<dataset>``, no longer than the lake allows."""
    slug = f"{organisation}_{source}".replace("-", "_")
    if not slug[0].isalpha():
        slug = f"t_{slug}"
    return slug[:TABLE_NAME_LONGEST].rstrip("_")
