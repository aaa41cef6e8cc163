"""What the harvest worker says in English, in the reader's language.

A worker's sentence is matched with the patterns below; what none of them knows stays as it is.
"""

from __future__ import annotations

import re

from ckan.plugins.toolkit import _

from .error_sentences import ERRORS
from .kinds import N_

# A pattern of the worker's words → the same with its facts in braces.
SENTENCES: dict[str, str] = {
    # Rejected rows.
    r"is no (?P<type>.+)": N_("is not {type}"),
    r"is empty": N_("the cell is empty"),
    r"is below (?P<bound>.+)": N_("is below {bound}"),
    r"is above (?P<bound>.+)": N_("is above {bound}"),
    r"does not match the pattern": N_("does not match the pattern"),
    r"occurs more than once; the first row stays": N_("occurs more than once; the first row stays"),
    r"(?P<found>\d+) cells instead of (?P<wanted>\d+)": N_("{found} cells instead of {wanted}"),
    r"The feature has no readable geometry in longitude and latitude\.": N_(
        "The feature has no readable geometry in longitude and latitude."
    ),
    # Messages of stages.
    r"encoding (?P<encoding>\S+), delimiter (?P<delimiter>.+), header (?P<header>.+)": N_(
        "encoding {encoding}, delimiter “{delimiter}”, header {header}"
    ),
    r"sheet '(?P<sheet>.+)' of (?P<count>\d+), header (?P<header>.+)": N_(
        "sheet “{sheet}” of {count}, header {header}"
    ),
    r"sheet '(?P<sheet>.+)' of (?P<count>\d+), cells (?P<cells>[A-Z0-9:]+), "
    r"header (?P<header>.+)": N_("sheet “{sheet}” of {count}, cells {cells}, header {header}"),
    r"No table was found in the sheet '(?P<sheet>.+)' \((?P<rows>\d+) rows × (?P<columns>\d+) "
    r"columns, (?P<filled>\d+) filled cells\): no row names columns that the rows below it fill\. "
    r"Is it a form\? What was seen:(?P<picture>[\s\S]*)": N_(
        "No table was found in the sheet “{sheet}” ({rows} rows × {columns} columns, {filled} "
        "filled cells): no row names columns that the rows below it fill. Is it a form? "
        "What was seen:{picture}"
    ),
    r"row (?P<row>\d+)": N_("row {row}"),
    r"rows (?P<first>\d+) to (?P<last>\d+)": N_("rows {first} to {last}"),
    r"none": N_("none, the columns are numbered"),
    r"decimal comma": N_("decimal comma"),
    r"(?P<count>\d+) values that say “no value” became empty": N_(
        "{count} values that say “no value” became empty"
    ),
    r"day and month can't be told apart, read as (?P<order>\w+); "
    r"pin its `format` if that is wrong": N_(
        "day and month can’t be told apart, read as {order}; pin its `format` if that is wrong"
    ),
    r"day and month can't be told apart, read as (?P<order>\w+), as in the version before; "
    r"pin its `format` if that is wrong": N_(
        "day and month can’t be told apart, read as {order}, as in the version before; pin its "
        "`format` if that is wrong"
    ),
    r"the signs in its numbers may divide thousands or decimals, read as (?P<reading>\w+); "
    r"pin the option `decimal` if that is wrong": N_(
        "the signs in its numbers may divide thousands or decimals, read as “{reading}”; pin the "
        "option `decimal` if that is wrong"
    ),
    r"(?P<count>\d+) numbers have the zeros that the sheet shows before them": N_(
        "{count} numbers have the zeros that the sheet shows before them"
    ),
    r"(?P<count>\d+) formulas have no stored value: their cells are empty": N_(
        "{count} formulas have no stored value: their cells are empty"
    ),
    r"(?P<count>\d+) cells have errors such as #REF!: they are empty": N_(
        "{count} cells have errors such as #REF!: they are empty"
    ),
    r"(?P<count>\d+) cells are percentages as they are shown: 0\.25 is 25": N_(
        "{count} cells are percentages as they are shown: 0.25 is 25"
    ),
    r"row (?P<row>\d+) numbers the columns: left out": N_(
        "row {row} numbers the columns: left out"
    ),
    r"unchanged, nothing was published\.": N_("unchanged, nothing was published."),
    r"(?P<count>\d+) numbers stand in each of the rows that their cells are merged over, so sums "
    r"count them several times: (?P<cells>.+)": N_(
        "{count} numbers stand in each of the rows that their cells are merged over, so sums count "
        "them several times: {cells}"
    ),
    r"the source has this table no longer; its last version stays, and its dataset says so": N_(
        "the source no longer has this table; its last version stays, and its dataset says so"
    ),
    r"the same content as version (?P<version>\d+)\.": N_("the same content as version {version}."),
    r"Attempt (?P<attempt>\d+) of (?P<tries>\d+)\.": N_("Attempt {attempt} of {tries}."),
    r"(?P<alphabet>[^:]+?) text made Unicode \(confidence (?P<confidence>[\d.]+)\), "
    r"(?P<cells>\d+) cells with (?P<texts>\d+) texts(?P<examples>(: .+)?)": N_(
        "{alphabet} text made Unicode (certainty {confidence}), {cells} cells with {texts} "
        "texts{examples}"
    ),
    r"(?P<alphabet>[^:]+?) text made Unicode \(pinned\), "
    r"(?P<cells>\d+) cells with (?P<texts>\d+) texts(?P<examples>(: .+)?)": N_(
        "{alphabet} text made Unicode (pinned), {cells} cells with {texts} texts{examples}"
    ),
    r"(?P<count>\d+) headers made Unicode: (?P<examples>.+)": N_(
        "{count} headers made Unicode: {examples}"
    ),
    r"units from the row below the header: (?P<units>.+)": N_(
        "units from the row below the header: {units}"
    ),
    r"(?P<count>\d+) rows look like sums\. They are kept, (?P<column>\S+) marks them: "
    r"(?P<rows>.+)": N_("{count} rows look like sums. They are kept, {column} marks them: {rows}"),
    r"(?P<count>\d+) rows look like sums of groups\. They are kept, (?P<column>\S+) marks them: "
    r"(?P<rows>.+)": N_(
        "{count} rows look like sums of groups. They are kept, {column} marks them: {rows}"
    ),
    r"(?P<count>\d+) rows name a group, or have one cell only\. They are kept, (?P<column>\S+) "
    r"marks them: (?P<rows>.+)": N_(
        "{count} rows name a group, or have one cell only. They are kept, {column} marks them: "
        "{rows}"
    ),
    r"(?P<count>\d+) rows are notes\. They are kept, (?P<column>\S+) marks them: (?P<rows>.+)": N_(
        "{count} rows are notes. They are kept, {column} marks them: {rows}"
    ),
    r"(?P<count>\d+) lines below the table are notes, not rows: (?P<rows>.+)": N_(
        "{count} lines below the table are notes, not rows: {rows}"
    ),
    r"above the table: (?P<line>.+)": N_("above the table: {line}"),
    r"(?P<count>\d+) rows repeat the header; left out: (?P<rows>.+)": N_(
        "{count} rows repeat the header; left out: {rows}"
    ),
    r"(?P<count>\d+) rows are units of today": N_("{count} rows are wards of today"),
    r"(?P<count>\d+) rows are units before July 2025, converted": N_(
        "{count} rows are wards from before July 2025, converted"
    ),
    r"(?P<count>\d+) rows are units that were divided among several: not guessed: "
    r"(?P<units>.+)": N_(
        "{count} rows are wards that were divided among several, so not guessed: {units}"
    ),
    r"(?P<count>\d+) rows have a name that several units had, and no district tells which: "
    r"(?P<units>.+)": N_(
        "{count} rows have a name that several wards had, and no district tells which: {units}"
    ),
    r"(?P<count>\d+) rows are no units of Hanoi: (?P<units>.+)": N_(
        "{count} rows are no wards of Hanoi: {units}"
    ),
    r"the table has today's ward codes already": N_("the table has today’s ward codes already"),
    r"left out, as an officer decided": N_("left out, as an officer decided"),
    r"published as keyed hashes, as an officer decided": N_(
        "published as codes, as an officer decided"
    ),
    r"published shortened, as an officer decided": N_("published shortened, as an officer decided"),
    # What waits for an officer.
    r"(?P<count>\d+) columns look like personal data \((?P<columns>.+)\)\.": N_(
        "{count} columns look like personal data ({columns})."
    ),
    r"(?P<table>\S+) waits for an officer: (?P<rest>.+)": N_("{table} waits for you: {rest}"),
    r"The columns changed: (?P<changes>.+)\.": N_("The columns changed: {changes}."),
    r"column (?P<column>.+) \((?P<type>[a-z0-9_(),]+)\) is gone": N_("the column {column} is gone"),
    r"column (?P<column>.+) is (?P<after>\S+) now, was (?P<before>\S+)": N_(
        "the column {column} is {after} now, was {before}"
    ),
    r"column (?P<before>.+) seems to be called (?P<after>.+) now": N_(
        "the column {before} seems to be called {after} now"
    ),
    r"new column (?P<column>.+) \((?P<type>\S+)\); published, for no reader breaks": N_(
        "the new column {column} was published"
    ),
    r"(?P<count>\d+) of (?P<known>\d+) datasets are no longer in the catalogue\. None was marked "
    r"as missing before somebody agrees\.": N_(
        "{count} of {known} datasets are no longer in the catalogue. None is marked as missing "
        "before somebody agrees."
    ),
    r"The catalogue is empty; it had (?P<known>\d+) datasets\. None was marked as missing before "
    r"somebody agrees\.": N_(
        "The catalogue is empty; it had {known} datasets. None is marked as missing before "
        "somebody agrees."
    ),
    # Errors.
    r"More than (?P<count>\d+) rows can't be read; the rest was not tried\. "
    r"Nothing was published\.": N_(
        "More than {count} rows cannot be read; the rest was not tried. Nothing was published."
    ),
    r"(?P<rejected>\d+) of (?P<rows>\d+) rows were rejected; (?P<share>[\d.]+%) are allowed\. "
    r"Nothing was published\.": N_(
        "{rejected} of {rows} rows were rejected; {share} are allowed. Nothing was published."
    ),
    r"The source answered with a web page \(a login or an error page\?\) instead of data\.": N_(
        "The source answered with a web page (a login or an error page?) instead of data."
    ),
    r"The source answered (?P<status>\d{3}) ?(?P<reason>.*?)\.?": N_(
        "The source answered {status} {reason}."
    ),
    r"(?P<host>\S+) does not answer\.?": N_("{host} does not answer."),
    r"No connection to (?P<host>\S+?)\.?": N_("No connection to {host}."),
    r"The TLS certificate of (?P<host>\S+) is not valid\.": N_(
        "The TLS certificate of {host} is not valid."
    ),
    r"(?P<host>\S+) does not speak TLS\.": N_("{host} does not speak TLS."),
    r"The table has a header and no rows; nothing was published\.": N_(
        "The table has a header and no rows; nothing was published."
    ),
    r"The required column '(?P<column>.+)' is not in the data\.": N_(
        "The required column “{column}” is not in the data."
    ),
}
# Facts that are words themselves.
NESTED = ("type", "header", "rest", "choice")
# Facts that are several sentences.
LISTED = ("changes",)
TYPES: dict[str, str] = {
    "boolean": N_("true or false"),
    "int64": N_("a whole number"),
    "float64": N_("a number"),
    "date": N_("a date"),
    "timestamp": N_("a date and time"),
    "time": N_("a time of day"),
    "geometry": N_("a place on the map"),
}
# ``table: sentence``, ``column: sentence``, one inside of the other.
NAMED = re.compile(r"(?P<name>[^:]{1,200}): (?P<rest>.+)", re.DOTALL)
PATTERNS = [(re.compile(pattern), text) for pattern, text in (SENTENCES | ERRORS).items()]


def known(sentence: str) -> bool:
    """Whether the sentence can be said in every language of the portal."""
    return _said(sentence) is not None


def say(sentence: str) -> str:
    """A worker's sentence in the reader's language; an unknown one unchanged."""
    said = _said(sentence)
    return sentence if said is None else said


def _said(sentence: str) -> str | None:
    for pattern, text in PATTERNS:
        if found := pattern.fullmatch(sentence):
            facts = {name: _fact(name, value) for name, value in found.groupdict().items()}
            return _(text).format(**facts)
    if named := NAMED.fullmatch(sentence):
        rest = _said(named["rest"])
        return None if rest is None else f"{named['name']}: {rest}"
    return None


def _fact(name: str, value: str) -> str:
    if name == "type" and value in TYPES:
        return _(TYPES[value])
    if name in LISTED:
        return "; ".join(say(part) for part in value.split("; "))
    return say(value) if name in NESTED else value
