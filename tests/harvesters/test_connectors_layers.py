"""Shapefiles and GeoPackages: places in longitude and latitude, texts of any encoding, layers."""

from __future__ import annotations

import io
import sqlite3
import unicodedata
import zipfile
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
import shapely
from pyogrio import raw

from harvesters.legacy_tables import TCVN3
from tests.harvesters.conftest import rows, types

NAMES = ["Phường Cửa Nam", "Phường Hà Đông", "Xã Đông Anh", "Đường Láng Hạ", "Hồ Tây là"]
VN2000 = "EPSG:3405"


def write(path: Path, *, crs: str | None = VN2000, names: list[str] | None = None, **more) -> Path:
    """A layer of points in Hanoi, in metres of VN-2000 or in degrees."""
    names = NAMES if names is None else names
    where = (586300, 2325600) if crs == VN2000 else (105.83, 21.03)
    points = [shapely.to_wkb(shapely.Point(*where))] * len(names)
    fields = [np.array(names, dtype=object), np.arange(len(names), dtype=np.int32)]
    raw.write(
        path,
        np.array(points, dtype=object),
        fields,
        ["ten", "so"],
        geometry_type="Point",
        crs=crs,
        **more,
    )
    return path


def zipped(folder: Path, *, without: tuple[str, ...] = (), **replaced: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.iterdir()):
            if path.suffix not in without:
                archive.writestr(path.name, replaced.get(path.suffix[1:], path.read_bytes()))
    return stream.getvalue()


@pytest.fixture
def folder(tmp_path) -> Path:
    made = tmp_path / "layers"
    made.mkdir()
    return made


@pytest.fixture
def shapefile(folder) -> Path:
    write(folder / "phường.shp", encoding="UTF-8")
    return folder


def test_a_shapefile_of_vn2000_becomes_a_table_in_longitude_and_latitude(taken, lake, shapefile):
    ran = taken("shapefile", zipped(shapefile))
    assert ran.error is None
    found = rows(lake, "t")
    assert [row["ten"] for row in found] == NAMES
    assert (found[0]["lon"], found[0]["lat"]) == pytest.approx((105.8324, 21.0282), abs=1e-4)
    assert shapely.from_wkb(found[0]["geometry"]).x == found[0]["lon"]
    assert types(lake, "t")["so"] == "int64"
    assert "VN-2000 / UTM zone 48N" in " ".join(ran.messages)


def test_whole_numbers_of_many_digits_keep_them(taken, lake, folder):
    numbers = ["12345678901234567890", "12345678901234567891", "7"]
    write(folder / "a.shp", encoding="UTF-8", names=numbers)
    table = bytearray((folder / "a.dbf").read_bytes())
    assert (table[32:36], table[43:44]) == (b"ten\0", b"C")
    table[43:44] = b"N"
    assert taken("shapefile", zipped(folder, dbf=bytes(table))).error is None
    assert [row["ten"] for row in rows(lake, "t")] == list(map(Decimal, numbers))
    assert types(lake, "t")["ten"] == "decimal(20,0)"


def test_without_a_prj_the_system_must_be_pinned(taken, lake, shapefile):
    content = zipped(shapefile, without=(".prj",))
    error = taken("shapefile", content).error
    assert error.code == "crs_missing"
    assert ".prj" in error.detail
    assert taken("shapefile", content, crs=VN2000).error is None
    assert rows(lake, "t")[0]["lat"] == pytest.approx(21.0282, abs=1e-4)


def as_bytes(encoding: str) -> bytes:
    """The texts as old programs wrote them."""
    to_bytes = {"cp1258": _cp1258, "tcvn3": _tcvn3}.get(encoding, str.encode)
    return b"".join(to_bytes(name).ljust(80) for name in NAMES)


def _cp1258(text: str) -> bytes:
    """Marks of tone are letters of their own there, those of vowels are not."""
    out = []
    for letter in text:
        try:
            out.append(letter.encode("cp1258"))
        except UnicodeEncodeError:
            parts = unicodedata.normalize("NFD", letter)
            base, tone = unicodedata.normalize("NFC", parts[:-1]), parts[-1]
            try:
                out.append(base.encode("cp1258") + tone.encode("cp1258"))
            except UnicodeEncodeError:
                # ệ is e, dot below, circumflex: the tone comes first there.
                base = unicodedata.normalize("NFC", parts[0] + parts[2])
                out.append(base.encode("cp1258") + parts[1].encode("cp1258"))
    return b"".join(out)


def _tcvn3(text: str) -> bytes:
    signs = {letter: sign for sign, letter in TCVN3.items() if ord(sign) < 256}
    return "".join(signs.get(letter, letter) for letter in text).encode("latin-1")


def rewritten(folder: Path, encoding: str) -> bytes:
    """The .dbf with the same rows in another encoding: each is a sign, 80 and 9 bytes."""
    dbf = bytearray((folder / "phường.dbf").read_bytes())
    header = int.from_bytes(dbf[8:10], "little")
    each = int.from_bytes(dbf[10:12], "little")
    texts = as_bytes(encoding)
    for number in range(len(NAMES)):
        at = header + number * each + 1
        dbf[at : at + 80] = texts[number * 80 : number * 80 + 80]
    return bytes(dbf)


@pytest.mark.parametrize(
    ("encoding", "cpg", "pinned"),
    [
        ("utf-8", None, None),
        ("utf-8", b"UTF-8", None),
        # Programs that do not know write what they are set to.
        ("utf-8", b"ISO-8859-1", None),
        ("cp1258", None, None),
        ("cp1258", b"1258", None),
        ("cp1258", b"ANSI 1258", None),
        ("cp1258", b"UTF-8", None),
        ("cp1258", None, "cp1258"),
        ("tcvn3", None, None),
        ("tcvn3", b"1252", None),
        ("tcvn3", None, "tcvn3"),
    ],
)
def test_texts_are_read_in_whatever_encoding_they_are(taken, lake, folder, encoding, cpg, pinned):
    write(folder / "phường.shp", encoding="UTF-8")
    dbf = rewritten(folder, encoding)
    (folder / "phường.cpg").unlink()
    if cpg:
        (folder / "phường.cpg").write_bytes(cpg)
    ran = taken("shapefile", zipped(folder, dbf=dbf), **({"encoding": pinned} if pinned else {}))
    assert ran.error is None
    assert [row["ten"] for row in rows(lake, "t")] == NAMES


def test_texts_that_are_not_the_pinned_encoding_are_refused(taken, folder):
    write(folder / "phường.shp", encoding="UTF-8")
    dbf = rewritten(folder, "cp1258")
    assert taken("shapefile", zipped(folder, dbf=dbf), encoding="utf-8").code == "encoding_broken"
    assert taken("shapefile", zipped(folder, dbf=dbf), encoding="nope").code == "encoding_unknown"


def test_several_layers_are_several_tables(taken, lake, folder):
    write(folder / "a.shp", encoding="UTF-8")
    write(folder / "b.shp", encoding="UTF-8", names=["x"])
    assert taken("shapefile", zipped(folder)).error is None
    assert sorted(lake.tables()) == ["t_a", "t_b"]
    assert taken("shapefile", zipped(folder), parts="b").error is None
    assert [row["ten"] for row in rows(lake, "t")] == ["x"]
    assert taken("shapefile", zipped(folder), parts="c").code == "part_not_found"


def test_what_is_no_whole_shapefile_is_refused_by_name(taken, lake, shapefile):
    part = {path.suffix[1:]: path.read_bytes() for path in shapefile.iterdir()}
    for content, said in (
        (zipped(shapefile, without=(".dbf",)), ".dbf"),
        (zipped(shapefile, without=(".shx",)), ".shx"),
        (zipped(shapefile, shp=part["shp"][:-10]), "truncated"),
        (zipped(shapefile, dbf=part["dbf"][:-100]), "truncated"),
        (zipped(shapefile, shp=b"<OGRVRTDataSource><x/>" + bytes(200)), "no Shapefile"),
        (part["shp"], "alone"),
    ):
        error = taken("shapefile", content).error
        assert error.code == "layer_broken"
        assert said in error.detail
    assert taken("shapefile", b"<html>").code == "html_instead_of_data"
    assert taken("shapefile", zipped(shapefile, without=(".shp",))).code == "part_not_found"
    garbled = part["shp"][:100] + b"\xff" * (len(part["shp"]) - 100)
    assert taken("shapefile", zipped(shapefile, shp=garbled)).code in (
        "layer_broken",
        "too_many_rejected",
        "table_empty",
    )
    assert lake.tables() == []


def test_the_layers_of_a_geopackage_are_tables(taken, lake, folder):
    path = write(folder / "map.gpkg", layer="phường")
    write(path, layer="bến", crs="EPSG:4326", append=True, names=["x"])
    assert taken("geopackage", path.read_bytes()).error is None
    assert sorted(lake.tables()) == ["t_ben", "t_phuong"]
    assert [row["ten"] for row in rows(lake, "t_phuong")] == NAMES
    assert rows(lake, "t_phuong")[0]["lat"] == pytest.approx(21.0282, abs=1e-4)
    assert rows(lake, "t_ben")[0]["lat"] == 21.03
    assert taken("geopackage", path.read_bytes(), parts="b*").error is None
    assert rows(lake, "t")[0]["ten"] == "x"


def test_what_is_no_geopackage_is_refused_by_name(taken, lake, folder):
    path = write(folder / "map.gpkg")
    whole = path.read_bytes()
    plain = folder / "plain.db"
    with sqlite3.connect(plain) as database:
        database.execute("CREATE TABLE t (a)")
    assert taken("geopackage", plain.read_bytes()).code == "format_mismatch"
    assert taken("geopackage", whole[:5000]).code in ("layer_broken", "part_not_found")
    assert taken("geopackage", whole, parts="nowhere").code == "part_not_found"
    assert taken("geopackage", b"a,b\n1,2\n").code == "format_mismatch"
    assert lake.tables() == []


def test_a_geopackage_that_calls_other_files_reaches_none(taken, lake, folder):
    """A virtual table over a file of the machine, where SQLite's extension would allow it."""
    secret = folder / "secret.csv"
    secret.write_text("a,b\n1,bí mật\n")
    path = write(folder / "map.gpkg")
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA writable_schema = ON")
        database.execute(
            "INSERT INTO sqlite_master (type, name, tbl_name, rootpage, sql) VALUES ('table', "
            f"'evil', 'evil', 0, 'CREATE VIRTUAL TABLE evil USING VirtualOGR(''{secret}'')')"
        )
    taken("geopackage", path.read_bytes())
    assert all("bí mật" not in str(row) for table in lake.tables() for row in rows(lake, table))


def test_maps_in_an_archive_are_tables_too(taken, lake, shapefile, tmp_path):
    write(tmp_path / "bến.gpkg")
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("phường.zip", zipped(shapefile))
        archive.write(tmp_path / "bến.gpkg", "bến.gpkg")
    ran = taken("archive", stream.getvalue())
    assert ran.error is None
    assert sorted(lake.tables()) == ["t_ben", "t_phuong"]
