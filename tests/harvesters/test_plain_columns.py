"""What is known of columns while they stream past is what asking about every text would find."""

from __future__ import annotations

import os
import unicodedata

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harvesters import letters, utf8
from harvesters.cells import read
from harvesters.connectors import csv
from harvesters.delimited import Dialect
from harvesters.header import Header
from harvesters.normalise import normalise
from harvesters.publish import publish
from harvesters.source import Options
from harvesters.validate import validate
from harvesters.workbench import Workbench
from lake.store import Lake
from tests.harvesters.conftest import rows

# `HANOIIC_TEST_EXAMPLES` asks for more.
EXAMPLES = int(os.environ.get("HANOIIC_TEST_EXAMPLES", "10"))
NUMBERS = st.one_of(
    st.integers(-5_000, 5_000).map(str),
    st.integers(-(10**21), 10**21).map(str),
    st.decimals(-1000, 1000, places=2).map(str),
    st.decimals(0, 10**17, places=3).map(str),
    st.sampled_from(["0", "-0", "007", "1.", ".5", "+3", "1e3", "-999", "-9999", "1.234", "-", ""]),
)
TIMES = st.one_of(
    st.dates().map(str),
    st.datetimes().map(lambda moment: f"{moment:%Y-%m-%d %H:%M:%S}"),
    st.datetimes().map(lambda moment: f"{moment:%Y-%m-%dT%H:%M}"),
    st.sampled_from(["2024-02-30", "2024-01-01 24:00:00", "0999-01-01", "2024-1-1", "1/2/2024"]),
)
TEXTS = st.one_of(
    st.sampled_from(["N/A", "...", "null", "-", "Đống Đa", "Quận 1", "00070", "true", "ＡＢ", "à"]),
    st.text(st.characters(codec="utf-8", exclude_characters='"\x00\r\n\ufeff'), max_size=8),
)
COLUMNS = st.one_of(
    *(st.lists(cells, min_size=1, max_size=12) for cells in (NUMBERS, TIMES, TEXTS)),
    *(
        st.lists(cells, min_size=1, max_size=12)
        for cells in (
            st.integers(-2_000, 2_000).map(str),
            st.integers(1, 999).map(str),
            st.decimals(1, 99, places=3).map(str),
            st.dates().map(str),
            st.datetimes().map(lambda moment: f"{moment:%Y-%m-%d %H:%M:%S}"),
        )
    ),
)


def taken(content: bytes, folder, *, carefully: bool, **options):
    """All that a file's way to the lake shows; `carefully` forgets what was seen on the way."""
    path = folder / "file"
    path.write_bytes(content)
    pinned = Options.of({"delimiter": ",", "header_row": 1, "text_encoding": "none", **options})
    lake = Lake(folder / f"lake-{carefully}")
    with Workbench(folder) as bench:
        (raw,) = csv.decode(path, pinned, bench)
        if carefully:
            bench.own(raw.name)
        typed = normalise(raw, pinned, bench)
        checked = validate(typed, pinned, bench)
        done = publish(checked, lake, "t", run_id="r", source_url="", source_hash="")
        columns = [(one.column, one.reading, one.sentinel_count) for one in typed.columns]
        batches = bench.batches(checked.accepted_sql())
        accepted = [row for batch in batches for row in batch.to_pylist()]
    found = rows(lake, "t") if done.row_count else []
    return columns, typed.messages, accepted, found, done.content_hash, done.completeness


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    columns=st.lists(COLUMNS, min_size=1, max_size=4),
    decimal=st.sampled_from([None, ","]),
    required=st.booleans(),
)
def test_a_column_seen_streaming_is_read_as_if_every_text_were_asked(
    tmp_path_factory, columns, decimal, required
):
    length = max(map(len, columns))
    filled = [[*column, *[""] * (length - len(column))] for column in columns]
    lines = [[f"c{number}" for number in range(len(columns))], *zip(*filled, strict=True)]
    content = "\n".join(",".join(f'"{cell}"' for cell in (*line, "k")) for line in lines).encode()
    folder = tmp_path_factory.mktemp("plain")
    options = {"decimal": decimal, "columns": {"c0": {"required": required}}}
    quickly = taken(content, folder, carefully=False, **options)
    assert quickly == taken(content, folder, carefully=True, **options)


@pytest.mark.parametrize("odd", ["x", "007", "N/A", "1.5", "2024-05-05", "", "-999"])
def test_one_odd_text_late_in_a_long_file_decides_its_column(tmp_path, monkeypatch, odd):
    monkeypatch.setattr("harvesters.blocks.BLOCK_BYTES", 1 << 12)
    monkeypatch.setattr("harvesters.utf8.CHUNK_BYTES", 1 << 12)
    lines = [f"{number},{number % 900}.25,2024-01-{number % 28 + 1:02}" for number in range(3000)]
    lines[2900] = f"{odd},{odd},{odd}"
    content = "\n".join(["số,giá,ngày", *lines]).encode()
    quickly = taken(content, tmp_path, carefully=False)
    assert quickly == taken(content, tmp_path, carefully=True)
    assert len(quickly[3]) == (3000 if odd else 2999)
    assert [int(float(row["số"])) for row in quickly[3][:2900]] == list(range(2900))


DIALECT = Dialect(",", '"', Header(["a", "b"], None, 0))


@settings(max_examples=10 * EXAMPLES, deadline=None)
@given(text=st.text('a1",\n\r é', min_size=1, max_size=60))
def test_records_of_a_block_are_those_that_pythons_own_reader_sees(text):
    """Where both see records at all: quotes inside of cells are read in many ways."""
    import csv as reader
    import io

    quotes_lie_at_cell_edges = all(
        line.count('"') in (0, 2) and (not line.count('"') or line[0] == line[-1] == '"')
        for line in text.replace("\r", "\n").replace(",", "\n").split("\n")
    )
    if not quotes_lie_at_cell_edges:
        return
    cells = read(text.encode(), DIALECT)
    expected = list(reader.reader(io.StringIO(text, newline="")))
    numbered = dict(enumerate(expected, start=1))
    refused = {record.row for record in cells.refused}
    assert cells.row_count == len(expected)
    others = {number: row for number, row in numbered.items() if len(row) != 2}
    assert refused == {number for number, row in others.items() if any(map(str.strip, row))}
    for row in cells.batch.to_pylist():
        wanted = [cell.strip() or None for cell in numbered[row["row"]]]
        assert [row["c0"], row["c1"]] == wanted


@settings(max_examples=10 * EXAMPLES, deadline=None)
@given(bytes_=st.one_of(st.binary(max_size=12), st.text(max_size=8).map(str.encode)))
def test_the_first_byte_that_is_no_utf8_is_the_one_python_finds(bytes_):
    try:
        bytes_.decode()
        wrong = None
    except UnicodeDecodeError as error:
        wrong = error.start
    assert utf8.first_wrong_of(bytes_) == wrong


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_chunks_never_cut_a_letter(tmp_path, monkeypatch, size):
    monkeypatch.setattr("harvesters.utf8.CHUNK_BYTES", size)
    text = "Đống Đa – ừ 😀 a" * 3
    path = tmp_path / "file"
    path.write_bytes(text.encode())
    assert "".join(chunk.decode() for chunk in utf8.chunks(path)) == text
    assert utf8.first_wrong(path) is None
    path.write_bytes(text.encode() + b"\xe1\xbb")
    assert utf8.first_wrong(path) == len(text.encode())


@settings(max_examples=10 * EXAMPLES, deadline=None)
@given(
    texts=st.lists(
        st.text(st.characters(codec="utf-8", categories=["L", "M", "P", "Zs"]), min_size=1),
        min_size=1,
        max_size=5,
    )
)
def test_texts_called_nfc_are_nfc(texts):
    if letters.is_nfc(pa.array(texts)):
        assert all(unicodedata.is_normalized("NFC", text) for text in texts)
