"""Rejected rows: paged, kept whole, and downloaded as a CSV that no formula hides in."""

from __future__ import annotations

import gzip
import io
import json

import pytest
from ckan.plugins import toolkit as tk
from ckan.tests.helpers import call_action
from ckanext.hanoiic.console import rejected_rows
from console_scene import make_source, text
from werkzeug.datastructures import FileStorage


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
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    # A spreadsheet of East Asia takes the wide signs for those of a formula too.
    assert rejected_rows.safe("＝1+1") == "'＝1+1"


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
