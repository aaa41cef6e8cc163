"""What a run tells of its datasets, and a source of those who want its table."""

from __future__ import annotations

import pytest
from ckan.tests.helpers import call_action
from ckanext.hanoiic.console import report
from console_scene import make_source


@pytest.fixture
def source(department):
    return make_source(department)


def test_a_source_shows_who_wants_its_table(source, department):
    other = make_source(department, "khac")
    run = call_action("hanoiic_source_run", id=other["id"])
    error = {"code": "table_taken", "detail": "Bảng đã có chủ.", "source_id": source["id"]}
    call_action("hanoiic_run_update", id=run["id"], state="refused", error=error)
    [conflict] = call_action("hanoiic_source_show", id=source["id"])["conflicts"]
    assert (conflict["title"], conflict["code"]) == ("Nguồn khac", "table_taken")
    again = call_action("hanoiic_source_run", id=other["id"])
    call_action("hanoiic_run_update", id=again["id"], state="published")
    assert call_action("hanoiic_source_show", id=source["id"])["conflicts"] == []


def test_datasets_of_a_catalogue_join_by_identifier(source):
    run = call_action("hanoiic_source_run", id=source["id"])
    first = {"identifier": "x", "state": "failed", "error": {"code": "source_unreachable"}}
    stages = {"fetch": {"duration_s": 1.5, "counts": {"bytes": 7}}}
    second = {"identifier": "x", "state": "published", "stages": stages, "error": None}
    for said in (first, second):
        shown = call_action("hanoiic_run_update", id=run["id"], datasets=[said])
    assert shown["datasets"] == [second]


def test_of_too_many_datasets_those_that_need_somebody_stay():
    many = [{"identifier": f"u{n}", "state": "unchanged"} for n in range(report.DATASETS_KEPT)]
    kept = report.merge_datasets([], many)
    later = [{"identifier": "p", "state": "published"}, {"identifier": "f", "state": "failed"}]
    merged = report.merge_datasets(kept, [*later, {"identifier": "o", "state": "odd"}])
    assert len(merged) == report.DATASETS_KEPT
    assert [one["identifier"] for one in merged[:3]] == ["f", "p", "u0"]
