"""Runs with something that an officer must see first: what waits, what goes on, what is decided."""

from __future__ import annotations

import json

import pytest
from werkzeug import Response

from harvesters.plan import Ground, plan
from harvesters.report import Report
from harvesters.source import Source
from tests.harvesters.conftest import rows

CALM = "mã,tên\n1,Ba Đình\n2,Ngọc Hà\n"
PEOPLE = "mã,điện thoại\n" + "".join(f"{n},09{n:02d}345678\n" for n in range(10, 40))


@pytest.fixture
def source(portal, serve):
    return portal.add_source(name="phuong", kind="csv", url=serve(CALM), dataset={"table": "wards"})


def served(httpserver, serve, text):
    httpserver.clear()
    serve(text)


def decide(source, hold, decision):
    row = {key: hold[key] for key in ("kind", "table", "fingerprint")}
    source["decisions"] = [*source.get("decisions", []), {**row, "decision": decision}]


def test_a_personal_column_waits_and_the_version_before_stays(
    run, serve, httpserver, portal, lake, source
):
    assert run(source).state == "published"
    served(httpserver, serve, PEOPLE)
    held = run(source)
    assert held.error is None
    assert held.state == "held"
    kinds = {hold["kind"] for hold in held.report.holds}
    assert kinds == {"personal_data", "schema_drift"}
    assert len(rows(lake, "wards")) == 2
    assert held.stage("publish").state == "skipped"
    (part,) = held.report.datasets()
    assert part["state"] == "held"
    # The wait goes on, with the same fingerprints, although the file is the same.
    again = run(source)
    assert [one["fingerprint"] for one in again.report.holds] == [
        one["fingerprint"] for one in held.report.holds
    ]


def test_what_was_approved_is_published_by_the_next_run(
    run, serve, httpserver, portal, lake, source
):
    run(source)
    served(httpserver, serve, PEOPLE)
    held = run(source)
    for hold in held.report.holds:
        decide(source, hold, "approve")
    released = run(source)
    assert (released.state, released.report.holds) == ("published", [])
    assert len(rows(lake, "wards")) == 30
    assert run(source).state == "unchanged"


def test_what_was_rejected_is_refused_and_asks_no_more(
    run, serve, httpserver, portal, lake, source
):
    run(source)
    served(httpserver, serve, PEOPLE)
    held = run(source)
    for hold in held.report.holds:
        decide(source, hold, "reject")
    refused = run(source)
    assert refused.error.code == "held_version_rejected"
    assert refused.report.holds == []
    assert len(rows(lake, "wards")) == 2


def test_a_first_version_that_waits_makes_no_dataset(run, serve, portal, lake):
    source = portal.add_source(
        name="nguoi", kind="csv", url=serve(PEOPLE), dataset={"table": "people"}
    )
    assert run(source).state == "held"
    assert lake.tables() == []
    assert portal.datasets == {}
    assert portal.reserved == {}


def test_the_other_tables_of_a_catalogue_are_published_all_the_same(run, portal, lake, httpserver):
    resources = []
    for name, text in (("calm", CALM), ("people", PEOPLE)):
        httpserver.expect_request(f"/{name}.csv").respond_with_data(text.encode())
        url = httpserver.url_for(f"/{name}.csv")
        resources.append({"id": name, "format": "CSV", "url": url, "name": name})
    package = {"id": "p", "name": "p", "title": "P", "resources": resources}
    answer = {"success": True, "result": {"count": 1, "results": [package]}}
    httpserver.expect_request("/api/3/action/package_search").respond_with_handler(
        lambda _: Response(json.dumps(answer), content_type="application/json")
    )
    source = portal.add_source(
        name="cat", kind="ckan", url=httpserver.url_for("/"), dataset={"table": "cat"}
    )
    held = run(source)
    assert held.state == "held"
    assert lake.tables() == ["cat_p_calm"]
    (dataset,) = portal.datasets.values()
    assert [resource["lake_table"] for resource in dataset["resources"]] == ["cat_p_calm"]
    assert {hold["table"] for hold in held.report.holds} == {"cat_p_people"}
    for hold in held.report.holds:
        decide(source, hold, "approve")
    assert run(source).state == "published"
    (dataset,) = portal.datasets.values()
    assert len(dataset["resources"]) == 2


def test_a_dry_run_says_what_would_wait(run, room, portal, source, serve, httpserver, lake):
    run(source)
    served(httpserver, serve, PEOPLE)
    report = Report()
    ground = Ground(room.client, room.lake, room.portal, room.presence)
    (file,) = plan(Source.of(source), ground, report)
    (part,) = report.datasets()
    assert part["state"] == "held"
    (table,) = file.tables
    assert table.change == "held"
    assert "personal_data" in {hold.kind for hold in table.holds}
    assert not any("0910345678" in cell for row in table.first_rows for cell in row)
    assert len(lake.table("wards").versions()) == 1
