"""A source as its officer registered it, checked before anything is fetched."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from harvesters.errors import SourceInvalid
from lake import names

MAX_REJECTED_SHARE = 0.05
WARD_UNITS = ("auto", "none", "today", "old")
MASKS = ("drop", "hash", "truncate")
PAGING = ("auto", "none", "page", "offset", "cursor", "next", "link")
TEXT_ENCODINGS = ("auto", "none", "tcvn3", "vni", "viscii")
RDF_FORMATS = ("xml", "turtle", "n-triples", "json-ld", "data.json")


@dataclass(frozen=True)
class ColumnPin:
    """What an officer pinned or requires of one column; everything else is inferred.

    `format` is for dates only: the order `dmy`, `mdy` or `ymd`, or `serial` (a worksheet's days).
    `text_encoding` as in `Options`.
    `references` is a table's column (`planning_wards.Mã phường`) where every value has to stand.
    `mask` is what is done to a personal column (see `masks`): it is text then, and of the other
    rules only `required` and `unique` are left, or none.
    """

    type: str | None = None
    format: str | None = None
    unit: str | None = None
    title: str | None = None
    title_en: str | None = None
    description: str | None = None
    required: bool = False
    unique: bool = False
    minimum: Any = None
    maximum: Any = None
    pattern: str | None = None
    text_encoding: str | None = None
    references: str | None = None
    mask: str | None = None

    @property
    def when_masked(self) -> ColumnPin:
        """The pin as it holds for the masked column."""
        if self.mask is None:
            return self
        free = replace(self, type="string", format=None, minimum=None, maximum=None, pattern=None)
        return replace(free, required=False, unique=False) if self.mask == "drop" else free


@dataclass(frozen=True)
class Options:
    """What an officer pins of a source. What is `None` is found out from the data."""

    encoding: str | None = None
    delimiter: str | None = None
    decimal: str | None = None
    # The header's first row in the file, counted from 1; 0: there is none, and `columns` (or
    # `column_1` …) name the columns.
    header_row: int | None = None
    # How many rows the header has.
    header_rows: int | None = None
    skip_rows: int = 0
    # A sheet's name, or its position counted from 0; and the ranges (`A4:F23`) of its tables.
    sheet: str | int | None = None
    tables: tuple[str, ...] | None = None
    # Whether a column marks sums, names of groups and notes.
    row_kind: bool | None = None
    # Of which time wards are: `today`, `old` (before July 2025), `auto`; with `none` they get no
    # codes.
    ward_units: str | None = None
    # Whether a pair of longitude and latitude gets a column of points.
    geometry: bool | None = None
    # Lists of columns whose values together occur once.
    unique: tuple[tuple[str, ...], ...] = ()
    # Where a document's rows are: a path (`result.items`, `/result/items`) in JSON, an element's
    # name or path in XML.
    rows: str | None = None
    # A pattern (`*.csv`) of the archive's members, the files or the map layers to take.
    parts: str | None = None
    # The coordinate system (`EPSG:3405`) of map layers that do not say it.
    crs: str | None = None
    # How an API gives its rows in pages (`PAGING`): the parameter in the address, the number of the
    # first page, and the path to the next page's address or cursor in an answer.
    paging: str | None = None
    page_parameter: str | None = None
    first_page: int | None = None
    next: str | None = None
    # A database's table (`schema.name`) or SELECT, and its column that only grows, by which later
    # runs ask for what is new.
    query: str | None = None
    key: str | None = None
    # Where an S3 server says that it is.
    region: str | None = None
    # An SFTP server's key: its fingerprint (`SHA256:…`) or itself (`ssh-ed25519 AAAA…`).
    host_key: str | None = None
    # The old font that texts are written in: `auto` finds it out, `none` leaves them as they are.
    text_encoding: str | None = None
    columns: Mapping[str, ColumnPin] = field(default_factory=dict)
    max_rejected_share: float = MAX_REJECTED_SHARE
    # Heeded by the portal: it is asked less often while nothing changes.
    adaptive: bool = True
    # When datasets that a catalogue lists no longer are archived, and how large a share may go
    # without an officer's word; None: the operator's settings.
    archive_runs: int | None = None
    archive_days: int | None = None
    max_missing_share: float | None = None
    # The name of the organisation's secret that the source's host wants.
    secret: str | None = None
    # What a DCAT catalogue is written in.
    rdf_format: str | None = None

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Options:
        """Raises SourceInvalid, naming the option."""
        columns = given.get("columns") or {}
        if not isinstance(columns, Mapping):
            raise SourceInvalid("The option `columns` is not an object of columns.")
        pins = {name: _build(ColumnPin, f"columns.{name}", pin) for name, pin in columns.items()}
        options: Options = replace(_build(cls, "options", {**given, "columns": {}}), columns=pins)
        _check(options)
        return replace(options, columns={name: pin.when_masked for name, pin in pins.items()})


@dataclass(frozen=True)
class Source:
    """One row of the portal's source registry."""

    id: str
    name: str
    title: str
    owner_org: str
    kind: str
    url: str
    options: Options
    dataset: Mapping[str, Any]
    given: Mapping[str, Any]
    decisions: tuple[Mapping[str, Any], ...] = ()

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Source:
        """From the answer of `hanoiic_source_show`. Raises SourceInvalid."""
        options = _object(row.get("options"), "options")
        return cls(
            id=row["id"],
            name=row["name"],
            title=row.get("title") or row["name"],
            owner_org=row.get("owner_org") or "",
            kind=row["kind"],
            url=row["url"],
            options=Options.of(options),
            dataset=_object(row.get("dataset"), "dataset"),
            given=options,
            decisions=tuple(row.get("decisions") or ()),
        )

    @property
    def table(self) -> str:
        """The lake table, or the prefix of the lake tables, of this source."""
        return str(self.dataset.get("table") or names.table_name(self.name))

    @property
    def is_open(self) -> bool:
        """Whether anyone may know where the data comes from."""
        # The catalogue takes a tier that is not said for the most careful one.
        return bool(self.dataset.get("access_tier") == "open")


def _object(value: Any, name: str) -> dict[str, Any]:
    parsed = json.loads(value) if isinstance(value, str) and value else value or {}
    if not isinstance(parsed, dict):
        raise SourceInvalid(f"The source's `{name}` is not an object.")
    return parsed


def _build(cls: Any, where: str, given: Any) -> Any:
    known = set(cls.__dataclass_fields__)
    if not isinstance(given, Mapping):
        raise SourceInvalid(f"`{where}` is not an object.")
    if unknown := sorted(set(given) - known):
        raise SourceInvalid(
            f"`{where}` has unknown options: {', '.join(unknown)}; "
            f"valid are: {', '.join(sorted(known))}.",
            unknown=unknown,
        )
    return cls(**{name: value for name, value in given.items() if value not in (None, "")})


def _are_texts(value: Any) -> bool:
    return (
        isinstance(value, list | tuple)
        and bool(value)
        and all(isinstance(text, str) and text for text in value)
    )


_RULES: dict[str, tuple[str, Any]] = {
    "decimal": ("`,` or `.`", lambda value: value in (",", ".")),
    "delimiter": ("one character", lambda value: isinstance(value, str) and len(value) == 1),
    "header_row": ("a row number from 0", lambda value: isinstance(value, int) and value >= 0),
    "header_rows": (
        "a count from 1 to 10",
        lambda value: type(value) is int and 1 <= value <= 10,
    ),
    "tables": (
        "a list of ranges such as A4:F23",
        lambda value: _are_texts(value),
    ),
    "row_kind": ("true or false", lambda value: isinstance(value, bool)),
    "geometry": ("true or false", lambda value: isinstance(value, bool)),
    "ward_units": (
        "one of " + ", ".join(WARD_UNITS),
        lambda value: value in WARD_UNITS,
    ),
    "unique": (
        "a list of lists of column names",
        lambda value: isinstance(value, list | tuple) and all(map(_are_texts, value)),
    ),
    "skip_rows": ("a count from 0", lambda value: isinstance(value, int) and value >= 0),
    "rows": ("a path of names, or an element's name", lambda value: isinstance(value, str)),
    "parts": ("a pattern of names, such as *.csv", lambda value: isinstance(value, str)),
    "crs": ("a coordinate system, such as EPSG:3405", lambda value: isinstance(value, str)),
    "paging": ("one of " + ", ".join(PAGING), lambda value: value in PAGING),
    "page_parameter": (
        "the name of a parameter",
        lambda value: isinstance(value, str) and value.isascii() and value.isprintable(),
    ),
    "first_page": ("a number from 0", lambda value: type(value) is int and value >= 0),
    "next": ("a path of names", lambda value: isinstance(value, str)),
    "query": ("a table's name, or a SELECT", lambda value: isinstance(value, str)),
    "key": ("the name of a column", lambda value: isinstance(value, str)),
    "region": ("a region such as us-east-1", lambda value: isinstance(value, str)),
    "host_key": ("a key's fingerprint, such as SHA256:…", lambda value: isinstance(value, str)),
    "text_encoding": (
        "one of " + ", ".join(TEXT_ENCODINGS),
        lambda value: value in TEXT_ENCODINGS,
    ),
    "max_rejected_share": (
        "a share from 0 to 1",
        lambda value: isinstance(value, int | float) and 0 <= value <= 1,
    ),
    "secret": ("the name of a secret", lambda value: isinstance(value, str)),
    "rdf_format": ("one of " + ", ".join(RDF_FORMATS), lambda value: value in RDF_FORMATS),
    "adaptive": ("true or false", lambda value: isinstance(value, bool)),
    "archive_runs": ("a count from 1", lambda value: isinstance(value, int) and value >= 1),
    "archive_days": ("a count from 0", lambda value: isinstance(value, int) and value >= 0),
    "max_missing_share": (
        "a share from 0 to 1",
        lambda value: isinstance(value, int | float) and 0 <= value <= 1,
    ),
}


def _check(options: Options) -> None:
    for name, (wanted, holds) in _RULES.items():
        value = getattr(options, name)
        if value is not None and not holds(value):
            raise SourceInvalid(f"The option `{name}` is not {wanted}.")
    for name, pin in options.columns.items():
        if pin.format not in (None, "dmy", "mdy", "ymd", "serial"):
            raise SourceInvalid(f"The `format` of column `{name}` is not dmy, mdy, ymd or serial.")
        if pin.mask not in (None, *MASKS):
            raise SourceInvalid(f"The `mask` of column `{name}` is not one of {', '.join(MASKS)}.")
        if pin.text_encoding not in (None, *TEXT_ENCODINGS):
            raise SourceInvalid(
                f"The `text_encoding` of column `{name}` is not one of {', '.join(TEXT_ENCODINGS)}."
            )
