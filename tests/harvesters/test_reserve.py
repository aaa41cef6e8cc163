"""Nothing is written over a table of somebody else."""

from __future__ import annotations

import json

from harvesters.cli import main
from harvesters.errors import PortalRefused, TableTaken
from harvesters.report import problem
from tests.harvesters.conftest import rows
from tests.harvesters.fake_portal import invalid

CSV = "id,name\n1,theirs\n"


def source_of(portal, url, name, **fields):
    return portal.add_source(
        kind="csv", url=url, name=name, dataset={"table": "bus_stops"}, **fields
    )


def test_a_table_of_another_source_is_refused_before_anything_is_published(
    run, serve, portal, lake
):
    owner = source_of(portal, serve(CSV), "owner")
    assert run(owner).state == "published"
    thief = source_of(portal, serve("id,name\n1,mine\n", "/mine.csv"), "thief")
    ran = run(thief)
    assert isinstance(ran.error, TableTaken)
    facts = {"table": "bus_stops", "source_id": owner["id"]}
    assert (ran.error.code, ran.error.facts) == ("table_taken", facts)
    assert problem(ran.error)["source_id"] == owner["id"]
    assert "bus_stops" in ran.error.detail
    assert ran.stage("publish").state == "failed"
    assert rows(lake, "bus_stops") == [{"id": 1, "name": "theirs"}]
    assert len(lake.table("bus_stops").versions()) == 1
    assert portal.counted("package_create") == 1


def test_a_run_by_hand_is_refused_too(
    serve, portal, lake, settings_home, empty_queue, monkeypatch, capsys
):
    monkeypatch.setenv("HANOIIC_HOME", str(settings_home))
    portal.reserved["bus_stops"] = "somebody else"
    source_of(portal, serve(CSV), "thief")
    assert main(["run", "thief"]) == 3
    assert "table_taken: The table bus_stops" in capsys.readouterr().err
    (told,) = portal.runs.values()
    assert (told["state"], told["error"]["code"]) == ("refused", "table_taken")
    assert "bus_stops" in json.dumps(told["error"])
    assert lake.tables() == []


def test_every_other_refusal_stops_the_run_as_well(run, serve, portal, lake):
    def refuse(_data):
        raise invalid(source_id=["Missing value"])

    portal.before["hanoiic_tables_reserve"] = refuse
    ran = run(source_of(portal, serve(CSV), "owner"))
    assert type(ran.error) is PortalRefused
    assert lake.tables() == []
