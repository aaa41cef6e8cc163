"""XML tables, KML and KMZ: rows are found or pinned, and nothing outside is ever called."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import shapely

from tests.harvesters.conftest import rows, types
from tests.harvesters.test_connectors_archive import zipped

WARDS = """<?xml version="1.0" encoding="UTF-8"?>
<ds:danh_sach xmlns:ds="urn:x" nam="2025"><tieu_de>Phường</tieu_de>
 <phuong ma="00070"><ten>Cửa Nam</ten><dien_tich don_vi="km2">1.68</dien_tich>
  <sdt>1</sdt><sdt>2</sdt></phuong>
 <phuong ma="00091"><ten><![CDATA[Hà & Đông]]></ten><dien_tich>9.5</dien_tich><rong/></phuong>
</ds:danh_sach>"""


def test_the_element_that_repeats_is_a_row(taken, lake):
    ran = taken("xml", WARDS)
    assert ran.error is None
    assert rows(lake, "t") == [
        {
            **{"ma": "00070", "ten": "Cửa Nam", "dien_tich.don_vi": "km2"},
            **{"dien_tich": 1.68, "sdt": '["1","2"]'},
        },
        {
            **{"ma": "00091", "ten": "Hà & Đông", "dien_tich.don_vi": None},
            **{"dien_tich": 9.5, "sdt": None},
        },
    ]
    assert "rows are danh_sach/phuong" in " ".join(ran.messages)


@pytest.mark.parametrize("pin", ["b", "data/b", "/data/b"])
def test_one_of_several_repeated_elements_is_pinned(taken, lake, pin):
    document = "<data><a x='1'/><a x='2'/><b><y>3</y></b><b><y>4</y></b></data>"
    error = taken("xml", document).error
    assert error.code == "rows_not_found"
    assert "data/a (2); data/b (2)" in error.detail
    assert taken("xml", document, rows=pin).error is None
    assert rows(lake, "t") == [{"y": 3}, {"y": 4}]


def test_a_single_row_can_be_pinned(taken, lake):
    document = "<data><row><a>1</a></row></data>"
    assert taken("xml", document).code == "rows_not_found"
    assert taken("xml", document, rows="row").error is None
    assert rows(lake, "t") == [{"a": 1}]


@pytest.mark.parametrize(
    ("encoding", "declared"), [("cp1258", "windows-1258"), ("utf-16", "UTF-16"), ("utf-8", None)]
)
def test_a_document_is_read_in_the_encoding_it_declares(taken, lake, encoding, declared):
    head = f'<?xml version="1.0" encoding="{declared}"?>' if declared else ""
    document = f"{head}<a><r><t>Đăng</t></r><r><t>â</t></r></a>"
    assert taken("xml", document.encode(encoding)).error is None
    assert [row["t"] for row in rows(lake, "t")] == ["Đăng", "â"]


ENTITIES = "".join(
    f'<!ENTITY {name} "{f"&{before};" * 10}">'
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
LAUGHS = f'<!DOCTYPE l [<!ENTITY a "ha">{ENTITIES}]><l>&i;</l>'


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (LAUGHS, "xml_unsafe"),
        ('<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>', "xml_unsafe"),
        ('<!DOCTYPE x [<!ENTITY % e SYSTEM "http://127.0.0.1/">%e;]><x/>', "xml_unsafe"),
        ('<!DOCTYPE x SYSTEM "http://127.0.0.1/x.dtd"><x><r a="1">&u;</r></x>', "xml_unsafe"),
        ("<x><r>&u;</r></x>", "xml_unsafe"),
        ("<x>" * 100 + "</x>" * 100, "nested_too_deep"),
        ("<x><r a='1'/><r a='2'>", "xml_broken"),
        ("<x><r a='1'/></y>", "xml_broken"),
        ("<x/>", "rows_not_found"),
        ("<x><r/><r/></x>", "rows_not_found"),
        ("a,b\n1,2\n", "xml_broken"),
        ("", "xml_broken"),
        ("<html><body>x</body></html>", "html_instead_of_data"),
        (b'<?xml version="1.0" encoding="UTF-8"?><x><r>\xff</r><r/></x>', "encoding_broken"),
        (
            "<x>" + "".join(f"<r><c{n}>1</c{n}></r>" for n in range(2001)) + "</x>",
            "too_many_columns",
        ),
        ("<x>" + "".join(f"<r{n}/>" for n in range(10_001)) + "</x>", "too_many_columns"),
        ("<x><r a='" + "y" * (17 << 20) + "'/><r/></x>", "line_too_long"),
    ],
    ids=map(str, range(17)),
)
def test_hostile_documents_are_refused_by_name(taken, lake, client, content, code):
    client.limits = replace(client.limits, max_bytes=64 << 20)
    error = taken("xml", content).error
    assert (error.code if error else None) == code, error
    assert lake.tables() == []


def kml(*placemarks: str, extra: str = "") -> str:
    return (
        '<kml xmlns="http://www.opengis.net/kml/2.2"><Document><name>Bản đồ</name>'
        f"<Folder><name>Quận</name>{''.join(placemarks)}</Folder>{extra}</Document></kml>"
    )


POINT = (
    "<Placemark><name>Hồ Gươm</name><ExtendedData><Data name='mã'><value>007</value></Data>"
    "<SchemaData><SimpleData name='số'>5</SimpleData></SchemaData></ExtendedData>"
    "<Point><coordinates> 105.85, 21.03, 0 </coordinates></Point></Placemark>"
)
RING = "<LinearRing><coordinates>105,21 106,21 106,22 105,22 105,21</coordinates></LinearRing>"
HOLE = RING.replace("105,", "105.4,").replace("106,", "105.6,")
AREA = (
    "<Placemark><name>Vùng</name><TimeStamp><when>2025-07-01</when></TimeStamp><MultiGeometry>"
    f"<Polygon><outerBoundaryIs>{RING}</outerBoundaryIs><innerBoundaryIs>{HOLE}</innerBoundaryIs>"
    f"</Polygon><Polygon><outerBoundaryIs>{RING.replace('105', '107').replace('106', '108')}"
    "</outerBoundaryIs></Polygon></MultiGeometry></Placemark>"
)


def test_placemarks_are_rows_with_their_data_and_places(taken, lake):
    content = kml(POINT, AREA, "<Placemark><name>Không rõ</name></Placemark>")
    assert taken("kml", content).error is None
    point, area, nowhere = rows(lake, "t")
    assert (point["name"], point["folder"], point["mã"], point["số"]) == (
        "Hồ Gươm",
        "Quận",
        "007",
        5,
    )
    assert (point["lon"], point["lat"]) == (105.85, 21.03)
    shape = shapely.from_wkb(area["geometry"])
    assert shape.geom_type == "MultiPolygon"
    assert len(shape.geoms[0].interiors) == 1
    assert (area["min_lon"], area["max_lon"]) == (105, 108)
    assert nowhere["geometry"] is None
    assert types(lake, "t")["when"] == "date"


def test_a_kmz_is_unpacked(taken, lake):
    assert taken("kml", zipped({"doc.kml": kml(POINT), "files/a.kml": kml(AREA)})).error is None
    assert len(rows(lake, "t")) == 1
    assert taken("kml", zipped({"a.kml": kml(POINT), "b.kml": kml(AREA)})).code == "part_not_found"


def test_what_cannot_be_placed_is_rejected_and_links_are_told(taken, lake):
    wrong = POINT.replace("105.85, 21.03, 0", "2325600,586300")
    broken = POINT.replace("105.85, 21.03, 0", "105;21")
    link = "<NetworkLink><Link><href>http://127.0.0.1/x.kml</href></Link></NetworkLink>"
    ran = taken("kml", kml(*[POINT] * 60, wrong, broken, extra=link))
    assert ran.error is None
    assert [row.row for row in ran.rejected] == [61, 62]
    assert "not followed" in " ".join(ran.messages)
    assert taken("kml", kml(extra=link)).code == "rows_not_found"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (kml(), "rows_not_found"),
        ("<gpx><wpt/></gpx>", "format_mismatch"),
        (LAUGHS, "xml_unsafe"),
        (kml(POINT)[:-30], "xml_broken"),
        (json.dumps({}), "xml_broken"),
        (zipped({"a.txt": "x"}), "part_not_found"),
        (zipped({"../doc.kml": kml(POINT)}), "archive_path_unsafe"),
        (kml(POINT.replace("105.85", "nan")), "too_many_rejected"),
    ],
    ids=map(str, range(8)),
)
def test_what_is_no_map_is_refused_by_name(taken, lake, content, code):
    assert taken("kml", content).code == code
    assert lake.tables() == []
