"""Patterns, fuzzy words, regular expressions and ranges → the condition of a row.

In a text field they stand for words of the index, which are looked up; elsewhere whole values are
compared.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from . import dates, document, regular, vietnamese
from .errors import DocumentRefused, FeatureUnsupported, ValueRefused
from .lexemes import LONGEST_LEXEME, begins, lexeme, quoted
from .solr_schema import Field
from .sql import Match, Sql, Words, any_of, like
from .tree import Pattern, Range, Wild

NUMERIC = ("integer", "number")


class Vocabulary(Protocol):
    """The words that a text field has in the index, and the values of any other field."""

    def like(self, field: str, pattern: str) -> list[str]: ...

    def matching(self, field: str, expression: str) -> list[str]: ...

    def between(
        self, field: str, low: str | None, high: str | None, lowest: bool, highest: bool
    ) -> list[str]: ...

    def near(self, field: str, word: str, edits: int) -> list[str]: ...

    def values_near(self, field: str, value: str, edits: int) -> list[str]: ...


def value_of(field: Field, text: str, now: dates.Clock) -> str | float:
    """A value as the index keeps it; raises ValueRefused."""
    if field.kind == "date":
        return dates.parse(text, now)
    if field.kind in NUMERIC:
        try:
            return document.number(text)
        except DocumentRefused as error:
            raise ValueRefused(f"{field.name}: {error.reason}") from None
    if field.kind == "boolean":
        return str(text[:1] in "1tT" and text != "").lower()
    return vietnamese.storable(text)


def like_pattern(field: Field, node: Pattern, vocabulary: Vocabulary) -> Match:
    if field.is_words:
        if node.prefix is not None:
            return begins(field, node.prefix)
        return _any_word(field, vocabulary.like(field.name, _like(node, vietnamese.fold)))
    if field.kind == "infix":
        pattern = _like(node, vietnamese.fold)
        return Sql("e.exact -> %s::text ->> 0 LIKE %s", (field.name, f"%{pattern}%"))
    if node.prefix is not None and len(node.prefix) < LONGEST_LEXEME // 4:
        return Words(f"{quoted(lexeme(field.name, '=', vietnamese.storable(node.prefix)))}:*")
    return Sql(
        "EXISTS (SELECT FROM jsonb_array_elements_text(e.exact -> %s::text) v WHERE v LIKE %s)",
        (field.name, _like(node, vietnamese.storable)),
    )


def nearly(field: Field, text: str, edits: int, vocabulary: Vocabulary) -> Match:
    """Within ``edits`` changes of a letter."""
    if field.is_words:
        folded = "".join(word.folded for word in vietnamese.words(text))
        words = vocabulary.near(field.name, folded, edits) if folded else []
        return _any_word(field, words)
    if field.kind != "string":
        raise FeatureUnsupported(f"a fuzzy search in {field.name!r}, which holds no words")
    values = vocabulary.values_near(field.name, vietnamese.storable(text), edits)
    return any_of([Words(quoted(lexeme(field.name, "=", value))) for value in values])


def like_expression(field: Field, text: str, vocabulary: Vocabulary) -> Match:
    if field.is_words:
        expression = regular.expression(text, vietnamese.fold)
        return _any_word(field, vocabulary.matching(field.name, expression))
    if field.kind != "string":
        raise FeatureUnsupported(f"a regular expression in {field.name!r}, no text")
    expression = regular.expression(text, vietnamese.storable)
    return Sql(
        "EXISTS (SELECT FROM jsonb_array_elements_text(e.exact -> %s::text) v"
        ' WHERE v COLLATE "C" ~ %s)',
        (field.name, expression),
    )


def between(field: Field, node: Range, vocabulary: Vocabulary, now: dates.Clock) -> Match:
    if field.is_words:
        low, high = (None if end is None else vietnamese.fold(end) for end in (node.low, node.high))
        return _any_word(
            field,
            vocabulary.between(field.name, low, high, node.includes_low, node.includes_high),
        )
    if field.kind == "infix":
        raise FeatureUnsupported(f"a range of parts of words in {field.name!r}")
    numeric = field.kind in NUMERIC
    element = "(v #>> '{}')::numeric" if numeric else "(v #>> '{}') COLLATE \"C\""
    bound = "%s::numeric" if numeric else "%s::text"
    conditions: list[str] = []
    parameters: list[str | float] = [field.name]
    for text, sign, includes in (
        (node.low, ">", node.includes_low),
        (node.high, "<", node.includes_high),
    ):
        if text is not None:
            conditions.append(f"{element} {sign}{'=' if includes else ''} {bound}")
            parameters.append(value_of(field, text, now))
    return Sql(
        "EXISTS (SELECT FROM jsonb_array_elements(e.exact -> %s::text) v "
        f"WHERE {' AND '.join(conditions)})",
        tuple(parameters),
    )


def _any_word(field: Field, words: list[str]) -> Match:
    return any_of([Words(quoted(lexeme(field.name, ":", word))) for word in words])


def _like(node: Pattern, form: Callable[[str], str]) -> str:
    signs = {Wild.ANY: "%", Wild.ONE: "_"}
    return "".join(
        signs[part] if isinstance(part, Wild) else like(form(part)) for part in node.parts
    )
