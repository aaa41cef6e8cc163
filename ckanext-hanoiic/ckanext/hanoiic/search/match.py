"""Tree → the condition of a row: one tsquery as far as possible, SQL for the rest."""

from __future__ import annotations

import functools
from typing import Any, Protocol

from . import dates, document, regular, vietnamese
from .errors import DocumentRefused, FeatureUnsupported, ValueRefused
from .lexemes import LONGEST_LEXEME, begins, lexeme, quoted, spoken
from .solr_schema import INFIX, Field, SolrSchema
from .sql import Match, Sql, Words, all_of, any_of, at_least, like, none_of
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
    Wild,
)


class Vocabulary(Protocol):
    """The words that a text field has in the index, and the values of any other field."""

    def like(self, field: str, pattern: str) -> list[str]: ...

    def matching(self, field: str, expression: str) -> list[str]: ...

    def between(
        self, field: str, low: str | None, high: str | None, lowest: bool, highest: bool
    ) -> list[str]: ...

    def near(self, field: str, word: str, edits: int) -> list[str]: ...

    def values_near(self, field: str, value: str, edits: int) -> list[str]: ...


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
                return self._pattern(self.field(field), node)
            case Fuzzy(field, text, edits):
                return self._fuzzy(self.field(field), text, edits)
            case Regex(field, text):
                return self._regex(self.field(field), text)
            case Range(field):
                return self._range(self.field(field), node)
        raise FeatureUnsupported(type(node).__name__)

    def field(self, name: str) -> Field:
        found = self.schema.field(vietnamese.storable(name))
        if found is None or not found.indexed or found.kind == "binary":
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
        return Words(quoted(lexeme(field.name, "=", str(self.value(field, text)))))

    def value(self, field: Field, text: str) -> str | float:
        """A value as the index keeps it; raises ValueRefused."""
        if field.kind == "date":
            return dates.parse(text, self.now)
        if field.kind in ("integer", "number"):
            try:
                return document.number(text)
            except DocumentRefused as error:
                raise ValueRefused(f"{field.name}: {error.reason}") from None
        if field.kind == "boolean":
            return str(text[:1] in "1tT" and text != "").lower()
        return vietnamese.storable(text)

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
        )

    def _pattern(self, field: Field, node: Pattern) -> Match:
        if field.is_words:
            if node.prefix is not None:
                return begins(field, node.prefix)
            words = self.vocabulary.like(field.name, _like(node, vietnamese.fold))
            return _any_word(field, words)
        if field.kind == "infix":
            pattern = _like(node, vietnamese.fold)
            return Sql("e.exact -> %s::text ->> 0 LIKE %s", (field.name, f"%{pattern}%"))
        if node.prefix is not None and len(node.prefix) < LONGEST_LEXEME // 4:
            return Words(f"{quoted(lexeme(field.name, '=', vietnamese.storable(node.prefix)))}:*")
        return Sql(
            "EXISTS (SELECT FROM jsonb_array_elements_text(e.exact -> %s::text) v WHERE v LIKE %s)",
            (field.name, _like(node, vietnamese.storable)),
        )

    def _fuzzy(self, field: Field, text: str, edits: int) -> Match:
        if field.is_words:
            folded = "".join(word.folded for word in vietnamese.words(text))
            words = self.vocabulary.near(field.name, folded, edits) if folded else []
            return _any_word(field, words)
        if field.kind != "string":
            raise FeatureUnsupported(f"a fuzzy search in {field.name!r}, which holds no words")
        values = self.vocabulary.values_near(field.name, vietnamese.storable(text), edits)
        return any_of([Words(quoted(lexeme(field.name, "=", value))) for value in values])

    def _regex(self, field: Field, text: str) -> Match:
        if field.is_words:
            expression = regular.expression(text, vietnamese.fold)
            return _any_word(field, self.vocabulary.matching(field.name, expression))
        if field.kind != "string":
            raise FeatureUnsupported(f"a regular expression in {field.name!r}, no text")
        expression = regular.expression(text, vietnamese.storable)
        return Sql(
            "EXISTS (SELECT FROM jsonb_array_elements_text(e.exact -> %s::text) v"
            ' WHERE v COLLATE "C" ~ %s)',
            (field.name, expression),
        )

    def _range(self, field: Field, node: Range) -> Match:
        if field.is_words:
            low, high = (
                None if end is None else vietnamese.fold(end) for end in (node.low, node.high)
            )
            return _any_word(
                field,
                self.vocabulary.between(
                    field.name, low, high, node.includes_low, node.includes_high
                ),
            )
        if field.kind == "infix":
            raise FeatureUnsupported(f"a range of parts of words in {field.name!r}")
        numeric = field.kind in ("integer", "number")
        element = "(v #>> '{}')::numeric" if numeric else "(v #>> '{}') COLLATE \"C\""
        bound = "%s::numeric" if numeric else "%s::text"
        conditions, parameters = [], [field.name]
        for text, sign, includes in (
            (node.low, ">", node.includes_low),
            (node.high, "<", node.includes_high),
        ):
            if text is not None:
                conditions.append(f"{element} {sign}{'=' if includes else ''} {bound}")
                parameters.append(self.value(field, text))
        return Sql(
            "EXISTS (SELECT FROM jsonb_array_elements(e.exact -> %s::text) v "
            f"WHERE {' AND '.join(conditions)})",
            tuple(parameters),
        )


def _any_word(field: Field, words: list[str]) -> Match:
    return any_of([Words(quoted(lexeme(field.name, ":", word))) for word in words])


@functools.lru_cache(maxsize=4096)
def _has_words(text: str) -> bool:
    return any(True for _ in vietnamese.chunks(text))


def _unweighted(node: Node) -> Node:
    while isinstance(node, Boost):
        node = node.node
    return node


def _like(node: Pattern, form: Any) -> str:
    signs = {Wild.ANY: "%", Wild.ONE: "_"}
    return "".join(
        signs[part] if isinstance(part, Wild) else like(form(part)) for part in node.parts
    )
