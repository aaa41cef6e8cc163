"""Queries for the fuzz: what Solr's grammar can make, and what no grammar would.

Every value and field's name holds ``CANARY``, whole and in plain letters, so that its presence in
an SQL text shows that something a reader typed got there.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

CANARY = "qzvxk"

# fmt: off
HOSTILE = (
    "'", "''", '"', "\\", "\\\\", ";", "--", "/*", "*/", "%s", "%(a)s", "%%", "%", "_", "{0}", "{",
    "}", "$1", "$$", ":x", "::int", "E'", "\x00", "\ud800", "\udfff", "\u202e", "🚌", "ộ", "đ", "ß",
    "\u0301", "İ", "\ufb01", "\t", "\n", "\r\n", "\u3000", "\x7f", "\x01", "<->", "&", "|", "!",
    ":*", "'; DROP TABLE x; --", "')) OR 1=1 --", "NULL", "\ufeff", "\uff11", "\u0663", "a" * 300,
    "1e999", "nan",
)
SCRAPS = (
    CANARY, "a", "đường", " ", "  ", '"', f'"{CANARY} b"', "(", ")", "[", "]", "{", "}", "*", "?",
    ":", "title:", "tags:", "views_total:", "*:*", "+", "-", "!", "&&", "||", "AND", "OR", "NOT",
    "TO", "~", "~2", "~0.8", "^", "^2", "^0", "\\", "/", "/a+/", "'", "<", ">", "=", "[1 TO 2]",
    "[* TO *}", "{!", "{!dismax qf=title}", "{!term f=tags}", "$q", "NOW", "NOW/DAY-1MONTH+2HOURS",
    "_val_:", "_query_:",
)
WORDS = (
    CANARY, f"{CANARY}s", f"xe{CANARY}", f"{CANARY}.{CANARY}", f"{CANARY}2024", f"Đường{CANARY}",
)
FIELDS = (
    "title", "notes", "text", "tags", "name", "organization", "extras_theme", "vocab_kind",
    "views_total", "metadata_modified", "some_date", "title_ngram", "private", "data_dict",
    "res_format", CANARY, f"extras_{CANARY}", f"{CANARY}_date", f"vocab_{CANARY}", "title_string",
    "_version_",
)
NUMBERS = ("0", "-1", "7", "3.5", "1e3", "99999999999999999999", "-0", "0x1", CANARY)
DATES = (
    "2024-01-01T00:00:00Z", "NOW", "NOW/DAY", "NOW/MONTH-3MONTHS", "NOW+999999YEARS",
    "0000-00-00T0", "2024-02-30T00:00:00Z", "2024-05-01T07:00:00.25Z/HOUR+1DAY", "NOW/CENTURY",
    CANARY, "2024",
)
EXPRESSIONS = (
    CANARY, "a", ".", ".*", "[a-z]", "[^à-ỹ]", "(a|b)", "a{2,3}", "+", "?", "*", "|", "(", ")",
    "\\d", "\\'", '"x y"', "@", "#", "&", "~", "<1-9>", "[", "{300}", "^", "$", "\\\\", "(?i)",
    "***=",
)
FUNCTIONS = (
    "sum", "product", "log", "ln", "sqrt", "div", "recip", "ms", "max", "map", "pow", "linear",
    "def", "field", "abs", "exp", "rord", CANARY,
)
PARSERS = (
    "lucene", "dismax", "edismax", "term f=tags", "terms f=tags", "prefix f=title", "bool", "func",
    "field f=notes", CANARY, "type=dismax", f"term f={CANARY}",
)
LOCAL = (
    "", "qf=title", "v=a",
    f"v='{CANARY} b'", "mm=1", "must=a should='b c'", "q.op=OR", "f=", "v=$q",
    "pf=title ps=2", "bq=a", 'v="a',
)
# fmt: on


def escaped(text: str) -> str:
    return "".join(f"\\{letter}" for letter in text)


hostile_text = st.lists(st.one_of(st.sampled_from(HOSTILE), st.text(max_size=4)), max_size=3).map(
    lambda parts: CANARY.join(["", *parts, ""]) or CANARY
)
field = st.one_of(
    st.sampled_from(FIELDS),
    st.sampled_from(FIELDS),
    hostile_text.map(escaped),
)
word = st.one_of(st.sampled_from(WORDS), hostile_text.map(escaped))
bound = st.one_of(
    st.just("*"), word, st.sampled_from(NUMBERS), st.sampled_from(DATES), word.map('"{}"'.format)
)


def _ranges(low: str, high: str, opened: str, closed: str) -> str:
    return f"{opened}{low} TO {high}{closed}"


wild = st.lists(st.one_of(st.sampled_from(["*", "?"]), st.sampled_from(WORDS)), max_size=4).map(
    lambda parts: "".join([*parts, CANARY, "*"])
)
expression = st.lists(st.sampled_from(EXPRESSIONS), max_size=6).map(
    lambda parts: f"/{''.join(parts)}{CANARY}/"
)
leaf = st.one_of(
    word,
    st.lists(word, min_size=1, max_size=5).map(lambda words: '"{}"'.format(" ".join(words))),
    st.builds('"{} {}"~{}'.format, word, word, st.integers(0, 30)),
    wild,
    st.builds(
        "{}~{}".format,
        word,
        st.sampled_from(
            [
                "",
                "0",
                "1",
                "2",
                "0.8",
                "0.1",
                "7",
                ".",
            ]
        ),
    ),
    st.builds(_ranges, bound, bound, st.sampled_from("[{"), st.sampled_from("]}")),
    expression,
    st.just("*"),
    st.sampled_from(NUMBERS + DATES),
)
clause = st.one_of(leaf, st.builds("{}:{}".format, field, leaf), st.just("*:*"))


def _grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    joined = st.builds(
        lambda clauses, operator: operator.join(clauses),
        st.lists(inner, min_size=2, max_size=5),
        st.sampled_from([" ", " AND ", " OR ", " && ", " || ", " NOT "]),
    )
    return st.one_of(
        joined,
        joined.map("({})".format),
        st.builds("{}:({})".format, field, joined),
        st.builds("{}{}".format, st.sampled_from(["+", "-", "!", "NOT "]), inner),
        st.builds("({})^{}".format, inner, st.sampled_from(["2", "0.5", "0", "1e9", "x"])),
    )


grammatical = st.recursive(clause, _grown, max_leaves=12)
scrambled = st.lists(
    st.one_of(st.sampled_from(SCRAPS), st.sampled_from(SCRAPS), hostile_text), max_size=14
).map("".join)
query = st.one_of(grammatical, grammatical, scrambled, hostile_text)
bare_field = st.one_of(st.sampled_from(FIELDS), hostile_text)

function = st.recursive(
    st.sampled_from(["views_total", "metadata_modified", "NOW", "1", "2.5", "-3", "tags", CANARY]),
    lambda inner: st.builds(
        lambda name, arguments: f"{name}({','.join(arguments)})",
        st.sampled_from(FUNCTIONS),
        st.lists(inner, max_size=4),
    ),
    max_leaves=6,
)
local = st.builds("{{!{} {}}}{}".format, st.sampled_from(PARSERS), st.sampled_from(LOCAL), query)
_OPTIONS: dict[str, st.SearchStrategy[Any]] = {
    "fq": st.one_of(query, local, st.lists(query, max_size=3)),
    "sort": st.one_of(
        st.lists(
            st.builds("{} {}".format, bare_field, st.sampled_from(["asc", "desc", "", "up"])),
            max_size=3,
        ).map(", ".join),
        st.sampled_from(
            ["score desc", "views_total asc, title_string desc", "score desc, name asc"]
        ),
    ),
    "fl": st.one_of(
        st.none(), st.lists(bare_field, max_size=3), st.sampled_from(["*", "score id"])
    ),
    "start": st.sampled_from([0, 1, 10**6, 2**31 - 1, 2**40, -1, "x"]),
    "rows": st.sampled_from([0, 1, 1000, 10**9, -1, "x", None]),
    "facet": st.just("true"),
    "facet.field": st.lists(bare_field, max_size=3),
    "facet.mincount": st.sampled_from([0, 1, 2, -1, "x"]),
    "facet.limit": st.sampled_from([-1, 0, 1, 50, "x", 10**12]),
    "facet.prefix": hostile_text,
    "facet.sort": st.sampled_from(["count", "index", CANARY]),
    "defType": st.sampled_from(["dismax", "edismax", "dismax", "lucene", CANARY]),
    "qf": st.one_of(
        st.just("name^4 title^4 tags^2 groups^2 text"),
        st.lists(bare_field, min_size=1, max_size=3).map(" ".join),
    ),
    "mm": st.sampled_from(
        [
            "2<-1 5<80%",
            "1",
            "-1",
            "75%",
            "-25%",
            "3<",
            "<",
            "x",
            "1<2<3",
            "0%",
            "١",
        ]
    ),
    "tie": st.sampled_from(["0.1", "0", "1", "-1", "x"]),
    "pf": st.sampled_from(["title^2 notes", CANARY, "title^x"]),
    "ps": st.sampled_from(["0", "2", "500", "x"]),
    "bf": st.lists(function, max_size=3).map(" ".join),
    "boost": function,
    "q.op": st.sampled_from(["AND", "OR"]),
    "df": st.one_of(st.just("text"), bare_field),
}
parameters = st.fixed_dictionaries({}, optional=_OPTIONS)
request = st.tuples(st.one_of(query, query, query, local), parameters)
