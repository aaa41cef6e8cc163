"""SensorThings from a service that answers as OGC 18-088 says, into the lake."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from types import FunctionType
from typing import Any

import pytest
from werkzeug import Request, Response

from harvesters import pages
from harvesters.connectors import sensorthings_news
from tests.harvesters.conftest import rows, types

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
_MEASUREMENT = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement"
_POINT = {"type": "Point", "coordinates": [105.85, 21.03]}


def moment(hours: int) -> str:
    return (BEGIN + timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def datastream(number: int, measured: str, unit: str, **other: Any) -> dict[str, Any]:
    return {
        "@iot.id": number,
        "name": f"{measured} ở trạm {number}",
        "description": "mỗi giờ",
        "observationType": _MEASUREMENT,
        "unitOfMeasurement": {"name": unit, "symbol": unit, "definition": f"ucum:{unit}"},
        "Thing": {
            "@iot.id": 7,
            "name": "Trạm Hoàn Kiếm",
            "description": "quan trắc",
            "properties": {"mã": "007"},
            "Locations": [
                {"name": "Bờ Hồ", "encodingType": "application/geo+json", "location": _POINT}
            ],
        },
        "Sensor": {"@iot.id": 1, "name": "BAM-1020", "description": "beta"},
        "ObservedProperty": {"@iot.id": 10 + number, "name": measured, "definition": "urn:x"},
        **other,
    }


class Service:
    """Datastreams with their observations (time, result) by their ids, `most` entities a page."""

    def __init__(self, root: str) -> None:
        self.root, self.most = root, 4
        self.streams = [datastream(1, "PM2.5", "µg/m³"), datastream(2, "Nhiệt độ", "°C")]
        self.observations = {1: [observation(n, n, n + 0.5) for n in range(10)], 2: []}
        self.asked: list[Request] = []
        self.with_count = self.with_reach = True
        self.answers: dict[str, Any] = {}
        self.before: Any = None

    def __call__(self, request: Request) -> Response:
        self.asked.append(request)
        if self.before:
            self.before(request)
        path = request.path.removeprefix("/frost/v1.1").strip("/")
        args = dict(request.args)
        if path in self.answers:
            given = self.answers[path]
            found = given(args) if isinstance(given, FunctionType) else given
        elif match := re.fullmatch(r"Datastreams\((\d+)\)/Observations", path):
            found = self._page(path, args, self._observed(int(match[1]), args))
        elif path in ("Datastreams", "Things(7)/Datastreams"):
            found = self._page(path, args, self._listed(args))
        else:
            found = {"value": [{"name": "Datastreams", "url": f"{self.root}/Datastreams"}]}
        if isinstance(found, Response):
            return found
        return Response(json.dumps(found), content_type="application/json")

    def _listed(self, args: dict[str, str]) -> list[dict[str, Any]]:
        found = self.streams
        if only := re.fullmatch(r"id eq (\d+)", args.get("$filter", "")):
            found = [each for each in found if each["@iot.id"] == int(only[1])]
        return [{**each, **self._reach(each["@iot.id"])} for each in found]

    def _reach(self, number: int) -> dict[str, str]:
        times = sorted(each["phenomenonTime"] for each in self.observations[number])
        if not times or not self.with_reach:
            return {}
        return {"phenomenonTime": f"{times[0]}/{times[-1]}"}

    def _observed(self, number: int, args: dict[str, str]) -> list[dict[str, Any]]:
        found = sorted(self.observations[number], key=lambda each: each["phenomenonTime"])
        if since := re.fullmatch(r"phenomenonTime ge (\S+)", args.get("$filter", "")):
            begin = datetime.fromisoformat(since[1])
            found = [
                each for each in found if datetime.fromisoformat(each["phenomenonTime"]) >= begin
            ]
        return found

    def _page(self, path: str, args: dict[str, str], found: list[Any]) -> dict[str, Any]:
        start, top = int(args.get("$skip", 0)), int(args.get("$top", 100))
        end = start + min(top, self.most)
        page: dict[str, Any] = {}
        if self.with_count and args.get("$count") == "true":
            page["@iot.count"] = len(found)
        if end < len(found) and top:
            page["@iot.nextLink"] = pages.with_query(
                f"{self.root}/{path}", **{**args, "$skip": end}
            )
        return {**page, "value": found[start:end]}

    def queries(self, path: str) -> list[dict[str, str]]:
        """What the rows were asked for with."""
        return [
            dict(each.args)
            for each in self.asked
            if each.path.endswith(path) and each.args.get("$top") != "0"
        ]


def observation(number: int, hours: int, result: Any) -> dict[str, Any]:
    return {
        "@iot.id": number,
        "phenomenonTime": moment(hours),
        "resultTime": None,
        "result": result,
        "parameters": {},
    }


@pytest.fixture
def service(httpserver) -> Service:
    service = Service(httpserver.url_for("/frost/v1.1"))
    httpserver.expect_request(re.compile(r"/frost/v1.1(/.*)?$")).respond_with_handler(service)
    return service


@pytest.fixture
def got(taken, service):
    return lambda path="", **options: taken("sensorthings", url=service.root + path, **options)


@pytest.fixture
def harvested(portal, run, service):
    service.most = 60
    source = portal.add_source(
        name="cam-bien",
        kind="sensorthings",
        url=service.root,
        dataset={"table": "t", "access_tier": "open"},
    )
    return lambda: run(source)


def test_observations_are_a_table_of_their_property_in_its_unit(got, service, lake):
    service.observations[2] = [observation(50, 1, 28.4)]
    assert got().error is None
    assert sorted(lake.tables()) == ["t_datastreams", "t_nhiet_do", "t_pm2_5"]
    found = rows(lake, "t_pm2_5")
    assert [row["result"] for row in found] == [n + 0.5 for n in range(10)]
    assert found[1]["phenomenon_time"] == BEGIN + timedelta(hours=1)
    assert (found[0]["id"], found[0]["datastream_id"], found[0]["thing"]) == (
        *("0", "1", "Trạm Hoàn Kiếm"),
    )
    columns = {column.name: column for column in lake.table("t_pm2_5").columns(1)}
    assert (columns["result"].type, columns["result"].unit) == ("float64", "µg/m³")
    assert columns["result"].description == "PM2.5"
    assert types(lake, "t_pm2_5")["phenomenon_time"] == "timestamp"


def test_datastreams_are_a_table_with_their_places(got, lake):
    assert got().error is None
    first = rows(lake, "t_datastreams")[0]
    assert (first["lon"], first["lat"], first["location"]) == (105.85, 21.03, "Bờ Hồ")
    assert (first["unit"], first["sensor"], first["thing_properties"]) == (
        *("µg/m³", "BAM-1020", '{"mã":"007"}'),
    )


def test_a_property_without_observations_is_no_table(got, lake):
    assert got().error is None
    assert sorted(lake.tables()) == ["t_datastreams", "t_pm2_5"]


def test_stations_with_properties_of_their_own_share_a_table_by_name_and_unit(got, service, lake):
    service.streams = [
        datastream(1, "PM2.5", "µg/m³"),
        datastream(2, "pm2.5", "µg/m³"),
        datastream(3, "PM2.5", "mg/m³"),
    ]
    service.observations = {n: [observation(n, n, 1.0)] for n in (1, 2, 3)}
    assert got().error is None
    assert len(rows(lake, "t_pm2_5")) == 2
    assert len(rows(lake, "t_pm2_5_mg_m3")) == 1


@pytest.mark.parametrize(
    ("path", "filtered"),
    [
        ("/", None),
        ("/Datastreams", None),
        ("/Datastreams(1)", "id eq 1"),
        ("/Things(7)", None),
        ("/Things(7)/Datastreams?$filter=id eq 1", "id eq 1"),
    ],
)
def test_the_address_says_which_datastreams_are_meant(got, service, lake, path, filtered):
    assert got(path).error is None
    assert service.asked[0].args.get("$filter") == filtered
    assert "t_pm2_5" in lake.tables()


def test_results_that_are_no_measurements_keep_their_type(got, service, lake):
    category = _MEASUREMENT.replace("OM_Measurement", "OM_CategoryObservation")
    none = {"name": None, "symbol": "", "definition": None}
    service.streams = [datastream(1, "Mức", "", observationType=category, unitOfMeasurement=none)]
    service.observations[1] = [observation(1, 1, "007"), observation(2, 2, "đỏ")]
    assert got().error is None
    assert [row["result"] for row in rows(lake, "t_muc")] == ["007", "đỏ"]


def test_intervals_have_an_end(got, service, lake):
    service.observations[1] = [
        {**observation(1, 1, 2.5), "phenomenonTime": f"{moment(0)}/{moment(1)}"}
    ]
    assert got().error is None
    (row,) = rows(lake, "t_pm2_5")
    assert row["phenomenon_time_end"] - row["phenomenon_time"] == timedelta(hours=1)


def test_a_run_asks_for_the_last_day_and_what_came_since(harvested, service, lake):
    service.observations[1] = [observation(n, n, float(n)) for n in range(100)]
    assert harvested().state == "published"
    service.asked.clear()
    assert harvested().state == "unchanged"
    assert service.queries("(1)/Observations") == []

    service.observations[1].append(observation(100, 100, 99.5))
    service.observations[1][99]["result"] = -1.0
    assert harvested().state == "published"
    (asked,) = service.queries("(1)/Observations")
    assert asked["$filter"] == "phenomenonTime ge 2026-03-04T03:00:00Z"
    found = [row["result"] for row in rows(lake, "t_pm2_5")]
    assert len(found) == 101
    assert found[-2:] == [-1.0, 99.5]


@pytest.mark.parametrize("with_reach", [True, False])
def test_what_came_late_or_went_is_seen_by_the_count(harvested, service, lake, with_reach):
    service.with_reach = with_reach
    service.observations[1] = [observation(n, n, float(n)) for n in range(100)]
    assert harvested().state == "published"
    service.observations[1][3:4] = [observation(200, 3, 3.0), observation(201, 4, 3.5)]
    service.observations[1].append(observation(202, 101, 1.0))
    assert harvested().state == "published"
    del service.observations[1][10]
    service.observations[1].append(observation(203, 102, 1.0))
    assert harvested().state == "published"
    expected = {str(each["@iot.id"]) for each in service.observations[1]}
    assert {row["id"] for row in rows(lake, "t_pm2_5")} == expected


def test_once_a_week_all_are_asked_for(harvested, service, lake, monkeypatch):
    service.observations[1] = [observation(n, n, float(n)) for n in range(100)]
    assert harvested().state == "published"
    service.observations[1][3]["result"] = -7.0
    assert harvested().state == "unchanged"
    monkeypatch.setattr(sensorthings_news, "ALL_AFTER_S", -1)
    assert harvested().state == "published"
    assert rows(lake, "t_pm2_5")[3]["result"] == -7.0


def test_a_datastream_that_is_gone_takes_its_rows_along(harvested, service, lake):
    service.streams.append(datastream(3, "PM2.5", "µg/m³"))
    service.observations[3] = [observation(300, 1, 1.0)]
    assert harvested().state == "published"
    service.streams.pop(0)
    service.asked.clear()
    assert harvested().state == "published"
    assert [row["id"] for row in rows(lake, "t_pm2_5")] == ["300"]
    assert service.queries("(3)/Observations") == []


def test_pages_that_did_not_change_are_not_sent_again(harvested, service):
    statuses: list[int] = []

    def conditional(args: dict[str, str]) -> Response:
        answer = Response(json.dumps({"value": [service.streams[0]]}))
        answer.set_etag("1")
        answer.make_conditional(service.asked[-1])
        statuses.append(answer.status_code)
        return answer

    service.answers["Datastreams"] = conditional
    assert harvested().state == "published"
    assert harvested().state == "unchanged"
    assert statuses == [200, 304]


def test_a_service_that_counts_nothing_is_read_all_the_same(got, service, lake):
    service.with_count = False
    assert got().error is None
    assert len(rows(lake, "t_pm2_5")) == 10


def test_rows_that_move_to_the_next_page_meanwhile_come_once(got, service, lake):
    def arrive(request: Request) -> None:
        if request.args.get("$skip") == "4" and len(service.observations[1]) == 10:
            service.observations[1].insert(0, observation(99, -5, 0.1))

    service.before = arrive
    got()
    found = [row["id"] for row in rows(lake, "t_pm2_5")]
    assert sorted(found, key=int) == [*map(str, range(10))]


@pytest.mark.parametrize(
    ("answers", "path", "code", "words"),
    [
        ({}, "/Locations", "source_invalid", "one of its Things"),
        ({"Datastreams": {"value": []}}, "", "part_not_found", "no datastreams"),
        ({"Datastreams": {"code": 400, "message": "bad $filter"}}, "", "api_refused", "bad"),
        ({"Datastreams": [1]}, "", "api_refused", "no list"),
        ({"Datastreams": {"value": [3]}}, "", "api_refused", "describe"),
        ({"Datastreams": {"value": [{"@iot.id": [1], "name": "x"}]}}, "", "api_refused", "desc"),
        (
            {"Datastreams": {"value": [], "@iot.nextLink": "http://other.test/"}},
            *("", "pages_broken", "another host"),
        ),
        (
            {"Datastreams": {"value": [datastream(1, "a", "m")], "@iot.nextLink": 3}},
            *("", "api_refused", "no address"),
        ),
        (
            {"Datastreams(1)/Observations": {"value": [{"@iot.id": 1}]}},
            *("", "api_refused", "no observations"),
        ),
        (
            {"Datastreams(1)/Observations": {"value": [], "@iot.count": 3}},
            *("", "pages_broken", "has 3 observations and gave 0"),
        ),
        (
            {
                "Datastreams(1)/Observations": lambda args: {
                    "value": [observation(1, 1, 1.0)],
                    "@iot.nextLink": f"Observations?$skip={int(args.get('$skip', 0)) + 1}",
                }
            },
            *("", "pages_broken", "same observations again"),
        ),
        (
            {
                "Datastreams(1)/Observations": lambda args: {
                    "value": [observation(int(args.get("$skip", 0)), 1, 1.0)],
                    "@iot.nextLink": f"Observations?$skip={1 - int(args.get('$skip', 0))}",
                }
            },
            *("", "pages_broken", "circle"),
        ),
        (
            {"Datastreams(1)/Observations": Response("{}", status=503)},
            *("", "source_answered_error", "503"),
        ),
        (
            {"Datastreams(1)/Observations": Response('{"value": [{"@iot.id"')},
            *("", "api_refused", "no valid JSON"),
        ),
        (
            {"Datastreams(1)/Observations": Response("<!doctype html><title>x</title>")},
            *("", "html_instead_of_data", ""),
        ),
    ],
)
def test_what_goes_wrong_is_named_and_nothing_is_published(
    got, service, lake, answers, path, code, words
):
    service.answers = answers
    ran = got(path)
    assert ran.code == code
    assert words in ran.error.detail
    assert "t_pm2_5" not in lake.tables()


def test_an_endless_datastream_is_refused(got, service, lake, monkeypatch):
    monkeypatch.setattr(pages, "MOST_PAGES", 20)
    service.answers["Datastreams(1)/Observations"] = lambda args: {
        "value": [observation(int(args.get("$skip", 0)), 1, 1.0)],
        "@iot.nextLink": f"Observations?$skip={int(args.get('$skip', 0)) + 1}",
    }
    assert got().code == "source_too_large"
    assert "t_pm2_5" not in lake.tables()


def test_the_size_of_all_observations_is_capped(got, service):
    # The tests' client takes 4 MiB.
    service.answers["Datastreams(1)/Observations"] = lambda args: {
        "value": [{**observation(int(args.get("$skip", 0)), 1, 1.0), "parameters": "x" * 900_000}],
        "@iot.nextLink": f"Observations?$skip={int(args.get('$skip', 0)) + 1}",
    }
    assert got().code == "source_too_large"
