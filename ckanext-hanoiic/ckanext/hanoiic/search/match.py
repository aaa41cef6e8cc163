"""Tree → the condition of a row: one tsquery as far as possible, SQL for the rest."""

from __future__ import annotations

import functools

from . import dates, vietnamese
from .at_least import at_least
from .errors import FeatureUnsupported, ValueRefused
from .expansions import Vocabulary, between, like_expression, like_pattern, nearly, value_of
from .layout import FILTERED
from .lexemes import lexeme, quoted, spoken
from .solr_schema import INFIX, Field, SolrSchema
from .sql import Match, Sql, Words, all_of, any_of, like, none_of
from .tree import (
    Best,
    Bool,
    Boost,
    Everything,
    Exists,
    Fuzzy,
    Node,
    Nothing,
    Pattern,
    Phrase,
    Qualifier,
    Range,
    Regex,
    Scored,
    Term,
)


class Matcher:
    """Writes the condition of a node; fields and the words of patterns are looked up."""

    def __init__(
        self, schema: SolrSchema, vocabulary: Vocabulary, now: dates.Clock = dates.utc_now
    ) -> None:
        self.schema = schema
        self.vocabulary = vocabulary
        self.now = now
        self._known: dict[int, tuple[Node, Match]] = {}  # the node too: its id stays its own

    def match(self, node: Node) -> Match:
        """The condition; ranking asks for the same nodes again, which are kept."""
        if id(node) not in self._known:
            self._known[id(node)] = node, self._match(node)
        return self._known[id(node)][1]

    def _match(self, node: Node) -> Match:
        match node:
            case Everything():
                return True
            case Nothing():
                return False
            case Boost(inner, _) | Scored(inner):
                return self.match(inner)
            case Qualifier(nodes):
                return all_of([self.match(child) for child in nodes])
            case Best(nodes, _):
                return any_of([self.match(child) for child in self._widest(nodes)])
            case Bool():
                return self._bool(node)
            case Exists(field):
                return Words(quoted(lexeme(self.field(field).name, "?")))
            case Term(field, text):
                return self._term(self.field(field), text)
            case Phrase(field, text, slop, roughly):
                return self._term(self.field(field), text, slop, roughly)
            case Pattern(field):
                return like_pattern(self.field(field), node, self.vocabulary)
            case Fuzzy(field, text, edits):
                return nearly(self.field(field), text, edits, self.vocabulary)
            case Regex(field, text):
                return like_expression(self.field(field), text, self.vocabulary)
            case Range(field):
                return between(self.field(field), node, self.vocabulary, self.now)
        raise FeatureUnsupported(type(node).__name__)

    def field(self, name: str) -> Field:
        """The field that a query names; raises ValueRefused where it can't be searched."""
        found = _searched(self.schema, name)
        if found is None:
            raise ValueRefused(f"undefined field {name!r}")
        return found

    def _bool(self, node: Bool) -> Match:
        must, should, must_not = (
            [child for child in children if not self._says_nothing(child)]
            for children in (node.must, node.should, node.must_not)
        )
        if not (must or should or must_not):
            return False
        required = [self.match(child) for child in must]
        excluded = [none_of(self.match(child)) for child in must_not]
        least = min(node.required_should, len(should)) if must else node.required_should
        optional = [self.match(child) for child in should] if least else []
        return all_of([*required, at_least(least, optional), *excluded])

    def _says_nothing(self, node: Node) -> bool:
        """Whether a clause has no word that its field could hold (``title:-``): Lucene drops it."""
        match node:
            case Boost(inner, _):
                return self._says_nothing(inner)
            case Term(field, text) | Phrase(field, text):
                return self.field(field).is_words and not _has_words(text)
            case Bool():
                children = (*node.must, *node.should, *node.must_not)
                return all(self._says_nothing(child) for child in children)
        return isinstance(node, Nothing)

    def _widest(self, nodes: tuple[Node, ...]) -> list[Node]:
        """The nodes without those that find nothing but what another finds too.

        The catch-all ``text`` holds the words of ``title``, ``tags`` and others: where it is asked
        for the same text, it alone decides whether a row matches (and ``rank`` asks the others).
        """
        plain = [_unweighted(node) for node in nodes]
        asked = {(leaf.field, leaf.text) for leaf in plain if isinstance(leaf, Term | Phrase)}
        return [
            node
            for node, leaf in zip(nodes, plain, strict=True)
            if not isinstance(leaf, Term | Phrase)
            or not _has_words(leaf.text)
            or not any((wider, leaf.text) in asked for wider in self.schema.copied_to(leaf.field))
        ]

    def _term(self, field: Field, text: str, slop: int = 0, roughly: bool = False) -> Match:
        if field.is_words:
            return spoken(field, text, slop, roughly=roughly)
        if field.kind == "infix":
            return self._infix(field, text)
        value = lexeme(field.name, "=", str(value_of(field, text, self.now)))
        return Words(quoted(value), in_row=field.name in FILTERED)

    def _infix(self, field: Field, text: str) -> Match:
        folded = " ".join(vietnamese.fold(text).split())
        if not folded:
            return False
        pattern = f"%{like(folded)}%"
        # The first condition is what a trigram index answers, the second is about this field.
        line = INFIX.index(field.name) + 1
        return Sql(
            "(e.infix LIKE %s AND split_part(e.infix, chr(10), %s) LIKE %s)",
            (pattern, line, pattern),
            found_apart=True,
        )


@functools.lru_cache(maxsize=4096)
def _searched(schema: SolrSchema, name: str) -> Field | None:
    found = schema.field(vietnamese.storable(name))
    return found if found and found.indexed and found.kind != "binary" else None


@functools.lru_cache(maxsize=4096)
def _has_words(text: str) -> bool:
    return any(True for _ in vietnamese.chunks(text))


def _unweighted(node: Node) -> Node:
    while isinstance(node, Boost):
        node = node.node
    return node
