"""Whatever is asked, the index answers or says why not, in time, and SQL texts hold nothing of it.

``HANOIIC_FUZZ_QUERIES`` says how many queries are made up (CONTRIBUTING.md).
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest
import sqlalchemy as sa
from ckan.common import config
from ckanext.hanoiic.search.errors import (
    IndexUnreachable,
    QueryTooComplex,
    QueryTooSlow,
    SearchFailed,
)
from ckanext.hanoiic.search.index import SearchIndex
from ckanext.hanoiic.search.store import Store
from hypothesis import HealthCheck, event, given, settings

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.search import queries
from tests.search.queries import CANARY

QUICK = 150
QUERIES = int(os.environ.get("HANOIIC_FUZZ_QUERIES", QUICK))
LIMIT_S = 5.0
GRACE_S = 2.0  # between a statement's time limit and its end, on a busy machine


class Watched:
    """An index, and the SQL texts that one search sends, with the time of each."""

    def __init__(self) -> None:
        self.store = Store(config["solr_url"], LIMIT_S)
        self.index = SearchIndex(self.store)
        self.sent: list[tuple[str, object]] = []
        self.slowest_s = 0.0
        sa.event.listen(self.store.engine, "before_cursor_execute", self._before)
        sa.event.listen(self.store.engine, "after_cursor_execute", self._after)

    def _before(self, _connection, _cursor, statement, parameters, context, _many):
        self.sent.append((statement, parameters))
        context.began = time.monotonic()

    def _after(self, _connection, _cursor, _statement, _parameters, context, _many):
        self.slowest_s = max(self.slowest_s, time.monotonic() - context.began)

    def search(self, q, parameters):
        """The answer, or the error that CKAN handles; any other error gets out."""
        self.sent.clear()
        self.slowest_s = 0.0
        try:
            return self.index.search(q, parameters)
        except SearchFailed as error:
            return error


@pytest.fixture(scope="module")
def watched():
    made = Watched()
    made.index.delete("*:*")
    made.index.add([document(number) for number in range(40)])
    made.sent.clear()
    yield made
    made.index.delete("*:*")
    made.store.engine.dispose()


def document(number):
    return {
        "index_id": f"{number}",
        "id": f"id-{number}",
        "site_id": "here",
        "entity_type": "package",
        "state": "active",
        "name": f"{CANARY}-{number}",
        "title": f"Đường {CANARY} {number} open data",
        "title_string": f"Đường {CANARY} {number}",
        "notes": " ".join(f"{CANARY}{number * word} a" for word in range(30)),
        "tags": [CANARY, f"{CANARY}{number % 5}", "it's 100%_\\"],
        "organization": f"{CANARY}{number % 3}",
        "extras_theme": f"{CANARY} theme",
        f"vocab_{CANARY}": [f"{CANARY}"],
        "views_total": number - 5,
        "some_date": f"20{number + 10}-01-01T00:00:00Z",
        "metadata_modified": f"20{number + 10}-05-01T00:00:00Z",
    }


# Errors that say what the reader did; another one is a query that PostgreSQL got and refused.
def is_said(answer):
    return not isinstance(answer, SearchFailed) or (
        type(answer) is not SearchFailed and not isinstance(answer, IndexUnreachable)
    )


@given(request=queries.request)
@settings(
    max_examples=QUERIES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
def test_any_query_is_answered_or_refused_and_its_values_are_bound(watched, request):
    q, parameters = request
    answer = watched.search(q, parameters)
    event(type(answer).__name__)
    assert is_said(answer), answer
    for statement, _ in watched.sent:
        assert CANARY not in statement.lower()
        assert "\x00" not in statement
        assert statement.isascii()
    assert watched.slowest_s < LIMIT_S + GRACE_S


def test_the_canary_arrives_as_a_parameter(watched):
    """The fuzz would see nothing if queries weren't sent at all."""
    watched.search(f"title:{CANARY} {CANARY}:{CANARY}", {"facet.field": [CANARY], "facet": "true"})
    assert any(CANARY in str(parameters) for _, parameters in watched.sent)


DEAR = {
    "many wildcards": " ".join(f"*{letter}*" for letter in "abcdefghijklmnopqrstuvwxyz" * 4),
    "many kinds of wildcards": " ".join(f"notes:*{n}?*" for n in range(500)),
    "many fuzzy words": " ".join(f"word{n}~2" for n in range(500)),
    "many values nearly": " ".join(f"tags:word{n}~2" for n in range(500)),
    "many ranges": " ".join(f"notes:[a{n} TO b]" for n in range(500)),
    "many expressions": " ".join(f"tags:/(a|b){{1,9}}{n}.*/" for n in range(300)),
    "an expression that explodes": "notes:/((a{1,20}){1,20}){1,20}/",
    "an expression that goes back": f"tags:/{'(a|a)*' * 20}b/",
    "a deep nest": "(" * 60 + "a" + ")" * 60,
    "a deeper nest": "(" * 5000 + "a" + ")" * 5000,
    "a deep nest of clauses": "(a -(b " * 30 + "c" + "))" * 30,
    "many signs": "+-" * 4000 + "a",
    "many NOTs": "NOT " * 4000 + "a",
    "many words": " OR ".join(f"w{n}" for n in range(1000)),
    "too many words": " OR ".join(f"w{n}" for n in range(1500)),
    "many fields": " ".join(f"f{n}:{n}" for n in range(900)),
    "many values": " ".join(f'tags:"value {n}"' for n in range(900)),
    "many brackets": "[" * 16_000,
    "many slashes": "a/" * 8_000,
    "many quotes": '"a" ' * 4_000,
    "many colons": "a:" * 8_000,
    "many boosts": "a" + "^2" * 8_000,
    "many stars": "tags:" + "*a" * 4_000,
    "many slops": " ".join(f'"a b c d"~{n}' for n in range(9)) * 20,
    "a long word": "a" * 16_000,
    "much date maths": "some_date:[NOW" + "+1DAY" * 3_000 + " TO *]",
    "a long negation": " ".join(f"-title:w{n}*" for n in range(500)),
}


@pytest.mark.parametrize(
    "parser", ["lucene", "dismax", "edismax"] if QUERIES > QUICK else ["lucene"]
)
@pytest.mark.parametrize("name", DEAR)
def test_a_dear_query_is_answered_or_stopped_in_time(watched, name, parser):
    asked = {"defType": parser, "qf": "name^4 title^4 tags^2 groups^2 text", "mm": "2<-1 5<80%"}
    began = time.monotonic()
    answer = watched.search(DEAR[name], asked)
    assert is_said(answer), answer
    assert time.monotonic() - began < LIMIT_S + 2 * GRACE_S


def test_what_is_too_much_is_said(watched):
    for name in ("a deeper nest", "too many words", "many fuzzy words", "many ranges"):
        assert isinstance(watched.search(DEAR[name], {}), QueryTooComplex), name


def test_statements_of_one_query_share_its_time(watched):
    """PostgreSQL's own limit is one statement's; ten of half that long are stopped too."""
    hurried = Store(config["solr_url"], 1.5)

    def several():
        with hurried.transaction("REPEATABLE READ") as connection:
            for _ in range(10):
                connection.exec_driver_sql("SELECT pg_sleep(0.7)")

    began = time.monotonic()
    with pytest.raises(QueryTooSlow):
        several()
    assert time.monotonic() - began < 1.5 + GRACE_S
    with hurried.transaction("REPEATABLE READ") as connection:
        left = connection.exec_driver_sql("SHOW statement_timeout").scalar_one()
    assert left == "1500ms"
    hurried.engine.dispose()
