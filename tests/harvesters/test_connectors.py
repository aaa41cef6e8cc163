"""Workbooks, GeoJSON, GTFS and catalogues: whole runs against real servers."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace
from datetime import UTC, date, datetime

import openpyxl
import pytest
import shapely

from harvesters.allowance import RunCaps
from harvesters.connectors import ckan
from harvesters.connectors.base import one_file
from harvesters.errors import CatalogueBroken, HarvestError, SourceChanging
from harvesters.pipeline import harvest
from harvesters.report import Report
from harvesters.source import Source
from lake import names
from tests.harvesters.conftest import rows, types

POINT = {"type": "Point", "coordinates": [105.85, 21.03]}
AREA = {
    "type": "Polygon",
    "coordinates": [[[105.0, 21.0], [106.0, 21.0], [106.0, 22.0], [105.0, 22.0], [105.0, 21.0]]],
}
GTFS = {
    "agency.txt": "agency_id,agency_name,agency_url,agency_timezone\n"
    "1,Transerco,http://x.example,Asia/Ho_Chi_Minh\n",
    "stops.txt": "stop_id,stop_name,stop_lat,stop_lon\n007,Cầu Giấy,21.03,105.8\n",
    "routes.txt": "route_id,route_short_name,route_type\n01,01,3\n",
    "trips.txt": "route_id,service_id,trip_id\n01,hằng ngày,t1\n",
    "stop_times.txt": "trip_id,arrival_time,departure_time,stop_id,stop_sequence\n"
    "t1,8:05:00,08:06:00,007,1\nt1,25:10:30,25:11:00,007,2\n",
    "calendar.txt": "service_id,monday,tuesday,wednesday,thursday,friday,saturday,sunday,"
    "start_date,end_date\nhằng ngày,1,1,1,1,1,1,1,20240101,20241231\n",
    "fare_rules.txt": "fare_id,route_id\n",
}


def zipped(files: dict[str, str | bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


def workbook(rows: list[list], *, merge: str = "", title: str = "Dữ liệu", more=()) -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = title
    for row in rows:
        sheet.append(row)
    if merge:
        sheet.merge_cells(merge)
    for name, more_rows in more:
        other = book.create_sheet(name)
        for row in more_rows:
            other.append(row)
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def collection(*features, **members) -> str:
    return json.dumps({"type": "FeatureCollection", "features": features, **members})


def feature(geometry, **properties):
    return {"type": "Feature", "geometry": geometry, "properties": properties}


@pytest.fixture
def harvested(run, serve, portal, lake):
    """Serve content as a source of a kind and harvest it into the table `t`, each time its own."""

    def harvested(kind, content, **options):
        portal.reserved.clear()
        source = portal.add_source(
            name=f"nguon-{len(portal.sources)}",
            kind=kind,
            url=serve(content, f"/{len(portal.sources)}"),
            options=options,
            dataset={"table": "t"},
        )
        return run(source)

    return harvested


# --- workbooks ----------------------------------------------------------------------------------


def test_a_workbook_has_dates_integers_and_texts(harvested, lake):
    book = workbook(
        [
            ["Giá nông sản năm 2024"],
            [],
            ["Ngày", "Giá (đồng)", "Mã", "Lúc", "Còn bán"],
            [date(2024, 1, 31), 15000.0, "007", datetime(2024, 1, 31, 7, 30), True],  # noqa: DTZ001
            [date(2024, 2, 1), 15500, "008", datetime(2024, 2, 1), False],  # noqa: DTZ001
        ]
    )
    assert harvested("excel", book).error is None
    assert types(lake, "t") == {
        "Ngày": "date",
        "Giá (đồng)": "int64",
        "Mã": "string",
        "Lúc": "timestamp",
        "Còn bán": "boolean",
    }
    assert rows(lake, "t")[0] == {
        "Ngày": date(2024, 1, 31),
        "Giá (đồng)": 15000,
        "Mã": "007",
        "Lúc": datetime(2024, 1, 31, 0, 30, tzinfo=UTC),
        "Còn bán": True,
    }


def test_the_sheet_can_be_chosen(harvested, lake):
    book = workbook([["a"]], more=[("Hai", [["b", "c"], [1, 2]]), ("Ba", [["d", "e"], [3, 4]])])
    assert harvested("excel", book).error is None
    assert rows(lake, "t") == [{"b": 1, "c": 2}]
    assert harvested("excel", book, sheet=1).error is None
    assert rows(lake, "t") == [{"b": 1, "c": 2}]
    ran = harvested("excel", book, sheet="Ba")
    assert ran.report.holds[0]["preview"] == {"columns": ["d", "e"], "rows": [["3", "4"]]}
    assert rows(lake, "t") == [{"b": 1, "c": 2}]
    assert harvested("excel", book, sheet="Tư").error.code == "sheet_not_found"


def test_a_header_cell_over_two_columns_names_both(harvested, lake):
    book = workbook(
        [["Quận", "Diện tích", None], ["Tên", "2014", "2015"], ["Ba Đình", 1, 2]], merge="B1:C1"
    )
    assert harvested("excel", book, header_row=1).error is None
    names_found = list(rows(lake, "t")[0])
    assert names_found[:3] == ["Quận", "Diện tích 2014", "Diện tích 2015"]
    # Ba Đình was a district, and gets the code it had.
    assert names_found[3:] == ["Quận_district_code"]


def test_a_damaged_or_protected_workbook_is_refused_by_name(harvested):
    whole = workbook([["a", "b"], [1, 2]])
    assert harvested("excel", whole[: len(whole) // 2]).error.code == "archive_broken"
    assert harvested("excel", b"<html><body>x").error.code == "html_instead_of_data"
    assert harvested("excel", b"a,b\n1,2\n").error.code == "format_mismatch"
    ole = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)
    protected = ole + "EncryptedPackage".encode("utf-16-le") + bytes(600)
    assert harvested("excel", protected).error.code == "workbook_encrypted"
    assert harvested("excel", ole).error.code == "workbook_broken"
    assert harvested("excel", zipped({"a.txt": "x"})).error.code == "workbook_broken"


# --- GeoJSON ------------------------------------------------------------------------------------


def test_features_of_all_shapes_become_rows(harvested, lake):
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:OGC:1.3:CRS84"}}
    content = collection(
        feature(POINT, tên="Hồ Gươm", mã="001", thẻ={"a": [1, "ă"]}),
        feature(AREA, tên="Quận", số=7),
        feature(None, tên="Chưa rõ"),
        crs=crs,
    )
    assert harvested("geojson", content).error is None
    point, area, nowhere = rows(lake, "t")
    assert (point["lon"], point["lat"], point["mã"]) == (105.85, 21.03, "001")
    assert json.loads(point["thẻ"]) == {"a": [1, "ă"]}
    assert shapely.from_wkb(point["geometry"]).equals(shapely.Point(105.85, 21.03))
    assert [area[key] for key in ("min_lon", "min_lat", "max_lon", "max_lat")] == [105, 21, 106, 22]
    assert 105 < area["lon"] < 106
    assert area["số"] == 7
    assert nowhere["geometry"] is None
    assert types(lake, "t")["geometry"] == "geometry"


def test_a_feature_without_a_readable_place_is_rejected(harvested, lake):
    good = [feature(POINT, n=number) for number in range(40)]
    wrong = [feature({"type": "Point", "coordinates": [2334567.0, 580000.0]}, n=99)]
    ran = harvested("geojson", collection(*good, *wrong))
    assert ran.error is None
    assert len(rows(lake, "t")) == 40
    assert ran.report.rejected[0]["reason_code"] == "geometry_invalid"
    assert ran.report.rejected[0]["row"] == 41


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ('{"type": "FeatureCollection", "features": [', "geojson_broken"),
        ("[]", "geojson_broken"),
        ('{"type": "Topology"}', "geojson_broken"),
        ('{"type":"FeatureCollection","features":[{"a":' + "[" * 5000, "nested_too_deep"),
        ("<html><head>", "html_instead_of_data"),
        (collection(), "table_empty"),
        (
            collection(feature(POINT), crs={"properties": {"name": "urn:ogc:def:crs:EPSG::3405"}}),
            "crs_unsupported",
        ),
    ],
)
def test_what_is_no_geojson_is_refused_by_name(harvested, content, code):
    assert harvested("geojson", content).error.code == code


# --- GTFS ---------------------------------------------------------------------------------------


def test_a_feed_becomes_one_dataset_with_a_table_a_file(harvested, portal, lake):
    ran = harvested("gtfs", zipped({**GTFS, "notes.txt": "xin chào"}))
    assert ran.error is None
    (dataset,) = portal.datasets.values()
    tables = {resource["lake_table"] for resource in dataset["resources"]}
    assert tables == {"t_" + name.removesuffix(".txt") for name in GTFS}
    assert types(lake, "t_stops")["stop_id"] == "string"
    assert rows(lake, "t_stops")[0]["stop_id"] == "007"
    first, second = rows(lake, "t_stop_times")
    assert (first["arrival_time"], first["arrival_time_s"]) == ("08:05:00", 29100)
    assert (second["arrival_time"], second["arrival_time_s"]) == ("25:10:30", 90630)
    assert rows(lake, "t_calendar")[0]["start_date"] == date(2024, 1, 1)
    assert types(lake, "t_fare_rules") == {"fare_id": "string", "route_id": "string"}
    assert "notes.txt is no file of GTFS" in " ".join(ran.stage("decode").messages)


def test_a_feed_that_lacks_files_is_refused_with_their_names(harvested):
    lacking = {name: text for name, text in GTFS.items() if name != "calendar.txt"}
    del lacking["stops.txt"]
    ran = harvested("gtfs", zipped(lacking))
    assert ran.error.code == "gtfs_file_missing"
    assert "stops.txt, calendar.txt or calendar_dates.txt" in ran.error.detail


def test_one_bad_file_keeps_the_whole_feed_out(harvested, lake):
    bad = {**GTFS, "stops.txt": "stop_id,stop_lat,stop_lon\n1,north,105\n"}
    assert harvested("gtfs", zipped(bad)).error.code == "too_many_rejected"
    assert lake.tables() == []


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (zipped({**GTFS, "../../evil.txt": "x"}), "archive_path_unsafe"),
        (zipped({**GTFS, "/etc/evil.txt": "x"}), "archive_path_unsafe"),
        (zipped({**GTFS, "..\\evil.txt": "x"}), "archive_path_unsafe"),
        (zipped({**GTFS, "shapes.txt": b"0" * (64 << 20)}), "archive_too_large"),
        (zipped({f"{n}.txt": "" for n in range(6000)}), "archive_too_large"),
        (zipped(GTFS)[:-40], "archive_broken"),
        (zipped(GTFS)[:100], "archive_broken"),
        (b"PK", "archive_broken"),
        (b"<!doctype html><p>404", "html_instead_of_data"),
        (b"stop_id,stop_name\n", "archive_broken"),
    ],
)
def test_hostile_archives_are_refused_by_name(harvested, lake, content, code):
    assert harvested("gtfs", content).error.code == code
    assert lake.tables() == []


def test_an_encrypted_archive_is_refused_by_name(harvested):
    # Set the "encrypted" bit of every member, in its local and in its central header.
    content = bytearray(zipped(GTFS))
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = content.find(mark)
        while at >= 0:
            content[at + offset] |= 1
            at = content.find(mark, at + 4)
    assert harvested("gtfs", bytes(content)).error.code == "archive_encrypted"


# --- CKAN catalogues ----------------------------------------------------------------------------


@pytest.fixture
def catalogue(httpserver):
    """A CKAN catalogue of three datasets whose page holds two, as CKAN pages."""

    def package(number: int, *resources: dict) -> dict:
        return {
            "id": f"remote-{number}",
            "name": f"bo-du-lieu-{number}",
            "title": f"Bộ dữ liệu {number}",
            "license_id": "cc-by",
            "maintainer_email": "nguoi@example.org",
            "tags": [{"name": "thử"}],
            "resources": list(resources),
        }

    def resource(path: str, format_text: str | None, name: str) -> dict:
        url = httpserver.url_for(path)
        return {"id": f"r{path}", "url": url, "format": format_text, "name": name}

    packages = [
        package(
            1,
            resource("/one.csv", "CSV ", "Một"),
            resource("/guide.pdf", "PDF", "Hướng dẫn"),
            resource("/more.xlsx", None, "Thêm"),
        ),
        package(2, resource("/gone.csv", "CSV", "Mất")),
        package(3, resource("/three.geojson", "GeoJSON", "Ba")),
    ]

    def search(request):
        from werkzeug import Response

        start = int(request.args["start"])
        page = packages[start : start + 2]
        result = {"count": len(packages), "results": page}
        return Response(json.dumps({"success": True, "result": result}))

    httpserver.expect_request("/api/3/action/package_search").respond_with_handler(search)
    httpserver.expect_request("/one.csv").respond_with_data("a,b\n1,x\n")
    httpserver.expect_request("/more.xlsx").respond_with_data(workbook([["c", "d"], [1, 2]]))
    httpserver.expect_request("/gone.csv").respond_with_data("", status=404)
    httpserver.expect_request("/three.geojson").respond_with_data(collection(feature(POINT, n=1)))
    return packages


@pytest.fixture
def catalogue_source(portal, httpserver, monkeypatch):
    monkeypatch.setattr("harvesters.connectors.ckan.PAGE_ROWS", 2)
    return portal.add_source(
        name="thanh-pho",
        kind="ckan",
        url=httpserver.url_for("/"),
        dataset={"table": "city", "access_tier": "open", "update_frequency": "DAILY"},
    )


def test_a_catalogue_becomes_its_datasets(run, catalogue, catalogue_source, portal, lake):
    ran = run(catalogue_source)
    assert ran.error is None
    assert ran.state == "published"
    found = {dataset["harvest_identifier"]: dataset for dataset in portal.datasets.values()}
    # The second dataset's only file is gone: nothing of it is registered, and the report says why.
    assert set(found) == {"remote-1", "remote-3"}
    first = found["remote-1"]
    assert first["name"] == "thanh-pho-bo-du-lieu-1"
    assert first["license_id"] == "CC-BY-4.0"
    assert first["update_frequency"] == "DAILY"
    assert "nguoi@example.org" not in json.dumps(found)
    one, more, guide = first["resources"]
    assert one["lake_table"] == names.table_name("city", "bo-du-lieu-1", "Một")
    assert rows(lake, more["lake_table"]) == [{"c": 1, "d": 2}]
    assert (guide["format"], guide["url"].rpartition("/")[2]) == ("PDF", "guide.pdf")
    assert ran.stage("fetch").counts["failed_files"] == 1
    assert "404" in " ".join(ran.stage("fetch").messages)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("javascript:alert(1)", None),
        ("https://me:secret@example.org/", None),
        ('https://example.org/a b"><script>', "https://example.org/a%20b%22%3E%3Cscript%3E"),
    ],
)
def test_links_of_a_catalogue_are_web_addresses(
    run, catalogue, catalogue_source, portal, url, shown
):
    catalogue[0]["resources"][1]["url"] = url
    assert run(catalogue_source).error is None
    named = {dataset["harvest_identifier"]: dataset for dataset in portal.datasets.values()}
    links = [one["url"] for one in named["remote-1"]["resources"] if one["format"] == "PDF"]
    assert links == ([shown] if shown else [])


@pytest.mark.parametrize(
    ("said", "url", "kind"),
    [
        *(({"format": " JSON"}, f"/a.{end}", "json") for end in ("json", "JSON")),
        ({"format": "JSON"}, "/api/things", None),
        ({"format": "JSON", "url_type": "upload"}, "/api/things", "json"),
        ({"format": "JSON"}, "/a.geojson", "geojson"),
        ({"format": "jsonl"}, "/a", "ndjson"),
        ({"format": "XML"}, "/a.xml", "xml"),
        ({"format": "XML"}, "/service?request=x", None),
        ({"format": "KML"}, "/a", "kml"),
        ({"format": "KMZ"}, "/a.kmz", "kml"),
        ({"mimetype": "application/vnd.apache.parquet"}, "/a", "parquet"),
        ({"format": "", "mimetype": None}, "/a.parquet", "parquet"),
        ({"format": "SHP"}, "/a.zip", "shapefile"),
        ({"format": "GeoPackage"}, "/a", "geopackage"),
        ({"format": "ZIP"}, "/a.zip", "archive"),
        ({"format": "ZIP"}, "/download", None),
        ({"format": "GTFS"}, "/a.zip", "gtfs"),
        ({"format": "CSV"}, "/datastore/dump/1", "csv"),
        ({"format": "PDF", "mimetype": "text/csv"}, "/a.csv", None),
    ],
)
def test_the_kind_of_a_resource(said, url, kind):
    assert ckan.kind_of({**said, "url": f"https://example.org{url}"}) == kind


def test_an_unchanged_catalogue_registers_nothing(run, catalogue, catalogue_source, portal):
    run(catalogue_source)
    updates = portal.counted("package_update") + portal.counted("package_create")
    again = run(catalogue_source)
    assert again.state == "unchanged"
    assert portal.counted("package_update") + portal.counted("package_create") == updates


def test_a_query_takes_a_part_of_a_catalogue(run, catalogue, catalogue_source, httpserver):
    catalogue_source["url"] = httpserver.url_for("/dataset/?q=gia+ca&fq=organization:so-a")
    assert run(catalogue_source).error is None
    asked = [
        (dict(request.args)["q"], dict(request.args)["fq"])
        for request, _ in httpserver.log
        if request.path == "/api/3/action/package_search"
    ]
    assert len(asked) == 2
    assert set(asked) == {("gia ca", "organization:so-a")}


@pytest.mark.parametrize(
    ("caps", "code"),
    [(RunCaps(total_bytes=10), "source_too_large"), (RunCaps(total_s=-1), "source_too_slow")],
)
def test_a_run_has_caps_over_all_of_its_files(
    catalogue_source, catalogue, room, portal, caps, code
):
    source = Source.of(catalogue_source)
    report = Report()
    with pytest.raises(HarvestError) as ended:
        harvest(source, replace(room, caps=caps), report, "run-1")
    assert ended.value.code == code
    # What was published before stays, nothing is called missing, and the next run goes on.
    assert len(portal.datasets) == (1 if code == "source_too_large" else 0)
    second = Report()
    harvest(source, room, second, "run-2")
    told = [message for stage in second.stages.values() for message in stage.messages]
    assert len(portal.datasets) == 2, told


def test_addresses_behind_restricted_datasets_stay_private(
    run, catalogue, catalogue_source, portal, httpserver
):
    catalogue_source["dataset"]["access_tier"] = "request"
    run(catalogue_source)
    assert f":{httpserver.port}" not in json.dumps(portal.datasets)


def test_links_go_with_the_source_and_those_of_officers_stay(
    run, catalogue, catalogue_source, portal
):
    def links():
        run(catalogue_source)
        return [one["url"] for one in dataset["resources"] if not one.get("lake_table")]

    run(catalogue_source)
    dataset = next(d for d in portal.datasets.values() if d["harvest_identifier"] == "remote-1")
    (guide,) = [one for one in catalogue[0]["resources"] if one["format"] == "PDF"]
    old, own = guide["url"], "https://so.example/own.pdf"
    dataset["resources"].append({"url": own, "name": "Của cán bộ", "format": "PDF"})
    assert links() == [old, own]
    guide["url"] = new = old.replace("guide", "new-guide")
    assert links() == [own, new]
    assert links() == [own, new]
    catalogue_source["dataset"]["access_tier"] = "request"
    assert links() == [own]


@pytest.mark.parametrize(
    "answer",
    [
        *("<html>", '{"success": false}', '{"success":true,"result":[]}', "[" * 100_000),
        '{"success":true,"result":{"count":1,"results":[1]}}',
        '{"success":true,"result":{"count":1,"results":[{"id":"a"}]}}',
        '{"success":true,"result":{"count":1,"results":[{"id":"a","name":"a","tags":[1]}]}}',
        '{"success":true,"result":{"count":1,"results":[{"id":"a","name":"a","resources":[1]}]}}',
        '{"success":true,"result":{"count":7,"results":[{"id":"a","name":"a"}]}}',
        '{"success":true,"result":{"count":7,"results":[]}}',
    ],
)
def test_what_is_no_catalogue_is_refused_by_name(run, httpserver, catalogue_source, answer):
    httpserver.expect_request("/api/3/action/package_search").respond_with_data(answer)
    assert run(catalogue_source).error.code == "catalogue_broken"


def test_a_dataset_that_is_described_as_nothing_known_keeps_no_other_out(
    run, catalogue, catalogue_source, portal
):
    catalogue[2] = {**catalogue[2], "tags": [1]}
    ran = run(catalogue_source)
    assert ran.state == "published"
    assert [one["harvest_identifier"] for one in portal.datasets.values()] == ["remote-1"]
    told = {one["identifier"]: one for one in ran.report.as_dict()["datasets"]}
    assert told["remote-3"]["error"]["code"] == "catalogue_broken"


def test_files_of_one_name_keep_their_tables(run, catalogue, catalogue_source, lake, httpserver):
    def published() -> dict[int, set[int]]:
        """The values of `a` in each table."""
        assert run(catalogue_source).error is None
        return {name: {row["a"] for row in rows(lake, name)} for name in lake.tables()}

    def data(number: int) -> dict:
        path = f"/data-{number}.csv"
        httpserver.expect_request(path).respond_with_data(f"a\tb\n{number}\tx\n")
        url = httpserver.url_for(path)
        return {"id": f"{number}aaaaaaa", "url": url, "format": "CSV", "name": "Dữ liệu"}

    first, second, third = map(data, (1, 2, 3))
    catalogue[:] = [{**catalogue[0], "resources": [first, second]}]
    before = published()
    assert sorted(before.values()) == [{1}, {2}]
    catalogue[0]["resources"] = [second]
    assert published() == before
    catalogue[0]["resources"] = [third, second, first]
    after = published()
    assert {name: after[name] for name in before} == before
    assert len(after) == 3


@pytest.fixture
def listed(httpserver, client, catalogue_source):
    """The datasets that are discovered where 7 are listed by `answer(start, asked before)`."""

    def listed(answer):
        asked: list[int] = []

        def search(request):
            from werkzeug import Response

            start = int(request.args["start"])
            asked.append(start)
            page, count = answer(start, asked.count(start) - 1)
            found = [{"id": str(number), "name": f"n{number}"} for number in page]
            result = {"count": count, "results": found}
            return Response(json.dumps({"success": True, "result": result}))

        httpserver.expect_request("/api/3/action/package_search").respond_with_handler(search)
        found = ckan.discover(Source.of(catalogue_source), client)
        return [int(offer.identifier) for offer in found]

    return listed


def test_a_catalogue_with_smaller_pages_is_read_whole(listed, monkeypatch):
    monkeypatch.setattr("harvesters.connectors.ckan.PAGE_ROWS", 5)
    assert listed(lambda start, _: (list(range(7))[start : start + 2], 7)) == list(range(7))


def test_datasets_that_go_while_a_catalogue_is_read_hide_no_others(listed):
    def answer(start, again):
        # The first one goes after the first page.
        there = list(range(7)) if start == 0 and not again else list(range(1, 7))
        return there[start : start + 2], len(there)

    assert sorted(listed(answer)) == list(range(7))


@pytest.mark.parametrize(
    "answer",
    [
        lambda start, _: ([0, 1] if start == 0 else [], 7),
        lambda start, _: ([0, 1], 7),
        lambda start, _: (list(range(7))[start : start + 2], 7) if start == 0 else ([], 0),
    ],
    ids=["ends", "knows-no-start", "is-empty-now-and-then"],
)
def test_a_catalogue_that_gives_fewer_datasets_than_it_has_changes_nothing(listed, answer):
    with pytest.raises((CatalogueBroken, SourceChanging)):
        listed(answer)


@pytest.mark.realdata
def test_a_real_catalogue_page_lists_its_tables(
    run, httpserver, catalogue_source, portal, data, monkeypatch
):
    answer = json.loads((data / "catalogues/ckan-package_search-birmingham.json").read_text())
    packages = answer["result"]["results"]
    monkeypatch.setattr("harvesters.connectors.ckan.PAGE_ROWS", len(packages))
    answer["result"]["count"] = len(packages)
    # Two files of each dataset, from our own server whatever address they had.
    for package in packages:
        package["resources"] = package["resources"][:2]
        for resource in package["resources"]:
            resource["url"] = httpserver.url_for("/file")
    httpserver.expect_request("/api/3/action/package_search").respond_with_json(answer)
    httpserver.expect_request("/file").respond_with_data(workbook([["a", "b"], [1, 2]]))
    ran = run(catalogue_source)
    assert ran.error is None
    assert len(portal.datasets) == len(packages)


def test_gtfs_columns_are_described_in_words(harvested, lake):
    assert harvested("gtfs", zipped(GTFS)).error is None
    [name] = [name for name in lake.tables() if name.endswith("_stops")]
    table = lake.table(name)
    described = {
        column.name: column.description for column in table.columns(table.resolve().number)
    }
    assert described["stop_name"] == "Tên điểm dừng"
    assert all(described.values()), described


# --- What a dataset is known by -----------------------------------------------------------------


def test_a_renamed_source_keeps_its_dataset():
    row = {
        **{"id": "0f3c", "name": "diem-dung", "kind": "csv", "url": "https://so.example/a.csv"},
        "dataset": {"table": "stops"},
    }
    renamed = Source.of({**row, "name": "diem-dung-xe-buyt"})
    before, after = (next(iter(one_file(source, None))) for source in (Source.of(row), renamed))
    assert before.identifier == after.identifier
    assert before.name != after.name
