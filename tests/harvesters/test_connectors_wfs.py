"""A WFS that answers as the standard says, of both versions and in both formats, into the lake."""

from __future__ import annotations

import json
from typing import Any
from xml.sax.saxutils import escape

import pytest
from werkzeug import Request, Response

from tests.harvesters.conftest import rows, types

_SPACES = (
    'xmlns:wfs="http://www.opengis.net/wfs/2.0" xmlns:ows="http://www.opengis.net/ows/1.1" '
    'xmlns:gml="http://www.opengis.net/gml/3.2" xmlns:sqh="https://quyhoach.example"'
)
_LOGIN = "<!doctype html><title>Đăng nhập</title><input type='password'>"


class Server:
    """Feature types with `count` places each; every switch is a way that servers differ."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.types = {"sqh:tram": 7}
        self.version = "2.0.0"
        self.has_pages = True
        self.formats = ["application/json"]
        self.systems = ["urn:ogc:def:crs:EPSG::4326"]
        self.most = 3
        self.knows_start = True
        self.tells_matched = True
        self.has_hits = True
        self.id = "tram.{}"
        self.answer: Response | None = None
        self.asked: list[dict[str, str]] = []
        self.shrinks = False

    def __call__(self, request: Request) -> Response:
        args = {name.lower(): value for name, value in request.args.items()}
        self.asked.append(args)
        if args["request"] == "GetCapabilities":
            return _xml(self._capabilities())
        if self.answer is not None:
            return self.answer
        name = args.get("typenames") or args.get("typename") or ""
        total = self.types[name]
        if args.get("resulttype") == "hits":
            return _xml(self._collection("", total if self.has_hits else None, 0))
        start = int(args.get("startindex", 0)) if self.knows_start else 0
        if self.shrinks and start:
            total -= 1
        asked = int(args.get("count") or args.get("maxfeatures") or total)
        numbers = range(start + 1, min(total, start + min(asked, self.most)) + 1)
        matched = total if self.tells_matched else None
        if "json" in args.get("outputformat", ""):
            return Response(
                json.dumps(self._json(numbers, matched)), content_type="application/json"
            )
        members = "".join(map(self._member, numbers))
        return _xml(self._collection(members, matched, len(numbers)))

    def _capabilities(self) -> str:
        formats = "".join(f"<ows:Value>{escape(each)}</ows:Value>" for each in self.formats)
        systems = "".join(f"<wfs:OtherCRS>{each}</wfs:OtherCRS>" for each in self.systems)
        types = "".join(
            f"<wfs:FeatureType><wfs:Name>{name}</wfs:Name><wfs:Title>Lớp {name}</wfs:Title>"
            f"<wfs:Abstract>Mô tả</wfs:Abstract><ows:Keywords><ows:Keyword>quy hoạch</ows:Keyword>"
            f"</ows:Keywords>{systems}</wfs:FeatureType>"
            for name in self.types
        )
        return (
            f'<wfs:WFS_Capabilities {_SPACES} version="{self.version}"><ows:OperationsMetadata>'
            '<ows:Operation name="GetFeature"><ows:Parameter name="outputFormat">'
            f"<ows:AllowedValues>{formats}</ows:AllowedValues></ows:Parameter></ows:Operation>"
            '<ows:Constraint name="ImplementsResultPaging"><ows:NoValues/><ows:DefaultValue>'
            f"{str(self.has_pages).upper()}</ows:DefaultValue></ows:Constraint>"
            f"</ows:OperationsMetadata><wfs:FeatureTypeList>{types}</wfs:FeatureTypeList>"
            "</wfs:WFS_Capabilities>"
        )

    def _json(self, numbers: range, matched: int | None) -> dict[str, Any]:
        features = [
            {
                "type": "Feature",
                "id": self.id.format(number),
                "geometry": {"type": "Point", "coordinates": [105.8, 21 + number / 100]},
                "properties": {"mã": f"{number:03}", "tên": f"Trạm {number}"},
            }
            for number in numbers
        ]
        said = {} if matched is None else {"numberMatched": matched}
        stamp = {"timeStamp": f"{len(self.asked)}"}
        return {"type": "FeatureCollection", "features": features, **said, **stamp}

    def _member(self, number: int) -> str:
        tall = "<sqh:ghi_chú>nhà &lt;cao&gt;</sqh:ghi_chú>" if number == 7 else ""
        return (
            f'<wfs:member><sqh:tram gml:id="{self.id.format(number)}"><gml:boundedBy>'
            "<gml:Envelope><gml:lowerCorner>21 105</gml:lowerCorner></gml:Envelope></gml:boundedBy>"
            f"<sqh:mã>{number:03}</sqh:mã><sqh:địa_chỉ><sqh:phố>Huế</sqh:phố></sqh:địa_chỉ>{tall}"
            f"<sqh:chỗ>{self._point(number)}</sqh:chỗ></sqh:tram></wfs:member>"
        )

    def _point(self, number: int) -> str:
        (system,) = self.systems
        place = f"{21 + number / 100} 105.8" if "4326" in system else f"583000 23250{number:02}"
        return f'<gml:Point srsName="{system}"><gml:pos>{place}</gml:pos></gml:Point>'

    def _collection(self, members: str, matched: int | None, returned: int) -> str:
        name = "numberMatched" if self.version.startswith("2") else "numberOfFeatures"
        said = f'{name}="{"unknown" if matched is None else matched}"'
        stamp = f'timeStamp="{len(self.asked)}" numberReturned="{returned}"'
        return f"<wfs:FeatureCollection {_SPACES} {said} {stamp}>{members}</wfs:FeatureCollection>"


def _xml(text: str, status: int = 200) -> Response:
    return Response(f'<?xml version="1.0"?>{text}', status, content_type="text/xml")


@pytest.fixture
def server(httpserver) -> Server:
    server = Server(httpserver.url_for("/ows"))
    httpserver.expect_request("/ows").respond_with_handler(server)
    return server


@pytest.fixture
def got(taken, server):
    return lambda query="?service=WFS", **options: taken("wfs", url=server.root + query, **options)


def test_a_feature_type_is_a_table_page_by_page(got, server, lake):
    assert got().error is None
    found = rows(lake, "t_tram")
    assert [row["mã"] for row in found] == [f"{number:03}" for number in range(1, 8)]
    assert (found[0]["id"], found[0]["lon"], found[0]["lat"]) == ("tram.1", 105.8, 21.01)
    starts = [args["startindex"] for args in server.asked if "startindex" in args]
    assert starts == ["0", "3", "6"]
    assert {args["count"] for args in server.asked[1:]} == {"1000"}


@pytest.mark.parametrize("version", ["2.0.0", "1.1.0"])
def test_gml_is_read_where_there_is_no_json(got, server, lake, version):
    server.formats, server.version = ["text/javascript", "gml32"], version
    ran = got()
    assert ran.error is None
    found = rows(lake, "t_tram")
    assert [row["mã"] for row in found] == [f"{number:03}" for number in range(1, 8)]
    assert {row["địa_chỉ.phố"] for row in found} == {"Huế"}
    assert [row["ghi_chú"] for row in found] == [*[None] * 6, "nhà <cao>"]
    assert (found[0]["id"], found[0]["lon"], found[0]["lat"]) == ("tram.1", 105.8, 21.01)
    assert types(lake, "t_tram")["mã"] == "string"
    assert "maxfeatures" in server.asked[1] if version == "1.1.0" else "count" in server.asked[1]


def test_vn2000_is_moved_to_longitude_and_latitude(got, server, lake):
    # GeoJSON would be of that system too.
    server.systems = ["urn:ogc:def:crs:EPSG::3405"]
    assert got().error is None
    (first, *_) = rows(lake, "t_tram")
    assert (round(first["lon"], 1), round(first["lat"], 1)) == (105.8, 21.0)


def test_a_server_without_pages_is_asked_once(got, server, lake):
    server.has_pages, server.most = False, 10_000
    assert got().error is None
    assert len(rows(lake, "t_tram")) == 7
    assert [args["request"] for args in server.asked] == ["GetCapabilities", "GetFeature"]
    assert not {"count", "startindex"} & set(server.asked[1])


@pytest.mark.parametrize("formats", [["application/json"], []])
def test_a_servers_own_limit_hides_no_features(got, server, lake, formats):
    server.has_pages, server.formats = False, formats
    assert got().error is None
    assert len(rows(lake, "t_tram")) == 7


def test_how_many_there_are_is_asked_where_an_answer_does_not_tell(got, server, lake):
    server.tells_matched = False
    assert got().error is None
    assert [args.get("resulttype") for args in server.asked].count("hits") == 1
    server.has_hits = False
    assert got().error is None
    assert len(rows(lake, "t_tram")) == 7


def test_filters_of_the_address_go_with_every_question(got, server, lake):
    server.types["sqh:tuyen"] = 1
    address = "?SERVICE=wfs&REQUEST=GetFeature&VERSION=2.0.0&TYPENAMES=sqh:tram&COUNT=5"
    assert got(f"{address}&cql_filter=x%3D1").error is None
    assert lake.tables() == ["t_tram"]
    assert {args["cql_filter"] for args in server.asked} == {"x=1"}
    assert [args["version"] for args in server.asked[:2]] == ["2.0.0", "2.0.0"]


def test_feature_types_are_chosen_by_a_pattern(got, server, lake):
    server.types |= {"sqh:tuyen": 1, "khac:tuyen": 2}
    assert got(parts="*tuyen").error is None
    assert sorted(lake.tables()) == ["t_khac_tuyen", "t_tuyen"]
    ran = got(parts="z*")
    assert ran.code == "part_not_found"
    assert "sqh:tram, sqh:tuyen" in ran.error.detail
    assert got("?typeNames=sqh:khong").code == "part_not_found"


def test_every_type_is_a_dataset_with_the_servers_words(portal, run, server, lake):
    server.types["sqh:tuyen"] = 2
    source = portal.add_source(
        name="qh", kind="wfs", url=server.root, dataset={"table": "qh", "access_tier": "open"}
    )
    assert [run(source).state for _ in range(2)] == ["published", "unchanged"]
    datasets = {each["name"]: each for each in portal.datasets.values()}
    assert sorted(datasets) == ["qh-sqh-tram", "qh-sqh-tuyen"]
    assert datasets["qh-sqh-tram"]["title"] == "Lớp sqh:tram"
    assert datasets["qh-sqh-tram"]["tags"] == [{"name": "quy hoạch"}]
    server.types["sqh:tuyen"] = 3
    assert run(source).state == "published"
    versions = {name: lake.table(name).resolve().number for name in lake.tables()}
    assert versions == {"qh_tram": 1, "qh_tuyen": 2}


@pytest.mark.parametrize("formats", [["application/json"], []])
def test_ids_that_are_made_up_for_each_answer_are_left_out(got, server, lake, formats):
    server.id, server.formats = "tram.fid-5ec1fd0d_{0:016x}_-7fff", formats
    assert got().error is None
    assert "id" not in rows(lake, "t_tram")[0]


@pytest.mark.parametrize("formats", [["application/json"], []])
@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"knows_start": False}, "pages_broken", "same"),
        ({"shrinks": True}, "source_interrupted", "changed while"),
        ({"id": "tram.1"}, "pages_broken", "6 features came twice"),
        ({"types": {"sqh:tram": 0}}, "table_empty", ""),
        ({"answer": Response(_LOGIN)}, "html_instead_of_data", "login"),
        ({"answer": _xml("<FeatureCollection numberMatched='9'/>")}, "", ""),
        (
            {
                "answer": _xml(
                    "<ExceptionReport><Exception exceptionCode='x'><ExceptionText>không có\n khóa"
                    "</ExceptionText></Exception></ExceptionReport>"
                )
            },
            "api_refused",
            "error: không có khóa.",
        ),
        ({"answer": _xml("<a><b/></a>")}, "api_refused", ""),
        ({"answer": _xml("<FeatureCollection><member>")}, "xml_broken", ""),
        ({"answer": _xml("<!DOCTYPE x [<!ENTITY a 'b'>]><a>&a;</a>")}, "xml_unsafe", ""),
        ({"answer": _xml("<ExceptionReport/>", 500)}, "source_answered_error", "500"),
        ({"version": "1.0.0"}, "api_refused", "speaks WFS 1.0.0"),
    ],
)
def test_what_goes_wrong_is_named(got, server, lake, formats, change, code, words):
    server.formats = formats
    for name, value in change.items():
        setattr(server, name, value)
    ran = got()
    is_other_format = formats and change.get("answer") is not None
    assert ran.code == (code or ("api_refused" if is_other_format else "pages_broken"))
    assert words in ran.error.detail
    assert not lake.tables()


@pytest.mark.parametrize("answer", ["<kml/>", "<ExceptionReport/>", _LOGIN, "a,b\n1,2\n"])
def test_what_says_nothing_of_a_wfs_is_refused(taken, serve, answer):
    expected = ("api_refused", "html_instead_of_data", "xml_broken")
    assert taken("wfs", answer).code in expected


def test_a_geometry_that_cannot_be_read_is_a_rejected_row(got, server, lake, monkeypatch):
    server.formats = []
    broken = (
        '<gml:Point srsName="urn:ogc:def:crs:EPSG::4326"><gml:pos>100 300</gml:pos></gml:Point>'
    )
    point = server._point
    monkeypatch.setattr(server, "_point", lambda number: broken if number == 2 else point(number))
    ran = got(max_rejected_share=0.5)
    assert ran.error is None
    assert [(each.row, each.reason_code) for each in ran.rejected] == [(2, "geometry_invalid")]
    assert "002" in ran.rejected[0].value
    assert len(rows(lake, "t_tram")) == 6
