"""Packed files: members become tables, and bombs of all makes are refused by name."""

from __future__ import annotations

import bz2
import gzip
import io
import struct
import tarfile
import zipfile

import pytest

from harvesters import archive
from harvesters.errors import ArchiveTooLarge, HarvestError
from tests.harvesters.conftest import rows
from tests.harvesters.test_connectors import workbook

CSV = "mã,tên\n001,Cầu Giấy\n"


def zipped(files: dict[str, str | bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in files.items():
            opened.writestr(name, content)
    return stream.getvalue()


def tarred(files: dict[str, str | bytes], **fields) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as opened:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            body = content.encode() if isinstance(content, str) else content
            info.size = len(body)
            for field, value in fields.items():
                setattr(info, field, value)
            opened.addfile(info, io.BytesIO(body))
    return stream.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        gzip.compress(CSV.encode()),
        zipped({"thư mục/bến.csv": CSV, "README.md": "# x", "img/a.png": b"\x89PNG"}),
        gzip.compress(tarred({"bến.csv": CSV})),
        tarred({"bến.csv": CSV}),
        zipped({"a.zip": zipped({"bến.csv": CSV})}),
        zipped({"bến.csv.gz": gzip.compress(CSV.encode())}),
        zipped({"bến.tgz": gzip.compress(tarred({"bến.csv": CSV}))}),
        zipped({"bến.csv": CSV, "__MACOSX/._bến.csv": b"\x00\x05\x16\x07", ".DS_Store": b"\x00"}),
        zipped({"bến.csv": CSV, "Đọc tôi.txt": "Xin chào các bạn"}),
    ],
    ids=map(str, range(9)),
)
def test_the_only_table_of_an_archive_is_the_table(taken, lake, content):
    assert taken("archive", content).error is None
    assert lake.tables() == ["t"]
    assert rows(lake, "t") == [{"mã": "001", "tên": "Cầu Giấy"}]


def test_every_member_is_a_table_of_its_own_kind(taken, lake):
    ran = taken(
        "archive",
        zipped(
            {
                "Bến xe.csv": CSV,
                "sổ.xlsx": workbook([["a", "b"], [1, 2]]),
                "dữ liệu.json": '[{"c": 3}]',
                "in/thêm.zip": zipped({"dòng.ndjson": '{"d": 4}\n{"d": 5}\n'}),
                "ảnh.png": b"\x89PNG",
            }
        ),
    )
    assert ran.error is None
    assert sorted(lake.tables()) == ["t_ben_xe", "t_dong", "t_du_lieu", "t_so"]
    assert [row["d"] for row in rows(lake, "t_dong")] == [4, 5]
    assert "left out: ảnh.png" in " ".join(ran.messages)


def test_members_of_one_name_in_two_folders_are_two_tables(taken, lake):
    files = {"2024/bến.csv": CSV, "2025/bến.csv": CSV}
    assert taken("archive", zipped(files)).error is None
    assert sorted(lake.tables()) == ["t_x_2024_ben", "t_x_2025_ben"]


@pytest.mark.parametrize("parts", ["2025/*.csv", "2025/*", "2025", "mới.csv", "m*"])
def test_members_can_be_chosen(taken, lake, parts):
    files = {"2024/bến.csv": CSV, "2025/mới.csv": "a,b\n1,2\n"}
    assert taken("archive", zipped(files), parts=parts).error is None
    assert rows(lake, "t") == [{"a": 1, "b": 2}]


def test_a_choice_that_fits_nothing_names_what_there_is(taken):
    error = taken("archive", zipped({"a.csv": CSV}), parts="b*").error
    assert error.code == "part_not_found"
    assert "'a.csv'" in error.detail


def test_names_of_old_zip_programs_are_read_as_they_were_meant(taken, lake):
    content = bytearray(zipped({"bến.csv": CSV, "số.csv": CSV}))
    # Take away the sign that the names are UTF-8, in local and central headers.
    for mark, offset in ((b"PK\x03\x04", 7), (b"PK\x01\x02", 9)):
        at = content.find(mark)
        while at >= 0:
            content[at + offset] &= ~0x08
            at = content.find(mark, at + 4)
    assert taken("archive", bytes(content)).error is None
    assert sorted(lake.tables()) == ["t_ben", "t_so"]


def layered(depth: int) -> bytes:
    content = CSV.encode()
    for _ in range(depth):
        content = gzip.compress(content)
    return content


def link(kind: bytes) -> bytes:
    return tarred({"a.csv": b""}, type=kind, linkname="/etc/passwd")


def pax_bomb() -> bytes:
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.XHDTYPE, 64 << 20
    return header.tobuf() + bytes(64 << 20)


BOMB = gzip.compress(bytes(64 << 20))


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [
        (layered(42), "nested_too_deep", "3 levels"),
        (layered(4), "nested_too_deep", "3 levels"),
        (zipped({"a.csv.gz": BOMB}), "archive_too_large", "300 times"),
        (BOMB, "archive_too_large", "300 times"),
        (gzip.compress(CSV.encode())[:-9], "archive_broken", "truncated"),
        (gzip.compress(CSV.encode())[:-8] + bytes(8), "archive_broken", "damaged"),
        (gzip.compress(CSV.encode()) + b"garbage", "archive_broken", "damaged"),
        (gzip.compress(tarred({"a.csv": CSV})[:700]), "archive_broken", "truncated"),
        (tarred({"a.csv": CSV})[:1024], "archive_broken", "truncated"),
        (tarred({"../a.csv": CSV}), "archive_path_unsafe", "leads out"),
        (tarred({"/etc/a.csv": CSV}), "archive_path_unsafe", "leads out"),
        (link(tarfile.SYMTYPE), "part_not_found", "no table"),
        (link(tarfile.CHRTYPE), "part_not_found", "no table"),
        (gzip.compress(pax_bomb(), 1), "archive_too_large", ""),
        (zipped({"../a.csv": CSV}), "archive_path_unsafe", "leads out"),
        (zipped({}), "part_not_found", "nothing"),
        (zipped({"a.png": b"\x89PNG"}), "part_not_found", "a.png"),
        (zipped({"a.csv": CSV, "b.csv": b"<html>x"}), "html_instead_of_data", "b.csv:"),
        (zipped({"a.csv": CSV, "b.csv": b"%PDF-1.4"}), "format_mismatch", "b.csv:"),
        (zipped({"a.csv": CSV, "b.zip": b"PK\x03\x04xx"}), "archive_broken", "b.zip:"),
        (zipped({"a.csv": CSV, "b.json": "[" * 90}), "nested_too_deep", "b.json:"),
        (bz2.compress(CSV.encode()), "binary_content", "no known kind"),
        (b"a,b\n1,2\n", "format_mismatch", "no archive"),
        (b"<html>", "html_instead_of_data", ""),
    ],
    ids=map(str, range(24)),
)
def test_hostile_archives_are_refused_by_name(taken, lake, content, code, said):
    error = taken("archive", content).error
    assert error.code == code, error
    assert said in error.detail
    assert lake.tables() == []


def test_a_directory_of_gigabytes_is_not_read(tmp_path):
    """A zip whose end announces a directory as large as the file."""
    path = tmp_path / "wide.zip"
    size = 1 << 30
    with path.open("wb") as file:
        file.truncate(size)
        file.seek(size)
        file.write(struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, size, 0, 0))
    with pytest.raises(ArchiveTooLarge), archive.opened(path):
        pass


def test_a_member_that_is_damaged_inside_is_refused(taken):
    content = bytearray(zipped({"a.csv": CSV * 100}))
    content[45:60] = b"\xff" * 15
    error = taken("archive", bytes(content)).error
    assert isinstance(error, HarvestError)
    assert error.code == "archive_broken"
