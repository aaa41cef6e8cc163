"""Previews and uploads: what the portal's wizard asks of the harvest worker."""

from __future__ import annotations

import pytest

from harvesters import uploads
from harvesters.errors import UploadGone
from harvesters.preview import answer_one
from tests.harvesters.conftest import rows

CSV = "mã;tên;dân số\n00004;Ba Đình;1,5\n00008;Ngọc Hà;2,25\n"
PHONES = "mã,điện thoại\n" + "".join(f"{n},09{n:02d}345678\n" for n in range(10, 40))


@pytest.fixture
def answered(portal, room):
    """Ask for a preview as an officer does; the preview when the worker has answered."""

    def answered(**wanted):
        preview = portal.ask_for_preview(**wanted)
        assert answer_one(room.portal, lambda: room, "w")
        return portal.previews[preview["id"]]

    return answered


def test_nobody_waits(room):
    assert not answer_one(room.portal, lambda: room, "w")


def test_kind_columns_and_rows_are_found_out(answered, serve, portal, lake):
    shown = answered(url=serve(CSV, "/data"), options={"columns": {"mã": {"type": "string"}}})
    assert shown["state"] == "ready", shown["result"]
    result = shown["result"]
    assert (result["kind"], result["error"]) == ("csv", None)
    (table,) = result["tables"]
    assert (table["part"], table["row_count"], table["rejected_count"]) == ("", 2, 0)
    assert table["rows"][0][:2] == ["00004", "Ba Đình"]
    first, _, last = table["columns"]
    assert (first["name"], first["type"], first["decided_by"]) == ("mã", "string", "pin")
    assert (last["type"], last["decided_by"]) == ("float64", "data")
    assert first["examples"] == ["00004", "00008"]
    assert {stage["stage"]: stage["state"] for stage in shown["stages"]}["validate"] == "done"
    assert lake.tables() == []
    assert (portal.datasets, portal.runs, portal.reserved) == ({}, {}, {})


def test_personal_columns_are_told_and_covered(answered, serve):
    shown = answered(url=serve(PHONES), kind="csv")
    (table,) = shown["result"]["tables"]
    assert [hold["kind"] for hold in table["holds"]] == ["personal_data"]
    assert {row[1] for row in table["rows"]} == {"•••"}
    assert table["columns"][1]["examples"] == ["•••"]


@pytest.mark.parametrize(
    ("content", "code"),
    [("<html><body>Đăng nhập", "html_instead_of_data"), ("mã,tên\n", "table_empty")],
)
def test_what_is_wrong_is_said(answered, serve, content, code):
    shown = answered(url=serve(content), kind="csv")
    assert shown["state"] == "failed"
    assert shown["result"]["error"]["code"] == code


def test_a_private_address_is_not_looked_at(answered):
    shown = answered(url="http://169.254.169.254/latest")
    assert shown["result"]["error"]["code"] == "address_forbidden"


def test_an_uploaded_file_is_previewed_and_harvested(answered, run, portal, lake):
    portal.uploads["u-1"] = CSV.encode()
    shown = answered(url="upload:u-1")
    assert shown["result"]["tables"][0]["row_count"] == 2
    source = portal.add_source(name="tep", kind="csv", url="upload:u-1", dataset={"table": "wards"})
    assert run(source).state == "published"
    assert rows(lake, "wards")[1]["mã"] == "00008"
    assert lake.table("wards").resolve().source_url == "upload:u-1"
    assert run(source).state == "unchanged"
    portal.uploads["u-2"] = CSV.replace("Ngọc Hà", "Giảng Võ").encode()
    source["url"] = "upload:u-2"
    assert run(source).state == "published"
    assert len(lake.table("wards").versions()) == 2


def test_an_upload_that_is_gone_is_said(run, portal):
    ran = run(portal.add_source(name="tep", kind="csv", url="upload:u-9"))
    assert ran.error.code == "upload_gone"
    assert not ran.error.passing


def test_an_upload_never_leads_to_another_page_of_the_portal(room):
    with pytest.raises(UploadGone):
        uploads.fetch("upload:../../api/3/action/user_list", room.portal, room.client)


def test_an_upload_has_the_caps_of_any_file(run, portal, room):
    portal.uploads["big"] = b"a,b\n" + b"1,2\n" * (room.client.limits.max_bytes // 4 + 10)
    ran = run(portal.add_source(name="to", kind="csv", url="upload:big"))
    assert ran.error.code == "source_too_large"
