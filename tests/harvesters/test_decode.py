"""Bytes to tables: encodings, dialects, headers, and what is refused."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harvesters.connectors import csv
from harvesters.errors import (
    BinaryContent,
    DataRefused,
    EncodingBroken,
    FormatMismatch,
    HtmlInsteadOfData,
    TableNotFound,
    TooManyColumns,
    TooManyRejected,
)
from harvesters.source import Options
from harvesters.unreadable import MOST_ROWS
from harvesters.workbench import Workbench

VIETNAMESE = "mã;tên\n001;Đống Đa\n002;Thủy Nguyên\n003;Ngọc Hà, phường\n"


def table_of(tmp_path, content: bytes | str, **options):
    """Headers, rows of text with their numbers, and rejected rows."""
    path = tmp_path / "file"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with Workbench() as bench:
        (raw,) = csv.decode(path, Options.of(options), bench)
        keys = ", ".join(column.key for column in raw.columns)
        found = bench.rows(f"SELECT row, {keys} FROM {raw.name} ORDER BY row")
    return [column.header for column in raw.columns], found, raw


def as_cp1258(text: str) -> bytes:
    """Windows-1258 has the tone marks apart: the vowel first, its tone after it."""
    out = bytearray()
    for letter in text:
        try:
            out += letter.encode("cp1258")
        except UnicodeEncodeError:
            plain = unicodedata.normalize("NFD", letter)
            tones = [mark for mark in plain if mark in "\u0300\u0301\u0303\u0309\u0323"]
            rest = "".join(mark for mark in plain if mark not in tones)
            out += (unicodedata.normalize("NFC", rest) + "".join(tones)).encode("cp1258")
    return bytes(out)


@pytest.mark.parametrize(
    "encode",
    [
        lambda text: text.encode(),
        lambda text: b"\xef\xbb\xbf" + text.encode(),
        lambda text: b"\xff\xfe" + text.encode("utf-16-le"),
        lambda text: b"\xfe\xff" + text.encode("utf-16-be"),
        lambda text: text.encode("utf-16-le"),
        as_cp1258,
        lambda text: unicodedata.normalize("NFD", text).encode(),
    ],
    ids=["utf-8", "bom", "utf-16-le", "utf-16-be", "no-mark", "cp1258", "nfd"],
)
def test_every_encoding_gives_the_same_text(tmp_path, encode):
    headers, found, _ = table_of(tmp_path, encode(VIETNAMESE))
    assert [unicodedata.normalize("NFC", header) for header in headers] == ["mã", "tên"]
    assert found == [
        (2, "001", "Đống Đa"),
        (3, "002", "Thủy Nguyên"),
        (4, "003", "Ngọc Hà, phường"),
    ]


def test_western_text_is_not_read_as_vietnamese(tmp_path):
    _, found, _ = table_of(
        tmp_path, "ville;pays\nOrléans;Français\nBesançon;été\n".encode("cp1252")
    )
    assert found[0][1:] == ("Orléans", "Français")


def test_a_few_wrong_bytes_in_utf8_are_refused_and_not_guessed(tmp_path):
    content = VIETNAMESE.encode() * 20 + b"004;\xff\n"
    with pytest.raises(EncodingBroken) as refused:
        table_of(tmp_path, content)
    assert refused.value.facts["offset"] == len(content) - 2


def test_a_wrong_byte_late_in_a_long_file_is_found(tmp_path):
    content = b"a,b\n" + b"1,2\n" * 600_000 + "Đống,Đa\n".encode() * 50 + b"\xe1,3\n"
    with pytest.raises(EncodingBroken):
        table_of(tmp_path, content)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(tmp_path, delimiter):
    text = "\n".join(delimiter.join(row) for row in (["a", "b", "c"], ["1", "x y", "2,5 %"]))
    headers, found, _ = table_of(tmp_path, text.replace("2,5 %", "2.5 %") + "\n")
    assert headers == ["a", "b", "c"]
    assert found == [(2, "1", "x y", "2.5 %")]


def test_titles_and_junk_above_the_header_are_skipped(tmp_path):
    titles = "BÁO CÁO NĂM 2024\n\nĐơn vị: nghìn người\n"
    text = titles + "quận,số dân,nam\nBa Đình,100,50\nHoàn Kiếm,200,90\n"
    headers, found, _ = table_of(tmp_path, text)
    assert headers == ["quận", "số dân", "nam"]
    assert found[0] == (5, "Ba Đình", "100", "50")


def test_rows_without_a_header_get_numbered_columns(tmp_path):
    headers, found, _ = table_of(tmp_path, "1,Ba Đình,2.5\n2,Ngọc Hà,3.5\n3,Giảng Võ,1.5\n")
    assert headers == ["", "", ""]
    assert len(found) == 3


def test_pinned_header_row_wins(tmp_path):
    text = "a,b\nx,y\n1,2\n"
    assert table_of(tmp_path, text, header_row=2)[0] == ["x", "y"]
    assert len(table_of(tmp_path, text, header_row=0)[1]) == 3


def test_lines_with_nothing_in_them_are_no_rows(tmp_path):
    _, found, raw = table_of(tmp_path, "a,b,c\n1,2,3\n   \n,,,,\n\n4,5,6\n")
    assert found == [(2, "1", "2", "3"), (6, "4", "5", "6")]
    assert raw.rejected == []


def test_rows_that_cannot_be_read_have_a_limit(tmp_path):
    with pytest.raises(TooManyRejected):
        table_of(tmp_path, "a,b\n" + "1,2\n" * 400 + "1,2,3\n" * (MOST_ROWS + 1))


def test_ragged_rows_are_rejected_with_their_number_and_text(tmp_path):
    _, found, raw = table_of(tmp_path, 'a,b\n1,2\n3\n"x\ny",4\n5,6,7\n\n8,9\n')
    assert [row[0] for row in found] == [2, 4, 7]
    assert [(row.row, row.value) for row in raw.rejected] == [(3, "3"), (5, "5,6,7")]


def test_a_trailing_delimiter_is_no_column(tmp_path):
    from harvesters.normalise import normalise

    path = tmp_path / "file"
    path.write_text("a;b;\n1;2;\n3;4;\n")
    with Workbench() as bench:
        (raw,) = csv.decode(path, Options(), bench)
        assert [column.column.name for column in normalise(raw, Options(), bench).columns] == [
            "a",
            "b",
        ]
        assert raw.rejected == []


def test_rows_and_numbers_survive_the_cutting_into_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr("harvesters.blocks.BLOCK_BYTES", 256)
    monkeypatch.setattr("harvesters.utf8.CHUNK_BYTES", 100)
    text = "id,text\n" + "".join(
        f'{number},"dòng {number}\nvà ""nữa"""\n' if number % 3 else f"{number}\n"
        for number in range(1, 400)
    )
    _, found, raw = table_of(tmp_path, text)
    kept = [number for number in range(1, 400) if number % 3]
    assert [int(row[1]) for row in found] == kept
    assert [row[0] for row in found] == [number + 1 for number in kept]
    assert [row.row for row in raw.rejected] == [n + 1 for n in range(1, 400) if n % 3 == 0]


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 10**9),
            st.text(st.characters(codec="utf-8", exclude_characters="\x00\ufeff"), max_size=20),
        ),
        min_size=1,
        max_size=30,
    )
)
def test_what_a_csv_writer_writes_is_what_is_read(tmp_path_factory, written):
    import csv as writer
    import io

    stream = io.StringIO()
    out = writer.writer(stream, quoting=writer.QUOTE_ALL)
    out.writerow(["số", "chữ"])
    out.writerows(written)
    _, found, raw = table_of(
        *(tmp_path_factory.mktemp("csv"), stream.getvalue()),
        **{"delimiter": ",", "header_row": 1, "text_encoding": "none", "row_kind": False},
    )
    expected = [
        (str(number), unicodedata.normalize("NFC", text.strip()) or None)
        for number, text in written
    ]
    assert raw.rejected == []
    assert [row[1:] for row in found] == expected


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"<!DOCTYPE html><html><body>Login</body></html>", HtmlInsteadOfData),
        (b"\n <html lang='vi'>", HtmlInsteadOfData),
        (b"PK\x03\x04" + b"x" * 100, FormatMismatch),
        (b"%PDF-1.7\n", FormatMismatch),
        (b"\x1f\x8b\x08" + b"\x00" * 20, FormatMismatch),
        (b"a,b\n1,\x002\n", BinaryContent),
        (bytes(range(256)) * 50, DataRefused),
        (b"", TableNotFound),
        (b" \n\n \n", TableNotFound),
        ((",".join(f"c{i}" for i in range(3000)) + "\n").encode() * 2, TooManyColumns),
    ],
)
def test_what_is_no_table_is_refused_by_name(tmp_path, content, error):
    with pytest.raises(error):
        table_of(tmp_path, content)


def test_one_endless_line_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("harvesters.blocks.BLOCK_BYTES", 1 << 16)
    monkeypatch.setattr("harvesters.blocks.LONGEST_BLOCK_BYTES", 1 << 20)
    with pytest.raises(DataRefused):
        table_of(tmp_path, b"a,b\n1," + b"x" * (3 << 20))
