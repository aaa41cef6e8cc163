"""Held versions on the officer's pages: shown with what was found, released or rejected."""

from __future__ import annotations

from ckan.tests import factories
from ckan.tests.helpers import call_action
from console_scene import make_source, text


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
