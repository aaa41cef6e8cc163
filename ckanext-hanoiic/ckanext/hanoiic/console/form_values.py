"""How a value of a source's options is typed into a form, and what a typed text means.

What can't be read stays as it was typed: the action says what is wrong with it, and the form shows
it again.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

_NUMBER = re.compile(r"-?(0|[1-9]\d*)([.,]\d+)?")


@dataclass(frozen=True)
class Shape:
    """``read``: a text, not empty, to a value; ``write``: a value to the text that means it.

    ``field`` is what it is typed into: ``text``, ``digits``, ``lines`` (an area) or ``switch``.
    """

    read: Callable[[str], Any] = str
    write: Callable[[Any], str] = str
    field: str = "text"


def number(typed: str) -> float | str:
    """A number with a decimal comma or point; what is none, such as a date or a code, as it is."""
    if not _NUMBER.fullmatch(typed):
        return typed
    plain = typed.replace(",", ".")
    return float(plain) if "." in plain else int(plain)


def share(typed: str) -> float | str:
    """A percentage as a share of 1."""
    percent = number(typed.removesuffix("%").strip())
    return percent if isinstance(percent, str) else round(percent / 100, 9)


def percent(value: Any) -> str:
    """A share of 1 as a percentage; a text that was no number as it is."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return f"{round(value * 100, 7):g}" if is_number else str(value)


def ranges(typed: str) -> list[str]:
    return [one.upper() for one in re.split(r"[\s,;]+", typed) if one]


def keys(typed: str) -> list[list[str]]:
    """A list of column names for each line, where ``;`` parts them."""
    lines = ([name.strip() for name in line.split(";")] for line in typed.splitlines())
    return [names for line in lines if (names := [name for name in line if name])]


def lines_of_keys(value: Any) -> str:
    return "\n".join("; ".join(key) for key in value)


def truth(typed: str) -> bool | str:
    return {"true": True, "false": False}.get(typed, typed)


def _true_or_false(value: Any) -> str:
    return str(value).lower()


TEXT = Shape()
PROSE = Shape(lambda typed: "\n".join(typed.splitlines()), field="lines")
WHOLE = Shape(lambda typed: int(typed) if typed.isdecimal() else typed, field="digits")
BOUND = Shape(number)
PERCENT = Shape(share, percent)
RANGES = Shape(ranges, ", ".join)
KEYS = Shape(keys, lines_of_keys, field="lines")
TRUTH = Shape(truth, _true_or_false)
SWITCH = Shape(truth, _true_or_false, field="switch")
