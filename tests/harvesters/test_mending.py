"""Legacy Vietnamese in real tables: workbooks and text files are mended, column by column."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from pathlib import Path

import openpyxl
import pytest

from harvesters import decode
from harvesters.connectors import CONNECTORS
from harvesters.errors import SourceInvalid
from harvesters.mending import mend
from harvesters.rawtable import RawColumn, RawTable, batches_of_rows, text_schema
from harvesters.source import Options
from harvesters.workbench import Workbench
from tests.harvesters.test_legacy import FAMOUS, encoded

KIND_OF_SUFFIX = {
    **{".csv": "csv", ".txt": "csv", ".xlsx": "excel", ".xls": "excel"},
    **{".geojson": "geojson", ".zip": "gtfs", ".tsv": "csv", ".json": "json", ".jsonld": "json"},
    ".rdf": "xml",
}
# Where several elements repeat.
PINNED = {"dcat-foggia-catalog.rdf": {"rows": "RDF/Dataset"}}
HEAD = ["Tên đơn vị", "Số dự án", "Ghi chú"]


class Decoded:
    """A decoded table: its headers, title, rows of text, and messages."""

    def __init__(self, raw, bench) -> None:
        keys = ", ".join(column.key for column in raw.columns)
        self.headers = [column.header for column in raw.columns]
        self.units = [column.unit for column in raw.columns]
        self.types = [column.type for column in raw.columns]
        self.above, self.below = raw.above, raw.below
        self.part = raw.part
        self.rows = bench.rows(f"SELECT {keys} FROM {raw.name} ORDER BY row")
        self.messages = raw.messages


def decoded(path: Path, kind: str, **options) -> list[Decoded]:
    with Workbench() as bench:
        raws = CONNECTORS[kind].decode(path, Options.of(options), bench)
        return [Decoded(raw, bench) for raw in raws]


@pytest.fixture
def sheet(tmp_path):
    """Write rows as a workbook and decode it; its table."""

    def sheet(rows: list[list], **options) -> Decoded:
        book = openpyxl.Workbook()
        for row in rows:
            book.active.append(row)
        path = tmp_path / "book.xlsx"
        book.save(path)
        (table,) = decoded(path, "excel", **options)
        return table

    return sheet


def old_rows(encoding: str) -> list[list]:
    names = [[encoded(text, encoding), number, 1] for number, text in enumerate(FAMOUS)]
    return [[encoded(text, encoding) for text in HEAD], *names]


@pytest.mark.parametrize("encoding", ["tcvn3", "vni"])
def test_cells_headers_and_title_are_mended_and_told(sheet, encoding):
    title = encoded("Danh sách các đơn vị", encoding)
    table = sheet([[title], [], *old_rows(encoding)])
    assert table.above == ["Danh sách các đơn vị"]
    assert table.headers == HEAD
    assert [row[0] for row in table.rows] == list(FAMOUS)
    told = " ".join(table.messages)
    assert "Tên đơn vị: " in told
    assert f"{len(FAMOUS)} cells with {len(FAMOUS)} texts" in told
    assert f"“{encoded(FAMOUS[1], encoding)}” → “{FAMOUS[1]}”" in told
    assert "3 headers made Unicode" in told


def test_each_column_has_its_own_encoding_and_unicode_columns_none(sheet):
    rows = [["Một", "Hai", "Ba", "Bốn"]]
    foreign = ["Hà Nam", "Café", "Müller", "São Paulo", "20 m²", "Cà Mau"] * 2
    for text, other in zip(FAMOUS, foreign, strict=False):
        rows.append([encoded(text, "tcvn3"), encoded(text, "vni"), text, other])
    table = sheet(rows)
    assert table.headers == ["Một", "Hai", "Ba", "Bốn"]
    for row, other in zip(table.rows, foreign, strict=False):
        assert row[0] == row[1] == row[2]
        assert row[3] == other


def test_a_column_half_converted_keeps_what_is_right(sheet):
    clean = ["Hà Nam", "Đà Nẵng", "Cà Mau", "Thái Bình", "Trà Vinh"]
    names = [*(encoded(text, "tcvn3") for text in FAMOUS), *clean]
    table = sheet([["Tên", "Số"], *([name, 1] for name in names)])
    assert table.headers == ["Tên", "Số"]
    assert [row[0] for row in table.rows] == [*FAMOUS, *clean]


# Words of other languages, signs, codes and Vietnamese without a letter that only Unicode has.
CLEAN = (
    *("Où", "Où est la gare", "dû", "Thé", "Hôtel de Ville", "François", "Société Générale"),
    *("Straße", "Müller GmbH", "Größe 42", "für", "Übersicht", "Fußball"),
    *("Microsoft®", "Panadol®", "ISO®9001", "Intel® Core™ i5", "© 2005", "25°C", "20 m²", "x²"),
    *("§ 5", "12 §", "Ø 100", "Ø16", "±0,5°C", "3 × 4", "µg/m³", "H²O", "®™", "a · b"),
    *("K×7", "ID®7", "É12", "C°4", "T°C", "M²-4", "12·5"),
    *("Hà Nam", "Cà Mau", "Hòa Bình", "Lê Hoàn", "Ô tô", "Hoàng Hà", "Tây Hòa", "Bùi Hùng"),
)


@pytest.mark.parametrize("encoding", ["tcvn3", "vni", "viscii"])
def test_in_an_old_column_no_clean_cell_is_damaged(sheet, encoding):
    names = [*(encoded(text, encoding) for text in FAMOUS), *CLEAN]
    table = sheet([["Tên", "Số"], *([name, 1] for name in names)])
    assert [row[0] for row in table.rows] == [*FAMOUS, *CLEAN]


@pytest.mark.parametrize("encoding", ["tcvn3", "vni", "viscii"])
def test_one_clean_cell_alone_in_an_old_column_stays(sheet, encoding):
    old = [encoded(text, encoding) for text in FAMOUS]
    for clean in ("Où", "Où est la gare", "Microsoft®", "§ 5", "Ø 100", "Straße", "25°C", "ID®7"):
        table = sheet([["Tên", "Số"], *([name, 1] for name in [*old, clean])])
        assert [row[0] for row in table.rows] == [*FAMOUS, clean]


def test_a_pinned_encoding_wins_for_the_sheet_and_for_a_column(sheet):
    lonely = [["A", "B"], [encoded("tô", "tcvn3"), 1], ["x", 2]]
    assert [row[0] for row in sheet(lonely).rows] == ["t«", "x"]
    assert [row[0] for row in sheet(lonely, text_encoding="tcvn3").rows] == ["tô", "x"]
    pinned = {"A": {"text_encoding": "tcvn3"}}
    assert [row[0] for row in sheet(lonely, columns=pinned).rows] == ["tô", "x"]
    rows = old_rows("vni")
    assert sheet(rows, text_encoding="none").headers == rows[0]
    kept = sheet(rows, columns={"Tên đơn vị": {"text_encoding": "none"}})
    assert [row[0] for row in kept.rows] == [row[0] for row in rows[1:]]
    assert kept.headers[1:] == HEAD[1:]


def test_an_encoding_that_is_none_is_refused():
    for given in ({"text_encoding": "utf-8"}, {"columns": {"a": {"text_encoding": "vntime"}}}):
        with pytest.raises(SourceInvalid, match="text_encoding"):
            Options.of(given)


@pytest.mark.parametrize("encoding", ["tcvn3", "vni", "viscii"])
@pytest.mark.parametrize("pin", [False, True])
def test_a_text_file_of_those_days(tmp_path, encoding, pin):
    rows = [HEAD, *([text, str(number), ""] for number, text in enumerate(FAMOUS))]
    text = "".join(";".join(row) + "\r\n" for row in rows)
    path = tmp_path / "old.csv"
    path.write_bytes(encoded(text, encoding).encode("latin-1"))
    (table,) = decoded(path, "csv", **({"encoding": encoding} if pin else {}))
    assert table.headers == HEAD
    assert [row[0] for row in table.rows] == list(FAMOUS)


@pytest.mark.parametrize("encoding", ["tcvn3", "vni"])
def test_signs_that_windows_types_are_no_control_characters(tmp_path, encoding):
    texts = ["“Sở Y tế” – Hà Nội", "Diện tích… đất nông nghiệp", "Quận Đống Đa"]
    path = tmp_path / "old.csv"
    path.write_bytes(encoded("Nội dung\n" + "\n".join(texts) + "\n", encoding).encode("cp1252"))
    (table,) = decoded(path, "csv")
    assert [row[0] for row in table.rows] == texts


def words(text: str) -> Counter:
    """The words of a text that have letters with Vietnamese marks."""
    found = re.findall(r"\w+", unicodedata.normalize("NFC", text))
    return Counter(word for word in found if not word.isascii())


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("name", "sheets", "least"),
    [("business/mpi-fdi-2005-08", 2, 600), ("budget/cangio-quyet-toan-cap-huyen-2004", 1, 150)],
)
def test_real_workbooks_are_as_people_transcribed_them(data, name, sheets, least):
    """Nothing else than they wrote, and all that they wrote, word for word."""
    said: Counter = Counter()
    for position in range(sheets):
        for table in decoded(data / f"{name}.xls", "excel", sheet=position):
            cells = (cell or "" for row in table.rows for cell in row)
            said += words(" ".join([*table.above, *table.headers, *cells, *table.below]))
    truth = words((data / f"{name}.truth.txt").read_text())
    assert truth.total() > least
    assert (said - truth).total() <= 0.005 * truth.total(), said - truth
    assert (truth - said).total() <= 0.005 * truth.total(), truth - said


@pytest.mark.realdata
def test_no_unicode_file_of_the_real_data_is_touched(data):
    """Workbooks of old fonts apart: every file is decoded as a table, and none is refused."""
    old_fonts = {".xls"}
    files = [path for path in sorted(data.rglob("*")) if path.is_file()]
    assert {path.suffix for path in files} == KIND_OF_SUFFIX.keys()
    unicode = [path for path in files if path.suffix not in old_fonts]
    for path in unicode:
        tables = decoded(path, KIND_OF_SUFFIX[path.suffix], **PINNED.get(path.name, {}))
        assert sum(len(table.rows) for table in tables) > 0, path.name
        told = [text for table in tables for text in table.messages if "made Unicode" in text]
        assert not told, path.name
    assert len(unicode) >= 26


@pytest.mark.realdata
def test_no_line_of_a_utf_8_file_of_the_real_data_is_touched(data):
    """Whatever a file is: transcripts, catalogues and the manifest too, as texts."""
    seen = 0
    for path in (path for path in sorted(data.rglob("*")) if path.is_file()):
        try:
            text = path.read_bytes().decode("utf-8-sig")
        except UnicodeDecodeError:
            assert path.suffix in (".xls", ".xlsx", ".zip") or path.name.startswith("DERIVED-")
            continue
        seen += 1
        assert "".join(part.decode() for part in decode.text(path).iter_utf8()) == text
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        with Workbench() as bench:
            name = bench.load(text_schema(1), batches_of_rows(enumerate(zip(lines)), 1))
            table = RawTable(name, [RawColumn("c0", "dòng")])
            mend(table, Options(), bench)
            found = [line for (line,) in bench.rows(f"SELECT c0 FROM {name} ORDER BY row")]
        assert table.messages == [], path.name
        assert found == [unicodedata.normalize("NFC", line) for line in lines], path.name
    assert seen >= 18


@pytest.mark.realdata
def test_the_vietnamese_of_the_real_data_comes_back_from_every_encoding(data, tmp_path):
    source = (data / "planning/hanoi-wards-2025-list.csv").read_text(encoding="utf-8")
    (expected,) = decoded(data / "planning/hanoi-wards-2025-list.csv", "csv")
    for encoding in ("tcvn3", "vni", "viscii"):
        path = tmp_path / f"{encoding}.csv"
        path.write_bytes(encoded(source, encoding).encode("latin-1"))
        (table,) = decoded(path, "csv")
        assert len(table.rows) == len(expected.rows)
        wrong = [
            (there, here)
            for there, here in zip(expected.rows, table.rows, strict=True)
            # The fonts of TCVN3 have no capitals with tones: Ứng is ứng there.
            if [cell.casefold() for cell in there] != [cell.casefold() for cell in here]
        ]
        assert not wrong
