"""Secrets of sources: sealed at rest, given to the worker for their host, never shown again."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from ckan import model
from ckan.plugins import toolkit as tk
from ckan.tests import factories
from ckan.tests.helpers import call_action
from console_scene import fields, make_source, text


@pytest.fixture
def source(department):
    return make_source(department)


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


def test_secrets_are_kept_listed_without_values_and_deleted(browse, department):
    form = {"owner_org": department["id"], "name": "khoa", "kind": "bearer"}
    form |= {"host": "api.example.vn", "value": "gia-tri-bi-mat"}
    page, _path = browse("/hanoiic/secrets", {**form, "host": "không phải"}, status=422)
    assert page.select_one("#error-host")
    assert "gia-tri-bi-mat" not in str(page)
    page, _path = browse("/hanoiic/secrets", form)
    assert "api.example.vn" in text(page)
    assert "gia-tri-bi-mat" not in str(page)
    gone = {"owner_org": department["id"], "name": "khoa"}
    assert "Đã xóa khóa bí mật" in str(browse("/hanoiic/secrets/delete", gone)[0])


def test_the_one_page_form_offers_the_secrets_and_keeps_the_chosen_one(browse, department):
    secret = {"owner_org": department["id"], "name": "khoa", "kind": "bearer"}
    browse("/hanoiic/secrets", {**secret, "host": "api.example.vn", "value": "gia-tri-bi-mat"})
    page, _path = browse("/hanoiic/sources/new")
    offered = {one["value"]: one.get_text() for one in page.select("#field-secret option")}
    assert offered["khoa"] == "khoa (api.example.vn)"
    sent = fields(page) | {"title": "Có khóa", "url": "https://api.example.vn/a.csv"}
    sent |= {"owner_org": department["id"], "options": '{"encoding": "utf-8"}', "secret": "khoa"}
    sent["dataset.license_id"] = call_action("license_list")[0]["id"]
    browse("/hanoiic/sources/new", sent)
    source = call_action("hanoiic_source_show", id="co-khoa")
    assert source["options"] == {"encoding": "utf-8", "secret": "khoa"}
    page, _path = browse("/hanoiic/sources/co-khoa/edit")
    assert page.select_one("#field-secret option[selected]")["value"] == "khoa"
    assert "khoa" not in page.select_one("#field-options").get_text()
    page, _path = browse("/hanoiic/sources/co-khoa/edit", fields(page) | {"secret": "Sai tên"}, 422)
    assert page.select_one("#error-secret")
    browse("/hanoiic/sources/co-khoa/edit", fields(page) | {"secret": ""})
    assert call_action("hanoiic_source_show", id="co-khoa")["options"] == {"encoding": "utf-8"}
