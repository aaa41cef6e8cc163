"""A department of the console's tests: its source, its previews, and what a page of it says."""

from __future__ import annotations

from ckan.tests import factories
from ckan.tests.helpers import call_action
from fresh_database import made_once

HARVESTER = "hanoiic-harvester"


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


def department_with_officer():
    """A department whose sources the user `can-bo` manages, and the harvest worker's user."""

    def make():
        factories.User(name=HARVESTER)
        users = [{"name": factories.User(name="can-bo")["name"], "capacity": "editor"}]
        return factories.Organization(name="so-giao-thong", title="Sở Giao thông", users=users)

    return made_once("department of the console", make)


def make_source(department, name="cong-dan", **said):
    values = {
        "name": name,
        "title": f"Nguồn {name}",
        "owner_org": department["id"],
        "kind": "csv",
        "url": "https://du-lieu.example.vn/cong-dan.csv",
    }
    return call_action("hanoiic_source_create", **{**values, **said})


def ready(id, result=RESULT):
    call_action("hanoiic_preview_update", id=id, state="running")
    call_action("hanoiic_preview_update", id=id, state="ready", result=result)


def preview_id(path):
    return path.rsplit("/", 1)[-1]


def text(page):
    return " ".join(page.select_one(".hanoiic-console").get_text(" ").split())


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
