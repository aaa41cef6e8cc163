"""Socrata sites from a server that answers as SODA 2.1 and its catalogue do, into the lake."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from werkzeug import Request, Response

from harvesters import credentials
from harvesters.connectors import socrata_rows
from harvesters.credentials import Credential
from tests.harvesters.conftest import rows, types

COLUMNS = [
    {"fieldName": "ma", "name": "Mã", "dataTypeName": "text", "description": "Mã trạm"},
    {"fieldName": "so", "name": "Số lượt", "dataTypeName": "number"},
    {"fieldName": "gia", "name": "gia", "dataTypeName": "money", "format": {"currency": "VND"}},
    {"fieldName": "luc", "name": "Lúc", "dataTypeName": "calendar_date"},
    {"fieldName": "mo", "name": "Mở", "dataTypeName": "checkbox"},
    {"fieldName": "trang", "name": "Trang", "dataTypeName": "url"},
    {"fieldName": "noi", "name": "Nơi", "dataTypeName": "point"},
    {"fieldName": ":@computed_region_a", "name": "Vùng", "dataTypeName": "number"},
    {"fieldName": "an", "name": "Ẩn", "dataTypeName": "text", "flags": ["hidden"]},
]


def row(number: int, at: int = 0) -> dict[str, Any]:
    return {
        ":id": f"row-{number:04}",
        ":updated_at": f"2026-01-01T00:{at:02}:00.000Z",
        "ma": f"{number:03}",
        "so": str(number),
        "gia": "7000",
        "luc": "2026-03-01T05:00:00.000",
        "mo": True,
        "trang": {"url": f"https://so.example/{number}"},
        "noi": {"type": "Point", "coordinates": [105.8, 21.0]},
    }


class Site:
    """Datasets by their ids, with their rows; `most` datasets a page of the catalogue."""

    def __init__(self, url: str) -> None:
        self.url, self.most = url, 2
        self.views: dict[str, dict[str, Any]] = {}
        self.rows: dict[str, list[dict[str, Any]]] = {}
        self.asked: list[Request] = []
        self.answers: dict[str, Any] = {}
        self.add("abcd-0001", "Lượt xe")

    def add(self, known_by: str, name: str, **about: Any) -> None:
        self.rows[known_by] = [row(number) for number in range(1, 6)]
        self.views[known_by] = {
            **{"id": known_by, "name": name, "rowsUpdatedAt": 1, "columns": COLUMNS},
            **about,
        }

    def __call__(self, request: Request) -> Response:
        self.asked.append(request)
        args = dict(request.args)
        part = request.path.removesuffix(".json").rpartition("/")[2]
        name = request.path.split("/")[2]
        if name in self.answers:
            found = self.answers[name](request)
        elif name == "catalog":
            found = self._listed(args)
        elif name == "views":
            found = self.views[part]
        else:
            found = self._found(part, args)
        if isinstance(found, Response):
            return found
        return Response(json.dumps(found), content_type="application/json")

    def _listed(self, args: dict[str, str]) -> dict[str, Any]:
        assert args["only"] == "datasets"
        ids = sorted(self.views)
        after = [each for each in ids if each > args.get("scroll_id", "")]
        return {
            "resultSetSize": len(ids),
            "results": [
                {
                    "resource": {
                        **{key: self.views[each].get(key) for key in ("id", "name")},
                        **{"type": "dataset", "description": "<p>Mô tả</p>"},
                        "attribution": "Sở Giao thông",
                    },
                    "classification": {"domain_tags": ["xe buýt"], "tags": []},
                    "metadata": {"domain": "x", "license": "Creative Commons Attribution 4.0"},
                }
                for each in after[: self.most]
            ],
        }

    def _found(self, part: str, args: dict[str, str]) -> Any:
        found = sorted(self.rows[part], key=lambda each: each[":id"])
        where = args.get("$where", "")
        if since := re.search(r":updated_at >= '([^']+)'", where):
            found = [each for each in found if each[":updated_at"] >= since[1]]
        if least := re.search(r"so >= (\d+)", where):
            found = [each for each in found if int(each["so"]) >= int(least[1])]
        if "$select" not in args:
            # As whoever looks at the address gets it: without the site's own fields.
            return [{key: each[key] for key in each if key[0] != ":"} for each in found[:1_000]]
        if args["$select"] == "count(*) as n":
            return [{"n": str(len(found))}]
        assert (args["$select"], args["$order"]) == (":id,:updated_at,*", ":id")
        start = int(args["$offset"])
        return found[start : start + int(args["$limit"])]

    def pages(self) -> list[dict[str, str]]:
        """What rows were asked for with."""
        return [dict(each.args) for each in self.asked if "$offset" in each.args]


@pytest.fixture
def site(httpserver, monkeypatch) -> Site:
    monkeypatch.setattr(socrata_rows, "PAGE_ROWS", 3)
    site = Site(httpserver.url_for("/").rstrip("/"))
    httpserver.expect_request(re.compile(r"/(api|resource)/.*")).respond_with_handler(site)
    return site


@pytest.fixture
def got(taken, site):
    return lambda path="", **options: taken("socrata", url=site.url + path, **options)


@pytest.fixture
def harvested(portal, run, site):
    source = portal.add_source(
        name="soc", kind="socrata", url=site.url, dataset={"access_tier": "open"}
    )
    return lambda: run(source)


def test_rows_have_the_types_and_places_that_the_site_says(got, lake):
    assert got().error is None
    assert types(lake, "t_abcd_0001") == {
        **{"ma": "string", "so": "int64", "gia": "int64", "luc": "timestamp", "mo": "boolean"},
        **{"trang": "string", "lon": "float64", "lat": "float64", "geometry": "geometry"},
        **dict.fromkeys(("min_lon", "min_lat", "max_lon", "max_lat"), "float64"),
    }
    found = rows(lake, "t_abcd_0001")
    assert [each["ma"] for each in found] == ["001", "002", "003", "004", "005"]
    assert (found[0]["trang"], found[0]["lon"]) == ("https://so.example/1", 105.8)
    columns = {column.name: column for column in lake.table("t_abcd_0001").columns(1)}
    assert (columns["gia"].unit, columns["ma"].description) == ("VND", "Mã – Mã trạm")


def test_old_locations_are_places_with_their_address(got, site, lake):
    site.views["abcd-0001"]["columns"] = [
        {"fieldName": "noi", "name": "Nơi", "dataTypeName": "location"}
    ]
    site.rows["abcd-0001"] = [
        {
            ":id": "row-1",
            "noi": {"latitude": "21.5", "longitude": "105.5", "human_address": '{"address":""}'},
        },
        {":id": "row-2", "noi": {"human_address": "x"}},
    ]
    assert got().error is None
    first, second = rows(lake, "t_abcd_0001")
    assert (first["lat"], first["noi_address"]) == (21.5, '{"address":""}')
    assert (second["lat"], second["noi_address"]) == (None, "x")


def test_every_dataset_of_the_site_is_described_as_there(harvested, site, portal):
    for number in range(2, 6):
        site.add(f"abcd-000{number}", f"Bảng {number}")
    assert harvested().error is None
    found = {each["harvest_identifier"]: each for each in portal.datasets.values()}
    assert set(found) == set(site.views)
    first = found["abcd-0001"]
    assert (first["title"], first["notes"], first["license_id"], first["contact_name"]) == (
        *("Lượt xe", "Mô tả", "CC-BY-4.0", "Sở Giao thông"),
    )
    assert [tag["name"] for tag in first["tags"]] == ["xe buýt"]


@pytest.mark.parametrize(
    "path",
    [
        "/d/abcd-0001",
        "/resource/abcd-0001.json",
        "/api/views/abcd-0001",
        "/Giao-thong/Luot-xe/abcd-0001/about_data",
    ],
)
def test_an_address_may_be_of_one_dataset(got, site, lake, path):
    site.add("abcd-0002", "x")
    assert got(path).error is None
    assert lake.tables() == ["t_abcd_0001"]


def test_a_run_asks_for_the_rows_that_changed(harvested, site, lake):
    assert harvested().state == "published"
    site.asked.clear()
    assert harvested().state == "unchanged"
    assert site.pages() == []

    site.rows["abcd-0001"][1] = {**row(2, at=5), "so": "22"}
    site.rows["abcd-0001"].append(row(6, at=6))
    site.views["abcd-0001"]["rowsUpdatedAt"] = 2
    # All rows changed at the same minute as the first run: more than half, so all are asked for.
    assert harvested().state == "published"
    assert [each["so"] for each in rows(lake, "soc_abcd_0001")] == [1, 22, 3, 4, 5, 6]
    site.rows["abcd-0001"][2] = {**row(3, at=7), "so": "33"}
    site.views["abcd-0001"]["rowsUpdatedAt"] = 3
    site.asked.clear()
    assert harvested().state == "published"
    assert {each["$where"] for each in site.pages()} == {
        ":updated_at >= '2026-01-01T00:06:00.000Z'"
    }
    assert [each["so"] for each in rows(lake, "soc_abcd_0001")] == [1, 22, 33, 4, 5, 6]


def test_rows_that_went_are_seen_by_the_count(harvested, site, lake):
    site.rows["abcd-0001"].append(row(6, at=6))
    assert harvested().state == "published"
    del site.rows["abcd-0001"][0]
    site.views["abcd-0001"]["rowsUpdatedAt"] = 2
    assert harvested().state == "published"
    assert [each["so"] for each in rows(lake, "soc_abcd_0001")] == [2, 3, 4, 5, 6]


def test_a_part_of_the_rows_may_be_asked_for(got, site, lake):
    assert got("/resource/abcd-0001.json?$where=so >= 4").error is None
    assert [each["so"] for each in rows(lake, "t_abcd_0001")] == [4, 5]
    ran = got("/resource/abcd-0001.json?$select=ma&$group=ma")
    assert ran.code == "source_invalid"
    assert "$select, $group" in ran.error.detail


def test_a_dataset_that_is_renewed_while_it_is_read_is_read_anew(got, site, lake):
    def renewed(request: Request) -> Any:
        if len(site.pages()) == 1:
            site.views["abcd-0001"]["rowsUpdatedAt"] = 2
            site.rows["abcd-0001"].insert(0, row(0))
        return site._found("abcd-0001", dict(request.args))

    site.answers["abcd-0001.json"] = renewed
    assert got().error is None
    assert len(rows(lake, "t_abcd_0001")) == 6


def test_the_app_token_goes_with_every_question(harvested, site, monkeypatch):
    secret = Credential("header", "localhost", "X-App-Token: k-7")
    monkeypatch.setattr(credentials, "read", lambda source, portal: secret)
    assert harvested().error is None
    assert {request.headers["X-App-Token"] for request in site.asked} == {"k-7"}


def _answering(given: Any) -> Any:
    return lambda request: given


def _falling(request: Request) -> Any:
    first = "scroll_id" not in request.args
    listed = [{"resource": {"id": "abcd-1234", "name": "x"}}]
    return {"results": listed * first, "resultSetSize": 3 * first}


@pytest.mark.parametrize(
    ("answers", "code", "words"),
    [
        ({"catalog": _answering({"results": 1})}, "catalogue_broken", "Socrata's catalogue"),
        ({"catalog": _falling}, *("source_changing", "changed")),
        ({"catalog": _answering({"results": [], "resultSetSize": 3})}, *("catalogue_broken", "3")),
        (
            {"catalog": _answering({"results": [{"a": 1}], "resultSetSize": 1})},
            *("catalogue_broken", "list datasets"),
        ),
        (
            {
                "catalog": _answering(
                    {"results": [{"resource": {"id": "../x", "name": "x"}}], "resultSetSize": 1}
                )
            },
            *("catalogue_broken", "identifier"),
        ),
        ({"views": _answering({"columns": []})}, "api_refused", "no columns"),
        ({"views": _answering({"columns": [1]})}, "api_refused", "describe"),
        ({"views": _answering([])}, "api_refused", "no JSON object"),
        ({"abcd-0001.json": _answering([])}, "api_refused", "count"),
        ({"abcd-0001.json": _answering([{"n": "7"}])}, "api_refused", "none of SODA"),
        (
            {
                "abcd-0001.json": lambda request: (
                    [{"n": "7"}] if "$limit" not in request.args else {"message": "no"}
                )
            },
            *("api_refused", "no list of rows: no"),
        ),
        (
            {
                "abcd-0001.json": lambda request: (
                    [{"n": "7"}]
                    if "$limit" not in request.args
                    else [row(1)] * (request.args["$offset"] == "0")
                )
            },
            *("pages_broken", "7 rows and gave 1"),
        ),
        (
            {"abcd-0001.json": _answering(Response('[{"n": "7"'))},
            *("api_refused", "no JSON"),
        ),
        (
            {"abcd-0001.json": _answering(Response('{"error": true}', status=400))},
            *("source_answered_error", "400"),
        ),
    ],
)
def test_what_goes_wrong_is_named_and_nothing_is_published(got, site, lake, answers, code, words):
    site.answers = answers
    ran = got()
    assert ran.code == code
    assert words in ran.error.detail
    assert not lake.tables()


def test_rows_without_end_are_refused(got, site, lake, monkeypatch):
    monkeypatch.setattr("harvesters.pages.MOST_PAGES", 20)
    site.answers["abcd-0001.json"] = lambda request: (
        [row(1)] if "$limit" in request.args else [{"n": "7"}]
    )
    assert got().code == "source_too_large"
    assert not lake.tables()
