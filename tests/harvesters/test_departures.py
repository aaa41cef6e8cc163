"""Datasets that a catalogue has no longer: missing, archived, restored, and never too many."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from werkzeug import Response

from harvesters import holds
from harvesters.departures import foresee
from harvesters.plan import Ground, plan
from harvesters.report import Report
from harvesters.source import Source


class Catalogue:
    """A CKAN with the datasets named in `there`; those `with_files` have one."""

    def __init__(self, httpserver) -> None:
        self.there: list[str] = []
        self.with_files: set[str] = set()
        self._server = httpserver
        httpserver.expect_request("/api/3/action/package_search").respond_with_handler(
            lambda _: self._found()
        )

    def _found(self) -> Response:
        results = []
        for name in self.there:
            resources = []
            if name in self.with_files:
                self._server.expect_request(f"/{name}.csv").respond_with_data(f"mã,tên\n1,{name}\n")
                url = self._server.url_for(f"/{name}.csv")
                resources = [{"id": "r", "format": "CSV", "url": url, "name": name}]
            results.append({"id": name, "name": name, "title": name, "resources": resources})
        answer = {"success": True, "result": {"count": len(results), "results": results}}
        return Response(json.dumps(answer), content_type="application/json")


TEN = [f"d{number}" for number in range(10)]


@pytest.fixture
def catalogue(httpserver) -> Catalogue:
    return Catalogue(httpserver)


@pytest.fixture
def source(portal, httpserver):
    return portal.add_source(
        name="cat",
        kind="ckan",
        url=httpserver.url_for("/"),
        dataset={"table": "cat", "access_tier": "open"},
        options={"archive_runs": 2, "archive_days": 0},
    )


def states(portal) -> dict[str, str | None]:
    return {dataset["title"]: dataset.get("harvest_state") for dataset in portal.datasets.values()}


def told(ran) -> dict[str, str]:
    return {part["identifier"]: part["state"] for part in ran.report.datasets()}


def days(source, count):
    source["options"] = {**source["options"], "archive_days": count}


def test_an_absent_dataset_is_missing_then_archived_and_restored(run, portal, catalogue, source):
    catalogue.there, catalogue.with_files = list(TEN), {"d3", "d4"}
    assert run(source).state == "published"
    assert set(states(portal).values()) == {None}
    catalogue.there.remove("d3")
    first = run(source)
    assert first.state == "unchanged"
    assert told(first)["d3"] == "missing"
    assert states(portal)["d3"] == "missing"
    second = run(source)
    assert told(second)["d3"] == "archived"
    assert states(portal)["d3"] == "archived"
    assert "d3" not in told(run(source))
    catalogue.there.append("d3")
    back = run(source)
    assert told(back) == {**dict.fromkeys(TEN, "unchanged"), "d3": "restored"}
    assert states(portal)["d3"] == "present"
    assert set(states(portal)) == set(TEN)


def test_days_count_as_well_as_runs(run, portal, catalogue, source):
    days(source, 1)
    catalogue.there = list(TEN)
    run(source)
    catalogue.there.remove("d3")
    for _ in range(4):
        run(source)
    assert states(portal)["d3"] == "missing"


def test_too_many_at_once_ask_and_nothing_changes(run, portal, catalogue, source):
    catalogue.there = list(TEN)
    run(source)
    catalogue.there = TEN[:7]
    asked = run(source)
    assert asked.state == "held"
    (hold,) = asked.report.holds
    assert (hold["kind"], hold["table"]) == ("deletes", "")
    assert hold["facts"] == {"missing": TEN[7:], "missing_count": 3, "known_count": 10}
    assert set(states(portal).values()) == {None}
    # The same finding has the same fingerprint, another set another one.
    assert run(source).report.holds[0]["fingerprint"] == hold["fingerprint"]
    catalogue.there = TEN[:6]
    assert run(source).report.holds[0]["fingerprint"] != hold["fingerprint"]


def test_an_empty_catalogue_asks_whatever_the_share(run, portal, catalogue, source):
    source["options"] = {**source["options"], "max_missing_share": 1.0}
    catalogue.there = ["d1"]
    run(source)
    catalogue.there = []
    asked = run(source)
    assert asked.state == "held"
    assert "empty" in asked.report.holds[0]["reason"]
    assert states(portal) == {"d1": None}


def test_an_approval_lets_exactly_that_set_go(run, portal, catalogue, source):
    catalogue.there = list(TEN)
    run(source)
    catalogue.there = TEN[:7]
    (hold,) = run(source).report.holds
    source["decisions"] = [
        {"kind": "deletes", "table": "", "fingerprint": hold["fingerprint"], "decision": "approve"}
    ]
    catalogue.there = TEN[:6]
    assert run(source).state == "held"
    assert set(states(portal).values()) == {None}
    catalogue.there = TEN[:7]
    approved = run(source)
    assert approved.state == "unchanged"
    assert {name for name, state in states(portal).items() if state == "missing"} == set(TEN[7:])
    # They were agreed upon: they are archived in their time, and one more is within the share.
    catalogue.there = TEN[:6]
    later = run(source)
    assert later.state == "unchanged"
    assert {**dict.fromkeys(TEN[7:], "archived"), "d6": "missing"}.items() <= told(later).items()


def test_a_rejection_keeps_them_and_asks_no_more(run, portal, catalogue, source):
    catalogue.there = list(TEN)
    run(source)
    catalogue.there = TEN[:7]
    (hold,) = run(source).report.holds
    source["decisions"] = [
        {"kind": "deletes", "table": "", "fingerprint": hold["fingerprint"], "decision": "reject"}
    ]
    kept = run(source)
    assert (kept.state, kept.error) == ("unchanged", None)
    assert set(states(portal).values()) == {None}
    assert "stay as they are" in " ".join(kept.stage("fetch").messages)


def test_few_at_a_time_are_still_too_many(run, portal, catalogue, source):
    source["options"] = {"archive_runs": 100, "archive_days": 0}
    catalogue.there = list(TEN)
    run(source)
    for left in (9, 8):
        catalogue.there = TEN[:left]
        assert run(source).state == "unchanged"
    catalogue.there = TEN[:7]
    assert run(source).state == "held"


def test_a_catalogue_that_breaks_off_lets_nothing_go(run, portal, catalogue, source, httpserver):
    catalogue.there = list(TEN)
    run(source)
    httpserver.clear()
    httpserver.expect_request("/api/3/action/package_search").respond_with_data("{}")
    assert run(source).error.code == "catalogue_broken"
    assert set(states(portal).values()) == {None}


def test_a_dataset_whose_file_fails_is_still_there(run, portal, catalogue, source, httpserver):
    catalogue.there, catalogue.with_files = list(TEN), {"d2"}
    run(source)
    httpserver.expect_oneshot_request("/d2.csv").respond_with_data("", status=404)
    ran = run(source)
    assert told(ran)["d2"] == "failed"
    assert set(states(portal).values()) == {None}


def test_one_that_was_taken_out_of_the_portal_is_passed_over(run, portal, catalogue, source):
    catalogue.there = list(TEN)
    run(source)
    gone = next(key for key, one in portal.datasets.items() if one["title"] == "d3")
    del portal.datasets[gone]
    catalogue.there.remove("d3")
    assert run(source).error is None


def test_a_run_that_is_repeated_counts_once(room, source):
    room.presence.saw(source["id"], [("d1", "id-1", "d1"), ("d2", "id-2", "d2")])
    for _ in range(3):
        room.presence.missed(source["id"], ["d1"], [], "run-1")
    known = {one.identifier: one for one in room.presence.known(source["id"])}
    assert known["d1"].missing_runs == 1
    assert known["d1"].runs_missing("run-1") == 1
    assert known["d1"].runs_missing("run-2") == 2
    assert known["d2"].state == "present"


def test_a_dry_run_foresees_it_and_changes_nothing(run, room, portal, catalogue, source):
    catalogue.there, catalogue.with_files = list(TEN), {"d1"}
    run(source)
    before = room.presence.known(source["id"])
    ground = Ground(room.client, room.lake, room.portal, room.presence, patience=room.patience)
    catalogue.there = TEN[:9]
    report = Report()
    *files, foreseen = plan(Source.of(source), ground, report)
    assert report.stages["fetch"].counts["files"] == len(files)
    assert report.stages["fetch"].counts["bytes"] > 0
    # Datasets of links only have nothing to plan.
    assert [part["state"] for part in report.datasets()] == ["unchanged"] * 9
    assert {table.change for file in files for table in file.tables} == {"unchanged"}
    assert [one.identifier for one in foreseen.missing] == ["d9"]
    catalogue.there = TEN[:5]
    *_, foreseen = plan(Source.of(source), ground, Report())
    assert foreseen.hold is not None
    assert foreseen.hold.kind == holds.DELETES
    assert room.presence.known(source["id"]) == before
    assert set(states(portal).values()) == {None}


def test_nothing_known_and_nothing_seen_asks_nothing(room, source):
    found = foresee(Source.of(source), {}, [], "run", room.patience, datetime.now(UTC))
    assert (found.hold, found.missing, found.archived) == (None, [], [])
