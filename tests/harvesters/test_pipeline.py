"""A source from its bytes to the lake and the catalogue, on real parts."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from werkzeug import Request, Response

from harvesters import personal_rules
from harvesters.errors import (
    DatasetTaken,
    PortalUnavailable,
    RawNotKept,
    SourceAnsweredError,
    SourceInvalid,
    TooManyRejected,
)
from harvesters.pipeline import harvest
from harvesters.report import Report, problem
from harvesters.source import Source
from lake import rejected as rejected_rows
from lake.store import Lake
from tests.harvesters.conftest import rows, small_disk, types

CSV = "mã,tên,dân số\n00004,Ba Đình,100\n00008,Ngọc Hà,200\n"


def source_of(portal, url, kind="csv", **fields):
    fields = {"name": "phuong", "dataset": {"table": "planning_wards"}, **fields}
    return portal.add_source(kind=kind, url=url, **fields)


def test_a_source_becomes_a_version_and_a_dataset(run, serve, portal, lake):
    source = source_of(
        portal,
        serve(CSV),
        dataset={
            "table": "planning_wards",
            "title": "Phường Hà Nội",
            "groups": ["planning"],
            "tags": ["phường"],
            "access_tier": "open",
            "license_id": "CC-BY-4.0",
            "is_simulated": True,
        },
        options={"columns": {"dân số": {"unit": "người", "title_en": "Population"}}},
    )
    ran = run(source)
    assert ran.error is None
    assert ran.state == "published"
    assert [stage.state for stage in ran.report.stages.values()] == ["done"] * 6
    assert rows(lake, "planning_wards")[0] == {"mã": "00004", "tên": "Ba Đình", "dân số": 100}
    (dataset,) = portal.datasets.values()
    assert dataset["title"] == "Phường Hà Nội"
    assert dataset["owner_org"] == source["owner_org"]
    assert dataset["harvest_source"] == source["id"]
    assert dataset["groups"] == [{"name": "planning"}]
    assert dataset["is_simulated"] == "true"
    (resource,) = dataset["resources"]
    assert resource["lake_table"] == "planning_wards"
    assert resource["row_count"] == "2"
    assert resource["url"] == "https://gateway.example/v1/tables/planning_wards/download.csv"
    shares = dict.fromkeys(("completeness", "validity", "uniqueness"), 1.0)
    assert resource["quality"] == {**shares, "rejected_rows": 0}
    population = resource["columns"][2]
    assert population["ascii"] == "dan_so"
    assert population["unit"] == "người"
    assert population["title_en"] == "Population"
    assert resource["lake_version_at"].endswith("Z")
    assert source["url"] not in json.dumps(dataset)


def test_a_replay_reads_the_kept_bytes_without_asking_the_source(
    run, room, serve, portal, lake, httpserver
):
    source = source_of(portal, serve(CSV))
    assert run(source).state == "published"
    httpserver.clear()
    versions = lake.table("planning_wards").versions()
    lake_without = replace(room, lake=Lake(room.lake.root + "-lost"), replay=True)
    report = Report()
    harvest(Source.of(source), lake_without, report, "replayed")
    assert report.outcome == "published"
    assert rows(lake_without.lake, "planning_wards") == rows(lake, "planning_wards")
    assert lake.table("planning_wards").versions() == versions
    for kept in room.client.raw_dir.rglob("*"):
        if kept.is_file():
            kept.unlink()
    with pytest.raises(RawNotKept):
        harvest(Source.of(source), lake_without, Report(), "replayed-again")


def test_the_share_of_rows_that_repeat_no_other_is_told(run, serve, portal):
    run(source_of(portal, serve(f"{CSV}00008,Ngọc Hà,200\n00008,Ngọc Hà,\n")))
    (dataset,) = portal.datasets.values()
    assert dataset["resources"][0]["quality"]["uniqueness"] == 0.75


def test_same_bytes_twice_publish_one_version_and_register_once(run, serve, portal, lake):
    source = source_of(portal, serve(CSV))
    assert run(source).state == "published"
    again = run(source)
    assert again.state == "unchanged"
    assert again.stage("decode").state == "skipped"
    assert "unchanged" in " ".join(again.stage("fetch").messages)
    assert len(lake.table("planning_wards").versions()) == 1
    assert portal.counted("package_create") == 1
    assert portal.counted("package_update") == 0


def test_a_source_that_says_304_is_not_downloaded_again(run, httpserver, portal):
    answers = []

    def answer(request: Request) -> Response:
        known = request.headers.get("If-None-Match") == '"v1"'
        answers.append(304 if known else 200)
        return Response("" if known else CSV, status=answers[-1], headers={"ETag": '"v1"'})

    httpserver.expect_request("/etag.csv").respond_with_handler(answer)
    source = source_of(portal, httpserver.url_for("/etag.csv"))
    assert run(source).state == "published"
    assert run(source).state == "unchanged"
    assert answers == [200, 304]


def test_same_size_edit_is_a_new_version(run, serve, httpserver, portal, lake):
    source = source_of(portal, serve(CSV))
    run(source)
    httpserver.clear()
    serve(CSV.replace("200", "300"))
    assert run(source).state == "published"
    assert rows(lake, "planning_wards")[1]["dân số"] == 300
    assert len(lake.table("planning_wards").versions()) == 2
    (dataset,) = portal.datasets.values()
    assert dataset["resources"][0]["lake_version"] == "2"


def test_other_bytes_with_the_same_content_publish_nothing(run, serve, httpserver, portal, lake):
    source = source_of(portal, serve(CSV))
    run(source)
    httpserver.clear()
    serve(CSV.replace("\n", "\r\n"))
    again = run(source)
    assert again.state == "unchanged"
    assert "the same content" in " ".join(again.stage("publish").messages)
    assert len(lake.table("planning_wards").versions()) == 1


def test_changed_options_read_an_unchanged_file_anew(run, serve, portal, lake):
    source = source_of(portal, serve(CSV))
    run(source)
    source["options"] = {"columns": {"dân số": {"type": "decimal(21,2)"}}}
    assert run(source).state == "published"
    assert types(lake, "planning_wards")["dân số"] == "decimal(21,2)"


def test_changed_dataset_fields_reach_the_catalogue(run, serve, portal):
    source = source_of(portal, serve(CSV))
    run(source)
    source["dataset"] = {"table": "planning_wards", "title": "Tên mới"}
    run(source)
    (dataset,) = portal.datasets.values()
    assert dataset["title"] == "Tên mới"


def test_a_dataset_removed_from_the_portal_comes_back(run, serve, portal):
    source = source_of(portal, serve(CSV))
    run(source)
    portal.datasets.clear()
    run(source)
    assert len(portal.datasets) == 1


def test_what_officers_added_stays(run, serve, httpserver, portal):
    source = source_of(portal, serve(CSV))
    run(source)
    (dataset,) = portal.datasets.values()
    dataset["contact_name"] = "Chị Hoa"
    dataset["resources"].insert(0, {"id": "guide", "url": "https://x.example/guide.pdf"})
    httpserver.clear()
    serve(CSV + "00025,Giảng Võ,300\n")
    run(source)
    (dataset,) = portal.datasets.values()
    assert dataset["contact_name"] == "Chị Hoa"
    assert [resource.get("lake_table") for resource in dataset["resources"]] == [
        None,
        "planning_wards",
    ]


def test_a_crash_between_publish_and_register_heals(run, serve, portal, lake):
    source = source_of(portal, serve(CSV))

    def crash(_):
        raise ConnectionResetError

    portal.before["package_create"] = crash
    broken = run(source)
    assert isinstance(broken.error, PortalUnavailable)
    assert broken.error.passing
    assert broken.stage("register").state == "failed"
    assert len(lake.table("planning_wards").versions()) == 1
    del portal.before["package_create"]
    assert run(source).error is None
    assert len(lake.table("planning_wards").versions()) == 1
    assert len(portal.datasets) == 1


def test_a_dataset_of_somebody_else_is_left_alone(run, serve, portal):
    portal.datasets["x"] = {"id": "x", "name": "phuong", "title": "Của người khác", "resources": []}
    ran = run(source_of(portal, serve(CSV)))
    assert isinstance(ran.error, DatasetTaken)
    assert portal.datasets["x"]["title"] == "Của người khác"
    assert "source_id" not in problem(ran.error)


def test_two_sources_that_want_one_dataset_are_both_named(run, serve, portal):
    first = source_of(portal, serve(CSV))
    assert run(first).error is None
    ran = run(source_of(portal, serve(CSV, "/other.csv"), dataset={"table": "other"}))
    assert problem(ran.error)["source_id"] == first["id"]
    # The dataset of a catalogue says it, too.
    (part,) = ran.report.datasets()
    assert (part["state"], part["error"]["source_id"]) == ("failed", first["id"])


def test_bad_rows_are_kept_with_their_reason_and_the_good_ones_published(run, serve, portal, lake):
    lines = [f"{number},{number}" for number in range(1, 101)]
    lines[9] = "10, chín "
    lines[14] = "15, N/A"
    lines[19] = "20,1,2,3"
    source = source_of(
        portal,
        serve("id,value\n" + "\n".join(lines) + "\n"),
        options={"columns": {"value": {"type": "int64", "maximum": 99, "required": True}}},
    )
    ran = run(source)
    assert ran.error is None
    assert len(rows(lake, "planning_wards")) == 96
    found = {(row["row"], row["reason_code"]): row["value"] for row in ran.report.rejected}
    assert found == {
        (11, "type_mismatch"): "chín",
        (16, "required"): "N/A",
        (21, "ragged_row"): "20,1,2,3",
        (101, "above_maximum"): "100",
    }
    kept = rejected_rows.read(lake, "planning_wards", "run-1")
    assert {(row.row, row.value) for row in kept} == {(at, text) for (at, _), text in found.items()}
    assert ran.report.tables[0]["rejected_count"] == 4


def test_over_the_threshold_nothing_is_published(run, serve, httpserver, portal, lake):
    source = source_of(portal, serve("id,value\n1,10\n2,20\n"))
    source["options"] = {"columns": {"value": {"type": "int64"}}}
    run(source)
    httpserver.clear()
    serve("id,value\n1,mười\n2,30\n")
    ran = run(source)
    assert isinstance(ran.error, TooManyRejected)
    assert ran.report.rejected[0]["value"] == "mười"
    assert [row["value"] for row in rows(lake, "planning_wards")] == [10, 20]


def test_an_empty_answer_never_replaces_data(run, serve, httpserver, portal, lake):
    source = source_of(portal, serve(CSV))
    run(source)
    httpserver.clear()
    serve("mã,tên,dân số\n")
    ran = run(source)
    assert ran.error.code == "table_empty"
    assert len(rows(lake, "planning_wards")) == 2


@pytest.mark.parametrize(("status", "passing"), [(404, False), (403, False), (503, True)])
def test_a_status_that_may_pass_says_so(run, httpserver, portal, status, passing):
    httpserver.expect_request("/x.csv").respond_with_data("", status=status)
    ran = run(source_of(portal, httpserver.url_for("/x.csv")))
    assert isinstance(ran.error, SourceAnsweredError)
    assert ran.error.passing is passing


def test_options_that_cannot_be_are_named(run, serve, portal):
    ran = run(source_of(portal, serve(CSV), options={"delimeter": ";"}))
    assert isinstance(ran.error, SourceInvalid)
    assert "delimeter" in ran.error.detail


def test_the_run_is_the_request_id_of_the_portal_calls(run, serve, portal):
    from lake import logs

    with logs.request("run-7"):
        run(source_of(portal, serve(CSV)))
    assert portal.request_ids == {"run-7"}


def test_a_full_disk_is_no_fault_of_the_source(run, serve, portal, lake):
    source = source_of(portal, serve(CSV + "00009,Láng,300\n" * 10_000))
    with small_disk():
        ran = run(source)
    assert (ran.error.code, ran.error.passing) == ("lake_failed", True)
    assert "File too large" in ran.error.detail
    assert not lake.tables()


def test_a_lake_that_can_not_be_written_is_tried_again(run, serve, portal, lake):
    # A file stands where the tables would be.
    Path(lake.root).mkdir()
    Path(lake.root, "tables").touch()
    ran = run(source_of(portal, serve(CSV)))
    assert (ran.error.code, ran.error.passing) == ("lake_failed", True)
    assert lake.root not in ran.error.detail
    assert not portal.datasets


def test_signs_that_a_file_does_not_tell_are_those_of_the_version_before(
    run, serve, portal, lake, httpserver
):
    source = source_of(portal, serve("ngày;giá\n11/30/2025;1.234,5\n11/02/2025;2.000\n", "/11.csv"))
    assert run(source).state == "published"
    content = "ngày;giá\n12/01/2025;1.250\n12/02/2025;2.000\n"
    httpserver.clear()
    serve(content, "/11.csv")
    # The file of the next month has an address of its own.
    for url in (source["url"], serve(content.replace("2.000", "3.000"), "/12.csv")):
        source["url"] = url
        ran = run(source)
        assert ran.state == "published"
        assert [str(row["ngày"]) for row in rows(lake, "planning_wards")] == [
            "2025-12-01",
            "2025-12-02",
        ]
        assert rows(lake, "planning_wards")[0]["giá"] == 1250
        assert "read as mdy, as in the version before" in " ".join(ran.stage("normalise").messages)


def test_a_table_that_the_source_has_no_longer_says_so(run, serve, portal, httpserver):
    def archive(**files: str) -> bytes:
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as packed:
            for name, text in files.items():
                packed.writestr(f"{name}.csv", text)
        return content.getvalue()

    def states() -> dict[str, str]:
        (dataset,) = portal.datasets.values()
        return {one["lake_table"]: one.get("harvest_state") or "" for one in dataset["resources"]}

    source = source_of(portal, serve(archive(a=CSV, b=CSV), "/a.zip"), kind="archive")
    assert run(source).state == "published"
    httpserver.clear()
    serve(archive(a=CSV), "/a.zip")
    ran = run(source)
    assert states() == {
        **{"planning_wards_a": "missing", "planning_wards_b": "missing"},
        "planning_wards": "",
    }
    said = " ".join(ran.stage("register").messages)
    assert "planning_wards_b: the source has this table no longer" in said
    httpserver.clear()
    serve(archive(a=CSV, b=CSV), "/a.zip")
    assert run(source).error is None
    assert states() == {
        **{"planning_wards_a": "", "planning_wards_b": ""},
        "planning_wards": "missing",
    }


def test_the_marks_of_sums_stay_a_column_in_a_month_without_sums(
    run, serve, portal, lake, httpserver
):
    plain = "tên,số\na,1\nb,2\n"
    source = source_of(portal, serve(f"{plain}Tổng cộng,3\n"))
    assert run(source).state == "published"
    httpserver.clear()
    serve(plain)
    assert run(source).state == "published"
    assert [row["row_kind"] for row in rows(lake, "planning_wards")] == ["row", "row"]


def test_new_rules_for_personal_data_look_at_files_that_are_unchanged(
    run, serve, portal, monkeypatch
):
    source = source_of(portal, serve(CSV))
    run(source)
    assert not run(source).stage("validate").counts
    newer = replace(personal_rules.latest(), date="2099-01-01")
    monkeypatch.setattr(personal_rules, "latest", lambda: newer)
    assert run(source).stage("validate").counts["accepted"] == 2
