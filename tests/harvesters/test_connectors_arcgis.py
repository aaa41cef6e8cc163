"""ArcGIS layers from a server that answers as ArcGIS does, into the lake."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime
from typing import Any

import pytest
import shapely
from werkzeug import Request, Response

from harvesters.connectors.arcgis_layer import Layer, shape
from tests.harvesters.conftest import rows, types

FIELDS = [
    {"name": "OBJECTID", "type": "esriFieldTypeOID", "alias": "OBJECTID"},
    {"name": "MA", "type": "esriFieldTypeString", "alias": "Mã trạm"},
    {
        "name": "LOAI",
        "type": "esriFieldTypeSmallInteger",
        "alias": "Loại",
        "domain": {
            "type": "codedValue",
            "codedValues": [{"code": 1, "name": "Xe buýt"}, {"code": 2, "name": "Tàu điện"}],
        },
    },
    {"name": "LUC", "type": "esriFieldTypeDate", "alias": "Lúc"},
    {"name": "NGAY", "type": "esriFieldTypeDateOnly", "alias": "NGAY"},
    {"name": "DAI", "type": "esriFieldTypeDouble", "alias": "DAI"},
    {"name": "ANH", "type": "esriFieldTypeBlob", "alias": "ANH"},
]


class Server:
    """One layer: `most` rows an answer, whatever it says in `about`."""

    def __init__(self, count: int = 7, most: int = 3) -> None:
        self.about: dict[str, Any] = {
            "id": 0,
            "name": "Trạm",
            "geometryType": "esriGeometryPoint",
            "fields": FIELDS,
            "objectIdField": "OBJECTID",
            "maxRecordCount": most,
            "capabilities": "Map,Query,Data",
            "advancedQueryCapabilities": {"supportsPagination": True},
        }
        self.most = most
        self.features = [
            {
                "attributes": {
                    "OBJECTID": 10 * number,
                    "MA": f"{number:03}",
                    "LOAI": number % 3 or None,
                    "LUC": 1_700_000_000_123,
                    "NGAY": "2024-02-29",
                    "DAI": 1.5,
                },
                "geometry": {"x": 105.8 + number / 100, "y": 21.0},
            }
            for number in range(1, count + 1)
        ]
        self.service: dict[str, Any] = {"layers": [{"id": 0, "name": "Trạm"}], "tables": []}
        self.asked: list[dict[str, str]] = []
        self.answer: Any = None
        self.knows_no_times = False

    def __call__(self, request: Request) -> Response:
        args = dict(request.args)
        self.asked.append({"path": request.path, **args})
        assert args["f"] == "json"
        return Response(json.dumps(self._answer(request.path, args)))

    def _answer(self, path: str, args: dict[str, str]) -> Any:
        if path.endswith("Server"):
            return self.service
        if not path.endswith("/query"):
            return self.about
        if self.answer is not None:
            return self.answer
        found = self.features
        if edited := re.search(r"LUC >= TIMESTAMP '([^']+)'", args["where"]):
            if self.knows_no_times:
                return {"error": {"code": 400, "message": "Cannot perform query."}}
            since = datetime.fromisoformat(edited[1] + "+00:00").timestamp() * 1000
            found = [one for one in found if one["attributes"]["LUC"] >= since]
        ids = [one["attributes"]["OBJECTID"] for one in found]
        if args.get("returnIdsOnly") == "true":
            return {"objectIdFieldName": "OBJECTID", "objectIds": ids[::-1] or None}
        if named := args.get("objectIds"):
            wanted = set(map(int, named.split(",")))
            found = [one for one in found if one["attributes"]["OBJECTID"] in wanted]
        if window := re.search(r"OBJECTID >= (\d+) AND OBJECTID <= (\d+)", args["where"]):
            low, high = map(int, window.groups())
            found = [one for one in found if low <= one["attributes"]["OBJECTID"] <= high]
        found = found[int(args.get("resultOffset", 0)) :]
        return {"features": found[: self.most], "exceededTransferLimit": len(found) > self.most}


@pytest.fixture
def server(httpserver) -> Server:
    server = Server()
    path = re.compile(r"/arcgis/rest/services/t/FeatureServer.*")
    httpserver.expect_request(path).respond_with_handler(server)
    return server


@pytest.fixture
def got(taken, httpserver, server):
    def got(address: str = "FeatureServer/0", **options: Any) -> Any:
        url = httpserver.url_for("/arcgis/rest/services/t/" + address)
        return taken("arcgis", url=url, **options)

    return got


def test_a_layer_is_a_table_with_its_types_and_texts(got, server, lake):
    assert got().error is None
    found = rows(lake, "t")
    assert [row["MA"] for row in found] == [f"{number:03}" for number in range(1, 8)]
    first = found[0]
    assert (first["OBJECTID"], first["LOAI"], first["DAI"]) == (10, "Xe buýt", 1.5)
    assert found[1]["LOAI"] == "Tàu điện"
    assert found[2]["LOAI"] is None
    assert first["LUC"] == datetime(2023, 11, 14, 22, 13, 20, 123_000, tzinfo=UTC)
    assert first["NGAY"] == date(2024, 2, 29)
    assert (round(first["lon"], 6), first["lat"]) == (105.81, 21.0)
    assert "ANH" not in first
    assert types(lake, "t")["MA"] == "string"
    table = lake.table("t")
    described = {each.name: each.description for each in table.columns(table.resolve().number)}
    assert (described["MA"], described["NGAY"]) == ("Mã trạm", "")
    assert {each.get("outSR") for each in server.asked[2:]} == {"4326"}


def test_a_layer_that_was_not_edited_is_not_asked_for(portal, run, httpserver, server, lake):
    url = httpserver.url_for("/arcgis/rest/services/t/FeatureServer/0")
    source = portal.add_source(name="gis", kind="arcgis", url=url, dataset={"table": "t"})
    server.about["editingInfo"] = {"lastEditDate": 1, "dataLastEditDate": 2}
    assert run(source).state == "published"
    server.asked.clear()
    assert run(source).state == "unchanged"
    assert len(server.asked) == 1
    server.features.pop()
    server.about["editingInfo"]["dataLastEditDate"] = 3
    assert run(source).state == "published"
    assert len(rows(lake, "t")) == 6
    # An edit that the server does not know of.
    server.features.pop()
    assert run(source).state == "unchanged"
    with pytest.MonkeyPatch.context() as weeks_later:
        weeks_later.setattr("harvesters.connectors.arcgis.ALL_AFTER_S", -1)
        assert run(source).state == "published"
    assert len(rows(lake, "t")) == 5


NOW_MS = 1_700_000_000_123 + 10 * 86_400_000


@pytest.mark.parametrize("knows_no_times", [False, True])
def test_a_layer_that_tracks_its_edits_is_asked_for_the_edited_rows(
    portal, run, httpserver, server, lake, knows_no_times
):
    url = httpserver.url_for("/arcgis/rest/services/t/FeatureServer/0?where=DAI>1")
    source = portal.add_source(name="gis", kind="arcgis", url=url, dataset={"table": "t"})
    server.about["editFieldsInfo"] = {"editDateField": "LUC"}
    server.features[0]["attributes"]["LUC"] = NOW_MS
    assert run(source).state == "published"
    server.knows_no_times = knows_no_times
    # One row went, one was edited, one came, and one came that nobody said was edited.
    del server.features[1]
    server.features[3]["attributes"] |= {"MA": "sửa", "LUC": NOW_MS}
    come = [dict(server.features[4]["attributes"], OBJECTID=n, MA=str(n)) for n in (200, 300)]
    come[0]["LUC"] = NOW_MS
    server.features += [{"attributes": one, "geometry": None} for one in come]
    server.asked.clear()
    assert run(source).state == "published"
    found = {row["OBJECTID"]: row["MA"] for row in rows(lake, "t")}
    assert found == {10: "001", 30: "003", 40: "004", 50: "sửa", 60: "006", 70: "007",
                     200: "200", 300: "300"}  # fmt: skip
    named = {each["objectIds"] for each in server.asked if "objectIds" in each}
    if knows_no_times:
        assert not named
    else:
        assert {*",".join(named).split(",")} == {"10", "50", "200", "300"}
        # Nothing else was asked for but the ids.
        others = [each for each in server.asked if "objectIds" not in each]
        assert [each.get("returnIdsOnly") for each in others[1:]] == ["true", "true"]
    server.knows_no_times = False
    assert run(source).state == "unchanged"


@pytest.mark.parametrize("most", [1, 2, 100])
def test_a_server_that_gives_fewer_rows_than_it_says_hides_none(got, server, lake, most):
    server.about["maxRecordCount"], server.most = 1000, most
    assert got().error is None
    assert [row["OBJECTID"] for row in rows(lake, "t")] == [10, 20, 30, 40, 50, 60, 70]


def test_a_row_that_went_meanwhile_is_gone(got, server, lake):
    kept = server._answer

    def answer(path: str, args: dict[str, str]) -> Any:
        given = kept(path, args)
        if args.get("returnIdsOnly") == "true":
            given["objectIds"].append(45)
        return given

    server._answer = answer
    assert got().error is None
    assert len(rows(lake, "t")) == 7


@pytest.mark.parametrize("has_pages", [True, False])
def test_a_layer_without_object_ids_comes_by_pages_or_not_at_all(got, server, lake, has_pages):
    server.about |= {
        "objectIdField": None,
        "fields": FIELDS[1:],
        "advancedQueryCapabilities": {"supportsPagination": has_pages},
    }
    ran = got()
    if has_pages:
        assert ran.error is None
        assert len(rows(lake, "t")) == 7
    else:
        assert ran.code == "pages_broken"
        assert not lake.tables()


def test_a_table_without_places_has_no_columns_of_them(got, server, lake):
    del server.about["geometryType"]
    for feature in server.features:
        del feature["geometry"]
    assert got().error is None
    assert set(rows(lake, "t")[0]) == {"OBJECTID", "MA", "LOAI", "LUC", "NGAY", "DAI"}


def test_the_only_layer_of_a_service_is_found_and_a_condition_is_kept(got, server, lake):
    assert got("FeatureServer?where=DAI>1&token=k").error is None
    assert len(rows(lake, "t")) == 7
    windows = [each for each in server.asked if "returnIdsOnly" not in each and "where" in each]
    assert {each["where"].partition(" AND ")[0] for each in windows} == {"(DAI>1)"}
    assert {each["token"] for each in server.asked} == {"k"}


def test_a_service_of_several_layers_names_them(got, server):
    server.service["tables"] = [{"id": 3, "name": "Tuyến"}]
    ran = got("FeatureServer")
    assert ran.code == "source_invalid"
    assert "0: Trạm; 3: Tuyến" in ran.error.detail


ERROR = {"error": {"code": 499, "message": "Token Required", "details": []}}


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"answer": ERROR}, "api_refused", "499: Token Required. It needs a secret"),
        ({"about": ERROR}, "api_refused", "499"),
        ({"answer": {"error": "x"}}, "api_refused", "error"),
        ({"answer": {}}, "api_refused", "no list of objectIds"),
        ({"answer": {"objectIds": ["a"]}}, "pages_broken", "no numbers"),
        ({"answer": {"objectIds": [1, 2]}}, "api_refused", "no list of features"),
        ({"answer": {"objectIds": [1], "features": [3]}}, "api_refused", "no features of ArcGIS"),
        ({"answer": [1]}, "api_refused", "no list"),
        ({"about": {"id": 1}}, "api_refused", "no layer"),
        ({"about": {"fields": [], "capabilities": "Map"}}, "api_refused", "no layer"),
        ({"about": {"fields": [7]}}, "api_refused", "does not describe"),
        ({"about": []}, "api_refused", "no JSON object"),
        ({"features": []}, "table_empty", ""),
    ],
)
def test_what_goes_wrong_is_named(got, server, lake, change, code, words):
    for name, value in change.items():
        setattr(server, name, value)
    ran = got()
    assert ran.code == code
    assert words in ran.error.detail
    assert not lake.tables()


def test_an_address_that_is_no_layer_is_refused(got):
    assert got("SceneServer/0").code == "source_invalid"


SQUARE = [[0, 0], [0, 9], [9, 9], [9, 0], [0, 0]]
HOLE = [[1, 1], [2, 1], [2, 2], [1, 2], [1, 1]]
FAR = [[20, 20, 5], [20, 21, 5], [21, 21, 5], [20, 20, 5]]


@pytest.mark.parametrize(
    ("geometry", "expected"),
    [
        ({"x": 1, "y": 2, "z": 3}, "POINT (1 2)"),
        ({"x": "NaN", "y": "NaN"}, None),
        ({"x": None, "y": None}, None),
        ({"points": [[1, 2], [3, 4]]}, "MULTIPOINT (1 2, 3 4)"),
        ({"paths": [[[0, 0, 1], [1, 1, 1]]]}, "MULTILINESTRING ((0 0, 1 1))"),
        ({"paths": []}, None),
        ({"rings": []}, None),
        (None, None),
        (
            {"rings": [HOLE, SQUARE, FAR]},
            "MULTIPOLYGON (((0 0, 0 9, 9 9, 9 0, 0 0), (1 1, 2 1, 2 2, 1 2, 1 1)), "
            "((20 20, 20 21, 21 21, 20 20)))",
        ),
        ({"rings": [HOLE]}, "MULTIPOLYGON (((1 1, 2 1, 2 2, 1 2, 1 1)))"),
    ],
)
def test_shapes(geometry, expected):
    found = shape(geometry)
    if expected is None:
        assert found is None
    else:
        assert shapely.geometry.shape(found).equals_exact(shapely.from_wkt(expected))


def test_codes_may_depend_on_the_subtype():
    def coded(text: str) -> dict[str, Any]:
        return {"type": "codedValue", "codedValues": [{"code": 1, "name": text}]}

    layer = Layer.of(
        {
            "fields": [
                {"name": "KIND", "type": "esriFieldTypeInteger"},
                {"name": "STATE", "type": "esriFieldTypeInteger"},
            ],
            "typeIdField": "KIND",
            "types": [
                {"id": 1, "name": "đường", "domains": {"STATE": coded("tốt")}},
                {"id": 2, "name": "cầu", "domains": {"STATE": coded("vững")}},
            ],
        }
    )
    found = [layer.feature({"attributes": {"KIND": kind, "STATE": 1}}) for kind in (1, 2, 3)]
    assert [tuple(one["properties"].values()) for one in found] == [
        ("đường", "tốt"),
        ("cầu", "vững"),
        ("3", "1"),
    ]
