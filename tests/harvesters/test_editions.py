"""The harvest worker writes what offers let be seen: with a run, and between runs."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from harvesters import editions
from harvesters.portal import Portal
from harvesters.upkeep import Keep, tend
from lake import edition
from tests.harvesters.fake_portal import TOKEN
from tests.harvesters.test_worker import worker
from tests.servers import wait_for

CSV = "ward_code,name\n00070,Hoàn Kiếm\n00256,Hai Bà Trưng\n"
MORE = CSV + "00364,Hà Đông\n"
SPEC = {
    "columns": ["ward_code", "name"],
    "masks": {"name": {"kind": "truncate", "length": 2}},
    "where": [],
    "sample": None,
    "salt_id": None,
}


def wanted(**more) -> dict:
    return {
        "edition": "e1",
        "table": "t",
        "spec": SPEC,
        "salt": None,
        "state": "wanted",
        "written_version": None,
        "failed_version": None,
        **more,
    }


@pytest.fixture
def harvested(portal, serve, run):
    """Harvest a text into table `t`; the run went well."""
    sources: list[dict] = []

    def harvest(text: str) -> None:
        url = serve(text, f"/{hash(text)}.csv")
        if not sources:
            fields = {"name": "s", "kind": "csv", "dataset": {"table": "t"}}
            sources.append(portal.add_source(url=url, **fields))
        sources[0]["url"] = url
        assert run(sources[0]).error is None

    return harvest


def test_a_run_writes_the_wanted_editions_before_it_is_registered(portal, harvested, lake):
    portal.editions.append(wanted())
    seen: list[list[int]] = []
    portal.before["package_create"] = lambda _: seen.append(edition.versions(lake, "t", "e1"))
    harvested(CSV)
    assert seen == [[1]]
    assert portal.edition_reports == [
        {"edition": "e1", "table": "t", "version": 1, "state": "written"}
    ]
    (file,) = edition.files(lake, "t", 1, "e1")
    assert pq.read_table(file).column("name").to_pylist() == ["Ho", "Ha"]
    # The same content makes no version, and nothing is left to write.
    harvested(CSV)
    assert len(portal.edition_reports) == 1
    harvested(MORE)
    assert edition.versions(lake, "t", "e1") == [2, 1]


def test_an_edition_that_fails_stops_no_run_and_is_told_to_its_officers(portal, harvested, lake):
    portal.editions.append(wanted(spec=SPEC | {"columns": ["gone"]}))
    harvested(CSV)
    (report,) = portal.edition_reports
    assert (report["state"], report["version"]) == ("failed", 1)
    assert "gone" in report["error"]
    assert edition.versions(lake, "t", "e1") == []
    # It is tried again with the next version only.
    assert editions.write_wanted(Portal(portal.url, TOKEN), lake).failures == ()
    harvested(MORE)
    assert [one["version"] for one in portal.edition_reports] == [1, 2]


def test_an_edition_that_breaks_keeps_no_other_one_from_being_written(portal, harvested, lake):
    harvested(CSV)
    blocked = wanted(edition="e0")
    portal.editions += [blocked, wanted()]
    # A folder stands where its file would be.
    Path(lake.root, "editions/t/e0/1.parquet").mkdir(parents=True)
    with pytest.raises(IsADirectoryError):
        editions.write_wanted(Portal(portal.url, TOKEN), lake)
    assert edition.versions(lake, "t", "e1") == [1]
    assert [one["edition"] for one in portal.edition_reports] == ["e1"]


def test_what_becomes_wanted_between_runs_is_written_once(portal, harvested, lake):
    harvested(CSV)
    asking = Portal(portal.url, TOKEN)
    portal.editions += [
        wanted(),
        wanted(edition="e2", spec=SPEC | {"masks": {"name": {"kind": "hash"}}}, salt="ab" * 32),
        wanted(edition="e3", table="never_published"),
    ]
    assert editions.write_wanted(asking, lake).written == 2
    assert editions.write_wanted(asking, lake).written == 0
    # A file that went with an upkeep in between comes back.
    edition.vacuum(lake, "t", {"e2"})
    assert editions.write_wanted(asking, lake).written == 1
    assert edition.versions(lake, "t", "e1") == [1]
    (file,) = edition.files(lake, "t", 1, "e2")
    assert {len(value) for value in pq.read_table(file).column("name").to_pylist()} == {64}


def test_versions_that_an_offer_keeps_are_written_as_well(portal, harvested, lake):
    for text in (CSV, MORE):
        harvested(text)
    portal.editions.append(wanted(pinned_versions=[1, 9]))
    asking = Portal(portal.url, TOKEN)
    assert editions.write_wanted(asking, lake).written == 1
    assert edition.versions(lake, "t", "e1") == [2, 1]
    # The newest one alone is what the portal hears of, and nothing is written twice.
    assert [one["version"] for one in portal.edition_reports] == [2]
    (file,) = edition.files(lake, "t", 1, "e1")
    before = Path(file).stat().st_mtime_ns
    assert editions.write_wanted(asking, lake).written == 0
    assert Path(file).stat().st_mtime_ns == before


def test_an_officers_look_is_what_would_be_written(portal, harvested, lake):
    harvested(CSV)
    portal.edition_previews["p"] = {"id": "p", "table": "t", "spec": SPEC, "state": "requested"}
    bad = {"id": "q", "table": "t", "spec": SPEC | {"columns": ["gone"]}, "state": "requested"}
    portal.edition_previews["q"] = bad
    assert editions.answer_previews(Portal(portal.url, TOKEN), lake) == 2
    looked = portal.edition_previews["p"]
    assert looked["state"] == "ready"
    assert looked["result"]["rows"] == [["00070", "Ho"], ["00256", "Ha"]]
    assert [column["name"] for column in looked["result"]["columns"]] == ["ward_code", "name"]
    assert portal.edition_previews["q"]["result"]["error"]["code"] == "edition_spec_invalid"
    assert not edition.versions(lake, "t", "e1")


@pytest.mark.usefixtures("empty_queue")
def test_the_worker_writes_them_by_itself(settings_home, portal, harvested, lake, tmp_path):

    harvested(CSV)
    portal.editions.append(wanted())
    with worker(settings_home, tmp_path / "worker.log"):
        wait_for(lambda: portal.edition_reports, "the edition", 90)
    assert edition.versions(lake, "t", "e1") == [1]


def test_upkeep_keeps_pinned_versions_and_their_editions(portal, harvested, lake, room):
    portal.editions.append(wanted())
    for text in (CSV, MORE, CSV):
        harvested(text)
    tend(lake, room.receipts, room.client.raw_dir, Keep(version_days=0), {"t": [1]}, {"e1"})
    assert [version.number for version in lake.table("t").versions()][-1] == 1
    assert 1 in edition.versions(lake, "t", "e1")
    assert 2 not in edition.versions(lake, "t", "e1")
    tend(lake, room.receipts, room.client.raw_dir, Keep(), {}, set())
    assert edition.versions(lake, "t", "e1") == []
