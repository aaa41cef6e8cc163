"""The wizard, held versions, secrets and files, by the forms a browser would send."""

from __future__ import annotations

import ast
import gzip
import io
import json
import re
from pathlib import Path

import polib
import pytest
from bs4 import BeautifulSoup
from ckan.plugins import toolkit as tk
from ckan.tests import factories
from ckan.tests.helpers import call_action
from ckanext.hanoiic.console import (
    error_sentences,
    kinds,
    plugin,
    problems,
    reading,
    reading_form,
    rejected_rows,
    sentences,
)
from ckanext.hanoiic.console.checks import check_object
from ckanext.hanoiic.console.source_fields import COLUMN, OPTIONS
from fresh_database import made_once
from werkzeug.datastructures import FileStorage

HARVESTER = "hanoiic-harvester"
ROOT = Path(__file__).resolve().parents[2]
MENDED = "Tên: TCVN3 text made Unicode (confidence 0.99), 2 cells with 2 texts"
RESULT = {
    "kind": "csv",
    "tables": [
        {
            "part": "",
            "row_count": 2,
            "rejected_count": 1,
            "columns": [
                {"name": "Tên", "type": "string", "unit": "", "examples": ["Ba Đình"],
                 "decided_by": "data",
                 "messages": [MENDED]},
                {"name": "Ngày", "type": "date", "unit": "", "examples": ["2026-03-01"],
                 "decided_by": "pin", "messages": []},
            ],
            "rows": [["Ba Đình", "2026-03-01"], ["<script>alert(1)</script>", None]],
            "messages": ["encoding tcvn3, delimiter ;, header row 2"],
            "holds": [],
        }
    ],
}  # fmt: skip


@pytest.fixture
def department(stage, clean_db, clean_index):
    def make():
        factories.User(name=HARVESTER)
        users = [{"name": factories.User(name="can-bo")["name"], "capacity": "editor"}]
        return factories.Organization(name="so-giao-thong", title="Sở Giao thông", users=users)

    return made_once("department of the wizard", make)


@pytest.fixture
def browse(stage, department):
    """Open a page or send a form as the officer: the answer's soup and its last address."""
    token = call_action("api_token_create", user="can-bo", name="test")["token"]

    def browse(path, form=None, status=200, **said):
        headers = {"Authorization": token}
        send = stage.get if form is None else stage.post
        answer = send(path, headers=headers, data=form, status=status, **said)
        page = BeautifulSoup(answer.body, "lxml")
        return page, answer.request.path

    return browse


def text(page):
    return " ".join(page.select_one(".hanoiic-console").get_text(" ").split())


def ready(id, result=RESULT):
    call_action("hanoiic_preview_update", id=id, state="running")
    call_action("hanoiic_preview_update", id=id, state="ready", result=result)


def preview_id(path):
    return path.rsplit("/", 1)[-1]


def fields(page):
    """What a browser would send of the preview's form."""
    form = page.select_one("form[method=post][novalidate]")
    sent = {}
    for one in form.select("input[name], textarea[name]"):
        if one.get("type") == "checkbox" and not one.has_attr("checked"):
            continue
        typed = (
            one.get_text().removeprefix("\n") if one.name == "textarea" else one.get("value", "")
        )
        sent.setdefault(one["name"], typed)
    for select in form.select("select[name]"):
        chosen = select.select_one("option[selected]") or select.select_one("option")
        sent[select["name"]] = chosen["value"]
    return sent


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


def make_source(department, **said):
    values = {
        "name": "cong-dan",
        "title": "Công dân",
        "owner_org": department["id"],
        "kind": "csv",
        "url": "https://so.example.vn/a.csv",
    }
    return call_action("hanoiic_source_create", **{**values, **said})


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


# Held versions.


def held(source, **said):
    finding = {
        "table": "cong_dan",
        "kind": "personal_data",
        "fingerprint": "a" * 64,
        "reason": "1 columns look like personal data (CCCD: số căn cước / CMND).",
        "facts": {"columns": [{"column": "CCCD", "kind": "citizen_id", "score": 0.9,
                               "matched_count": 9, "row_count": 10, "examples": ["001***"]}]},
        "preview": {"columns": ["CCCD"], "rows": [["001***"]]},
        **said,
    }  # fmt: skip
    run = call_action("hanoiic_source_run", id=source["id"])
    call_action("hanoiic_run_update", id=run["id"], state="held", holds=[finding])
    return run["id"], call_action("hanoiic_hold_list", source_id=source["id"])[0]["id"]


def test_a_held_version_is_counted_shown_and_released(browse, department):
    run, hold = held(make_source(department))
    page, _path = browse(f"/hanoiic/runs/{run}")
    assert page.select_one(f'a[href$="/hanoiic/held/{hold}"]')
    bar = page.select_one('nav.hic-desk a[href$="/hanoiic/held"] .hic-count')
    assert bar.get_text().startswith("1")
    page, _path = browse(f"/hanoiic/held/{hold}")
    assert "1 cột giống dữ liệu cá nhân (CCCD: số căn cước / CMND)." in text(page)
    # The careful choice is the first one.
    assert page.select_one('[name="column.0.mask"] option[selected]')["value"] == "drop"
    form = {"column.0.name": "CCCD", "column.0.mask": "hash", "decision": "approve"}
    page, _path = browse(f"/hanoiic/held/{hold}", {**form, "note": ""}, status=422)
    assert page.select_one('[name="column.0.mask"] option[selected]')["value"] == "hash"
    _page, place = browse(f"/hanoiic/held/{hold}", {**form, "note": "đã xem"})
    assert place.startswith("/hanoiic/runs/")
    source = call_action("hanoiic_source_show", id="cong-dan")
    assert source["options"]["columns"] == {"CCCD": {"mask": "hash"}}
    page, _path = browse(f"/hanoiic/held/{hold}")
    assert page.select_one("[name=decision]") is None
    assert "Thay giá trị bằng mã" in text(page)
    assert browse("/hanoiic/held")[0].select_one(".hic-count") is None


def test_changed_columns_are_shown_before_and_after(browse, department):
    changes = [
        {"column": "Mã", "change": "retyped", "before": "string", "after": "int64"},
        {"column": "Cũ", "change": "missing", "before": "date", "after": ""},
    ]
    said = {"kind": "schema_drift", "facts": {"changes": changes}, "reason": ""}
    _run, hold = held(make_source(department), **said)
    page, _path = browse(f"/hanoiic/held/{hold}")
    rows = [[cell.get_text(" ", strip=True) for cell in row("td")] for row in page("tr")]
    assert ["Cũ", "Mất cột", "ngày", "—", "—"] in rows
    form = {"column.0.name": "Mã", "column.0.type": "string", "decision": "approve", "note": "giữ"}
    browse(f"/hanoiic/held/{hold}", form)
    source = call_action("hanoiic_source_show", id="cong-dan")
    assert source["options"]["columns"] == {"Mã": {"type": "string"}}


def test_missing_datasets_are_listed_and_rejected_then_approved_after_all(browse, department):
    facts = {"missing": ["a", "b"], "missing_count": 2, "known_count": 4}
    source = make_source(department)
    _run, hold = held(source, kind="deletes", table="", facts=facts, preview=None, reason="")
    page, _path = browse(f"/hanoiic/held/{hold}")
    assert [one.get_text() for one in page.select(".hanoiic-missing li")] == ["a", "b"]
    browse(f"/hanoiic/held/{hold}", {"decision": "reject", "note": "nguồn lỗi"})
    page, _path = browse(f"/hanoiic/held/{hold}")
    assert [one["value"] for one in page.select("[name=decision]")] == ["approve"]
    browse(f"/hanoiic/held/{hold}", {"decision": "approve", "note": "đã bỏ thật"})
    decided = call_action("hanoiic_source_show", id=source["id"])["decisions"]
    assert [one["decision"] for one in decided] == ["approve"]


def test_a_stranger_reads_nothing_of_it(stage, browse, department):
    run, hold = held(make_source(department))
    other = factories.UserWithToken()
    paths = [f"held/{hold}", f"runs/{run}/rejected.csv", "held", "quality", "secrets"]
    paths += ["previews/new", "sources/cong-dan/file"]
    for path in paths:
        headers = {"Authorization": other["token"]}
        assert stage.get(f"/hanoiic/{path}", headers=headers, status=403), path


# Rejected rows.


def test_rejected_rows_are_paged_and_come_as_a_safe_csv(stage, browse, department):
    source = make_source(department)
    run = call_action("hanoiic_source_run", id=source["id"])["id"]
    rejected = [
        {"table": "t", "row": row, "column": "Tên", "value": "=HYPERLINK(1)" if row == 1 else "x",
         "reason_code": "required", "reason": "is empty"}
        for row in range(1, 61)
    ]  # fmt: skip
    call_action("hanoiic_run_update", id=run, state="refused", rejected=rejected,
                error={"code": "too_many_rejected"})  # fmt: skip
    page, _path = browse(f"/hanoiic/runs/{run}?rejected=3")
    numbers = [cell.get_text() for cell in page.select('td[data-label="Dòng"]')]
    assert numbers == [str(row) for row in range(51, 61)]
    token = call_action("api_token_create", user="can-bo", name="csv")["token"]
    answer = stage.get(
        f"/hanoiic/runs/{run}/rejected.csv", headers={"Authorization": token}, status=200
    )
    lines = answer.data.decode("utf-8-sig").splitlines()
    assert len(lines) == 61
    assert lines[1] == "t,1,Tên,'=HYPERLINK(1),required,is empty"


def test_all_rejected_rows_that_the_worker_put_are_shown(stage, browse, department):
    run = call_action("hanoiic_source_run", id=make_source(department)["id"])["id"]
    row = {"table": "t", "column": "Tên", "value": None, "reason_code": "required", "reason": ""}
    lines = "".join(json.dumps({**row, "row": number}) + "\n" for number in range(1, 1001))
    for text_of in ("{}\n", lines):  # An attempt before is replaced.
        packed = io.BytesIO(gzip.compress(text_of.encode()))
        file = FileStorage(packed, filename="t.gz")
        call_action("hanoiic_rejected_put", run_id=run, table="t", upload=file)
    call_action("hanoiic_run_update", id=run, state="refused", rejected=[{**row, "row": 1}])
    page, _path = browse(f"/hanoiic/runs/{run}?rejected=40")
    assert page.select('td[data-label="Dòng"]')[-1].get_text() == "1000"
    assert "Trang 40 trên 40" in text(page)
    token = call_action("api_token_create", user="can-bo", name="csv")["token"]
    answer = stage.get(f"/hanoiic/runs/{run}/rejected.csv", headers={"Authorization": token})
    assert len(answer.data.decode("utf-8-sig").splitlines()) == 1001
    late = FileStorage(io.BytesIO(b""), filename="t.gz")
    with pytest.raises(tk.ValidationError):
        call_action("hanoiic_rejected_put", run_id=run, table="t", upload=late)


@pytest.mark.parametrize("table", ["../x", "T", "a/b", ""])
def test_a_file_of_rejected_rows_is_named_by_a_table_only(browse, department, table):
    run = call_action("hanoiic_source_run", id=make_source(department)["id"])["id"]
    file = FileStorage(io.BytesIO(b""), filename="t.gz")
    with pytest.raises(tk.ValidationError):
        call_action("hanoiic_rejected_put", run_id=run, table=table, upload=file)


@pytest.mark.parametrize(
    ("rows", "asked", "shown"),
    [
        (0, "1", (0, 1, 1)),
        (25, "1", (25, 1, 1)),
        (26, "2", (1, 2, 2)),
        (26, "99", (1, 2, 2)),
        (26, "0", (25, 1, 2)),
        (60, "x", (25, 1, 3)),
        (60, "-1", (25, 1, 3)),
    ],
)
def test_pages_of_rejected_rows(rows, asked, shown):
    page = rejected_rows.page(({"row": row} for row in range(rows)), asked)
    assert (len(page.rows), page.number, page.count, page.total) == (*shown, rows)


@pytest.mark.parametrize("value", ["=1", "+1", "-1", "@a", " =1", "\t=1", "\r=1"])
def test_no_cell_begins_a_formula(value):
    assert rejected_rows.safe(value) == f"'{value}"


# Secrets and quality.


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


def test_quality_is_shown_by_dataset_and_on_its_page(browse, department):
    columns = [{"name": "a", "ascii": "a", "type": "string", "title": "Tên"}]
    resource = {
        "name": "Bảng",
        "url": "https://gateway.example/v1/tables/t/download.csv",
        "lake_table": "so_giao_thong_t",
        "lake_version": 1,
        "lake_version_at": "2026-03-01T00:00:00Z",
        "row_count": 10,
        "columns": columns,
        "quality": {"completeness": 0.5, "validity": 1.0, "uniqueness": 0.75, "rejected_rows": 0},
    }
    factories.Dataset(
        name="bo", title="Bộ thử", owner_org=department["id"], resources=[resource],
        update_frequency="UNKNOWN", access_tier="open",
    )  # fmt: skip
    page, _path = browse("/hanoiic/quality")
    assert "Bộ thử" in text(page)
    page, _path = browse("/hanoiic/quality/bo")
    said = text(page)
    assert "Tính đầy đủ 50 %" in said
    assert "Tính duy nhất 75 %" in said
    assert "Tính kịp thời —" in said
    assert "25 % × tính đầy đủ" in said
    box, _path = browse("/dataset/bo")
    assert "Tính đầy đủ" in box.select_one("#quality").get_text()


# Tables that must be whole.


def test_every_error_an_officer_can_meet_has_words():
    documented = (ROOT / "docs/errors.d/harvest.md").read_text(encoding="utf-8")
    codes = set(re.findall(r"^\| `([^`]+)` \|", documented, re.MULTILINE))
    assert len(codes) > 40
    assert codes <= problems.PROBLEMS.keys()
    [reasons] = re.findall(r"Reasons of rejected rows: (.+)", documented, re.DOTALL)
    assert set(re.findall(r"`(\w+)`", reasons)) <= problems.REASONS.keys()


def test_every_kind_that_is_harvested_has_words():
    from harvesters.connectors import CONNECTORS

    assert set(CONNECTORS) <= set(kinds.KINDS)
    assert all(set(kind.reading) <= set(reading.READING) for kind in kinds.KINDS.values())


def test_officers_may_pin_what_the_harvest_knows():
    from harvesters.source import ColumnPin, Options

    assert set(Options.__dataclass_fields__) <= set(OPTIONS)
    assert set(ColumnPin.__dataclass_fields__) <= set(COLUMN)


# Options that the wizard has no field for, and why.
NOT_IN_THE_WIZARD = {
    "columns": "the table of columns is for them",
    "secret": "chosen in the first step, with the address",
    "adaptive": "about the schedule, not the data: the source's form, under Advanced options",
    "archive_runs": "about datasets that a catalogue has no longer: the source's form",
    "archive_days": "as archive_runs",
    "max_missing_share": "as archive_runs",
}


def test_the_wizard_has_a_field_for_whatever_can_be_pinned():
    from harvesters.source import ColumnPin, Options

    fields = {*reading.READING, *reading.RULES}
    assert fields | NOT_IN_THE_WIZARD.keys() == Options.__dataclass_fields__.keys()
    assert not fields & NOT_IN_THE_WIZARD.keys()
    columns = {*reading.COLUMN_SHOWN, *reading.COLUMN_RULES}
    assert columns == ColumnPin.__dataclass_fields__.keys()
    shown = {name for kind in kinds.KINDS for name in reading.offered(kind)}
    assert shown == set(reading.READING)


def test_what_lists_offer_can_be_kept():
    for name, choice in {**reading.READING, **reading.RULES}.items():
        for value in choice.choices or ():
            assert check_object({name: choice.shape.read(value)}, OPTIONS)[1] == {}, (name, value)
    lists = {name: choice.choices or () for name, choice in reading.COLUMN_RULES.items()}
    lists |= {"type": reading.TYPES, "format": reading.DATE_ORDERS, "mask": reading.MASK_WORDS}
    for name, values in lists.items():
        for value in values:
            assert check_object({name: value}, COLUMN)[1] == {}, (name, value)


def test_every_text_is_in_vietnamese_and_keeps_its_facts():
    folder = Path(plugin.__file__).with_name("i18n")
    entries = polib.pofile(str(folder / "vi/LC_MESSAGES/ckanext-hanoiic-console.po"))
    known = {entry.msgid: entry for entry in entries}
    wanted = {*sentences.SENTENCES.values(), *error_sentences.ERRORS.values()}
    wanted |= {*problems.REASONS.values()}
    wanted |= {said for pair in problems.PROBLEMS.values() for said in pair}
    assert wanted <= known.keys()
    for entry in entries:
        said = entry.msgstr or entry.msgstr_plural.get(0)
        assert said, entry.msgid
        facts = set(re.findall(r"\{\w+\}", entry.msgid))
        assert facts == set(re.findall(r"\{\w+\}", said)), entry.msgid


def test_where_a_header_is_and_what_was_seen_of_a_form_are_known_sentences():
    assert sentences.known("sheet 'S' of 1, header rows 3 to 4")
    assert sentences.known("above the table: ĐVT : 1000 đồng")
    assert sentences.known("sheet 'S' of 2, cells A1:C7, header row 2")
    seen = (
        "No table was found in the sheet 'S' (2 rows × 3 columns, 2 filled cells): no row names "
        "columns that the rows below it fill. Is it a form? What was seen:\n■ · ·\n· · ■"
    )
    assert sentences.known(seen)
    assert sentences.say(seen).endswith(":\n■ · ·\n· · ■")


def workers_words():
    """Every text of the harvesters' code as the worker would say it, its facts being 7."""
    for file in (ROOT / "harvesters").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value
            elif isinstance(node, ast.JoinedStr):
                yield "".join(said_of(part) for part in node.values)


def said_of(part):
    if isinstance(part, ast.Constant):
        return part.value
    return "'7'" if part.conversion == ord("r") else "7"


def test_every_error_that_is_translated_is_one_that_the_worker_says():
    words = {*workers_words()}
    # What follows on another line of the code.
    words |= {f"{said}The account sees 7." for said in words if said.endswith("SELECT. ")}
    said_by_nobody = [
        pattern
        for pattern in error_sentences.ERRORS
        if not any(re.fullmatch(pattern, said) for said in words)
    ]
    assert said_by_nobody == ["The account sees (?P<names>.+) and (?P<count>\\d+) more\\."]
    assert sentences.known("The account sees a, b and 3 more.")


# What is chosen on the page, and a source's options. Pure functions.


def test_an_empty_field_takes_a_pin_away_and_what_is_not_shown_stays():
    kept = {
        "encoding": "tcvn3",
        "secret": "khoa",
        "columns": {"A": {"type": "string"}, "B": {"unit": "m"}},
    }
    form = {"option.encoding": "", "option.header_row": " 3 ", "column.0-0.name": "A",
            "column.0-0.type": ""}  # fmt: skip
    assert reading_form.options_of(form, kept) == {
        "secret": "khoa",
        "header_row": 3,
        "columns": {"B": {"unit": "m"}},
    }
    assert kept["encoding"] == "tcvn3"


TYPED = {
    "option.skip_rows": ("2", {"skip_rows": 2}),
    "option.tables": ("a4:f23, A30:F41", {"tables": ["A4:F23", "A30:F41"]}),
    "option.row_kind": ("false", {"row_kind": False}),
    "option.geometry": ("true", {"geometry": True}),
    "option.ward_units": ("old", {"ward_units": "old"}),
    "option.max_rejected_share": ("2,5 %", {"max_rejected_share": 0.025}),
    "option.unique": ("Trạm; Ngày\r\n\r\nMã\r\n", {"unique": [["Trạm", "Ngày"], ["Mã"]]}),
    "column.0-0.required": ("true", {"columns": {"A": {"required": True}}}),
    "column.0-0.unique": ("true", {"columns": {"A": {"unique": True}}}),
    "column.0-0.minimum": ("-0,5", {"columns": {"A": {"minimum": -0.5}}}),
    "column.0-0.maximum": ("2026-01-31", {"columns": {"A": {"maximum": "2026-01-31"}}}),
    "column.0-0.pattern": ("[0-9]{5}", {"columns": {"A": {"pattern": "[0-9]{5}"}}}),
    "column.0-0.references": ("wards.Mã", {"columns": {"A": {"references": "wards.Mã"}}}),
    "column.0-0.text_encoding": ("vni", {"columns": {"A": {"text_encoding": "vni"}}}),
    "column.0-0.title_en": ("Ward", {"columns": {"A": {"title_en": "Ward"}}}),
    "column.0-0.description": ("a\r\nb", {"columns": {"A": {"description": "a\nb"}}}),
}


@pytest.mark.parametrize("field", TYPED)
def test_what_is_typed_becomes_the_option_that_the_harvest_reads(field):
    from harvesters.source import Options

    typed, wanted = TYPED[field]
    options = reading_form.options_of({field: typed, "column.0-0.name": "A"}, {})
    assert options == wanted
    assert check_object(options, OPTIONS)[1] == {}
    assert Options.of(options) != Options()
    emptied = reading_form.options_of({field: "", "column.0-0.name": "A"}, options)
    assert emptied == {}


@pytest.mark.parametrize("value", ["00100", "1.000.000", "-", "31/1/2026", "1e5"])
def test_a_bound_that_is_no_plain_number_stays_a_text(value):
    form = {"column.0-0.name": "A", "column.0-0.minimum": value}
    assert reading_form.options_of(form, {}) == {"columns": {"A": {"minimum": value}}}


def test_a_column_of_two_tables_can_be_pinned_in_either():
    form = {"column.0-0.name": "Tên", "column.0-0.type": "", "column.0-0.required": "",
            "column.1-0.name": "Tên", "column.1-0.type": "", "column.1-0.required": ""}  # fmt: skip
    for number in "01":
        chosen = {f"column.{number}-0.type": "string", f"column.{number}-0.required": "true"}
        pins = {"columns": {"Tên": {"type": "string", "required": True}}}
        assert reading_form.options_of(form | chosen, {}) == pins


def test_a_tab_stays_a_tab():
    assert reading_form.options_of({"option.delimiter": "\t"}, {}) == {"delimiter": "\t"}


def test_a_column_left_out_can_be_brought_back():
    options = {"columns": {"CCCD": {"mask": "drop"}, "Tên": {"title": "Tên"}}}
    hidden = reading_form.columns_out_of_sight(RESULT, options)
    assert hidden == [{"name": "CCCD", "pins": {"mask": "drop"}}]
