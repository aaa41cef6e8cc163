"""DisMax: what a reader types into a search box → tree.

Every word is looked for in all of ``qf``'s fields and counts as its best field; ``mm`` says how
many of the words must be found. Quotes make phrases, ``+`` and ``-`` require and exclude, AND, OR
and NOT work as in Lucene, a star at a word's end finds its continuations; everything else is text.
"""

from __future__ import annotations

import functools
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

from . import vietnamese
from .errors import QueryTooComplex, SyntaxRefused
from .fields import Fields, Leaf
from .lucene import LONGEST_QUERY, Reading, bool_of
from .lucene import parse as parse_lucene
from .minimum import minimum_match
from .qualifiers import qualifiers
from .synonyms import MOST_ALTERNATIVES, Alternative
from .tree import Bool, Node, Nothing, Pattern, Phrase, Qualifier, Term, Wild
from .vietnamese import Word

MOST_WORDS = 64
SHORTEST_PREFIX = 2

_PIECES = re.compile(r'(?P<sign>[+-]?)(?:"(?P<phrase>[^"]*)"|(?P<word>[^\s"]+))')
_OPERATORS = frozenset({"AND", "OR", "NOT", "&&", "||"})


def parse(query: str, fields: Fields) -> Node:
    """The tree of a search box's text; its only mistake is to begin with two operators."""
    if len(query) > LONGEST_QUERY:
        raise QueryTooComplex(f"more than {LONGEST_QUERY} characters")
    if query.count('"') % 2:
        query = query.replace('"', " ")
    clauses: list[tuple[str, Leaf]] = []
    operator = ""
    for piece in _PIECES.finditer(query):
        text = piece["word"]
        if text in _OPERATORS and not piece["sign"]:
            operator = {"&&": "AND", "||": "OR"}.get(text, text)
            continue
        if text and piece["sign"] and text[0] in "+-":
            # As Solr has it: a mistake at the start of a query, nothing further on.
            if piece.start() == 0:
                raise SyntaxRefused(f"{query!r}: two operators in a row")
            text = text.lstrip("+-") or "-"
        leaf = Phrase("", piece["phrase"]) if text is None else _word(text)
        if not _has_words(leaf):
            continue
        occurs = {"+": "must", "-": "must_not"}.get(piece["sign"], "should")
        if operator == "AND" and occurs == "should":
            occurs = "must"
            if clauses and clauses[-1][0] == "should":
                clauses[-1] = ("must", clauses[-1][1])
        elif operator == "NOT":
            occurs = "must_not"
        operator = ""
        clauses.append((occurs, leaf))
    if len(clauses) > MOST_WORDS:
        raise QueryTooComplex(f"more than {MOST_WORDS} words")
    if _chooses(query):
        fields = replace(fields, mm="1")
    if not all(occurs == "should" and isinstance(leaf, Term) for occurs, leaf in clauses):
        fields = replace(fields, weaker=())  # the reader says what must be found
    meant = bool_of(_with_synonyms(clauses, fields))
    return _with_minimum(meant, fields, query, _perhaps(clauses, fields))


def _perhaps(clauses: list[tuple[str, Leaf]], fields: Fields) -> tuple[Node, ...]:
    """Words of no meaning that may be others, where nothing has diacritics: `cho long bien`."""
    terms = [leaf for _, leaf in clauses if isinstance(leaf, Term)]
    if any(word.has_diacritics for leaf in terms for word in vietnamese.words(leaf.text)):
        return ()
    return tuple(fields.best(leaf) for leaf in terms if fields.synonyms.is_ignored(leaf.text))


def _with_synonyms(clauses: list[tuple[str, Leaf]], fields: Fields) -> list[tuple[str, Node]]:
    """Every word with what it may also be called; words of no meaning only among themselves.

    A synonym of several words stands in for each of them, so that ``mm`` counts as before.
    """
    meant: dict[int, dict[Alternative, None]] = defaultdict(dict)
    run: list[Word] = []
    owners: dict[int, int] = {}
    for index, (occurs, leaf) in enumerate([*clauses, ("end", Phrase("", ""))]):
        if isinstance(leaf, Term) and occurs != "must_not":
            for word in vietnamese.words(leaf.text):
                owners[len(owners) + 1] = index
                run.append(replace(word, place=len(owners)))
            continue
        for spot in fields.synonyms.spots(run):
            for place in range(spot.first, spot.last + 1):
                meant[owners[place]].update(dict.fromkeys(spot.alternatives))
        run = []
    # A name of several words stands in for each of them: the same nodes, which are matched once.
    other_names = functools.cache(fields.other_name)

    def others(index: int) -> Iterator[Node]:
        for alternative in islice(meant[index], MOST_ALTERNATIVES):
            yield from other_names(alternative)

    kept = {
        index: (occurs, fields.best(leaf, others(index)))
        for index, (occurs, leaf) in enumerate(clauses)
        if not (
            occurs == "should" and isinstance(leaf, Term) and fields.synonyms.is_ignored(leaf.text)
        )
    }
    for where, kind in qualifiers([leaf for _, leaf in clauses], fields.synonyms):
        if all(index in kept and kept[index][0] == "should" for index in (*where, *kind)):
            named = tuple(kept.pop(index)[1] for index in where)
            kept[where[0]] = "should", Qualifier(named)
            for index in kind:
                del kept[index]
    meant_clauses = [kept[index] for index in sorted(kept)]
    return meant_clauses or [(occurs, fields.best(leaf)) for occurs, leaf in clauses]


def _chooses(query: str) -> bool:
    """Whether the reader wrote OR: then one of the words is enough, whatever ``mm`` says."""
    return not {"OR", "||"}.isdisjoint(query.split())


def parse_extended(query: str, fields: Fields, reading: Reading) -> Node:
    """EDisMax: Lucene's syntax where it parses, DisMax where it doesn't."""
    bare: list[Node] = []

    def best(leaf: Term | Phrase) -> Node:
        bare.append(fields.best(leaf))
        return bare[-1]

    try:
        found = parse_lucene(query, replace(reading, default_and=False, bare=best))
    except SyntaxRefused:
        return parse(query, fields)
    if len(bare) > MOST_WORDS:
        raise QueryTooComplex(f"more than {MOST_WORDS} words")
    if _chooses(query):
        fields = replace(fields, mm="1")
    return _with_minimum(found, replace(fields, weaker=()), query)


def _word(text: str) -> Term | Pattern:
    literal = text.rstrip("*")
    if literal != text and len(literal) >= SHORTEST_PREFIX and literal[-1].isalnum():
        return Pattern("", (literal, Wild.ANY))
    return Term("", text)


def _has_words(leaf: Leaf) -> bool:
    return isinstance(leaf, Pattern) or any(True for _ in vietnamese.chunks(leaf.text))


def _with_minimum(node: Node, fields: Fields, query: str, raising: tuple[Node, ...] = ()) -> Node:
    if isinstance(node, Nothing):
        return node
    if not isinstance(node, Bool):
        node = Bool(should=(node,))
    least = minimum_match(fields.mm, len(node.should))
    if not node.must and node.should:
        least = max(least, 1)
    nearness = (*raising, *fields.nearness(_neighbours(query)))
    found = replace(node, at_least=least, nearness=nearness)
    return replace(found, weaker=tuple(_weaker(found, fields)))


def _weaker(node: Bool, fields: Fields) -> Iterator[Bool]:
    """The query without its places and years, then with fewer and fewer of its words."""
    subject = tuple(child for child in node.should if not isinstance(child, Qualifier))
    if fields.weaker and subject and len(subject) < len(node.should):
        least = max(1, minimum_match(fields.mm, len(subject)))
        yield replace(node, must=(*node.must, Bool(should=subject, at_least=least)), at_least=0)
    fewer = {minimum_match(rule, len(node.should)) for rule in fields.weaker}
    for number in sorted(fewer, reverse=True):
        if 0 < number < (node.at_least or 0):
            yield replace(node, at_least=number)


def _neighbours(query: str) -> list[str]:
    """The words of a query in a row, without its signs and operators."""
    written = [word for word in re.sub(r'["+*]', " ", query).split() if word not in _OPERATORS]
    return [word for word in written[:MOST_WORDS] if not word.startswith("-")]
