"""How well the index ranks, on the judged sets; plain PostgreSQL full text beside it."""

from __future__ import annotations

import sys
from pathlib import Path
from statistics import fmean

import pytest
import sqlalchemy as sa
from ckan.common import config
from ckan.lib.search import make_connection
from ckan.lib.search.query import QUERY_FIELDS
from ckanext.hanoiic.search.questions import SOME_WORDS

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.search import judged

# nDCG@10 of the sets that the index was tuned on; the held-out one has no bar but to beat the peer.
AT_LEAST = {"judged": 0.9, "everyday": 0.9, "held out": 0.0}
# As CKAN's package_search sends what is typed.
BOX = {
    "defType": "dismax",
    "q.op": "AND",
    "df": "text",
    "qf": QUERY_FIELDS,
    "mm": SOME_WORDS,
    "tie": "0.1",
    "sort": "score desc, metadata_modified desc",
    "fq": ["+capacity:public", "+state:active"],
    "fl": "id",
    "rows": 10,
}


@pytest.fixture(scope="module")
def entries_and_sets():
    return judged.load()


@pytest.fixture(scope="module")
def index(entries_and_sets):
    connection = make_connection()
    connection.delete(q="*:*")
    connection.add(docs=[entry.document() for entry in entries_and_sets[0]])
    yield connection
    connection.delete(q="*:*")


def scores(queries, search):
    return {query.q: judged.ndcg(search(query.q), query.grades) for query in queries}


def test_the_sets_are_large_enough(entries_and_sets):
    entries, sets = entries_and_sets
    assert len(sets["judged"]) >= 120
    assert len(sets["held out"]) >= 60
    assert len({entry.title for entry in entries}) >= 500
    queries = [query.q for queries in sets.values() for query in queries]
    assert len(set(queries)) == len(queries)


@pytest.mark.parametrize("name", AT_LEAST)
def test_readers_find_what_they_mean(index, entries_and_sets, name, capsys):
    entries, sets = entries_and_sets
    queries = sets[name]
    ours = scores(queries, lambda q: [row["id"] for row in index.search(q, **BOX).docs])
    plain = plain_full_text(entries, queries)
    worst = sorted(queries, key=lambda query: ours[query.q])[:25]
    with capsys.disabled():
        print(f"\nnDCG@10, {name}: {len(queries)} queries, {len(entries)} titles")
        print(f"  this index           {fmean(ours.values()):.3f}")
        print(f"  unaccent and simple  {fmean(plain.values()):.3f}")
        if AT_LEAST[name]:  # to look at the others would be to tune on them
            print("  lowest: " + ", ".join(f"{query.q} {ours[query.q]:.2f}" for query in worst))
    assert fmean(ours.values()) >= AT_LEAST[name]
    assert fmean(ours.values()) > fmean(plain.values())


def plain_full_text(entries, queries):
    """PostgreSQL's own: ``unaccent``, the configuration ``simple``, ``ts_rank``."""
    engine = sa.create_engine(config["sqlalchemy.url"])
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE EXTENSION IF NOT EXISTS unaccent")
        connection.exec_driver_sql("CREATE TEMP TABLE plain (id text, words tsvector)")
        for entry in entries:
            connection.execute(
                sa.text(
                    "INSERT INTO plain VALUES (:id, setweight(to_tsvector('simple',"
                    " unaccent(:title)), 'A') || to_tsvector('simple', unaccent(:rest)))"
                ),
                {"id": entry.name, "title": entry.title, "rest": entry.text()},
            )

        def search(q):
            return (
                connection.execute(
                    sa.text(
                        "SELECT id FROM plain, plainto_tsquery('simple', unaccent(:q)) q"
                        " WHERE words @@ q ORDER BY ts_rank(words, q) DESC, id LIMIT 10"
                    ),
                    {"q": q},
                )
                .scalars()
                .all()
            )

        return scores(queries, search)
