"""The wizard, by the forms a browser would send: from an address or a file to a source."""

from __future__ import annotations

import io
import re

import pytest
from ckan.tests.helpers import call_action
from ckanext.hanoiic.console import reading_form
from console_scene import RESULT, fields, make_source, preview_id, ready, text


@pytest.fixture
def looked(browse, department):
    """The page of a preview that the worker has made, and its address."""
    form = {"owner_org": department["id"], "url": "https://so.example.vn/phuong%20xa_2026.csv"}
    _page, path = browse("/hanoiic/previews/new", form)
    ready(preview_id(path))
    return browse(path)[0], path


def test_an_address_is_looked_at_corrected_described_and_harvested(browse, looked):
    page, path = looked
    said = text(page)
    assert "Bảng CSV hoặc văn bản" in said
    assert "bảng mã tcvn3, dấu phân cách “;”, tiêu đề: dòng 2" in said
    assert "chữ TCVN3 đã chuyển sang Unicode (độ chắc chắn 0.99)" in said
    assert "<script>alert(1)</script>" in said
    assert page.find("script", string=re.compile("alert")) is None

    # A correction is looked at once more before anything is made of it.
    form = fields(page) | {"column.0-1.type": "string", "column.0-1.unit": "ngày", "go_on": "true"}
    again, second = browse(path, form)
    assert second != path
    assert again.select_one("#hanoiic-run[data-open]")
    kept = call_action("hanoiic_preview_show", id=preview_id(second))
    assert kept["options"] == {"columns": {"Ngày": {"type": "string", "unit": "ngày"}}}
    assert kept["kind"] == "csv"

    ready(preview_id(second))
    form = fields(browse(second)[0]) | {"go_on": "true"}
    described, place = browse(second, form)
    assert place == "/hanoiic/sources/new"
    assert described.select_one("[name=title]")["value"] == "phuong xa 2026"
    form = {
        **{one["name"]: one.get("value", "") for one in described.select("form input[type=text]")},
        "url": described.select_one("[name=url]")["value"],
        "options": described.select_one("[name=options]").get_text(),
        "owner_org": described.select_one("[name=owner_org] option[selected]")["value"],
        "kind": described.select_one("[name=kind] option[selected]")["value"],
        "schedule_preset": "weekly",
        "dataset.license_id": call_action("license_list")[0]["id"],
        "dataset.access_tier": "click",
        "harvest_now": "true",
    }
    _run, place = browse("/hanoiic/sources/new", form)
    assert place.startswith("/hanoiic/runs/")
    source = call_action("hanoiic_source_show", id="phuong-xa-2026")
    assert source["options"] == kept["options"]
    assert source["dataset"]["access_tier"] == "click"
    assert source["last_run"]["state"] == "requested"


EVERY_FIELD = {
    "skip_rows": 1,
    "row_kind": False,
    "ward_units": "old",
    "geometry": True,
    "max_rejected_share": 0.001,
    "unique": [["Tên", "Ngày"], ["Tên"]],
    "text_encoding": "none",
    "columns": {
        "Tên": {"required": True, "unique": True, "pattern": "<[a-z]>", "references": "phuong.Mã",
                "text_encoding": "vni", "title_en": "Name", "description": "hai\ndòng"},
        "Ngày": {"minimum": "2026-01-01", "maximum": 5.5, "format": "serial", "type": "date"},
    },
}  # fmt: skip


def test_the_form_shows_what_is_pinned_and_sends_it_back(browse, department):
    asked = {"owner_org": department["id"], "url": "https://so.example.vn/a.csv", "kind": "csv"}
    preview = call_action("hanoiic_preview_create", options=EVERY_FIELD, **asked)
    ready(preview["id"])
    path = f"/hanoiic/previews/{preview['id']}"
    page, _path = browse(path)
    form = fields(page)
    assert reading_form.options_of(form, EVERY_FIELD) == EVERY_FIELD
    assert reading_form.options_of(form, {}) == EVERY_FIELD
    assert page.select_one('[name="column.0-0.required"]').has_attr("checked")
    assert form["option.max_rejected_share"] == "0.1"
    # Rules of a column are out of the way until there are some.
    assert all(one.has_attr("open") for one in page.select(".hanoiic-column-rules details"))
    # A switch that is off is not sent, only the field behind it.
    form |= {"column.0-0.required": "", "option.geometry": "", "again": "true"}
    _page, second = browse(path, form)
    kept = call_action("hanoiic_preview_show", id=preview_id(second))["options"]
    assert "geometry" not in kept
    assert "required" not in kept["columns"]["Tên"]


def test_a_choice_that_is_no_good_is_shown_with_what_is_wrong(browse, looked):
    page, path = looked
    form = fields(page)
    assert not any(one.has_attr("open") for one in page.select(".hanoiic-column-rules details"))
    bad = {"option.skip_rows": "hai", "option.max_rejected_share": "200", "again": "true",
           "column.0-0.pattern": "[", "column.0-0.title": "Tên phường"}  # fmt: skip
    page, _path = browse(path, form | bad, status=422)
    again = fields(page)
    assert {name: again[name] for name in form if name != "_csrf_token"} == {
        **{name: typed for name, typed in form.items() if name != "_csrf_token"},
        **{name: typed for name, typed in bad.items() if name != "again"},
    }
    said = text(page)
    assert "Số dòng bỏ qua ở đầu: Phải là số nguyên" in said
    assert "Tên: pattern:" in said
    for name in ("skip_rows", "max_rejected_share"):
        assert page.select_one(f'[name="option.{name}"]')["aria-invalid"] == "true"
        assert page.select_one(f"#field-option-{name}-help .complaint")


def test_an_open_preview_is_followed_with_and_without_javascript(browse, department):
    form = {"owner_org": department["id"], "url": "https://so.example.vn/a.csv"}
    page, path = browse("/hanoiic/previews/new", form)
    assert page.select_one("#hanoiic-run[data-open]")
    assert 'http-equiv="refresh"' in str(page.head.noscript)
    call_action("hanoiic_preview_update", id=preview_id(path),
                stages=[{"stage": "decode", "state": "running"}])  # fmt: skip
    assert "Đọc tệp …" in text(browse(path)[0])


def test_a_preview_that_failed_says_what_to_do(browse, department):
    form = {"owner_org": department["id"], "url": "https://so.example.vn/login"}
    _page, path = browse("/hanoiic/previews/new", form)
    error = {"code": "html_instead_of_data", "detail": "x"}
    call_action("hanoiic_preview_update", id=preview_id(path), state="failed",
                result={"kind": "", "tables": [], "error": error})  # fmt: skip
    page, _path = browse(path)
    assert "Địa chỉ trả về trang web" in text(page) or "trang web" in text(page)
    assert page.select_one("[name=go_on]") is None
    assert page.select_one("[name=again]")


def test_a_choice_that_made_it_fail_can_be_taken_back(browse, looked):
    page, path = looked
    _page, second = browse(path, fields(page) | {"column.0-1.type": "int64", "again": "true"})
    error = {"code": "too_many_rejected", "detail": ""}
    call_action("hanoiic_preview_update", id=preview_id(second), state="failed",
                result={"kind": "csv", "tables": [], "error": error})  # fmt: skip
    page, _path = browse(second)
    form = fields(page)
    assert (form["column.0-0.name"], form["column.0-0.type"]) == ("Ngày", "int64")
    _page, third = browse(second, form | {"column.0-0.type": "", "again": "true"})
    assert call_action("hanoiic_preview_show", id=preview_id(third))["options"] == {}


def test_a_kind_without_words_is_shown_by_its_name(browse, department):
    form = {"owner_org": department["id"], "url": "https://so.example.vn/x"}
    _page, path = browse("/hanoiic/previews/new", form)
    ready(preview_id(path), {**RESULT, "kind": "sensorthings"})
    page, _path = browse(path)
    assert page.select_one("[name=kind] option[selected]")["value"] == "sensorthings"


def test_a_file_is_looked_at_and_registered(browse, department):
    file = (io.BytesIO("Tên;Ngày\n".encode()), "Danh sách.csv")
    form = {"owner_org": department["id"], "url": "", "upload": file}
    _page, path = browse("/hanoiic/previews/new", form, content_type="multipart/form-data")
    ready(preview_id(path))
    page, _path = browse(path)
    assert "Danh sách.csv" in text(page)
    described, _place = browse(path, fields(page) | {"go_on": "true"})
    assert described.select_one("[name=url]")["value"].startswith("upload:")
    assert described.select_one("[name=schedule_preset] option[selected]")["value"] == "none"


def test_nothing_given_is_said_at_the_field(browse, department):
    page, _path = browse("/hanoiic/previews/new", {"owner_org": department["id"]}, status=422)
    assert page.select_one("#error-url")


def test_a_new_file_of_a_source_is_looked_at_first(browse, department):
    source = make_source(department, options={"header_row": 2})
    file = (io.BytesIO(b"a;b\n"), "moi.csv")
    _page, path = browse(
        "/hanoiic/sources/cong-dan/file", {"upload": file}, content_type="multipart/form-data"
    )
    asked = call_action("hanoiic_preview_show", id=preview_id(path))
    assert (asked["kind"], asked["options"]) == ("csv", {"header_row": 2})
    assert call_action("hanoiic_source_show", id=source["id"])["url"] == source["url"]
    ready(asked["id"])
    page, _path = browse(f"{path}?source=cong-dan")
    _run, place = browse(f"{path}?source=cong-dan", fields(page) | {"go_on": "true"})
    assert place.startswith("/hanoiic/runs/")
    assert call_action("hanoiic_source_show", id=source["id"])["url"] == asked["url"]


def test_a_new_file_that_was_looked_at_before_a_decision_takes_no_masks_away(browse, department):
    source = make_source(department, options={"header_row": 2})
    seen = call_action("hanoiic_source_show", id=source["id"])["revision"]
    file = (io.BytesIO(b"a;b\n"), "moi.csv")
    _page, path = browse(
        "/hanoiic/sources/cong-dan/file", {"upload": file}, content_type="multipart/form-data"
    )
    ready(preview_id(path))
    place = f"{path}?source=cong-dan&revision={seen}"
    page, _path = browse(place)
    pins = {"columns": {"CCCD": {"mask": "drop"}}}
    call_action("hanoiic_source_update", id=source["id"], options=pins)
    told, _path = browse(place, fields(page) | {"go_on": "true"}, status=422)
    assert "vừa được sửa" in text(told)
    kept = call_action("hanoiic_source_show", id=source["id"])
    assert (kept["options"], kept["url"]) == (pins, source["url"])
