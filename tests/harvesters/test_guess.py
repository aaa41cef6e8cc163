"""Kinds are told by the bytes of a file, whatever its server and its address say."""

from __future__ import annotations

import contextlib
import gzip
import io
import zipfile

import pytest

from harvesters import guess
from harvesters.errors import BinaryContent, FormatMismatch, HarvestError, HtmlInsteadOfData


def packed(*names: str, content: bytes = b"a,b\n1,2\n") -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, content)
    return stream.getvalue()


CASES = [
    (b"a,b\n1,2\n", "csv"),
    ("Mã;Tên\n1;Hà Nội\n".encode("utf-16"), "csv"),
    ("Mã;Tên\n1;Hà Nội\n".encode("utf-16-le"), "csv"),
    (b'{"a": 1}\n{"a": 2}\n', "ndjson"),
    (b'\xef\xbb\xbf[{"a": 1}]', "json"),
    (b'{\n "rows": [\n {"a": 1}]}', "json"),
    (b'{"features": [], "type" : "FeatureCollection"}', "geojson"),
    (b'{"help": "https://x/api/3/action/help_show?name=package_search"}', "ckan"),
    (b'<rdf:RDF xmlns:dcat="http://www.w3.org/ns/dcat#">', "dcat"),
    (b"@prefix dcat: <http://www.w3.org/ns/dcat#> .", "dcat"),
    (b'{"conformsTo": "https://project-open-data.cio.gov/v1.1/schema"}', "dcat"),
    (b"name,url\nDCAT,http://www.w3.org/ns/dcat#\n", "csv"),
    (b'<?xml version="1.0"?><!-- x --><rows><row/></rows>', "xml"),
    (b'<kml xmlns="http://www.opengis.net/kml/2.2"><Document/></kml>', "kml"),
    (b'<?xml version="1.0"?>\n<k:kml xmlns:k="http://www.opengis.net/kml/2.2"/>', "kml"),
    (b"PAR1" + bytes(40), "parquet"),
    (b"SQLite format 3\x00" + bytes(100), "geopackage"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "excel"),
    (gzip.compress(b"a,b\n1,2\n"), "archive"),
    (packed("[Content_Types].xml", "xl/workbook.xml"), "excel"),
    (packed("mimetype", content=b"application/vnd.oasis.opendocument.spreadsheet"), "archive"),
    (packed("stops.txt", "trips.txt", "routes.txt"), "gtfs"),
    (packed("feed/stops.txt", "feed/trips.txt"), "gtfs"),
    (packed("notes.txt"), "archive"),
    (packed("a.shp", "a.shx", "a.dbf", "a.prj"), "shapefile"),
    (packed("doc.kml", "files/icon.png"), "kml"),
    (packed("one.csv", "two.csv"), "archive"),
]


@pytest.mark.parametrize(
    ("url", "head", "expected"),
    [
        ("https://x/rest/services/a/FeatureServer/0", b"<html>", "arcgis"),
        ("https://x/rest/services/a/MapServer/12?f=json", b"{}", "arcgis"),
        ("https://x/FeatureServer/0/attachments/photo.csv", b"a,b\n1,2\n", "csv"),
        ("https://x/collections/a/items?f=html", b"<html>", "ogcapi"),
        ("https://x/ogc", b'{"links": [{"rel": "conformance", "href": "c"}]}', "ogcapi"),
        ("https://x/frost/v1.1/Things(1)/Datastreams?$top=5", b"{}", "sensorthings"),
        ("https://x/v1.1/Datastreams('a')", b"{}", "sensorthings"),
        ("https://x/explore/dataset/bus/information/", b"<html>", "opendatasoft"),
        ("https://x/api/explore/v2.1/catalog/datasets?where=a", b"{}", "opendatasoft"),
        ("https://x/api/explore/v2.1/catalog/datasets/a/exports/csv", b"a,b\n1,2\n", "csv"),
        ("https://x/api/v1/vi", b'[{"dbid": "DS", "text": "D\xc3\xa2n s\xe1\xbb\x91"}]', "pxweb"),
        ("https://x/api/v1/vi/DS", b'[{"id": "a", "type": "t", "text": "A"}]', "pxweb"),
        ("https://x/a.px", b'{"title": "A", "variables": [{"code": "V"}]}', "pxweb"),
        ("https://x/a", b'{"version":"2.0","class":"dataset","label":"A"}', "jsonstat"),
        ("https://x/a", b'\xef\xbb\xbfCHARSET="ANSI";\nAXIS-VERSION="2010";', "px"),
        ("https://x/resource/abcd-1234.json?$where=a", b"[]", "socrata"),
        ("https://x/resource/abcd-1234.csv", b"a,b\n1,2\n", "csv"),
        ("https://x/Transport/Bus-stops/abcd-1234/about_data", b"<html>", "socrata"),
        (
            "https://x/v1.1",
            b'{"value": [{"name": "Things", "url": "https://x/v1.1/Things"}]}',
            "sensorthings",
        ),
        ("https://x/ows?SERVICE=WFS&x=1", b"<html>", "wfs"),
        ("https://x/ows", b'<wfs:WFS_Capabilities version="2.0.0"/>', "wfs"),
        ("https://x/vehicles.pb", b"\n\x0b\n\x032.0\x18\x80\xe2\xcf\xaa\x06", "gtfs_rt"),
        ("https://x/vehicles.pb", b"\n\x0b\x00", "gtfs_rt"),
        ("https://x/vehicles.pb", b'{"a": 1}', "json"),
    ],
)
def test_addresses_and_signs_of_apis(url, head, expected):
    assert guess.kind(url, None, head).kind == expected


@pytest.mark.parametrize(("head", "expected"), CASES)
@pytest.mark.parametrize(
    ("url", "content_type"),
    [("https://so.example/tải?id=7", None), ("https://so.example/x.pdf", "application/pdf")],
)
def test_the_bytes_tell_the_kind(head, expected, url, content_type):
    found = guess.kind(url, content_type, head)
    assert found.kind == expected
    assert found.reason.endswith(".")


@pytest.mark.parametrize(("head", "expected"), CASES)
def test_a_whole_file_is_of_the_same_kind(tmp_path, head, expected):
    path = tmp_path / "file"
    path.write_bytes(head)
    assert guess.of_file("https://so.example/", None, path).kind == expected


def test_an_opendocument_workbook_says_so_in_its_first_member():
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("content.xml", "<x/>")
    assert guess.kind("https://x.example/", None, stream.getvalue()).kind == "excel"


def test_a_zip_is_judged_by_the_members_its_first_bytes_do_not_show(tmp_path):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a.dbf", bytes(guess.HEAD_BYTES))
        archive.writestr("a.shp", b"x")
    path = tmp_path / "file"
    path.write_bytes(stream.getvalue())
    head = stream.getvalue()[: guess.HEAD_BYTES]
    assert guess.kind("https://x.example/a.zip", None, head).kind == "archive"
    assert guess.of_file("https://x.example/a.zip", None, path).kind == "shapefile"


@pytest.mark.parametrize(
    ("url", "content_type", "expected"),
    [
        ("https://x.example/a.parquet?x=1", None, "parquet"),
        ("https://x.example/a", "application/json; charset=utf-8", "json"),
        ("https://x.example/a.XLSX", "application/octet-stream", "excel"),
        ("https://x.example/a", None, "csv"),
        ("https://x.example/api/3/action/package_search?q=bus", None, "ckan"),
        ("https://[x", None, "csv"),
    ],
)
def test_without_bytes_the_server_and_the_address_tell(url, content_type, expected):
    assert guess.kind(url, content_type, b"").kind == expected


def test_names_decide_where_the_bytes_allow_two_kinds():
    head = b'{"type": "Feature"}'
    assert guess.kind("https://x.example/a.geojson", None, head).kind == "geojson"
    assert guess.kind("https://x.example/a", "application/x-ndjson", head).kind == "ndjson"
    kml = packed("layer.kml")
    assert guess.kind("https://x.example/a.kmz", None, kml).kind == "kml"


@pytest.mark.parametrize(
    "page",
    [
        b"<!DOCTYPE html><form><input type='password' name=p></form>",
        "<html><head><title>Đăng nhập hệ thống</title>".encode(),
        b"<?xml version='1.0'?><html><title>Sign in - Portal</title>",
    ],
)
def test_a_login_page_is_called_one(page):
    with pytest.raises(HtmlInsteadOfData, match="login page"):
        guess.kind("https://x.example/a.csv", "text/csv", page)


def test_another_page_is_called_by_its_title():
    with pytest.raises(HtmlInsteadOfData, match="“404 Not Found”"):
        guess.kind("https://x.example/a.csv", None, b"<html><title>404 Not\n Found</title>")


def test_the_start_page_of_a_ckan_portal_is_a_catalogue():
    page = b'<!doctype html><html><meta name="generator" content="ckan 2.11.1"/>'
    assert guess.kind("https://x.example/", "text/html", page).kind == "ckan"


@pytest.mark.parametrize(
    "head",
    [b"%PDF-1.7", b"\x89PNG\r\n", b"Rar!\x1a\x07", packed("[Content_Types].xml", "word/a.xml")],
)
def test_what_is_no_table_is_refused_by_name(head):
    with pytest.raises(FormatMismatch, match="The source gave "):
        guess.kind("https://x.example/a.csv", "text/csv", head)


def test_bytes_of_no_kind_are_refused():
    with pytest.raises(BinaryContent):
        guess.kind("https://x.example/a.csv", "text/csv", b"a,b\n" + bytes(range(256)) + bytes(90))


@pytest.mark.parametrize(
    "piece",
    [b"<?a?>", b"<!---->", b"<!-- -->\n", b"<!DOCTYPE x>", b"<title", b"<meta generator", b" ,"],
)
def test_no_bytes_keep_the_guess_busy(piece):
    """Each piece over and over could be passed over in more ways than there is time for."""
    for head in (piece * (guess.HEAD_BYTES // len(piece)), b"<html>" + piece * 4000):
        with contextlib.suppress(HarvestError):
            assert guess.kind("https://x.example/", None, head).kind


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("mariadb://x/so", "sql"),
        ("sftp://x/a", "sftp"),
        ("postgresql://x:1/so", "sql"),
        ("https://x/a", None),
        ("x://[", None),
    ],
)
def test_addresses_that_are_no_web_addresses_say_their_kind(url, expected):
    found = guess.of_scheme(url)
    assert (found and found.kind) == expected
