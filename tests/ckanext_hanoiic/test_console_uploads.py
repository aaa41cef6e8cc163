"""Uploaded files: kept once, read by the worker alone, forgotten when nothing uses them."""

from __future__ import annotations

import io
from datetime import timedelta

import pytest
from ckan import model
from ckan.plugins import toolkit as tk
from ckan.tests import factories
from ckan.tests.helpers import call_action
from console_scene import HARVESTER, make_source
from werkzeug.datastructures import FileStorage


@pytest.fixture
def source(department):
    return make_source(department)


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


def test_a_file_moves_with_its_source_to_another_department(department, source):
    upload = put(source_id=source["id"])
    other = factories.Organization()
    call_action("hanoiic_source_update", id=source["id"], owner_org=other["id"])
    assert call_action("hanoiic_source_show", id=source["id"])["url"] == upload["url"]
    for owner, taken in ((department, True), (other, False)):
        asked = {"owner_org": owner["id"], "upload": upload["id"]}
        if taken:
            with pytest.raises(tk.ValidationError):
                call_action("hanoiic_preview_create", **asked)
        else:
            call_action("hanoiic_preview_create", **asked)


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
