"""Opendatasoft portals from a server that answers as the Explore API 2.1 does, into the lake."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from werkzeug import Request, Response

from harvesters.connectors import markup
from tests.harvesters.conftest import rows, types

API = "/api/explore/v2.1/catalog/datasets"
FIELDS = [
    {"name": "ma", "label": "Mã trạm", "type": "text", "annotations": {}},
    {"name": "pm25", "label": "PM2.5", "type": "double", "annotations": {"unit": ["µg/m³"]}},
    {"name": "so", "label": "so", "type": "int", "description": "Số lần đo", "annotations": None},
    {"name": "luc", "label": "Lúc", "type": "datetime"},
    {
        "name": "nam",
        "label": "Năm",
        "type": "date",
        "annotations": [{"name": "timeserie_precision", "args": ["year"]}],
    },
    {"name": "vi_tri", "label": "Vị trí", "type": "geo_point_2d"},
    {"name": "anh", "label": "Ảnh", "type": "file"},
]


def record(number: int) -> dict[str, Any]:
    return {
        "ma": f"{number:03}",
        "pm25": 12.5 + number,
        "so": number,
        "luc": f"2026-03-01T{number:02}:00:00+00:00",
        "nam": "2025",
        "vi_tri": {"lon": 105.8, "lat": 21.0 + number / 100},
        "anh": {"filename": "a.png", "url": "https://so.example/a.png"},
    }


class Portal:
    """Datasets by their ids, with their records; `most` datasets a page."""

    def __init__(self, url: str) -> None:
        self.url, self.most = url, 2
        self.datasets: dict[str, dict[str, Any]] = {}
        self.records: dict[str, list[dict[str, Any]]] = {}
        self.asked: list[Request] = []
        self.answers: dict[str, Any] = {}
        self.add("khong-khi", title="Không khí", license="CC BY 4.0")

    def add(self, name: str, **metas: Any) -> None:
        self.records[name] = [record(number) for number in range(1, 4)]
        self.datasets[name] = {
            "dataset_id": name,
            "has_records": True,
            "data_visible": True,
            "fields": FIELDS,
            "attachments": [],
            "metas": {
                "default": {
                    "title": name,
                    "modified": "2026-01-01T00:00:00+00:00",
                    "data_processed": "2026-01-02T00:00:00+00:00",
                    **metas,
                }
            },
        }

    def renew(self, name: str, processed: str) -> None:
        self.datasets[name]["metas"]["default"]["data_processed"] = processed

    def __call__(self, request: Request) -> Response:
        self.asked.append(request)
        path = request.path.removeprefix(API).strip("/")
        if path in self.answers:
            found = self.answers[path](request)
        elif not path:
            start = int(request.args["offset"])
            ids = sorted(self.datasets)[start : start + self.most]
            found = {"total_count": len(self.datasets), "results": list(map(self._about, ids))}
        elif path.endswith("/exports/jsonl"):
            lines = map(json.dumps, self.records[path.partition("/")[0]])
            found = Response("".join(f"{text}\n" for text in lines))
        elif path in self.datasets:
            found = self._about(path)
        else:
            found = Response('{"error_code": "ODSQLError", "message": "no"}', status=404)
        if isinstance(found, Response):
            return found
        return Response(json.dumps(found), content_type="application/json")

    def _about(self, name: str) -> dict[str, Any]:
        about = json.loads(json.dumps(self.datasets[name]))
        about["metas"]["default"].setdefault("records_count", len(self.records[name]))
        return dict(about)

    def exports(self) -> int:
        return sum(request.path.endswith("/exports/jsonl") for request in self.asked)


@pytest.fixture
def site(httpserver, monkeypatch) -> Portal:
    monkeypatch.setattr("harvesters.connectors.opendatasoft.PAGE_ROWS", 2)
    site = Portal(httpserver.url_for("/").rstrip("/"))
    httpserver.expect_request(re.compile(rf"{API}(/.*)?$")).respond_with_handler(site)
    return site


@pytest.fixture
def got(taken, site):
    return lambda path="", **options: taken("opendatasoft", url=site.url + path, **options)


@pytest.fixture
def harvested(portal, run, site):
    source = portal.add_source(
        name="ods", kind="opendatasoft", url=site.url, dataset={"access_tier": "open"}
    )
    return lambda: run(source)


def test_records_have_the_types_units_and_places_that_the_portal_says(got, lake):
    assert got().error is None
    assert types(lake, "t_khong_khi") | {"nam": "int64"} == {
        **{"ma": "string", "pm25": "float64", "so": "int64", "luc": "timestamp", "nam": "int64"},
        **{"anh": "string", "lon": "float64", "lat": "float64", "geometry": "geometry"},
        **dict.fromkeys(("min_lon", "min_lat", "max_lon", "max_lat"), "float64"),
    }
    first = rows(lake, "t_khong_khi")[0]
    assert (first["ma"], first["pm25"], first["lon"]) == ("001", 13.5, 105.8)
    assert first["anh"] == "https://so.example/a.png"
    columns = {column.name: column for column in lake.table("t_khong_khi").columns(1)}
    assert (columns["pm25"].unit, columns["ma"].description) == ("µg/m³", "Mã trạm")
    assert columns["so"].description == "Số lần đo"


def test_every_dataset_of_the_catalogue_is_described_as_there(harvested, site, portal):
    for name in ("xe-buyt", "cong-vien"):
        site.add(name)
    site.add(
        *("kin",),
        title="Kín",
        description="<p>Một &amp; hai</p><ul><li>ba</li></ul><script>x</script>",
        keyword=["giao thông", "xe, buýt", "giao thông"],
        license="Licence Ouverte v2.0",
        publisher="Sở Giao thông",
    )
    site.datasets["kin"] |= {
        "has_records": False,
        "attachments": [{"id": "so-do", "title": "Sơ đồ", "mimetype": "application/pdf"}],
    }
    site.datasets["khong-khi"]["metas"]["dcat"] = {"accrualperiodicity": "Daily"}
    assert harvested().error is None
    found = {each["harvest_identifier"]: each for each in portal.datasets.values()}
    assert set(found) == {"khong-khi", "xe-buyt", "cong-vien", "kin"}
    air, closed = found["khong-khi"], found["kin"]
    assert (air["title"], air["license_id"], air["update_frequency"]) == (
        *("Không khí", "CC-BY-4.0", "DAILY"),
    )
    assert air["resources"][0]["lake_table"] == "ods_khong_khi"
    assert closed["notes"] == "Một & hai\n\n- ba"
    assert [tag["name"] for tag in closed["tags"]] == ["giao thông", "xe buýt"]
    assert (closed["license_id"], closed["contact_name"]) == (
        *("Licence Ouverte v2.0", "Sở Giao thông"),
    )
    assert [each["name"] for each in closed["resources"]] == ["Kín", "Sơ đồ"]


def test_what_the_portal_says_is_unchanged_is_not_asked_for(harvested, site, lake):
    site.add("xe-buyt")
    assert harvested().state == "published"
    assert site.exports() == 2
    assert harvested().state == "unchanged"
    assert site.exports() == 2
    site.records["xe-buyt"][0]["so"] = 77
    site.renew("xe-buyt", "2026-02-01")
    assert harvested().state == "published"
    assert site.exports() == 3
    versions = {name: lake.table(name).resolve().number for name in lake.tables()}
    assert versions == {"ods_khong_khi": 1, "ods_xe_buyt": 2}


def test_without_a_time_of_change_everything_is_asked_for(harvested, site):
    site.datasets["khong-khi"]["metas"]["default"] = {"title": "x"}
    assert [harvested().state for _ in range(2)] == ["published", "unchanged"]
    assert site.exports() == 2


@pytest.mark.parametrize(
    "path",
    [
        "/explore/dataset/khong-khi/information/",
        f"{API}/khong-khi",
        f"{API}/khong-khi/records?limit=5",
    ],
)
def test_an_address_may_be_of_one_dataset(got, site, lake, path):
    site.add("xe-buyt")
    assert got(path).error is None
    assert lake.tables() == ["t_khong_khi"]


def test_queries_of_the_address_are_asked_for(got, site):
    assert got(f"{API}?where=title like 'x'&refine=a:b&refine=c:d&offset=40").error is None
    first = site.asked[0].args
    assert (first["where"], first.getlist("refine")) == ("title like 'x'", ["a:b", "c:d"])
    assert got("/explore/dataset/khong-khi/?where=so>1").error is None
    assert site.asked[-2].args["where"] == "so>1"


def test_a_dataset_that_is_renewed_while_it_is_read_is_read_anew(got, site, lake):
    def renewed(request: Request) -> Response:
        site.renew("khong-khi", f"2026-05-0{min(2, site.exports())}")
        return Response(json.dumps({**record(1), "so": site.exports()}))

    site.datasets["khong-khi"]["metas"]["default"]["records_count"] = 1
    site.answers["khong-khi/exports/jsonl"] = renewed
    assert got().error is None
    assert [row["so"] for row in rows(lake, "t_khong_khi")] == [3]


def test_a_dataset_that_always_changes_is_given_up(got, site, lake):
    def renewed(request: Request) -> Response:
        site.renew("khong-khi", f"2026-05-0{site.exports()}")
        return Response(json.dumps(record(1)))

    site.answers["khong-khi/exports/jsonl"] = renewed
    ran = got()
    assert (ran.code, ran.error.passing) == ("source_changing", True)
    assert not lake.tables()


def _answering(given: Any) -> Any:
    return lambda request: given


def _falling(request: Request) -> Any:
    first = request.args["offset"] == "0"
    return {"results": [{"dataset_id": "a"}] * first, "total_count": 300 * first}


@pytest.mark.parametrize(
    ("answers", "code", "words"),
    [
        ({"": _answering([1])}, "api_refused", "no JSON object"),
        ({"": _answering({"results": 1, "total_count": 1})}, "catalogue_broken", "2.1"),
        ({"": _answering({"results": [], "total_count": 3})}, "catalogue_broken", "same page"),
        ({"": _falling}, "source_changing", "changed"),
        ({"": _answering({"results": [], "total_count": 20_000})}, "source_too_large", "refine"),
        ({"": _answering({"results": [{"a": 1}], "total_count": 1})}, "api_refused", "describe"),
        ({"": _answering({"results": [{"dataset_id": "a"}] * 2, "total_count": 9})}, None, ""),
        (
            {"khong-khi/exports/jsonl": _answering(Response(json.dumps(record(1))))},
            *("pages_broken", "has 3 records and gave 1"),
        ),
        (
            {"khong-khi/exports/jsonl": _answering(Response('{"ma": "001"}\n{"ma": "0'))},
            *("api_refused", "breaks off"),
        ),
        ({"khong-khi/exports/jsonl": _answering(Response("[1]"))}, "api_refused", "no records"),
        (
            {"khong-khi/exports/jsonl": _answering(Response('{"vi_tri": 3}'))},
            *("api_refused", "no records"),
        ),
        (
            {"khong-khi/exports/jsonl": _answering(Response("<html><title>x</title>"))},
            *("html_instead_of_data", ""),
        ),
        (
            {"khong-khi/exports/jsonl": _answering(Response("{}", status=403))},
            *("source_answered_error", "403"),
        ),
        (
            {"khong-khi/exports/jsonl": _answering(Response("{}\n" * 1_500_000))},
            *("source_too_large", "larger"),
        ),
    ],
)
def test_what_goes_wrong_is_named_and_nothing_is_published(got, site, lake, answers, code, words):
    site.answers = answers
    ran = got()
    assert ran.code == (code or "catalogue_broken")
    assert words in ran.error.detail
    assert not lake.tables()


def test_values_that_are_not_of_their_type_are_rejected_rows(got, site, lake):
    site.records["khong-khi"] += [{**record(9), "so": "chín"}]
    site.records["khong-khi"] += [{**record(9), "vi_tri": {"lon": 500, "lat": 0}}]
    ran = got(max_rejected_share=0.5)
    assert ran.error is None
    assert {each.column for each in ran.rejected} == {"so", "geometry"}
    assert len(rows(lake, "t_khong_khi")) == 3


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (None, ""),
        ("1 < 2 & 3", "1 < 2 & 3"),
        ("<p>a</p><p>b<br>c</p>", "a\n\nb\nc"),
        ("a &lt;b&gt;", "a <b>"),
        ("<style>x</style><b>y</b>", "y"),
        ("<a href='x'", "<a href='x'"),
    ],
)
def test_descriptions_are_plain_text(written, expected):
    assert markup.plain(written) == expected
