"""OGC API – Features from a server that answers as the standard says, into the lake."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from werkzeug import Request, Response

from tests.harvesters.conftest import rows


def feature(number: int) -> dict[str, Any]:
    return {
        "type": "Feature",
        "id": f"f{number}",
        "geometry": {"type": "Point", "coordinates": [105.8, 21 + number / 100]},
        "properties": {"tên": f"Trạm {number}", "mã": f"{number:03}"},
    }


class Server:
    """Collections of features, `most` a page."""

    def __init__(self, root: str, most: int = 3) -> None:
        self.root, self.most = root, most
        self.collections = {"tram": [feature(number) for number in range(1, 8)]}
        self.asked: list[Request] = []
        self.answer: Any = None
        self.with_matched = True
        self.next_host = root

    def __call__(self, request: Request) -> Response:
        self.asked.append(request)
        parts = request.path.removeprefix("/ogc").strip("/").split("/")
        found = self._answer([part for part in parts if part], dict(request.args))
        return Response(json.dumps(found), content_type="application/json")

    def _answer(self, parts: list[str], args: dict[str, str]) -> Any:
        if not parts:
            html = {"rel": "data", "type": "text/html", "href": "collections?f=html"}
            return {"links": [html, {**html, "type": _JSON, "href": f"{self.root}/collections"}]}
        if parts == ["collections"]:
            return {"collections": [*map(self._about, self.collections), {"id": "x", **_RECORDS}]}
        if self.answer is not None:
            return self.answer
        start = int(args.get("start", 0))
        all_of_it = self.collections[parts[1]]
        found = all_of_it[start : start + self.most]
        page = {"type": "FeatureCollection", "features": found, "timeStamp": len(self.asked)}
        if self.with_matched:
            page["numberMatched"] = len(all_of_it)
        if start + self.most < len(all_of_it):
            href = f"{self.next_host}/collections/{parts[1]}/items?f=json&start={start + self.most}"
            page["links"] = [{"rel": "self", "href": "x"}, {"rel": "next", "href": href}]
        return page

    def _about(self, name: str) -> dict[str, Any]:
        href = f"{self.root}/collections/{name}/items"
        links = [{"rel": "items", "type": "application/geo+json", "href": href}]
        return {"id": name, "title": f"Lớp {name}", "links": links}


_JSON = "application/json"
_RECORDS = {"itemType": "record"}


@pytest.fixture
def server(httpserver) -> Server:
    server = Server(httpserver.url_for("/ogc"))
    httpserver.expect_request(re.compile(r"/ogc(/.*)?$")).respond_with_handler(server)
    return server


@pytest.fixture
def got(taken, server):
    return lambda path="", **options: taken("ogcapi", url=server.root + path, **options)


@pytest.mark.parametrize(
    "path", ["", "/", "/collections", "/collections/tram", "/collections/tram/items"]
)
def test_a_collection_is_a_table_whatever_address_it_has(got, server, lake, path):
    assert got(path).error is None
    found = rows(lake, "t")
    assert [row["mã"] for row in found] == [f"{number:03}" for number in range(1, 8)]
    assert (found[0]["id"], found[0]["lon"], found[0]["lat"]) == ("f1", 105.8, 21.01)
    assert server.asked[-3].args["limit"] == "1000"


def test_filters_of_the_address_are_asked_for(got, server):
    assert got("/collections/tram/items?bbox=105,20,106,22&limit=50").error is None
    first = server.asked[0].args
    assert (first["bbox"], first["limit"], first["f"]) == ("105,20,106,22", "50", "json")


def test_several_collections_are_tables_of_one_dataset(got, server, lake):
    server.collections["tuyen"] = [feature(8)]
    assert got().error is None
    assert sorted(lake.tables()) == ["t_tram", "t_tuyen"]


def test_collections_are_chosen_by_a_pattern(got, server, lake):
    server.collections["tuyen"] = [feature(8)]
    assert got(parts="tu*").error is None
    assert lake.tables() == ["t"]
    ran = got(parts="z*")
    assert ran.code == "part_not_found"
    assert "tram, tuyen" in ran.error.detail


def test_an_unchanged_collection_is_unchanged(portal, run, server, lake):
    source = portal.add_source(
        name="ogc", kind="ogcapi", url=server.root, dataset={"table": "t", "access_tier": "open"}
    )
    server.collections["tuyen"] = [feature(8)]
    assert [run(source).state for _ in range(2)] == ["published", "unchanged"]
    server.collections["tuyen"].append(feature(9))
    assert run(source).state == "published"
    versions = {name: lake.table(name).resolve().number for name in lake.tables()}
    assert versions == {"t_tram": 1, "t_tuyen": 2}


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"answer": {"code": "InvalidParameter", "description": "no bbox"}}, "api_refused", "bbox"),
        ({"answer": {"features": 1}}, "api_refused", "no collection"),
        ({"answer": [1]}, "api_refused", "no collection"),
        ({"answer": {"features": [], "numberMatched": 5}}, "pages_broken", "5 features and gave 0"),
        ({"answer": {"features": []}}, "table_empty", ""),
        ({"next_host": "http://other.test"}, "pages_broken", "another host"),
        (
            {"answer": {"features": [feature(1)], "links": [{"rel": "next", "href": "?a=1"}]}},
            "pages_broken",
            "same rows again",
        ),
        (
            {"answer": {"features": [], "links": [{"rel": "next", "href": "items?a=1"}]}},
            "pages_broken",
            "circle",
        ),
    ],
)
def test_what_goes_wrong_is_named(got, server, lake, change, code, words):
    for name, value in change.items():
        setattr(server, name, value)
    ran = got("/collections/tram")
    assert ran.code == code
    assert words in ran.error.detail
    assert not lake.tables()


@pytest.mark.parametrize("answer", [{"links": []}, {"collections": {}}, {"links": [{"rel": 1}]}])
def test_what_is_no_landing_page_is_refused(taken, serve, answer):
    assert taken("ogcapi", json.dumps(answer)).code == "api_refused"
