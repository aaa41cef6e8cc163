"""What Lucene accepts and ``luqum`` reads in another way, rewritten: ``&&``, ``||``, ``!``, a sign
that stands alone, a quote or slash within a word, Solr's comments and ``filter(…)``. Also the first
look at a query's size, before anything is parsed."""

from __future__ import annotations

import re

from .errors import QueryTooComplex, SyntaxRefused

MOST_CLAUSES = 1024  # Lucene's own limit
DEEPEST_NESTING = 64

# `a && b` is an operator, `&&b` a word; a sign before a space is a word too, of no letters.
_ENDED = r'(?=[ \t\r\n\u3000()\[\]{}:^"~!/]|\Z)'
_SPACE = r"(?=[ \t\r\n\u3000])"
# Ranges and regular expressions have an end, so that a text of open brackets is read in one go.
_PIECE = re.compile(
    rf"""(?P<escaped>\\.)
    |   (?P<phrase>"(?:\\.|[^"\\])*")
    |   (?P<range>[\[{{](?:\\.|"(?:\\.|[^"\\])*"|[^\]}}\\"]){{0,400}}[\]}}])
    |   (?P<and>&&{_ENDED})
    |   (?P<or>\|\|{_ENDED})
    |   (?P<alone>[+\-!]{_SPACE})
    |   (?P<not>!)
    |   (?P<comment>/\*.{{0,400}}?\*/)
    |   (?P<regex>/(?:\\.|[^/\\]){{0,400}}/)
    |   (?P<slash>/)
    |   (?P<boost>\^)
    |   (?P<plain>['<>=])
    |   (?P<filter>filter(?=\())
    |   (?P<open>\()
    |   (?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_TERM_ENDERS = frozenset(' \t\r\n\u3000([{:+-!"^')
_DIGITS = frozenset("0123456789")
# What is no more than letters within a word.
_ONLY_AT_START = frozenset({"and", "or", "alone", "comment", "regex", "filter"})
# What can't be read, with the reason.
_MISTAKES = {
    "\\": "a backslash at the end",
    '"': "a quote is not closed",
}


def rewritten(query: str) -> str:
    """``query`` as ``luqum`` must get it; raises SyntaxRefused or QueryTooComplex."""
    written: list[str] = []
    depth = 0
    clauses = 0
    within_word = False
    place = 0
    while place < len(query):
        piece = _PIECE.match(query, place)
        kind, text = piece.lastgroup, piece.group()
        starts = not within_word
        if kind in _ONLY_AT_START and not starts and text[0] != "!":
            kind, text = "other", text[0]
        place += len(text)
        within_word = kind in ("escaped", "alone") or (
            kind not in ("regex", "comment", "filter") and text[-1] not in _TERM_ENDERS
        )
        clauses += kind in ("phrase", "regex") or (starts and kind in ("other", "escaped"))
        depth += {"(": 1, ")": -1}.get(text, 0)
        if depth > DEEPEST_NESTING:
            raise QueryTooComplex(f"nested deeper than {DEEPEST_NESTING}")
        if kind == "other" and text in _MISTAKES:
            raise SyntaxRefused(f"{query!r}: {_MISTAKES[text]}")
        if kind == "slash" and starts:
            raise SyntaxRefused(f"{query!r}: a regular expression is not closed (\\/ is a slash)")
        if kind == "boost" and query[place : place + 1] not in _DIGITS:
            raise SyntaxRefused(f"{query!r}: after ^ comes a number")
        written.append(_written(kind, text, starts))
    if clauses > 4 * MOST_CLAUSES:
        raise QueryTooComplex(f"more than {MOST_CLAUSES} clauses")
    return "".join(written)


def _written(kind: str | None, text: str, starts: bool) -> str:
    if kind in ("and", "or", "not"):
        return f" {kind.upper()} "
    if kind in ("comment", "filter"):
        return " "
    if kind == "alone":
        return f" \\{text}"
    if kind in ("phrase", "regex") and not starts:
        return f" {text}"
    if kind == "plain" and starts:
        return f"\\{text}"
    return "\\ " if text == "\\\n" else text
