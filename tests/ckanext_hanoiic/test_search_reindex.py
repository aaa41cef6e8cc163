"""Many datasets indexed in one go: the same index as CKAN's own rebuild makes."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from ckan import logic, model
from ckan.cli.cli import ckan
from ckan.lib.search import make_connection, rebuild
from ckan.tests import factories
from ckan.tests.helpers import call_action
from ckanext.hanoiic.search import reindex

ROWS = (
    "SELECT to_jsonb(e) - 'number' - 'lexemes', to_jsonb(b) - 'number',"
    " ARRAY(SELECT (lexeme, positions)::text FROM unnest(e.lexemes))"
    " FROM hanoiic_search.entry e JOIN hanoiic_search.body b USING (number) ORDER BY e.index_id"
)


def rows():
    """All the index has of each dataset, without the time at which it was indexed."""
    with make_connection().index.store.transaction() as connection:
        found = connection.exec_driver_sql(ROWS).all()
    kept = []
    for entry, body, lexemes in found:
        entry["exact"].pop("indexed_ts")
        body["stored"].pop("indexed_ts")
        lexemes = [text for text in lexemes if not text.startswith(("(indexed_ts", '("indexed_ts'))]
        kept.append((entry, body, lexemes))
    return kept


@pytest.fixture
def catalogue(portal):
    """Datasets that differ in all that is kept in a table of its own."""
    owners = [factories.Organization()["id"] for _ in range(2)]
    topic = factories.Group()
    columns = [{"name": "Mã phường", "ascii": "ma_phuong", "type": "string", "unit": "µg/m³"}]
    resources = [
        {"name": f"Bảng {n}", "url": f"http://gateway.test/{n}.csv", "format": "CSV",
         "columns": columns, "lake_table": f"reindex_{n}", "quality": {"completeness": 0.9}}
        for n in range(3)
    ]  # fmt: skip
    more = (
        {"resources": resources[:2], "tags": [{"name": "xe buýt"}, {"name": "giao thông"}]},
        {"resources": resources[2:], "groups": [{"id": topic["id"]}], "license_id": "cc-by"},
        {"tags": [{"name": "xe buýt"}], "spatial_wards": ["00004"], "update_frequency": "DAILY"},
        {"private": True, "title_en": "Hidden"},
        {"access_tier": "open", "license_id": "cc-by", "temporal_start": "2020-01-01"},
    )
    made = [
        factories.Dataset(owner_org=owners[n % 2], notes="Phố Hàng Bài", **fields)["id"]
        for n, fields in enumerate(more)
    ]
    call_action("package_delete", id=factories.Dataset(owner_org=owners[0])["id"])
    return made


def test_the_index_is_the_one_that_ckans_own_rebuild_makes(cli, catalogue):
    make_connection().delete(q="*:*")
    rebuild(quiet=True)
    expected = rows()
    assert len(expected) == len(catalogue)
    for jobs in ("1", "2"):
        make_connection().delete(q="*:*")
        done = cli.invoke(ckan, ["hanoiic-search", "rebuild", "--jobs", jobs])
        assert done.exit_code == 0, done.output
        assert rows() == expected


def test_the_database_is_asked_once_for_all(catalogue):
    asked = []

    def note(_connection, _cursor, statement, *_more):
        asked.append(statement)

    def statements(datasets):
        asked.clear()
        assert reindex._in_one_go(datasets) == []
        return [text for text in asked if " FROM " in text and "hanoiic_search." not in text]

    sa.event.listen(model.meta.engine, "before_cursor_execute", note)
    try:
        few, many = statements(catalogue[:1]), statements(catalogue)
    finally:
        sa.event.remove(model.meta.engine, "before_cursor_execute", note)
    # CKAN's check of the name, and each organisation, are asked one by one.
    assert len(many) - len(few) <= len(catalogue)


def test_a_dataset_changed_while_it_is_indexed_is_indexed_again(catalogue, monkeypatch):
    indexing = logic.index_update_package
    changed, last = sorted(catalogue)[0], sorted(catalogue)[-1]

    def changes_it(context, id_, defer_commit=False):
        indexing(context, id_, defer_commit)
        if id_ == last:
            with model.meta.engine.begin() as connection:
                connection.execute(
                    sa.update(model.Package.__table__)
                    .where(model.Package.__table__.c.id == changed)
                    .values(title="Tên mới", metadata_modified=sa.func.now())
                )

    monkeypatch.setattr(logic, "index_update_package", changes_it)
    assert list(reindex.reindex(sorted(catalogue))) == [(len(catalogue), [])]
    assert make_connection().search(f"id:{changed}", fl="title").docs == [{"title": "Tên mới"}]


def test_one_refused_dataset_does_not_keep_its_portion_out(catalogue, monkeypatch):
    indexing = logic.index_update_package

    def fails_for_one(context, id_, defer_commit=False):
        if id_ == catalogue[1]:
            raise ValueError("a hook of another extension")
        indexing(context, id_, defer_commit)

    make_connection().delete(q="*:*")
    monkeypatch.setattr(logic, "index_update_package", fails_for_one)
    ((looked_at, failures),) = reindex.reindex(catalogue)
    assert looked_at == len(catalogue)
    assert failures == [f"{catalogue[1]}: ValueError: a hook of another extension"]
    assert make_connection().search("*:*").hits == len(catalogue) - 1
