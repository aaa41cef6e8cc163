"""Many datasets indexed in one go: the same index as CKAN's own rebuild makes."""

from __future__ import annotations

import json
import threading

import pytest
import sqlalchemy as sa
from ckan import logic, model, plugins
from ckan.cli.cli import ckan
from ckan.lib.search import SearchIndexError, make_connection
from ckan.tests import factories
from ckan.tests.helpers import call_action
from ckanext.hanoiic.search import rebuild, reindex
from ckanext.hanoiic.search.both_forms import BothForms
from ckanext.hanoiic.search.dictized import Portion

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
    made += [_written_by_hand(owners[0], n) for n in range(2)]
    return made


def _written_by_hand(owner, number):
    """A draft, and a dataset of a type that no form knows, with what no form would let through."""
    package = model.Package(
        name=f"by-hand-{number}",
        title="  Đường \x01 thử  " if number else None,
        notes="Tiếng Việt: ường 'ngoặc' \\ và µg/m³",
        owner_org=owner,
        state="active" if number else "draft",
        type="unheard-of" if number else "dataset",
        license_id="unheard-of",
        extras={"title_en": "By hand", "spatial_wards": '["00004"]', "khóa lạ": "giá trị"},
    )
    package.resources_all.append(
        model.Resource(url="example.test/a.csv", format="csv", extras={"columns": "[]", "k": [1]})
    )
    model.Session.add(package)
    model.Session.commit()
    id_ = package.id
    # Read anew by whoever asks: the database keeps extras in an order of its own.
    model.Session.remove()
    return id_


def _rebuilt(rebuilding):
    make_connection().delete(q="*:*")
    rebuilding()
    return rows()


def test_the_index_is_the_one_that_ckans_own_rebuild_makes(cli, catalogue):
    expected = _rebuilt(lambda: rebuild.of_ckan(quiet=True))
    assert len(expected) == len(catalogue)
    for jobs in ("1", "2"):
        done = []
        assert expected == _rebuilt(
            lambda jobs=jobs, done=done: done.append(
                cli.invoke(ckan, ["hanoiic-search", "rebuild", "--jobs", jobs])
            )
        )
        assert done[0].exit_code == 0, done[0].output
    assert expected == _rebuilt(lambda: cli.invoke(ckan, ["search-index", "rebuild"]))


def test_what_ckan_shows_and_what_is_shown_at_once_are_one(catalogue):
    # CKAN shows a relationship, but can't index it.
    related = {"subject": catalogue[0], "object": catalogue[1], "type": "depends_on"}
    call_action("package_relationship_create", **related)
    forms = BothForms(Portion(catalogue))
    for dataset in catalogue:
        context = {"ignore_auth": True}
        expected = logic.package_show_default_and_custom_schemas(context, dataset)
        # As text: the order of the keys is part of the documents that CKAN stores.
        assert json.dumps(forms.of(dataset)) == json.dumps(expected)


class Elsewhere(plugins.SingletonPlugin):
    """Another extension that hooks into showing and indexing."""

    plugins.implements(plugins.IPackageController, inherit=True)
    plugins.implements(plugins.IResourceController, inherit=True)

    def read(self, entity):
        entity.seen = True

    def before_resource_show(self, resource_dict):
        resource_dict["shelf"] = "A"

    def after_dataset_show(self, context, pkg_dict):
        pkg_dict["seen"] = context["package"].seen and not context["use_cache"]

    def before_dataset_index(self, pkg_dict):
        pkg_dict["vocab_shelf"] = [f"shelf {pkg_dict['name'][:1]}"]
        return pkg_dict


class Overriding(plugins.SingletonPlugin):
    """An extension with a ``package_show`` of its own."""

    plugins.implements(plugins.IActions)

    def get_actions(self):
        return {"package_show": chained_package_show}


@plugins.toolkit.chained_action
def chained_package_show(original, context, data_dict):
    return original(context, data_dict) | {"notes": "shown otherwise"}


@pytest.mark.parametrize(
    ("extension", "trace"), [(Elsewhere, "shelf b"), (Overriding, "shown otherwise")]
)
def test_other_extensions_take_part_as_ever(catalogue, provide_plugin, extension, trace):
    provide_plugin("another", extension)
    plugins.load("another")
    try:
        expected = _rebuilt(lambda: rebuild.of_ckan(quiet=True))
        assert _rebuilt(rebuild.rebuild) == expected
    finally:
        plugins.unload("another")
    assert trace in str(expected)


def test_many_rows_leave_no_heap_behind(catalogue, monkeypatch):
    monkeypatch.setattr(reindex, "MANY", 2)
    store = make_connection().index.store
    options = (
        "SELECT reloptions[1] FROM pg_class"
        " WHERE relname IN ('entry_lexemes', 'entry_infix') ORDER BY relname"
    )

    def asked():
        with store.transaction() as connection:
            return connection.exec_driver_sql(options).scalars().all()

    during = [asked() for _ in reindex.reindex(sorted(catalogue))]
    assert during == [["fastupdate=on"] * 2]
    assert asked() == ["fastupdate=off"] * 2


def test_ckans_rebuild_tells_a_dataset_that_cannot_be_indexed(catalogue, monkeypatch):
    def fails(*_arguments):
        raise ValueError("a hook of another extension")

    monkeypatch.setattr(logic, "index_update_package_dicts", fails)
    with pytest.raises(SearchIndexError, match="a hook of another extension"):
        rebuild.rebuild(quiet=True)
    rebuild.rebuild(quiet=True, force=True)


def test_the_database_is_asked_once_for_all(catalogue):
    asked, here = [], threading.get_ident()

    def note(_connection, _cursor, statement, *_more):
        if threading.get_ident() == here:
            asked.append(statement)

    def statements(datasets):
        # What the session remembers of the tests before would not be asked for.
        model.Session.remove()
        asked.clear()
        assert reindex._in_one_go(datasets) == []
        return list(asked)

    sa.event.listen(model.meta.engine, "before_cursor_execute", note)
    try:
        few, many = statements(catalogue[:1]), statements(catalogue)
    finally:
        sa.event.remove(model.meta.engine, "before_cursor_execute", note)
    assert len(few) > 5
    # A group's members are counted once a group.
    assert len(many) - len(few) <= 1, "\n".join(many)


def test_a_dataset_changed_while_it_is_indexed_is_indexed_again(catalogue, monkeypatch):
    indexing = logic.index_update_package_dicts
    changed, last = sorted(catalogue)[0], sorted(catalogue)[-1]

    def changes_it(both, defer_commit=False):
        indexing(both, defer_commit)
        if both[0]["id"] == last:
            with model.meta.engine.begin() as connection:
                connection.execute(
                    sa.update(model.Package.__table__)
                    .where(model.Package.__table__.c.id == changed)
                    .values(title="Tên mới", metadata_modified=sa.func.now())
                )

    monkeypatch.setattr(logic, "index_update_package_dicts", changes_it)
    assert list(reindex.reindex(sorted(catalogue))) == [(len(catalogue), [])]
    assert make_connection().search(f"id:{changed}", fl="title").docs == [{"title": "Tên mới"}]


def test_one_refused_dataset_does_not_keep_its_portion_out(catalogue, monkeypatch):
    indexing = logic.index_update_package_dicts

    def fails_for_one(both, defer_commit=False):
        if both[0]["id"] == catalogue[1]:
            raise ValueError("a hook of another extension")
        indexing(both, defer_commit)

    make_connection().delete(q="*:*")
    monkeypatch.setattr(logic, "index_update_package_dicts", fails_for_one)
    ((looked_at, failures),) = reindex.reindex(catalogue)
    assert looked_at == len(catalogue)
    assert failures == [f"{catalogue[1]}: ValueError: a hook of another extension"]
    assert make_connection().search("*:*").hits == len(catalogue) - 1
