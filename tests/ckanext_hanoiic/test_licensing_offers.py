"""From the dataset's form to the offer and the lake tables, and the licences themselves."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from ckan import model
from ckan.plugins import toolkit as tk
from ckan.tests.helpers import call_action
from ckanext.hanoiic.licensing import licences, tables
from ckanext.hanoiic.licensing.audit_model import Audit
from ckanext.hanoiic.licensing.errors import LicenceChanged
from ckanext.hanoiic.licensing.model import Licence, Offer
from licensing_scene import Scene, act

TABLES = {
    f"hanoiic_{name}"
    for name in [
        "licence",
        "offer",
        "access_request",
        "agreement",
        "token",
        "lake_table",
        "edition",
        "edition_preview",
        "application",
        "request_note",
        "usage_counter",
        "usage_lease",
        "usage_event",
        "usage_day",
    ]
}
FIELDS = {"summary", "may", "must", "must_not"}


def test_every_shipped_licence_speaks_both_languages_in_the_same_points():
    assert set(licences.shipped()) == {
        "CC-BY-4.0", "CC0-1.0", "ODbL-1.0", "ODC-BY-1.0", "hanoi-open-data", "restricted-research",
        "sandbox-trial",
    }  # fmt: skip
    for text in licences.shipped().values():
        assert set(text.title) == set(text.plain) == {"vi", "en"}
        for plain in text.plain.values():
            assert set(plain) == FIELDS
            assert plain["summary"]
            assert plain["may"]
        for points in ("may", "must", "must_not"):
            assert len(text.plain["vi"][points]) == len(text.plain["en"][points])
        assert text.policy["uid"] == f"urn:hanoiic:licence:{text.id}:{text.version}"
        assert text.policy["permission"]
        assert text.draft == (text.url is None)


portal = pytest.mark.usefixtures("empty")


@portal
def test_the_migrations_make_the_tables_of_the_models():
    ours = {table for table in model.meta.metadata.tables if table in TABLES}
    assert ours == TABLES
    with model.meta.engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={"include_name": lambda name, kind, parents: kind != "table" or name in TABLES},
        )
        assert compare_metadata(context, ours_only()) == []


def ours_only() -> sa.MetaData:
    metadata = sa.MetaData()
    for name in sorted(TABLES):
        model.meta.metadata.tables[name].to_metadata(metadata)
    return metadata


@portal
def test_the_choices_of_a_licence_are_the_shipped_ones():
    listed = {one["id"]: one for one in call_action("license_list")}
    assert list(listed) == list(licences.shipped())
    assert listed["CC-BY-4.0"]["url"] == "https://creativecommons.org/licenses/by/4.0/"
    scene = Scene()
    assert scene.dataset("open")["license_title"] == licences.shipped()["CC-BY-4.0"].title["vi"]
    assert scene.dataset("open")["isopen"] is True
    assert scene.dataset("open", license_id="restricted-research")["isopen"] is False


@portal
def test_loading_again_changes_nothing_and_a_published_text_cannot_be_edited(monkeypatch):
    assert licences.load() == licences.load() == 7
    assert model.Session.query(Licence).count() == 7
    model.Session.commit()
    with pytest.raises(sa.exc.DBAPIError, match="never changed"):
        model.Session.execute(sa.text("UPDATE hanoiic_licence SET title_vi = 'x'"))
    model.Session.rollback()
    text = licences.shipped()["CC0-1.0"]
    edited = licences.Text(**{**vars(text), "title": {"vi": "x", "en": "y"}})
    monkeypatch.setitem(licences.shipped(), "CC0-1.0", edited)
    with pytest.raises(LicenceChanged):
        licences.published("CC0-1.0")


@portal
def test_the_audit_only_grows():
    scene = Scene()
    own = model.Session.query(Audit).filter_by(dataset_id=scene.dataset("open", "t")["id"])
    assert [row.event for row in own.order_by(Audit.id)] == ["offer_published", "table_claimed"]
    with pytest.raises(sa.exc.DBAPIError, match="permission denied"):
        own.delete()
    model.Session.rollback()


@portal
def test_the_form_makes_the_offer_and_a_change_supersedes_it():
    scene = Scene()
    dataset = scene.dataset("open")
    steps = [
        {"notes": "the same terms"},
        {"access_tier": "click"},
        {"license_id": "ODbL-1.0"},
        {"access_tier": "request"},
    ]
    for step in steps:
        dataset = call_action("package_patch", id=dataset["id"], **step)
    offers = model.Session.query(Offer).filter_by(dataset_id=dataset["id"]).order_by(Offer.number)
    assert [(o.number, o.tier, o.licence_id, bool(o.superseded_at)) for o in offers] == [
        (1, "open", "CC-BY-4.0", True),
        (2, "click", "CC-BY-4.0", True),
        (3, "click", "ODbL-1.0", True),
        (4, "request", "ODbL-1.0", False),
    ]
    assert dataset["access_tier"] == "request"
    shown = act("hanoiic_offer_show", None, id=dataset["id"])
    assert (shown["tier"], shown["number"], shown["licence"]["id"]) == ("request", 4, "ODbL-1.0")


@portal
def test_what_is_not_said_is_by_request():
    scene = Scene()
    nothing = scene.dataset(None)
    no_text = scene.dataset("click", "t", license_id="")
    for dataset in (nothing, no_text):
        assert call_action("package_show", id=dataset["id"])["access_tier"] == "request"
    told = scene.ask(None, ["t"])["tables"]["t"]
    assert (told["tier"], told["licence"]) == ("request", {})
    # A dataset that was there before the plugin has no offer at all.
    model.Session.query(Offer).delete()
    model.Session.commit()
    assert call_action("package_show", id=nothing["id"])["access_tier"] == "request"
    act("hanoiic_request_create", scene.founder, dataset=nothing["id"], purpose="p")
    assert model.Session.query(Offer).one().tier == "request"


@portal
def test_the_tier_can_be_searched_by_facet():
    scene = Scene()
    for tier in ("open", "click", "click"):
        scene.dataset(tier)
    found = call_action("package_search", **{"facet.field": ["access_tier"]})
    assert found["facets"]["access_tier"] == {"open": 1, "click": 2}
    assert call_action("package_search", fq="access_tier:open")["count"] == 1


@portal
def test_holders_keep_what_they_accepted_and_may_accept_the_new_offer():
    scene = Scene()
    dataset = scene.dataset("click", "t")
    first = act("hanoiic_agreement_accept", scene.founder, dataset=dataset["id"])
    token = scene.token(scene.founder)
    call_action("package_patch", id=dataset["id"], license_id="ODbL-1.0")
    told = scene.ask(token, ["t"])["tables"]["t"]
    assert (told["decision"], told["licence"]["id"]) == ("permit", "CC-BY-4.0")
    second = act("hanoiic_agreement_accept", scene.founder, dataset=dataset["id"])
    assert act("hanoiic_agreement_show", scene.founder, id=first["id"])["state"] == "superseded"
    assert second["licence"] == {"id": "ODbL-1.0", "version": 1}
    assert scene.ask(token, ["t"])["tables"]["t"]["licence"]["id"] == "ODbL-1.0"


@portal
def test_a_second_dataset_cannot_take_a_table():
    scene = Scene()
    scene.dataset("request", "t")
    with pytest.raises(tk.ValidationError) as refused:
        scene.dataset("open", "t")
    assert refused.value.error_dict["code"] == ["table_taken"]
    assert "t" in refused.value.error_dict["lake_table"][0]
    other = scene.dataset("open")
    with pytest.raises(tk.ValidationError):
        call_action("resource_create", package_id=other["id"], url="http://x.test", lake_table="t")
    assert call_action("package_show", id=other["id"])["resources"] == []
    assert scene.reason(None, "t") == "deny: sign_in_required"


@portal
def test_only_the_harvester_and_sysadmins_put_a_table_under_a_dataset():
    scene = Scene()
    harvester = scene.harvester
    member = {"id": scene.department["id"], "username": harvester, "role": "editor"}
    act("organization_member_create", scene.sysadmin, **member)
    dataset = scene.dataset("open")
    new = {"package_id": dataset["id"], "url": "http://x.test"}
    with pytest.raises(tk.ValidationError) as refused:
        act("resource_create", scene.officer, **new, lake_table="t1")
    assert refused.value.error_dict["code"] == ["table_not_yours"]
    act("resource_create", harvester, **new, lake_table="t2")
    act("resource_create", scene.sysadmin, **new, lake_table="t3")
    # What stands already does not stop the officer's other work.
    changed = act("package_patch", scene.officer, id=dataset["id"], notes="better")
    assert [one["lake_table"] for one in changed["resources"]] == ["t2", "t3"]


@portal
def test_a_table_of_a_deleted_dataset_stays_with_its_organisation():
    scene = Scene()
    first = scene.dataset("request", "t")
    call_action("package_delete", id=first["id"])
    with pytest.raises(tk.ValidationError):
        scene.dataset("open", "t", owner_org=scene.startup["id"])
    second = scene.dataset("click", "t")
    assert tables.holder("t").dataset_id == second["id"]
    with pytest.raises(tk.ValidationError):
        call_action("package_patch", id=first["id"], state="active")
    call_action("dataset_purge", id=second["id"])
    with pytest.raises(tk.ValidationError):
        scene.dataset("open", "t", owner_org=scene.startup["id"])
    assert scene.ask(None, ["t"])["tables"] == {"t": {"decision": "unknown"}}


@portal
def test_a_removed_resource_frees_its_table_for_another_dataset():
    scene = Scene()
    first = scene.dataset("open", "t")
    call_action("package_patch", id=first["id"], resources=[])
    assert scene.ask(None, ["t"])["tables"] == {"t": {"decision": "unknown"}}
    second = scene.dataset("open", "t")
    assert tables.holder("t").dataset_id == second["id"]
