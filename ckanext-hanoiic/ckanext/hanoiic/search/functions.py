"""Solr's function queries, as far as a rank needs them: ``bf`` and ``boost`` → SQL of a number.

``recip(ms(NOW,metadata_modified),3.16e-11,1,1)`` raises what is new, ``log(sum(views_total,1))``
what is read. A missing number is 0; a function that has no value (the log of 0) raises nothing.

Source: Solr's reference guide, "Function Queries".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from . import dates
from .errors import FeatureUnsupported, QueryTooComplex, SyntaxRefused, ValueRefused
from .solr_schema import Field
from .sql import Sql

DEEPEST_CALL = 16
LONGEST_FUNCTION = 1000  # letters
MOST_FUNCTIONS = 16

_TOKEN = re.compile(
    r"\s*(?:(?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?)(?![\w.])"
    r"|(?P<date>(?:NOW|\d{4}-\d\d-\d\dT[\d:.]+Z)(?:[+\-/][A-Z\d]+)*)(?!\w)"
    r"|(?P<name>[^\W\d]\w*)|(?P<sign>[(),]))"
)
# Name → (fewest, most arguments, SQL of the arguments {0}, {1} …). NULL is "no value".
_CALLS = {
    "abs": (1, 1, "abs({0})"),
    "ceil": (1, 1, "ceil({0})"),
    "div": (2, 2, "({0} / nullif({1}, 0))"),
    "exp": (1, 1, "exp(least({0}, 700))"),
    "floor": (1, 1, "floor({0})"),
    "linear": (3, 3, "({0} * {1} + {2})"),
    "ln": (1, 1, "(SELECT CASE WHEN x > 0 THEN ln(x) END FROM (VALUES ({0})) f(x))"),
    "log": (1, 1, "(SELECT CASE WHEN x > 0 THEN log(x) END FROM (VALUES ({0})) f(x))"),
    "map": (
        *(4, 5, "(SELECT CASE WHEN x BETWEEN low AND high THEN target ELSE coalesce(other, x) END"),
        " FROM (VALUES ({0}, {1}, {2}, {3}, {4})) f(x, low, high, target, other))",
    ),
    "pow": (
        *(2, 2, "(SELECT CASE WHEN x > 0 OR y = 0 OR (x < 0 AND y = floor(y)) THEN power(x, y)"),
        " WHEN x = 0 AND y > 0 THEN 0 END FROM (VALUES ({0}, {1})) f(x, y))",
    ),
    "recip": (4, 4, "({2} / nullif({1} * {0} + {3}, 0))"),
    "sqrt": (1, 1, "(SELECT CASE WHEN x >= 0 THEN sqrt(x) END FROM (VALUES ({0})) f(x))"),
    "sub": (2, 2, "({0} - {1})"),
}
# Any number of arguments, joined.
_JOINED = {"sum": " + ", "add": " + ", "product": " * ", "mul": " * "}
_CHOSEN = {"max": "greatest", "min": "least"}

NUMBER = "(e.exact -> %s::text ->> 0)::float8"
MILLISECONDS = "(extract(epoch FROM (e.exact -> %s::text ->> 0)::timestamptz) * 1000)::float8"

FieldOf = Callable[[str], Field]


@dataclass(frozen=True)
class Function:
    """One function as the reader wrote it, and how much it counts."""

    text: str
    weight: float = 1.0


def functions_of(text: str) -> tuple[Function, ...]:
    """``bf``: functions with spaces between them, each with ``^weight`` or without."""
    found = []
    for piece in _outside_brackets(text):
        name, _, weight = piece.rpartition("^") if "^" in piece else (piece, "", "1")
        found.append(Function(name, _finite(weight)))
    if len(found) > MOST_FUNCTIONS:
        raise QueryTooComplex(f"more than {MOST_FUNCTIONS} functions")
    return tuple(found)


def _outside_brackets(text: str) -> list[str]:
    """``text`` cut at its spaces, but not at those within brackets."""
    pieces, depth = [""], 0
    for letter in text:
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if letter.isspace() and depth <= 0:
            pieces.append("")
        else:
            pieces[-1] += letter
    return [piece for piece in pieces if piece]


def value(function: Function, field_of: FieldOf, now: dates.Clock) -> Sql:
    """The number of a row: its weight times the function, 0 where it is below 0 or has no value."""
    if len(function.text) > LONGEST_FUNCTION:
        raise QueryTooComplex(f"a function of more than {LONGEST_FUNCTION} letters")
    found = _Reader(function.text, field_of, now).whole()
    return Sql(
        f"%s::float8 * greatest(coalesce({found.text}, 0), 0)",
        (function.weight, *found.parameters),
    )


class _Reader:
    def __init__(self, text: str, field_of: FieldOf, now: dates.Clock) -> None:
        self.text = text
        self.field_of = field_of
        self.now = now
        self.place = 0

    def whole(self) -> Sql:
        found = self._value(0)
        if self.text[self.place :].strip():
            raise self._mistake()
        return found

    def _value(self, depth: int) -> Sql:
        if depth > DEEPEST_CALL:
            raise QueryTooComplex(f"functions nested deeper than {DEEPEST_CALL}")
        token = self._token()
        if token["number"]:
            return Sql("%s::float8", (_finite(token["number"]),))
        if token["date"]:
            return self._date(token["date"])
        if not token["name"]:
            raise self._mistake()
        name = token["name"]
        if self.text[self.place : self.place + 1] != "(":
            return self._field(name, "coalesce({}, 0)")
        self.place += 1
        if name == "def":
            return self._first_given(depth)
        return self._call(name, self._arguments(depth))

    def _arguments(self, depth: int) -> list[Sql]:
        found: list[Sql] = []
        if self.text[self.place : self.place + 1] == ")":
            self.place += 1
            return found
        while True:
            found.append(self._value(depth + 1))
            sign = self._token()["sign"]
            if sign == ")":
                return found
            if sign != ",":
                raise self._mistake()

    def _first_given(self, depth: int) -> Sql:
        """``def(field,other)``: the field's value, or else the other."""
        name = self._token()["name"]
        if not name or self._token()["sign"] != ",":
            raise self._mistake()
        return _called("coalesce({})", [self._field(name, "{}"), *self._arguments(depth)])

    def _call(self, name: str, arguments: Sequence[Sql]) -> Sql:
        if name == "ms" and len(arguments) <= 2:
            given = arguments or [self._date("NOW")]
            return given[0] if len(given) == 1 else _written("({0} - {1})", given)
        if name == "field" and len(arguments) == 1:
            return arguments[0]
        if name in _JOINED and arguments:
            return _called("({})", arguments, _JOINED[name])
        if name in _CHOSEN and arguments:
            return _called(f"{_CHOSEN[name]}({{}})", arguments)
        if name in _CALLS:
            fewest, most, *sql = _CALLS[name]
            if not fewest <= len(arguments) <= most:
                raise self._mistake()
            missing = [Sql("NULL::float8")] * (most - len(arguments))
            return _written("".join(sql), [*arguments, *missing])
        raise FeatureUnsupported(f"the function {name}() with {len(arguments)} arguments")

    def _field(self, name: str, form: str) -> Sql:
        field = self.field_of(name)
        if field.multivalued or field.kind not in ("integer", "number", "date"):
            raise FeatureUnsupported(f"a function of {name!r}, which is no number or date")
        column = MILLISECONDS if field.kind == "date" else NUMBER
        return Sql(form.format(column), (field.name,))

    def _date(self, text: str) -> Sql:
        moment = dates.parse(text, self.now)
        return Sql("(extract(epoch FROM %s::timestamptz) * 1000)::float8", (moment,))

    def _token(self) -> re.Match[str]:
        found = _TOKEN.match(self.text, self.place)
        if not found:
            raise self._mistake()
        self.place = found.end()
        return found

    def _mistake(self) -> SyntaxRefused:
        return SyntaxRefused(f"the function {self.text!r} at letter {self.place + 1}")


def _finite(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        raise SyntaxRefused(f"{text!r} is no number") from None
    if not abs(found) < 1e30:
        raise ValueRefused(f"{text!r} is out of range")
    return found


def _called(form: str, arguments: Sequence[Sql], joint: str = ", ") -> Sql:
    parameters = tuple(p for argument in arguments for p in argument.parameters)
    return Sql(form.format(joint.join(argument.text for argument in arguments)), parameters)


def _written(form: str, arguments: Sequence[Sql]) -> Sql:
    """``form`` with the arguments in the order in which it names them, each once."""
    order = [int(place) for place in re.findall(r"\{(\d)\}", form)]
    texts = [argument.text for argument in arguments]
    return Sql(
        form.format(*texts), tuple(p for place in order for p in arguments[place].parameters)
    )
