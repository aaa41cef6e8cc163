"""What the harvest worker says in English, in the reader's language.

A worker's sentence is matched with the patterns below; what none of them knows stays as it is.
"""

from __future__ import annotations

import re

from ckan.plugins.toolkit import _

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
        "encoding {encoding}, delimiter {delimiter}, header {header}"
    ),
    r"sheet '(?P<sheet>.+)' of (?P<count>\d+), header (?P<header>.+)": N_(
        "sheet “{sheet}” of {count}, header {header}"
    ),
    r"row (?P<row>\d+)": N_("row {row}"),
    r"none": N_("none, the columns are numbered"),
    r"decimal comma": N_("decimal comma"),
    r"(?P<count>\d+) values that say “no value” became empty": N_(
        "{count} values that say “no value” became empty"
    ),
    r"day and month can't be told apart, read as (?P<order>\w+); "
    r"pin its `format` if that is wrong": N_(
        "day and month can’t be told apart, read as {order}; pin its `format` if that is wrong"
    ),
    r"unchanged, nothing was published\.": N_("unchanged, nothing was published."),
    r"the same content as version (?P<version>\d+)\.": N_("the same content as version {version}."),
    r"Attempt (?P<attempt>\d+) of (?P<tries>\d+)\.": N_("Attempt {attempt} of {tries}."),
    # Errors.
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
    r"The table has a header and no rows; nothing was published\.": N_(
        "The table has a header and no rows; nothing was published."
    ),
    r"The required column '(?P<column>.+)' is not in the data\.": N_(
        "The required column “{column}” is not in the data."
    ),
}
# Facts that are words themselves.
NESTED = ("type", "header")
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
NAMED = re.compile(r"(?P<name>[^\s:]+): (?P<rest>.+)", re.DOTALL)
PATTERNS = [(re.compile(pattern), text) for pattern, text in SENTENCES.items()]


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
    return say(value) if name in NESTED else value
