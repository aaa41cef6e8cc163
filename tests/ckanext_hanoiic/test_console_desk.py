"""Held versions, previews, uploads and secrets: what officers and the worker do with them."""

from __future__ import annotations

import io
import logging
from datetime import timedelta
from pathlib import Path

import pytest
from ckan import model
from ckan.plugins import toolkit as tk
from ckan.tests import factories
from ckan.tests.helpers import call_action
from ckanext.hanoiic.console import report
from fresh_database import made_once
from werkzeug.datastructures import FileStorage

HARVESTER = "hanoiic-harvester"


@pytest.fixture
def department(stage, clean_db):
    def make():
        factories.User(name=HARVESTER)
        editor = factories.User(name="can-bo")
        return factories.Organization(users=[{"name": editor["name"], "capacity": "editor"}])

    return made_once("department of the desk", make)


@pytest.fixture
def source(department):
    return make_source(department, "cong-dan")


def make_source(department, name, **said):
    return call_action(
        "hanoiic_source_create",
        **{
            "name": name,
            "title": f"Nguồn {name}",
            "owner_org": department["id"],
            "kind": "csv",
            "url": "https://du-lieu.example.vn/cong-dan.csv",
            **said,
        },
    )


def personal(fingerprint="a", table="cong_dan"):
    return {
        "table": table,
        "kind": "personal_data",
        "fingerprint": fingerprint * 64,
        "reason": "Hai cột có vẻ là dữ liệu cá nhân.",
        "facts": {
            "rules_date": "2026-01-01",
            "columns": [
                {"column": "CCCD", "kind": "citizen_id", "score": 0.98, "matched_count": 98,
                 "row_count": 100, "examples": ["0010********"]},
            ],
        },
        "preview": {"columns": ["CCCD", "Phường"], "rows": [["0010********", "Hoàn Kiếm"]]},
    }  # fmt: skip


def held_run(source, *holds, **said):
    run = call_action("hanoiic_source_run", id=source["id"])
    call_action("hanoiic_run_update", id=run["id"], state="running")
    return call_action("hanoiic_run_update", id=run["id"], state="held", holds=list(holds), **said)


def open_holds(source):
    return call_action("hanoiic_hold_list", source_id=source["id"])


def decide(hold, decision="approve", **said):
    return call_action(
        "hanoiic_hold_decide", id=hold["id"], decision=decision, **{"note": "đã xem", **said}
    )


# Held versions.


def test_the_same_finding_of_two_runs_is_one_hold(source):
    held_run(source, personal())
    second = held_run(source, personal())
    [hold] = open_holds(source)
    assert hold["run_id"] == second["id"]
    assert call_action("hanoiic_source_show", id=source["id"])["health"] == "held"


def test_another_finding_about_the_table_replaces_the_first(source):
    held_run(source, personal("a"))
    held_run(source, personal("b"))
    [hold] = open_holds(source)
    assert call_action("hanoiic_hold_show", id=hold["id"])["fingerprint"] == "b" * 64
    states = [one["state"] for one in call_action("hanoiic_hold_list", state="all")]
    assert sorted(states) == ["open", "superseded"]


def test_a_run_that_published_the_table_leaves_nothing_to_decide(source):
    held_run(source, personal())
    run = call_action("hanoiic_source_run", id=source["id"])
    table = {"table": "cong_dan", "version": 2, "changed": True}
    call_action("hanoiic_run_update", id=run["id"], state="published", tables=[table])
    assert open_holds(source) == []


def test_approval_pins_the_masks_and_asks_for_a_release(source):
    held_run(source, personal())
    [hold] = open_holds(source)
    decided = decide(hold, masks={"CCCD": "hash"})
    assert decided["state"] == "approved"
    assert decided["pins"] == {"CCCD": {"mask": "hash"}}
    run = call_action("hanoiic_run_show", id=decided["release_run"])
    assert (run["trigger"], run["state"]) == ("release", "requested")
    shown = call_action("hanoiic_source_show", id=source["id"])
    assert shown["options"]["columns"] == {"CCCD": {"mask": "hash"}}
    said = {"kind": "personal_data", "table": "cong_dan", "fingerprint": "a" * 64}
    assert shown["decisions"] == [{**said, "decision": "approve"}]
    [claimed] = call_action("hanoiic_run_claim", {"user": HARVESTER})
    assert claimed["source"]["decisions"] == shown["decisions"]


def test_rejection_asks_for_no_run_and_is_told_to_the_worker(source):
    held_run(source, personal())
    decided = decide(open_holds(source)[0], "reject", note="cột CCCD phải bỏ ở nguồn")
    assert decided["release_run"] is None
    shown = call_action("hanoiic_source_show", id=source["id"])
    assert [one["decision"] for one in shown["decisions"]] == ["reject"]
    assert shown["last_run"]["state"] == "held"


def test_types_are_pinned_for_a_changed_schema_only(source):
    change = {"column": "Mã", "change": "retyped", "before": "string", "after": "int64"}
    drift = {**personal("c"), "kind": "schema_drift", "facts": {"changes": [change]}}
    held_run(source, personal(), drift)
    by_kind = {hold["kind"]: hold for hold in open_holds(source)}
    for kind, wrong in (
        ("personal_data", {"types": {"CCCD": "string"}}),
        ("schema_drift", {"masks": {"Mã": "drop"}}),
        ("schema_drift", {"types": {"Tên": "string"}}),
    ):
        with pytest.raises(tk.ValidationError):
            decide(by_kind[kind], **wrong)
    decide(by_kind["schema_drift"], types={"Mã": "string"})
    shown = call_action("hanoiic_source_show", id=source["id"])
    assert shown["options"]["columns"] == {"Mã": {"type": "string"}}


def test_a_decision_is_made_once_and_with_a_note(source):
    held_run(source, personal())
    [hold] = open_holds(source)
    with pytest.raises(tk.ValidationError) as refused:
        decide(hold, note=" ")
    assert "note" in refused.value.error_dict
    decide(hold)
    with pytest.raises(tk.ValidationError) as refused:
        decide(hold, "reject")
    assert refused.value.error_dict["code"] == ["hold_decided"]


def test_an_approval_while_the_next_run_is_on_is_not_lost(source):
    """The run on the way began before the decision; it ends held, and another one follows."""
    held_run(source, personal())
    [hold] = open_holds(source)
    on = call_action("hanoiic_source_run", id=source["id"])
    call_action("hanoiic_run_update", id=on["id"], state="running")
    assert decide(hold)["release_run"] == on["id"]
    call_action("hanoiic_run_update", id=on["id"], state="held", holds=[personal()])
    last = call_action("hanoiic_source_show", id=source["id"])["last_run"]
    assert (last["trigger"], last["state"]) == ("release", "requested")
    # And if the worker holds it still, nothing goes round in circles.
    call_action("hanoiic_run_update", id=last["id"], state="running")
    call_action("hanoiic_run_update", id=last["id"], state="held", holds=[personal()])
    assert call_action("hanoiic_source_show", id=source["id"])["last_run"]["id"] == last["id"]


@pytest.mark.parametrize(
    "wrong",
    [{"fingerprint": "short"}, {"kind": "whim"}, {"facts": None}, {"table": 7}],
    ids=lambda wrong: next(iter(wrong)),
)
def test_a_hold_that_says_too_little_is_refused(source, wrong):
    with pytest.raises(tk.ValidationError) as refused:
        held_run(source, {**personal(), **wrong})
    assert "holds" in refused.value.error_dict


def test_a_source_shows_who_wants_its_table(source, department):
    other = make_source(department, "khac")
    run = call_action("hanoiic_source_run", id=other["id"])
    error = {"code": "table_taken", "detail": "Bảng đã có chủ.", "source_id": source["id"]}
    call_action("hanoiic_run_update", id=run["id"], state="refused", error=error)
    [conflict] = call_action("hanoiic_source_show", id=source["id"])["conflicts"]
    assert (conflict["title"], conflict["code"]) == ("Nguồn khac", "table_taken")
    again = call_action("hanoiic_source_run", id=other["id"])
    call_action("hanoiic_run_update", id=again["id"], state="published")
    assert call_action("hanoiic_source_show", id=source["id"])["conflicts"] == []


def test_datasets_of_a_catalogue_join_by_identifier(source):
    run = call_action("hanoiic_source_run", id=source["id"])
    first = {"identifier": "x", "state": "failed", "error": {"code": "source_unreachable"}}
    stages = {"fetch": {"duration_s": 1.5, "counts": {"bytes": 7}}}
    second = {"identifier": "x", "state": "published", "stages": stages, "error": None}
    for said in (first, second):
        shown = call_action("hanoiic_run_update", id=run["id"], datasets=[said])
    assert shown["datasets"] == [second]


def test_of_too_many_datasets_those_that_need_somebody_stay():
    many = [{"identifier": f"u{n}", "state": "unchanged"} for n in range(report.DATASETS_KEPT)]
    kept = report.merge_datasets([], many)
    later = [{"identifier": "p", "state": "published"}, {"identifier": "f", "state": "failed"}]
    merged = report.merge_datasets(kept, [*later, {"identifier": "o", "state": "odd"}])
    assert len(merged) == report.DATASETS_KEPT
    assert [one["identifier"] for one in merged[:3]] == ["f", "p", "u0"]


# Previews.


def test_preview_goes_from_an_officer_to_the_worker_and_back(department):
    asked = call_action(
        "hanoiic_preview_create",
        owner_org=department["name"],
        url="https://du-lieu.example.vn/a.csv",
        options={"header_row": 2},
    )
    assert (asked["state"], asked["kind"]) == ("requested", "")
    [taken] = call_action("hanoiic_preview_claim", worker="w1")
    assert (taken["id"], taken["state"], taken["options"]) == (
        asked["id"], "running", {"header_row": 2},
    )  # fmt: skip
    assert call_action("hanoiic_preview_claim", worker="w2") == []
    stage = {"stage": "fetch", "state": "done"}
    call_action("hanoiic_preview_update", id=asked["id"], stages=[stage])
    result = {"kind": "csv", "tables": [{"part": "", "row_count": 3}]}
    call_action("hanoiic_preview_update", id=asked["id"], state="ready", result=result)
    shown = call_action("hanoiic_preview_show", id=asked["id"])
    assert shown["state"] == "ready"
    assert shown["result"]["tables"] == result["tables"]
    with pytest.raises(tk.ValidationError):
        call_action("hanoiic_preview_update", id=asked["id"], state="failed")


def test_a_preview_that_kills_its_worker_fails(department):
    from ckanext.hanoiic.console import preview_model

    asked = call_action(
        "hanoiic_preview_create", owner_org=department["id"], url="https://a.example.vn/a.csv"
    )
    moment = preview_model.now()
    for turn in range(2):
        assert len(preview_model.claim("w", 5, moment + turn * timedelta(minutes=10))) == 1
        model.Session.commit()
    assert preview_model.claim("w", 5, moment + timedelta(minutes=20)) == []
    model.Session.commit()
    shown = call_action("hanoiic_preview_show", id=asked["id"])
    assert (shown["state"], shown["result"]["error"]["code"]) == ("failed", "worker_lost")


def test_an_organisation_has_five_unfinished_previews_at_most(department):
    for number in range(6):
        said = {"owner_org": department["id"], "url": f"https://a.example.vn/{number}.csv"}
        if number < 5:
            call_action("hanoiic_preview_create", **said)
    with pytest.raises(tk.ValidationError) as refused:
        call_action("hanoiic_preview_create", **said)
    assert refused.value.error_dict["code"] == ["too_many_previews"]


def test_old_previews_are_forgotten(department):
    from ckanext.hanoiic.console.preview_model import Preview

    said = {"owner_org": department["id"], "url": "https://a.example.vn/a.csv"}
    old = call_action("hanoiic_preview_create", **said)
    model.Session.get(Preview, old["id"]).created_at -= timedelta(hours=2)
    model.Session.commit()
    call_action("hanoiic_preview_create", **said)
    with pytest.raises(tk.ObjectNotFound):
        call_action("hanoiic_preview_show", id=old["id"])


@pytest.mark.parametrize("said", [{}, {"url": "file:///etc/passwd"}, {"upload": "nowhere"}])
def test_a_preview_needs_an_address_or_a_file_of_the_organisation(department, said):
    with pytest.raises(tk.ValidationError):
        call_action("hanoiic_preview_create", owner_org=department["id"], **said)


# Uploads.


def file(content=b"Ma,Ten\n1,A\n", name="Danh sách.csv"):
    return FileStorage(io.BytesIO(content), filename=name)


def put(**said):
    return call_action("hanoiic_upload_create", upload=file(**said.pop("file", {})), **said)


def test_only_the_worker_gets_the_bytes(department, stage):
    upload = put(owner_org=department["id"], file={"content": b"noi dung"})
    path = f"/hanoiic/uploads/{upload['id']}"
    officer = factories.UserWithToken()
    call_action("organization_member_create", id=department["id"], username=officer["name"],
                role="admin")  # fmt: skip
    for headers in ({}, {"Authorization": officer["token"]}):
        assert stage.get(path, headers=headers, status=404)
    token = call_action("api_token_create", user=HARVESTER, name="test")["token"]
    answer = stage.get(path, headers={"Authorization": token}, status=200)
    assert answer.data == b"noi dung"
    assert "danh" in answer.headers["Content-Disposition"].lower()
    assert upload["sha256"] in answer.headers["ETag"]


def test_same_bytes_are_kept_once_and_leave_no_parts(department):
    from ckanext.hanoiic.console.upload_model import file_of, folder

    first, second = put(owner_org=department["id"]), put(owner_org=department["id"])
    assert first["id"] != second["id"]
    assert first["sha256"] == second["sha256"]
    assert file_of(first["sha256"]).is_file()
    assert list(folder().glob(".part-*")) == []
    # Not below what CKAN serves.
    assert "storage" not in folder().relative_to(tk.config["ckan.storage_path"]).parts


@pytest.mark.ckan_config("hanoiic.upload_max_mb", 1)
def test_a_file_over_the_limit_leaves_nothing(department):
    from ckanext.hanoiic.console.upload_model import folder

    before = {path for path in folder().rglob("*") if path.is_file()}
    with pytest.raises(tk.ValidationError) as refused:
        put(owner_org=department["id"], file={"content": b"x" * ((1 << 20) + 1)})
    assert refused.value.error_dict["code"] == ["upload_too_large"]
    assert {path for path in folder().rglob("*") if path.is_file()} == before


def test_a_new_file_of_a_source_is_harvested(department, source):
    upload = put(source_id=source["id"])
    shown = call_action("hanoiic_source_show", id=source["id"])
    assert (shown["url"], shown["last_run"]["id"]) == (upload["url"], upload["run"])


def test_no_new_file_while_a_harvest_is_on(department, source):
    run = call_action("hanoiic_source_run", id=source["id"])
    call_action("hanoiic_run_update", id=run["id"], state="running")
    with pytest.raises(tk.ValidationError) as refused:
        put(source_id=source["id"])
    assert refused.value.error_dict["code"] == ["run_open"]
    assert call_action("hanoiic_source_show", id=source["id"])["url"] == source["url"]


def test_a_source_takes_no_file_of_others(department, source):
    stranger = factories.Organization()
    theirs = put(owner_org=stranger["id"])
    for url in (theirs["url"], "upload:nowhere"):
        with pytest.raises(tk.ValidationError) as refused:
            make_source(department, "moi", url=url)
        assert "url" in refused.value.error_dict
    ours = put(owner_org=department["id"])
    make_source(department, "moi", url=ours["url"])
    with pytest.raises(tk.ValidationError):
        make_source(department, "moi-2", url=ours["url"])


def test_files_that_nothing_uses_are_forgotten_after_a_day(department):
    import os

    from ckanext.hanoiic.console import upload_model

    unused, used = put(owner_org=department["id"], file={"content": b"u"}), put(
        owner_org=department["id"], file={"content": b"v"}
    )  # fmt: skip
    make_source(department, "moi", url=used["url"])
    for one in (unused, used):
        model.Session.get(upload_model.Upload, one["id"]).created_at -= timedelta(days=2)
        os.utime(upload_model.file_of(one["sha256"]), (0, 0))
    model.Session.commit()
    upload_model.forget_unused()
    model.Session.commit()
    assert not upload_model.file_of(unused["sha256"]).exists()
    assert upload_model.file_of(used["sha256"]).exists()
    assert model.Session.get(upload_model.Upload, unused["id"]) is None


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\a\\bảng.xlsx", "bảng.xlsx"),
        ("a\r\nSet-Cookie: x.csv", "aSet-Cookie: x.csv"),
        ("/", "file"),
    ],
)
def test_a_filename_is_a_name_only(given, kept):
    from ckanext.hanoiic.console.upload_actions import plain_name

    assert plain_name(given) == kept


# Secrets.

VALUE = "rat-bi-mat-123"


def keep_secret(department, **said):
    return call_action(
        "hanoiic_secret_create",
        owner_org=department["id"],
        **{"name": "khoa", "kind": "bearer", "host": "du-lieu.example.vn", "value": VALUE, **said},
    )


def test_a_secret_comes_out_for_the_source_that_names_it_only(department, source):
    created = keep_secret(department)
    read = {"name": "khoa", "source_id": source["id"]}
    with pytest.raises(tk.ObjectNotFound):
        call_action("hanoiic_secret_read", **read)
    call_action("hanoiic_source_update", id=source["id"], options={"secret": "khoa"})
    assert call_action("hanoiic_secret_read", **read)["value"] == VALUE
    [listed] = call_action("hanoiic_secret_list", owner_org=department["id"])
    assert listed["used_at"]
    assert listed["sources"] == [source["title"]]
    assert VALUE not in f"{created}{listed}"


def test_a_secret_goes_to_its_host_only(department, source):
    keep_secret(department)
    call_action(
        "hanoiic_source_update",
        id=source["id"],
        options={"secret": "khoa"},
        url="https://ke-gian.example.com/du-lieu.example.vn",
    )
    with pytest.raises(tk.ObjectNotFound):
        call_action("hanoiic_secret_read", name="khoa", source_id=source["id"])


def test_a_secret_of_another_organisation_is_none(department, source):
    stranger = factories.Organization()
    keep_secret(stranger)
    with pytest.raises(tk.ValidationError):
        call_action("hanoiic_source_update", id=source["id"], options={"secret": "khoa"})
    with pytest.raises(tk.ObjectNotFound):
        call_action("hanoiic_secret_read", name="khoa", source_id=source["id"])


def test_a_preview_reads_the_secret_it_names(department):
    keep_secret(department)
    asked = call_action(
        "hanoiic_preview_create",
        owner_org=department["id"],
        url="https://du-lieu.example.vn/a.json",
        secret="khoa",
    )
    read = call_action("hanoiic_secret_read", name="khoa", preview_id=asked["id"])
    assert (read["kind"], read["value"]) == ("bearer", VALUE)


def test_a_secret_is_sealed_at_rest_and_never_logged(department, caplog):
    from ckanext.hanoiic.console.secret_model import Secret

    with caplog.at_level(logging.DEBUG):
        keep_secret(department)
    model.Session.expire_all()
    [row] = model.Session.query(Secret)
    assert VALUE.encode() not in row.sealed
    assert VALUE not in caplog.text


def test_a_new_key_before_the_old_one_opens_and_seals(department, tmp_path, ckan_config):
    from ckanext.hanoiic.console import secret_model
    from cryptography.fernet import Fernet

    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    file = tmp_path / "keys"
    ckan_config["hanoiic.source_secrets_key_file"] = str(file)
    file.write_text(old)
    sealed = secret_model.seal(VALUE)
    file.write_text(f"{new}\n{old}\n")
    assert secret_model.unseal(sealed) == VALUE
    assert Fernet(new).decrypt(secret_model.seal(VALUE)).decode() == VALUE
    file.write_text(new)
    with pytest.raises(secret_model.SecretsUnavailable):
        secret_model.unseal(sealed)


@pytest.mark.parametrize("path", ["", "/nowhere/key"])
def test_without_a_key_no_secret_is_taken(department, ckan_config, path):
    ckan_config["hanoiic.source_secrets_key_file"] = path
    with pytest.raises(tk.ValidationError) as refused:
        keep_secret(department)
    assert refused.value.error_dict["code"] == ["secrets_unavailable"]
    assert VALUE not in str(refused.value)


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "basic", "value": "no-colon"},
        {"kind": "header", "value": "no-colon"},
        {"value": "two\r\nlines: x"},
        {"host": "https://du-lieu.example.vn/"},
        {"name": "Có Dấu"},
        {"value": ""},
    ],
    ids=str,
)
def test_a_secret_of_no_use_is_refused_without_repeating_it(department, wrong):
    with pytest.raises(tk.ValidationError) as refused:
        keep_secret(department, **wrong)
    assert VALUE not in str(refused.value.error_dict)
    assert call_action("hanoiic_secret_list", owner_org=department["id"]) == []


def test_a_used_secret_is_not_deleted(department, source):
    keep_secret(department)
    call_action("hanoiic_source_update", id=source["id"], options={"secret": "khoa"})
    delete = {"owner_org": department["id"], "name": "khoa"}
    with pytest.raises(tk.ValidationError):
        call_action("hanoiic_secret_delete", **delete)
    call_action("hanoiic_source_update", id=source["id"], options={})
    call_action("hanoiic_secret_delete", **delete)
    assert call_action("hanoiic_secret_list", owner_org=department["id"]) == []


def test_the_launchers_key_is_private_and_opens():
    path = Path(tk.config["hanoiic.source_secrets_key_file"])
    assert path.stat().st_mode & 0o077 == 0
