"""The ways a text can be read as a value: one row each, as SQL over a column `{x}` of text.

A column is of a type when one reading accepts every one of its texts; `accepts` is that test and
`value` what is then read. All are total: what they do not accept, they read as NULL.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

# A plain number never starts with 0 and a further digit: "00070" is a code.
_INTEGER_PART = r"(0|[1-9][0-9]*)"
# To what a float has room for.
_POWER = "[0-2]?[0-9]{1,2}"
# "1E2" is a code: after a whole number, programs write the power with its sign.
_SIGNED = f"[eE][+-]{_POWER}"
_EXPONENT = f"([eE][+-]?{_POWER})?"
_GROUP = r"[1-9][0-9]{0,2}"
# A plus and more digits than that is a telephone number.
_PLUS = r"[+](0|[1-9][0-9]{0,7})"

_SIGN = "[-/.]"
_YEAR = "([0-9]{4})"
_ONE_OR_TWO = "([0-9]{1,2})"
_CLOCK = r"[0-9]{1,2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,6})?)?"
_CLOCK_12 = r"[0-9]{1,2}:[0-9]{2}(:[0-9]{2})? ?[AaPp][Mm]"
_ISO_CLOCK = r"[0-9]{2}:[0-9]{2}(:[0-9]{2}([.,][0-9]{1,9})?)?"

# The shape of a date in each order, and what turns it into year-month-day.
ORDERS: dict[str, tuple[str, str]] = {
    "ymd": (_YEAR + _SIGN + _ONE_OR_TWO + _SIGN + _ONE_OR_TWO, r"\1-\2-\3"),
    "dmy": (_ONE_OR_TWO + _SIGN + _ONE_OR_TWO + _SIGN + _YEAR, r"\3-\2-\1"),
    "mdy": (_ONE_OR_TWO + _SIGN + _ONE_OR_TWO + _SIGN + _YEAR, r"\3-\1-\2"),
}


@dataclass(frozen=True)
class Reading:
    """One way to read texts.

    `family` is the lake type it leads to (`number`: int64, decimal or float64, by the values).
    `order` is the order of day, month and year; `decimal` the decimal sign a number is written
    with, where it tells. `shape` finds the texts that look like this reading.
    """

    name: str
    family: str
    shape: str
    value: str
    order: str | None = None
    decimal: str | None = None

    def accepts(self, x: str) -> str:
        # CASE, since reading what does not look right is by far the slowest.
        return (
            f"CASE WHEN regexp_full_match({x}, '{self.shape}') "
            f"THEN {self.read(x)} IS NOT NULL ELSE false END"
        )

    def may_accept(self, text: str) -> bool:
        """Whether a text looks like this reading; asked of Python, without a query."""
        return _python(self.shape).fullmatch(text) is not None

    def read(self, x: str) -> str:
        return self.value.replace("{x}", x)


@cache
def _python(shape: str) -> re.Pattern[str]:
    """A shape, which is RE2's, as Python has it: they differ in how a letter's code is written."""
    return re.compile(re.sub(r"\\x\{([0-9a-f]+)\}", lambda code: chr(int(code[1], 16)), shape))


def _iso(order: str) -> str:
    """The text with its date as year-month-day; cheap to read, whatever the order was."""
    shape, iso = ORDERS[order]
    return f"replace(regexp_replace({{x}}, '^{shape}', '{iso}'), 'T', ' ')"


def _date(order: str) -> Reading:
    shape, _ = ORDERS[order]
    return Reading(f"date_{order}", "date", shape, f"try_cast({_iso(order)} AS DATE)", order=order)


def _local_timestamp(order: str) -> Reading:
    """A date with a time of day; dates without one among them are midnight."""
    shape, _ = ORDERS[order]
    return Reading(
        *(f"timestamp_{order}", "timestamp", f"{shape}([ T]+{_CLOCK})?"),
        *(f"try_cast({_iso(order)} AS TIMESTAMP)", order),
    )


def _local_timestamp_12(order: str) -> Reading:
    shape, _ = ORDERS[order]
    spaced = f"regexp_replace(upper({_iso(order)}), ' ?([AP]M)$', ' \\1')"
    formats = "['%Y-%m-%d %I:%M %p', '%Y-%m-%d %I:%M:%S %p', '%Y-%m-%d']"
    return Reading(
        *(f"timestamp_{order}_12", "timestamp", f"{shape}( +{_CLOCK_12})?"),
        *(f"try_strptime({spaced}, {formats})", order),
    )


def _number(name: str, shape: str, plain: str, decimal: str | None) -> Reading:
    """`plain` makes the text a number with a point and no groups; it stays text until the type
    is known."""
    return Reading(name, "number", shape, plain, decimal=decimal)


_BOOLEANS = {
    "true": ("true", "yes", "có", "đúng"),
    "false": ("false", "no", "không", "sai"),
}
_TRUE, _FALSE = (", ".join(f"'{word}'" for word in _BOOLEANS[value]) for value in ("true", "false"))

NUMBERS = (
    _number(
        "point",
        rf"(-?{_INTEGER_PART}|{_PLUS})({_SIGNED}|[.][0-9]*{_EXPONENT})?|[+-]?[.][0-9]+{_EXPONENT}",
        "{x}",
        ".",
    ),
    _number(
        "comma",
        rf"(-?{_INTEGER_PART}|{_PLUS})({_SIGNED}|,[0-9]+{_EXPONENT})?",
        "replace({x}, ',', '.')",
        ",",
    ),
    _number(
        "grouped_by_point",
        rf"[+-]?({_GROUP}([.][0-9]{{3}})*|0)(,[0-9]+)?",
        "replace(replace({x}, '.', ''), ',', '.')",
        ",",
    ),
    _number(
        "grouped_by_comma",
        rf"[+-]?({_GROUP}(,[0-9]{{3}})*|0)([.][0-9]+)?",
        "replace({x}, ',', '')",
        ".",
    ),
    _number(
        "grouped_by_space",
        rf"[+-]?({_GROUP}([ \x{{a0}}\x{{202f}}][0-9]{{3}})*|0)([.,][0-9]+)?",
        r"replace(regexp_replace({x}, '[ \x{a0}\x{202f}]', '', 'g'), ',', '.')",
        None,
    ),
)
DATES = tuple(_date(order) for order in ORDERS)
TIMESTAMPS = (
    Reading(
        "timestamp_zone",
        "timestamp_utc",
        rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[ T]{_ISO_CLOCK}(Z|z|[+-][0-9]{{2}}:?([0-9]{{2}})?)",
        "try_cast(replace({x}, ',', '.') AS TIMESTAMPTZ)",
    ),
    *(_local_timestamp(order) for order in ORDERS),
    *(_local_timestamp_12(order) for order in ORDERS),
)
BOOLEAN = Reading(
    "boolean",
    "boolean",
    "(?i)(" + "|".join(_BOOLEANS["true"] + _BOOLEANS["false"]) + ")",
    f"CASE WHEN lower({{x}}) IN ({_TRUE}) THEN true WHEN lower({{x}}) IN ({_FALSE}) THEN false END",
)
TIME = Reading(
    "time",
    "time",
    r"([01]?[0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?",
    "CAST(try_strptime({x}, ['%H:%M', '%H:%M:%S']) AS TIME)",
)
TIME_12 = Reading(
    "time_12",
    "time",
    r"(0?[1-9]|1[0-2]):[0-5][0-9](:[0-5][0-9])? ?[AaPp][Mm]",
    "CAST(try_strptime(regexp_replace(upper({x}), ' ?([AP]M)$', ' \\1'), "
    "['%I:%M %p', '%I:%M:%S %p']) AS TIME)",
)
# Days since 30 December 1899, as a worksheet counts them: 1927 to 2173, with the time as a part.
_SERIAL_DAY = "[1-9][0-9]{4}"
SERIAL_DATE = Reading(
    "serial", "date", _SERIAL_DAY, "(DATE '1899-12-30' + try_cast({x} AS INTEGER))"
)
SERIAL_TIMESTAMP = Reading(
    "serial",
    "timestamp",
    _SERIAL_DAY + "([.][0-9]+)?",
    "(TIMESTAMP '1899-12-30' + to_seconds(round(try_cast({x} AS DOUBLE) * 86400)))",
)
COMPACT_DATE = Reading(
    "date_compact",
    "date",
    "[12][0-9]{7}",
    "CAST(try_strptime({x}, '%Y%m%d') AS DATE)",
    order="ymd",
)
TEXT = Reading("text", "string", "(?s).*", "{x}")

# Tried in this order; the first that accepts a whole column decides, except where numbers and
# dates are written ambiguously (`normalise` weighs the evidence).
INFERRED = (BOOLEAN, *NUMBERS, *DATES, *TIMESTAMPS, TIME, TIME_12)

PINNED: dict[str, tuple[Reading, ...]] = {
    "boolean": (BOOLEAN,),
    "int64": NUMBERS,
    "float64": NUMBERS,
    "decimal": NUMBERS,
    "date": (*DATES, COMPACT_DATE, SERIAL_DATE),
    "timestamp": (*TIMESTAMPS, SERIAL_TIMESTAMP),
    "time": (TIME, TIME_12),
    "string": (TEXT,),
}

# Texts that say "no value": safe everywhere, and safe only where all other texts are values.
SENTINELS_ANYWHERE = ("N/A", "n/a", "#N/A", "#REF!", "#VALUE!", "#DIV/0!", "NULL", "null")
SENTINELS_BESIDE_VALUES = (
    *SENTINELS_ANYWHERE,
    *("NA", "na", "NaN", "nan", "None", "none", "-", "--", "...", "…", "..", ".", "*", "?"),
    # The day that databases keep where there is none, and the first one that .NET knows.
    *("0000-00-00", "0000-00-00 00:00:00", "0001-01-01", "0001-01-01 00:00:00"),
    *("0001-01-01T00:00:00", "01/01/0001", "01/01/0001 00:00:00", "1/1/0001 12:00:00 AM"),
)
# Numbers that say "no value" when everything else in the column is far above them.
SENTINEL_NUMBERS = (-99_999.0, -9_999.0, -999.0)
