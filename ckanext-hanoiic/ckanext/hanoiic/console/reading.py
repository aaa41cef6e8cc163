"""How a file is read and what its columns are: from what an officer chose to a source's options.

Pure functions. What is left empty is found out from the data.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .kinds import KINDS, N_, kind_of

Options = dict[str, Any]


@dataclass(frozen=True)
class Choice:
    """An option of reading. ``choices`` (value → words) make a list; ``whole``: it is a number."""

    label: str
    help: str = ""
    choices: Mapping[str, str] | None = None
    whole: bool = False


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
    "text_encoding": Choice(
        N_("Old fonts inside the cells"),
        choices={
            "none": N_("Leave the texts as they are"),
            "tcvn3": N_("TCVN3 (ABC, .VnTime fonts)"),
            "vni": N_("VNI (VNI fonts)"),
            "viscii": "VISCII",
        },
    ),
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
        whole=True,
    ),
    "header_rows": Choice(N_("How many rows the column names take"), whole=True),
    "skip_rows": Choice(N_("Rows to leave out below it"), whole=True),
    "sheet": Choice(N_("Sheet"), N_("Its name as the workbook shows it.")),
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
    "first_page": Choice(N_("Number of the first page"), whole=True),
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
COLUMN_TEXTS = ("type", "title", "unit", "mask", "format")
DATE_ORDERS = {
    "dmy": N_("day/month/year"),
    "mdy": N_("month/day/year"),
    "ymd": N_("year-month-day"),
}


def offered(kind: str) -> list[str]:
    """The options of reading that a kind has; of an unknown kind all."""
    return list(kind_of(kind).reading if kind in KINDS else READING)


def options_of(form: Mapping[str, str], kept: Options) -> Options:
    """``kept`` with what the form says: ``option.<name>`` and ``column.<number>.<name>``.

    An empty field takes a pin away; what the form does not show stays.
    """
    options = copy.deepcopy(kept)
    for name, choice in READING.items():
        typed = form.get(f"option.{name}")
        if typed is not None:
            value = typed if choice.choices else typed.strip()
            number = int(value) if choice.whole and value.isdecimal() else value
            put(options, name, number)
    columns = dict(options.get("columns", {}))
    for key, column in form.items():
        if not (key.startswith("column.") and key.endswith(".name")):
            continue
        pins = dict(columns.get(column, {}))
        for name in COLUMN_TEXTS:
            typed = form.get(f"{key.removesuffix('.name')}.{name}")
            if typed is not None:
                put(pins, name, typed.strip())
        put(columns, column, pins)
    put(options, "columns", columns)
    return options


def put(target: Options, key: str, value: Any) -> None:
    """Set ``key``, or take it away for an empty value."""
    if value in ("", None, {}):
        target.pop(key, None)
    else:
        target[key] = value


def columns_of(table: Mapping[str, Any], options: Options) -> list[dict[str, Any]]:
    """The columns of a previewed table with their pins."""
    pins = options.get("columns", {})
    said = [column for column in table.get("columns") or [] if isinstance(column, dict)]
    return [{**column, "pins": pins.get(column.get("name"), {})} for column in said]


def columns_out_of_sight(result: Mapping[str, Any], options: Options) -> list[dict[str, Any]]:
    """Pinned columns that no previewed table has: left out, or of a name that is not there."""
    seen = {
        column.get("name")
        for table in result.get("tables") or []
        for column in table.get("columns") or []
        if isinstance(column, dict)
    }
    pins = options.get("columns", {})
    return [{"name": name, "pins": said} for name, said in pins.items() if name not in seen]
