"""The catalogue's first page: its counts are remembered until anybody writes to the index."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from ckan.common import config
from ckanext.hanoiic.search.index import SearchIndex
from ckanext.hanoiic.search.store import Store

FACETS = {"facet": "true", "facet.field": ["organization"], "facet.mincount": 1}
PUBLIC = ['+site_id:"here"', '+permission_labels:("public")']
STAFF = ['+site_id:"here"', '+permission_labels:("public" OR "staff")']


def document(name, day, label="public", organization="so-y-te"):
    return {
        "index_id": name,
        "name": name,
        "site_id": "here",
        "permission_labels": [label],
        "organization": organization,
        "metadata_modified": f"2025-01-{day:02}T00:00:00Z",
    }


@pytest.fixture
def indexes():
    """The index as two processes have it: nothing in common but the database."""
    stores = [Store(config["solr_url"], 60) for _ in range(2)]
    found = [SearchIndex(store) for store in stores]
    found[0].delete("*:*")
    yield found
    found[0].delete("*:*")
    for store in stores:
        store.engine.dispose()


def ask(index, fq=PUBLIC, **parameters):
    """What is found: names in order, how many, and the facet's counts."""
    asked = {"sort": "score desc, metadata_modified desc", "fl": "name", "fq": fq, **FACETS}
    answer = index.search("*:*", {**asked, **parameters})
    pairs = answer["facet_counts"]["facet_fields"]["organization"]
    return (
        [row["name"] for row in answer["response"]["docs"]],
        answer["response"]["numFound"],
        dict(zip(pairs[::2], pairs[1::2], strict=True)),
    )


def counting(index):
    """The statements of an index that count facets."""
    found = []

    def note(_connection, _cursor, statement, *_more):
        if "string_agg" in statement:
            found.append(statement)

    sa.event.listen(index.store.engine, "before_cursor_execute", note)
    return found


def test_counts_follow_every_write_of_any_process(indexes):
    reader, writer = indexes
    assert ask(reader) == ([], 0, {})
    writer.add([document("a", 1), document("b", 2)])
    assert ask(reader) == (["b", "a"], 2, {"so-y-te": 2})
    writer.add([document("a", 3, organization="so-xay-dung")])
    assert ask(reader) == (["a", "b"], 2, {"so-y-te": 1, "so-xay-dung": 1})
    writer.delete('name:"b"')
    assert ask(reader) == (["a"], 1, {"so-xay-dung": 1})


def test_who_may_see_more_has_counts_of_their_own(indexes):
    index = indexes[0]
    index.add([document("open", 1), document("hidden", 2, label="staff")])
    for _ in range(2):
        assert ask(index) == (["open"], 1, {"so-y-te": 1})
        assert ask(index, STAFF) == (["hidden", "open"], 2, {"so-y-te": 2})
        assert ask(index, ['+site_id:"elsewhere"']) == ([], 0, {})


def test_all_pages_are_counted_once(indexes):
    index = indexes[0]
    index.add([document(f"d{day}", day) for day in range(1, 8)])
    statements = counting(index)
    pages = [ask(index, start=start, rows=2) for start in (0, 2, 4, 6, 8)]
    assert [page[0] for page in pages] == [["d7", "d6"], ["d5", "d4"], ["d3", "d2"], ["d1"], []]
    assert {page[1] for page in pages} == {7}
    assert len(statements) == 1
    ask(index, sort="name asc", **{"facet.limit": 1})
    assert len(statements) == 2


def test_a_write_that_failed_changes_nothing(indexes):
    reader, writer = indexes
    writer.add([document("a", 1)])
    assert ask(reader)[1] == 1
    statements = counting(reader)
    with pytest.raises(Exception, match="no index_id"):
        writer.add([document("b", 2), {"name": "nothing"}])
    assert ask(reader) == (["a"], 1, {"so-y-te": 1})
    assert statements == []


def test_a_new_index_is_not_taken_for_a_former_one(indexes):
    reader, writer = indexes
    writer.add([document("a", 1)])
    assert ask(reader)[1] == 1
    with writer.store.engine.begin() as connection:
        connection.exec_driver_sql("DROP SCHEMA hanoiic_search CASCADE")
    fresh = Store(config["solr_url"], 60)
    SearchIndex(fresh).add([document("b", 1, organization="so-xay-dung")])
    fresh.engine.dispose()
    assert ask(reader) == (["b"], 1, {"so-xay-dung": 1})


def test_each_row_has_the_same_score_and_it_is_told(indexes):
    index = indexes[0]
    index.add([document("a", 1), document("b", 2)])
    answer = index.search("*:*", {"fl": "name score", "fq": PUBLIC, "sort": "score desc"})
    assert [row["score"] for row in answer["response"]["docs"]] == [1.0, 1.0]
