"""Lucene's classic query syntax → tree.

``luqum`` reads the syntax; what it reads differently from Lucene is rewritten before
(``luqum_text``), and Lucene's rules for AND, OR, + and - are applied after.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from luqum import tree as parsed
from luqum.exceptions import ParseError
from luqum.thread import parse as luqum_parse

from .errors import FeatureUnsupported, QueryTooComplex, SyntaxRefused
from .luqum_text import DEEPEST_NESTING, MOST_CLAUSES, rewritten
from .tree import (
    Bool,
    Boost,
    Everything,
    Exists,
    Fuzzy,
    Node,
    Nothing,
    Pattern,
    Phrase,
    Range,
    Regex,
    Term,
    Wild,
)

LONGEST_QUERY = 16_384  # characters
LONGEST_REMEMBERED = 200  # characters: every search has CKAN's own filters
MOST_EDITS = 2  # Lucene's own limit

_ESCAPE = r"\\u[0-9a-fA-F]{4}|\\."
_MAGIC = frozenset({"_query_", "_val_"})


@dataclass(frozen=True)
class Reading:
    """How bare words are read: ``leaf`` makes the node of a word or phrase without a field."""

    default_field: str = "text"
    default_and: bool = False
    bare: Callable[[Term | Phrase], Node] | None = None


def parse(query: str, reading: Reading) -> Node:
    """The tree of ``query``; raises SyntaxRefused, FeatureUnsupported or QueryTooComplex."""
    if len(query) <= LONGEST_REMEMBERED and reading.bare is None:
        return _remembered(query, reading)
    return _parsed(query, reading)


def _parsed(query: str, reading: Reading) -> Node:
    if len(query) > LONGEST_QUERY:
        raise QueryTooComplex(f"more than {LONGEST_QUERY} characters")
    text = rewritten(query)
    if not text.strip():
        return Nothing()
    try:
        found = luqum_parse(text)
    except (ParseError, ArithmeticError, ValueError) as error:
        raise SyntaxRefused(f"{query!r}: {error}") from None
    except RecursionError:
        raise QueryTooComplex("nested too deeply") from None
    return _Reader(reading).node(found, reading.default_field)


_remembered = functools.lru_cache(maxsize=1024)(_parsed)


class _Reader:
    """Turns ``luqum``'s nodes into ours."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.clauses = 0

    def node(self, item: parsed.Item, field: str, depth: int = 0, named: bool = False) -> Node:
        if depth > 4 * DEEPEST_NESTING:
            raise QueryTooComplex(f"nested deeper than {DEEPEST_NESTING}")
        if isinstance(item, parsed.BaseOperation | parsed.UnaryOperator):
            return self._bool(item, field, depth, named)
        if isinstance(item, parsed.BaseGroup):
            return self.node(item.expr, field, depth + 1, named)
        if isinstance(item, parsed.Boost):
            return Boost(self.node(item.expr, field, depth + 1, named), float(item.force))
        if isinstance(item, parsed.SearchField):
            return self._field(item, depth, named)
        self.clauses += 1
        if self.clauses > MOST_CLAUSES:
            raise QueryTooComplex(f"more than {MOST_CLAUSES} clauses")
        leaf = _leaf(item, field)
        if not named and self.reading.bare and isinstance(leaf, Term | Phrase):
            return self.reading.bare(leaf)
        return leaf

    def _field(self, item: parsed.SearchField, depth: int, named: bool) -> Node:
        if named and isinstance(item.expr, parsed.SearchField):
            raise SyntaxRefused(f"field {item.name!r} within a field")
        if isinstance(item.expr, parsed.SearchField | parsed.UnaryOperator):
            raise SyntaxRefused(f"after field {item.name!r} comes a word, phrase, range or group")
        name = _unescape(item.name)
        if name in _MAGIC:
            raise FeatureUnsupported(f"magic field {name}")
        if item.name == "*":
            if isinstance(item.expr, parsed.Word) and item.expr.value == "*":
                return Everything()
            raise SyntaxRefused("undefined field *")
        return self.node(item.expr, name, depth + 1, named=True)

    def _bool(self, item: parsed.Item, field: str, depth: int, named: bool) -> Node:
        """Lucene's classic rules: an operator changes the clause before and the one after it.

        Source: ``QueryParserBase.addClause`` of Lucene 9.
        """
        clauses: list[tuple[str, Node]] = []
        for conjunction, operand in _clauses(item):
            modifier, operand = _modifier(operand)
            if clauses and clauses[-1][0] != "must_not":
                if conjunction == "AND":
                    clauses[-1] = ("must", clauses[-1][1])
                elif conjunction == "OR" and self.reading.default_and:
                    clauses[-1] = ("should", clauses[-1][1])
            if modifier == "NOT":
                occurs = "must_not"
            elif self.reading.default_and:
                occurs = "should" if conjunction == "OR" else "must"
            else:
                occurs = "must" if modifier == "+" or conjunction == "AND" else "should"
            clauses.append((occurs, self.node(operand, field, depth + 1, named)))
        return bool_of(clauses)


def bool_of(clauses: list[tuple[str, Node]]) -> Node:
    """A Bool of ``(occurs, node)`` pairs; clauses without a word are left out, as Lucene does."""
    kept = [(occurs, node) for occurs, node in clauses if not isinstance(node, Nothing)]
    if not kept:
        return Nothing()
    groups = {
        name: tuple(node for occurs, node in kept if occurs == name)
        for name in ("must", "should", "must_not")
    }
    found = Bool(**groups)
    if not found.must and len(found.should) == 1 and not found.must_not:
        return found.should[0]
    return found if found.must or not found.should else replace(found, at_least=1)


def _clauses(item: parsed.Item) -> Iterator[tuple[str | None, parsed.Item]]:
    """The operands of one level in order, each with the operator before it."""
    if not isinstance(item, parsed.BaseOperation):
        yield None, item
        return
    operator = {parsed.AndOperation: "AND", parsed.OrOperation: "OR"}.get(type(item))
    for place, operand in enumerate(item.operands):
        for inner, (conjunction, clause) in enumerate(_clauses(operand)):
            yield (operator if place and not inner else conjunction), clause


def _modifier(item: parsed.Item) -> tuple[str | None, parsed.Item]:
    modifier = None
    while isinstance(item, parsed.UnaryOperator):
        modifier = "+" if isinstance(item, parsed.Plus) else "NOT"
        item = item.a
    return modifier, item


def _leaf(item: parsed.Item, field: str) -> Node:
    if isinstance(item, parsed.Word):
        return word(item.value, field)
    if isinstance(item, parsed.Phrase):
        return Phrase(field, _unescape(item.value[1:-1]))
    if isinstance(item, parsed.Proximity):
        slop = 0 if item._implicit_degree else item.degree
        return Phrase(field, _unescape(item.term.value[1:-1]), slop)
    if isinstance(item, parsed.Fuzzy):
        text = _unescape(item.term.value)
        degree = float(MOST_EDITS) if item._implicit_degree else float(item.degree)
        return Fuzzy(field, text, _edits(degree, len(text)))
    if isinstance(item, parsed.Regex):
        return Regex(field, item.value[1:-1])
    if isinstance(item, parsed.Range):
        return _range(item, field)
    raise FeatureUnsupported(f"{type(item).__name__} in a query")


def word(raw: str, field: str) -> Node:
    """A bare word: a term, a pattern where it has unescaped ``*`` or ``?``, or ``field:*``."""
    if raw == "*":
        return Exists(field)
    parts: list[str | Wild] = []
    for part in re.split(rf"({_ESCAPE}|[*?])", raw, flags=re.DOTALL):
        if part in ("*", "?"):
            parts.append(Wild(part))
        elif parts and isinstance(parts[-1], str):
            parts[-1] += _unescape(part)
        elif part:
            parts.append(_unescape(part))
    if any(isinstance(part, Wild) for part in parts):
        return Pattern(field, tuple(parts))
    return Term(field, "".join(str(part) for part in parts))


def _edits(degree: float, length: int) -> int:
    """Lucene's edits: a whole number is edits, a fraction is the similarity of older releases."""
    if degree > 1 and not degree.is_integer():
        raise SyntaxRefused(f"~{degree}: edits are a whole number")
    if degree >= 1 or degree == 0:
        return min(int(degree), MOST_EDITS)
    return min(int((1 - degree) * length), MOST_EDITS)


def _range(item: parsed.Range, field: str) -> Node:
    low, high = _bound(item.low), _bound(item.high)
    if low is None and high is None:
        return Exists(field)
    return Range(field, low, high, item.include_low, item.include_high)


def _bound(item: parsed.Item) -> str | None:
    if isinstance(item, parsed.Prohibit):
        return f"-{_bound(item.a)}"
    if isinstance(item, parsed.Phrase):
        return _unescape(item.value[1:-1])
    return None if item.value == "*" else _unescape(item.value)


def _unescape(text: str) -> str:
    return re.sub(_ESCAPE, _letter, text, flags=re.DOTALL)


def _letter(escape: re.Match[str]) -> str:
    """``\\*`` → ``*``, ``\\u0111`` → ``đ``."""
    written = escape.group()
    return chr(int(written[2:], 16)) if len(written) > 2 else written[1:]
