"""Hostile files: what their bytes are, and the error each must end in."""

from __future__ import annotations

import gzip
import io
import json
import os
import struct
import tarfile
import zipfile
from collections.abc import Iterator

from tests.harvesters.hostile import workbooks
from tests.harvesters.hostile.case import Case
from tests.harvesters.hostile.workbooks import ods, ods_cell, ods_row, sheet, xls, xlsx

MIB = 1 << 20
# Just past the cap of 32 MiB, or as large as it is met.
VAST = (1 << 30) if os.environ.get("HANOIIC_TEST_VAST") else 40 * MIB
LOGIN = "<!DOCTYPE html><title>Đăng nhập</title><form><input type=password></form>"
LAUGHS = "".join(
    f'<!ENTITY {name} "{f"&{before};" * 10}">'
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
LAUGHING = f'<!DOCTYPE x [<!ENTITY a "ha">{LAUGHS}]>'
READING = '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
FAR = '<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'


def repeated(piece: bytes, size: int, head: bytes = b"", tail: bytes = b"") -> Iterator[bytes]:
    """A stream of about `size` bytes, never whole in memory."""
    block = piece * (MIB // len(piece))
    yield head
    for _ in range(size // len(block)):
        yield block
    yield tail


def zipped(files: dict[str, bytes | str]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


def zip_bomb() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(4):
            with archive.open(f"{number}.csv", "w", force_zip64=True) as member:
                for chunk in repeated(b"0", 64 * MIB):
                    member.write(chunk)
    return stream.getvalue()


def overlapping_zip() -> bytes:
    """Two thousand members that are all the same bytes (as in Fifield's bomb)."""
    content = zipped({"0.csv": bytes(4 * MIB)})
    start = content.find(b"PK\x01\x02")
    entry = bytearray(content[start : content.find(b"PK\x05\x06")])
    entries = b"".join(bytes(entry).replace(b"0.csv", f"{n:05}".encode()) for n in range(2000))
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 2000, 2000, len(entries), start, 0)
    return content[:start] + entries + end


def encrypted_zip() -> bytes:
    content = bytearray(zipped({"a.csv": "a,b\n1,2\n"}))
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.find(mark) + offset] |= 1
    return bytes(content)


def symlink_zip() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        member = zipfile.ZipInfo("a.csv")
        member.external_attr = 0o120777 << 16
        archive.writestr(member, "/etc/passwd")
    return stream.getvalue()


def tarred(name: str, content: bytes = b"a,b\n1,2\n", kind: bytes = tarfile.REGTYPE) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        member = tarfile.TarInfo(name)
        member.type, member.linkname = kind, "/etc/passwd"
        member.size = len(content) if kind == tarfile.REGTYPE else 0
        archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def gzips(levels: int) -> bytes:
    content = b"a,b\n1,2\n"
    for _ in range(levels):
        content = gzip.compress(content)
    return content


GTFS = {
    "agency.txt": "agency_id,agency_name,agency_url,agency_timezone\n1,x,http://x.example,UTC\n",
    "stops.txt": "stop_id,stop_name,stop_lat,stop_lon\n1,Cầu Giấy,21.03,105.8\n",
    "routes.txt": "route_id,route_short_name,route_type\n01,01,3\n",
    "trips.txt": "route_id,service_id,trip_id\n01,s,t1\n",
    "stop_times.txt": "trip_id,arrival_time,departure_time,stop_id,stop_sequence\n"
    "t1,8:00:00,8:00:00,1,1\n",
    "calendar.txt": "service_id,start_date,end_date\ns,20240101,20241231\n",
}

TEXTS = [
    Case("csv_empty", "csv", "no_table_found", lambda: b""),
    Case("csv_of_a_bom", "csv", "no_table_found", lambda: b"\xef\xbb\xbf"),
    Case("csv_of_line_ends", "csv", "no_table_found", lambda: b"\n" * MIB),
    Case("csv_header_alone", "csv", ("table_empty", "no_table_found"), lambda: b"ma,ten,so\n"),
    Case("csv_of_bytes", "csv", "binary_content", lambda: bytes(range(256)) * 400),
    Case("csv_with_nul", "csv", "binary_content", lambda: b"a,b\n1,2\n" * 99 + b"1,\x00\n"),
    Case(
        "csv_with_nul_late", "csv", "binary_content",
        lambda: repeated(b"1,2\n", 4 * MIB, b"a,b\n", b"1,\x00\n"),
    ),
    Case("csv_that_is_a_pdf", "csv", "format_mismatch", lambda: b"%PDF-1.7\n" + bytes(99)),
    Case("csv_that_is_a_workbook", "csv", "format_mismatch", lambda: xlsx()),
    Case("login_page", "csv", "html_instead_of_data", lambda: LOGIN.encode()),
    Case("login_page_as_workbook", "excel", "html_instead_of_data", lambda: LOGIN.encode()),
    Case("login_page_as_archive", "archive", "html_instead_of_data", lambda: LOGIN.encode()),
    Case(
        "csv_ragged", "csv", "too_many_rejected",
        lambda: b"a,b,c\n" + b"1,2,3\n1,2,3,4,5\n" * 500,
    ),
    Case(
        "csv_of_10000_columns", "csv", "too_many_columns",
        lambda: (",".join(f"c{n}" for n in range(10_000)) + "\n" + "1," * 9_999 + "1\n").encode(),
    ),
    Case("csv_of_one_line", "csv", "line_too_long", lambda: repeated(b"1,2,", VAST, b"a,b\n")),
    Case(
        "csv_of_an_open_quotation", "csv", ("line_too_long", "no_table_found"),
        lambda: repeated(b"1,2\n", VAST, b'a,b\n1,"'),
    ),
    Case(
        "csv_with_wrong_utf8", "csv", "encoding_broken",
        lambda: ("tên\n" + "Hà Nội\n" * 999).encode() + b"\xff\xfe\n",
    ),
    Case("csv_of_half_utf16", "csv", "encoding_broken", lambda: "a,b\n1,2\n".encode("utf-16")[:-1]),
    Case("csv_of_no_such_encoding", "csv", "encoding_unknown", lambda: b"a\n1\n",
         options={"encoding": "klingon"}),
]  # fmt: skip

WORKBOOKS = [
    Case("xlsx_truncated", "excel", "archive_broken", lambda: xlsx()[:2000]),
    Case("xlsx_encrypted", "excel", "workbook_encrypted", workbooks.encrypted_xlsx),
    Case(
        "xlsx_of_an_empty_package", "excel", "workbook_encrypted",
        lambda: workbooks.compound("EncryptedPackage", os.urandom(6000)),
    ),
    Case("xlsx_to_the_last_cell", "excel", "archive_too_large", lambda: sheet(FAR)),
    Case(
        "xlsx_of_columns", "excel", ("too_many_columns", "no_table_found", "table_empty"),
        lambda: sheet(
            "".join(
                f'<row r="{row}"><c r="A{row}"><v>1</v></c><c r="XFD{row}"><v>1</v></c></row>'
                for row in range(1, 9)
            )
        ),
    ),
    Case(
        "xlsx_of_empty_rows", "excel", ("no_table_found", "table_empty"),
        lambda: sheet("".join(f'<row r="{row}"/>' for row in range(1, 1_000_001))),
    ),
    Case(
        "xlsx_bomb", "excel", "archive_too_large",
        lambda: xlsx(**{"xl__media__a.xml": b" " * (64 * MIB)}),
    ),
    Case(
        "xlsx_that_laughs", "excel", "workbook_broken",
        lambda: sheet('<row r="1"><c r="A1" t="str"><v>&i;</v></c></row>', before=LAUGHING),
    ),
    Case(
        "xlsx_that_reads_files", "excel", ("workbook_broken", "no_table_found", "table_empty"),
        lambda: sheet('<row r="1"><c r="A1" t="str"><v>&e;</v></c></row>', before=READING),
    ),
    Case("xlsx_without_a_sheet", "excel", ("workbook_broken", "no_table_found"),
         lambda: zipped({"[Content_Types].xml": "<x/>", "xl/workbook.xml": "<workbook/>"})),
    Case("xlsb", "excel", "format_mismatch", lambda: xlsx(**{"xl__workbook.bin": b"x"})),
    Case("docx", "excel", ("workbook_broken", "format_mismatch"),
         lambda: zipped({"[Content_Types].xml": "<x/>", "word/document.xml": "<x/>"})),
    Case("xls_truncated", "excel", "workbook_broken", lambda: xls([(0, 0, 1)])[:1500]),
    Case(
        "xls_that_claims_all_cells", "excel", ("archive_too_large", "workbook_broken"),
        lambda: xls([(0, 0, 1.0), (65535, 65535, 1.0)]),
    ),
    Case(
        "xls_of_two_corners",
        "excel",
        "archive_too_large",
        lambda: xls([(0, 0, 1.0), (65535, 255, 1.0)]),
    ),
    Case(
        "xls_with_a_password", "excel", "workbook_encrypted",
        lambda: xls([(0, 0, 1.0)], extra=struct.pack("<HHH", 0x2F, 6, 1) + b"\x00\x00\x01\x00"),
    ),
    Case(
        "ods_that_repeats_without_end", "excel",
        ("archive_too_large", "workbook_broken", "too_many_columns"),
        lambda: ods(ods_row(ods_cell("x", 16_384), 1_048_576)),
    ),
    Case(
        "ods_to_the_last_cell", "excel", "archive_too_large",
        lambda: ods(ods_row(ods_cell("x")) + ods_row("<table:table-cell/>", 1_048_574)
                    + ods_row(ods_cell("x", 16_384))),
    ),
    Case("ods_truncated", "excel", "archive_broken", lambda: ods(ods_row(ods_cell("x")))[:300]),
    Case(
        "ods_encrypted", "excel", "workbook_encrypted",
        lambda: ods("", manifest=workbooks.ENCRYPTED_MANIFEST),
    ),
    Case("ods_that_laughs", "excel", "workbook_broken",
         lambda: ods(ods_row(ods_cell("&i;")), before=LAUGHING)),
]  # fmt: skip

DOCUMENTS = [
    Case("json_truncated", "json", "json_broken", lambda: b'[{"a": 1}, {"a": '),
    Case("json_with_nan", "json", "json_broken", lambda: b'[{"a": NaN}]'),
    Case("json_with_a_key_twice", "json", "json_broken", lambda: b'[{"a": 1, "a": 2}]'),
    Case("json_that_nests", "json", "nested_too_deep", lambda: b"[" * MIB + b"]" * MIB),
    Case("json_number_without_end", "json", "json_broken",
         lambda: b'[{"a": ' + b"9" * 9000 + b"}]"),
    Case("json_text_without_end", "json", "line_too_long",
         lambda: repeated(b"x", VAST, b'[{"a": "')),
    Case(
        "json_row_without_end", "json", "line_too_long",
        lambda: repeated(b'"' + b"x" * 999 + b'", ', VAST, b'[{"a": ['),
    ),
    Case("json_of_several_lists", "json", "rows_not_found",
         lambda: b'{"a": [{"x": 1}], "b": [{"x": 1}]}'),
    Case("json_of_an_error", "json", "rows_not_found", lambda: b'{"error": "no access"}'),
    Case(
        "json_of_100000_names", "json", "too_many_columns",
        lambda: json.dumps([{f"k{n}": n for n in range(100_000)}]).encode(),
    ),
    Case("ndjson_of_one_line", "ndjson", "line_too_long", lambda: repeated(b"x", VAST, b'{"a": "')),
    Case("ndjson_that_nests", "ndjson", "nested_too_deep", lambda: b'{"a": ' + b"[" * MIB),
    Case("geojson_number_without_end", "geojson", ("json_broken", "geojson_broken"),
         lambda: b'{"type": "FeatureCollection", "features": [], "x": ' + b"9" * 9000 + b"}"),
    Case(
        "geojson_that_nests", "geojson", ("geojson_broken", "nested_too_deep", "too_many_rejected"),
        lambda: b'{"type": "FeatureCollection", "features": [{"geometry": {"type": "Polygon", '
        b'"coordinates": ' + b"[" * 50_000 + b"]" * 50_000 + b"}}]}",
    ),
    Case("xml_that_laughs", "xml", "xml_unsafe", lambda: f"{LAUGHING}<x>&i;</x>".encode()),
    Case("xml_that_reads_files", "xml", "xml_unsafe", lambda: f"{READING}<x>&e;</x>".encode()),
    Case(
        "xml_that_grows_by_squares", "xml", "xml_unsafe",
        lambda: f'<!DOCTYPE x [<!ENTITY a "{"x" * 50_000}">]><x>{"&a;" * 50_000}</x>'.encode(),
    ),
    Case("xml_that_nests", "xml", "nested_too_deep", lambda: b"<x>" * 200_000),
    Case("xml_tag_without_end", "xml", "line_too_long",
         lambda: repeated(b"a='1' ", VAST, b"<x><r ")),
    Case("xml_truncated", "xml", "xml_broken", lambda: b"<x><r a='1'/><r a='2'/>"),
    Case("kml_that_reads_files", "kml", "xml_unsafe", lambda: f"{READING}<kml>&e;</kml>".encode()),
    Case("kml_of_links", "kml", "rows_not_found",
         lambda: b"<kml><NetworkLink><href>http://127.0.0.1/</href></NetworkLink></kml>"),
]  # fmt: skip

ARCHIVES = [
    Case("zip_truncated", "archive", "archive_broken",
         lambda: zipped({"a.csv": "a,b\n1,2\n"})[:-30]),
    Case("zip_bomb", "archive", "archive_too_large", zip_bomb),
    Case("zip_that_overlaps", "archive", ("archive_broken", "archive_too_large"), overlapping_zip),
    Case("zip_that_leads_out", "archive", "archive_path_unsafe", lambda: zipped({"../a.csv": "a"})),
    Case("zip_of_a_link", "archive", "archive_path_unsafe", symlink_zip),
    Case("zip_encrypted", "archive", "archive_encrypted", encrypted_zip),
    Case("zip_of_6000_members", "archive", "archive_too_large",
         lambda: zipped({f"{n}.csv": "" for n in range(6000)})),
    Case("zip_in_zip_in_zip_in_zip", "archive", "nested_too_deep",
         lambda: zipped({"a.zip": zipped({"a.zip": zipped({"a.zip": zipped({"a.csv": "a"})})})})),
    Case("zip_without_a_table", "archive", "part_not_found", lambda: zipped({"a.png": b"\x89PNG"})),
    Case("zip_with_a_page", "archive", "html_instead_of_data", lambda: zipped({"a.csv": LOGIN})),
    Case("gzip_of_42_levels", "archive", "nested_too_deep", lambda: gzips(42)),
    Case("gzip_bomb", "archive", "archive_too_large", lambda: gzip.compress(bytes(128 * MIB))),
    Case("gzip_truncated", "archive", "archive_broken", lambda: gzips(1)[:-6]),
    Case("tar_that_leads_out", "archive", "archive_path_unsafe", lambda: tarred("../a.csv")),
    Case("tar_of_a_device", "archive", "part_not_found",
         lambda: tarred("a.csv", kind=tarfile.CHRTYPE)),
    Case("tar_of_a_link", "archive", "part_not_found",
         lambda: tarred("a.csv", kind=tarfile.SYMTYPE)),
    Case("tar_truncated", "archive", "archive_broken",
         lambda: gzip.compress(tarred("a.csv")[:900])),
    *(
        Case(f"gtfs_without_{name}", "gtfs", "gtfs_file_missing",
             lambda name=name: zipped({key: GTFS[key] for key in GTFS if key != f"{name}.txt"}))
        for name in ("stops", "stop_times", "calendar")
    ),
    Case("gtfs_in_words", "gtfs", "too_many_rejected",
         lambda: zipped({**GTFS, "stops.txt": "stop_id,stop_lat,stop_lon\n1,north,east\n"})),
]  # fmt: skip

TYPED = [
    Case("parquet_of_zeros", "parquet", "parquet_broken", lambda: b"PAR1" + bytes(99) + b"PAR1"),
    Case("parquet_that_lies", "parquet", "parquet_broken",
         lambda: b"PAR1" + bytes(99) + b"\xff\xff\xff\x7fPAR1"),
    Case("parquet_encrypted", "parquet", "parquet_encrypted",
         lambda: b"PARE" + bytes(99) + b"PARE"),
    Case("shapefile_in_disguise", "shapefile", "layer_broken",
         lambda: zipped({f"a.{each}": "<OGRVRTDataSource/>" + "x" * 200
                         for each in ("shp", "shx", "dbf", "prj")})),
    Case("shapefile_alone", "shapefile", "layer_broken", lambda: b"\x00\x00\x27\x0a" + bytes(96)),
    Case("geopackage_of_zeros", "geopackage", ("layer_broken", "part_not_found"),
         lambda: b"SQLite format 3\x00" + bytes(52) + b"GPKG" + bytes(9000)),
]  # fmt: skip

PX = 'AXIS-VERSION="2013";STUB="a";VALUES("a")="x","y";'


def vast_cube() -> bytes:
    """A JSON-stat dataset of eight milliards of cells."""
    places = {"category": {"index": {str(number): number for number in range(2_000)}}}
    names = ["a", "b", "c"]
    cube = {
        "version": "2.0", "class": "dataset", "id": names, "size": [2_000] * 3,
        "dimension": dict.fromkeys(names, places), "value": [1],
    }  # fmt: skip
    return json.dumps(cube).encode()


STATISTICS = [
    Case("px_truncated", "px", "cube_broken", lambda: f"{PX}DATA=1 ".encode()),
    Case("px_of_too_many_cells", "px", "cube_broken", lambda: f"{PX}DATA={'1 ' * 9999};".encode()),
    Case("px_text_without_end", "px", "cube_broken", lambda: PX.encode() + b'NOTE="' + b"x" * MIB),
    Case("px_of_bytes", "px", ("cube_broken", "binary_content"), lambda: bytes(range(256)) * 400),
    Case("jsonstat_of_too_many_cells", "jsonstat", "source_too_large", vast_cube),
    Case("jsonstat_that_nests", "jsonstat", ("cube_broken", "nested_too_deep"),
         lambda: b"[" * MIB),
    Case("feed_of_bytes", "gtfs_rt", "feed_broken", lambda: bytes(range(256)) * 400),
    Case("feed_that_lies", "gtfs_rt", "feed_broken", lambda: b"\x12\xff\xff\xff\xff\x07x"),
]  # fmt: skip

FILES = [*TEXTS, *WORKBOOKS, *DOCUMENTS, *ARCHIVES, *TYPED, *STATISTICS]
