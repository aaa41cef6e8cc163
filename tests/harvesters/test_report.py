"""What a report tells of a catalogue's datasets when there are many."""

from __future__ import annotations

import pytest

from harvesters.errors import DataRefused
from harvesters.passages import DatasetPart
from harvesters.report import SHOWN_DATASETS, SHOWN_UNCHANGED, Report


def told(report: Report, state: str, count: int) -> None:
    for number in range(count):
        report.add_dataset(DatasetPart(f"{state}-{number}", f"{state}-{number}", state))


def test_failures_after_a_thousand_others_are_told_first():
    report = Report()
    told(report, "unchanged", 1_000)
    told(report, "published", SHOWN_DATASETS + 5)
    told(report, "failed", 300)
    told(report, "held", 2)
    shown = report.datasets()
    assert [part["state"] for part in shown[:302]] == ["failed"] * 300 + ["held"] * 2
    assert {part["state"] for part in shown[302:]} == {"published"}
    assert len(shown) == SHOWN_DATASETS
    assert [part["identifier"] for part in report.datasets(most=2)] == ["failed-0", "failed-1"]
    counts = report.stages["register"].counts
    assert counts["datasets_failed"] == 300
    assert counts["datasets_published"] == SHOWN_DATASETS + 5
    assert counts["datasets_unchanged"] == 1_000


def test_only_unchanged_datasets_are_left_out_while_there_is_room():
    report = Report()
    told(report, "unchanged", 1_000)
    told(report, "published", 1_000)
    told(report, "refused", 300)
    states = [part["state"] for part in report.datasets()]
    assert states == ["refused"] * 300 + ["published"] * 1_000 + ["unchanged"] * SHOWN_UNCHANGED


def test_a_dataset_told_of_twice_counts_once_however_many_there_are():
    report = Report()
    told(report, "unchanged", SHOWN_UNCHANGED + 10)
    for number in (0, SHOWN_UNCHANGED + 9):
        report.add_dataset(DatasetPart(f"unchanged-{number}", "d", "restored"))
    counts = report.stages["register"].counts
    assert counts["datasets_unchanged"] == SHOWN_UNCHANGED + 8
    assert counts["datasets_restored"] == 2
    identifiers = [part["identifier"] for part in report.datasets()]
    assert len(set(identifiers)) == len(identifiers)


def test_the_stages_of_another_report_are_added_and_are_the_datasets_too():
    report, other = Report(), Report()
    with other.stage("fetch") as stage:
        stage.count(bytes=7)
        stage.say("a")
    with pytest.raises(DataRefused), other.stage("decode"):
        raise DataRefused("b")
    with report.dataset("x", "x") as part:
        report.include(other)
        report.include(other)
    assert report.stages["fetch"].counts == part.stages["fetch"]["counts"] == {"bytes": 14}
    assert report.stages["fetch"].messages == ["a", "a"]
    assert [stage.state for stage in report.stages.values()][:3] == ["done", "failed", "pending"]
    assert set(part.stages) == {"fetch", "decode"}
