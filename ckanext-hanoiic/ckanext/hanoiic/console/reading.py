"""What an officer can choose of how data is read, what its columns are and what it must keep to.

Tables of an officer's words. What is left empty is found out from the data, or not asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .form_values import BOUND, KEYS, PERCENT, PROSE, RANGES, SWITCH, TEXT, TRUTH, WHOLE, Shape
from .kinds import KINDS, N_, kind_of


@dataclass(frozen=True)
class Choice:
    """An option: its words and how it is typed. ``choices`` (value → words) make a list.

    ``empty``: what an empty field says.
    """

    label: str
    help: str = ""
    choices: Mapping[str, str] | None = None
    shape: Shape = TEXT
    empty: str = N_("Find it out")


OLD_FONTS = {
    "none": N_("Leave the texts as they are"),
    "tcvn3": N_("TCVN3 (ABC, .VnTime fonts)"),
    "vni": N_("VNI (VNI fonts)"),
    "viscii": "VISCII",
}
YES_OR_NO = {"true": N_("yes"), "false": N_("no")}

READING: dict[str, Choice] = {
    "encoding": Choice(
        N_("Encoding of the file"),
        choices={
            "utf-8": "UTF-8",
            "utf-16": "UTF-16",
            "windows-1258": N_("Windows-1258 (Vietnamese)"),
            "tcvn3": N_("TCVN3 (ABC, .VnTime fonts)"),
            "vni": N_("VNI (VNI fonts)"),
            "viscii": "VISCII",
            "windows-1252": N_("Windows-1252 (Western)"),
        },
    ),
    "text_encoding": Choice(N_("Old fonts inside the cells"), choices=OLD_FONTS),
    "rdf_format": Choice(
        N_("The catalogue is written in"),
        choices={
            "xml": "RDF/XML",
            "turtle": "Turtle",
            "n-triples": "N-Triples",
            "json-ld": "JSON-LD",
            "data.json": "data.json (Project Open Data)",
        },
    ),
    "delimiter": Choice(
        N_("Cells are separated by"),
        choices={
            ",": N_("comma ,"),
            ";": N_("semicolon ;"),
            "\t": N_("tab"),
            "|": N_("bar |"),
        },
    ),
    "decimal": Choice(
        N_("Decimal separator"), choices={",": N_("comma: 1,5"), ".": N_("point: 1.5")}
    ),
    "header_row": Choice(
        N_("Row of the column names"),
        N_("Counted from 1 at the top of the file; 0: the file has none."),
        shape=WHOLE,
    ),
    "header_rows": Choice(N_("How many rows the column names take"), shape=WHOLE),
    "skip_rows": Choice(
        N_("Rows to leave out at the top"),
        N_("The row of the column names is looked for below them."),
        shape=WHOLE,
    ),
    "sheet": Choice(N_("Sheet"), N_("Its name as the workbook shows it.")),
    "tables": Choice(
        N_("Where the tables stand in the sheet"),
        N_("Ranges of cells, such as A4:F23, A30:F41: each is a table of its own."),
        shape=RANGES,
    ),
    "row_kind": Choice(
        N_("Mark sums, names of groups and notes"),
        N_("A column says what each row is; no row is left out for it."),
        choices=YES_OR_NO,
        shape=TRUTH,
    ),
    "rows": Choice(
        N_("Where the records are"),
        N_("A path in the document, such as result.items; in XML the name of an element."),
    ),
    "paging": Choice(
        N_("How the API turns its pages"),
        choices={
            "none": N_("one page only"),
            "page": N_("by a page number"),
            "offset": N_("by the number of records so far"),
            "cursor": N_("by a mark in the answer"),
            "next": N_("by an address in the answer"),
            "link": N_("by the Link header"),
        },
    ),
    "page_parameter": Choice(N_("Parameter of the page"), N_("As in the address, such as page.")),
    "first_page": Choice(N_("Number of the first page"), shape=WHOLE),
    "next": Choice(
        N_("Where the next page stands"), N_("A path in the answer, such as meta.next.")
    ),
    "query": Choice(
        N_("Table or SELECT"),
        N_("A table of the database, such as public.stations, or one SELECT."),
    ),
    "key": Choice(
        N_("Column that only grows"),
        N_("Such as updated_at or id: later harvests ask for new rows only. May be empty."),
    ),
    "region": Choice(N_("Region"), N_("Only where the server wants one, such as us-east-1.")),
    "host_key": Choice(
        N_("Key of the server"),
        N_("Its fingerprint (SHA256:…); ask the department for it."),
    ),
    "parts": Choice(N_("Only these files or layers"), N_("A pattern, such as *.csv")),
    "crs": Choice(N_("Coordinate system"), N_("If the file does not say it, such as EPSG:3405.")),
}

# Of every kind: what is added to a table, and what its rows must keep to.
RULES: dict[str, Choice] = {
    "ward_units": Choice(
        N_("Wards and districts are those"),
        N_("Codes are added to their names; old units are led to those of today."),
        choices={
            "today": N_("of today (since July 2025)"),
            "old": N_("of before July 2025"),
            "none": N_("no matter: add no codes"),
        },
    ),
    "geometry": Choice(
        N_("Make places of longitude and latitude"),
        choices=YES_OR_NO,
        shape=TRUTH,
        empty=N_("no"),
    ),
    "max_rejected_share": Choice(
        N_("Rejected rows that are allowed, in %"),
        N_("With more of them nothing is published, and the version before stays."),
        shape=PERCENT,
        empty="5",
    ),
    "unique": Choice(
        N_("Columns whose values together occur once"),
        N_(
            "One key a line, its columns parted by semicolons. Of rows with the same key the first "
            "is kept, the others are rejected."
        ),
        shape=KEYS,
        empty=N_("such as: Station; Day"),
    ),
}

TYPES: dict[str, str] = {
    "string": N_("text"),
    "int64": N_("whole number"),
    "float64": N_("number"),
    "boolean": N_("true or false"),
    "date": N_("date"),
    "timestamp": N_("date and time"),
    "time": N_("time of day"),
    "geometry": N_("place on the map"),
}
MASK_WORDS: dict[str, str] = {
    "drop": N_("Leave the column out"),
    "hash": N_("Replace values by codes"),
    "truncate": N_("Keep the beginning only"),
}
DATE_ORDERS = {
    "dmy": N_("day/month/year"),
    "mdy": N_("month/day/year"),
    "ymd": N_("year-month-day"),
    "serial": N_("a worksheet's number of days, such as 45292"),
}
# What the table of columns has fields for, and what stands below each column.
COLUMN_SHOWN = ("type", "format", "title", "unit", "mask")
COLUMN_RULES: dict[str, Choice] = {
    "required": Choice(N_("Must have a value in every row"), shape=SWITCH),
    "unique": Choice(N_("No value may occur twice"), shape=SWITCH),
    "minimum": Choice(
        N_("Least value"), N_("A number, or a date such as 2026-01-31."), shape=BOUND, empty=""
    ),
    "maximum": Choice(N_("Greatest value"), shape=BOUND, empty=""),
    "pattern": Choice(
        N_("Pattern of the values"),
        N_("A regular expression for the whole value, such as [0-9]{5}."),
        empty="",
    ),
    "references": Choice(
        N_("Must stand in the column of another table"),
        N_("Table and column, such as planning_wards.Mã; the operator says which tables."),
        empty="",
    ),
    "text_encoding": Choice(N_("Old font of its texts"), choices=OLD_FONTS),
    "title_en": Choice(N_("Title in English"), empty=""),
    "description": Choice(N_("Description"), shape=PROSE, empty=""),
}


def offered(kind: str) -> list[str]:
    """The options of reading that a kind has; of an unknown kind all, before there is one none.

    Every kind has texts.
    """
    if not kind:
        return []
    own = kind_of(kind).reading if kind in KINDS else READING
    return list(dict.fromkeys([*own, "text_encoding"]))
