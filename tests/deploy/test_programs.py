"""What the children of the supervisor are started with."""

from __future__ import annotations

from pathlib import Path

from deploy.home import Home
from deploy.programs import Plan
from deploy.settings import Settings, handed_on


def plan(**environ: str) -> Plan:
    ports = {"flight": 4100, "departments": 4101}
    rooms = handed_on({"PATH": "/bin", "AWS_REGION": "hn-1", **environ})
    return Plan(Settings(), Home(Path("/srv/home")), ports, None, None, False, rooms)


def test_settings_of_the_rooms_are_handed_on_to_them():
    made = {
        program.name: program.environment
        for program in plan(
            HANOIIC_GATEWAY_TRUSTED_PROXIES="10.0.0.1",
            HANOIIC_HARVEST_RUN_GIB="5",
            HANOIIC_FLIGHT_PORT="8815",
        ).programs()
    }
    for name in ("gateway", "flight"):
        assert made[name]["HANOIIC_GATEWAY_TRUSTED_PROXIES"] == "10.0.0.1"
        assert made[name]["HANOIIC_LAKE_ROOT"] == "/srv/home/lake"
        assert "HANOIIC_HARVEST_RUN_GIB" not in made[name]
    assert made["flight"]["HANOIIC_FLIGHT_PORT"] == "8815"
    assert made["harvest"]["HANOIIC_HARVEST_RUN_GIB"] == "5"
    assert not any("AWS_REGION" in environment for environment in made.values())


def test_a_lake_on_s3_comes_with_its_address_for_those_who_read_it():
    made = plan(HANOIIC_LAKE_ROOT="s3://lake/hanoi")
    rooms = {"gateway", "flight", "harvest"}
    for program in made.programs():
        known = {"HANOIIC_LAKE_ROOT", "AWS_REGION"} <= program.environment.keys()
        assert known is (program.name in rooms)


def test_no_header_of_a_request_is_its_path_and_none_that_is_half_there_holds_a_thread():
    made = {program.name: program.command for program in plan().programs()}
    for name in ("portal", "gateway"):
        assert made[name][made[name].index("--forwarder-headers") + 1] == ""
        assert made[name][made[name].index("--worker-class") + 1] == "api_gateway.serving.Worker"


def test_what_is_told_of_flight_sql_is_where_it_listens():
    assert plan().flight_port == "4100"
    assert plan(HANOIIC_FLIGHT_PORT="8815").flight_port == "8815"
