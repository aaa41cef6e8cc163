"""The query as a tree, the same for every syntax it came from.

Leaves hold a field's name and the text as the reader meant it (escapes resolved); what words that
text has is decided where the field's type is known, in ``match`` and ``rank``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from .functions import Function


class Node:
    """Any part of a query."""


@dataclass(frozen=True)
class Everything(Node):
    """``*:*``"""


@dataclass(frozen=True)
class Nothing(Node):
    """A query without a single word."""


@dataclass(frozen=True)
class Exists(Node):
    """``field:*``: the field has a value."""

    field: str


@dataclass(frozen=True)
class Term(Node):
    field: str
    text: str


@dataclass(frozen=True)
class Phrase(Node):
    """Words in this order; ``slop``: by how many places they may be moved apart.

    ``roughly``: each two neighbours side by side is enough to match, which is found faster.
    """

    field: str
    text: str
    slop: int = 0
    roughly: bool = False


class Wild(Enum):
    ANY = "*"  # any letters, or none
    ONE = "?"  # one letter


@dataclass(frozen=True)
class Pattern(Node):
    """A prefix or wildcard: literal texts and wild places in order."""

    field: str
    parts: tuple[str | Wild, ...]

    @property
    def prefix(self) -> str | None:
        """The literal text, if all else is one star at the end."""
        match self.parts:
            case (str() as text, Wild.ANY):
                return text
        return None


@dataclass(frozen=True)
class Fuzzy(Node):
    """Words within ``edits`` changes of a letter."""

    field: str
    text: str
    edits: int


@dataclass(frozen=True)
class Regex(Node):
    """Words, or whole values, that a regular expression in Lucene's syntax matches."""

    field: str
    expression: str


@dataclass(frozen=True)
class Range(Node):
    """From ``low`` to ``high``; None is open."""

    field: str
    low: str | None
    high: str | None
    includes_low: bool
    includes_high: bool


@dataclass(frozen=True)
class Boost(Node):
    """Counts ``factor`` times as much."""

    node: Node
    factor: float


@dataclass(frozen=True)
class Best(Node):
    """Any of the nodes; scores as the best of them plus ``tie`` times the others (DisMax)."""

    nodes: tuple[Node, ...]
    tie: float = 0.0


@dataclass(frozen=True)
class Scored(Node):
    """Finds what ``node`` finds; functions of each row are added to its score, or multiply it."""

    node: Node
    added: tuple[Function, ...] = ()
    factors: tuple[Function, ...] = ()


@dataclass(frozen=True)
class Bool(Node):
    """All of ``must``, none of ``must_not``, and at least ``at_least`` of ``should``.

    ``at_least`` None: one, unless something else is required.
    """

    must: tuple[Node, ...] = ()
    should: tuple[Node, ...] = ()
    must_not: tuple[Node, ...] = ()
    at_least: int | None = None
    # What will do in turn where too few rows match: fewer of its words (see `some_words`).
    weaker: tuple[Node, ...] = ()
    # Words that belong side by side; they raise the rank and decide nothing.
    nearness: tuple[Node, ...] = ()

    @property
    def required_should(self) -> int:
        if self.at_least is not None:
            return min(self.at_least, len(self.should))
        return 0 if self.must or self.must_not or not self.should else 1


@dataclass(frozen=True)
class Qualifier(Node):
    """A place or year of a query: all of its words, which count ``QUALIFIER`` of a subject's."""

    nodes: tuple[Node, ...]


def leaves(node: Node) -> Iterator[Node]:
    """Every leaf of the tree, those that only raise the rank last."""
    if isinstance(node, Boost | Scored):
        yield from leaves(node.node)
    elif isinstance(node, Best | Qualifier):
        for child in node.nodes:
            yield from leaves(child)
    elif isinstance(node, Bool):
        for child in (*node.must, *node.should, *node.must_not, *node.nearness):
            yield from leaves(child)
    else:
        yield node
