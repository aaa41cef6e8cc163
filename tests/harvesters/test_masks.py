"""Masked columns: nothing after decoding ever sees their values."""

from __future__ import annotations

import hashlib
import hmac
import json

import pytest

from harvesters import masks, personal
from harvesters.errors import MaskKeyMissing, SourceInvalid
from harvesters.normalise import normalise
from harvesters.rawtable import RawColumn, RawTable, batches_of_rows, text_schema
from harvesters.source import Options
from harvesters.validate import validate
from harvesters.workbench import Workbench
from lake.rejected import Rejected

KEY = masks.source_key("x" * 32, "source-1")


def masked(columns: dict[str, list[str]], key=KEY, /, **options):
    """Accepted rows, rejected rows and column types after masking."""
    pinned = Options.of(options)
    with Workbench() as bench:
        numbered = enumerate(zip(*columns.values(), strict=True), start=2)
        name = bench.load(text_schema(len(columns)), batches_of_rows(numbered, len(columns)))
        raw = RawTable(name, [RawColumn(f"c{i}", header) for i, header in enumerate(columns)])
        raw.rejected.append(Rejected(9, "", "Nguyễn Văn An,0912345678,x", "ragged_row", "3 cells"))
        masks.apply(raw, pinned, bench, key)
        checked = validate(normalise(raw, pinned, bench), pinned, bench)
        names = [typed.column.name for typed in checked.typed.columns]
        rows = [dict(zip(names, row, strict=True)) for row in bench.rows(checked.accepted_sql())]
        types = {typed.column.name: typed.column.type for typed in checked.typed.columns}
        # Whatever is still on the workbench, also of a column that is gone.
        left = bench.rows(f"SELECT * FROM {raw.name}")
        return rows, checked.shown(), types, raw, str(left)


def test_a_hash_is_keyed_and_the_same_for_the_same_text():
    rows, _, types, raw, left = masked(
        {"SĐT": ["0912345678", "", "0912345678"], "n": ["1", "2", "3"]},
        columns={"SĐT": {"mask": "hash", "type": "int64", "minimum": 5}},
    )
    expected = hmac.digest(KEY, b"0912345678", hashlib.sha256).hex()[:32]
    assert [row["SĐT"] for row in rows] == [expected, None, expected]
    assert types["SĐT"] == "string"
    assert raw.masked == ["SĐT"]
    assert "0912345678" not in left


def test_two_sources_hash_the_same_text_differently():
    other = masks.source_key("x" * 32, "source-2")
    pins = {"columns": {"a": {"mask": "hash"}}}
    (one, *_), (two, *_) = masked({"a": ["x"]}, **pins), masked({"a": ["x"]}, other, **pins)
    assert one != two


def test_a_dropped_column_is_gone_and_its_namesake_keeps_its_name():
    rows, _, types, _, left = masked(
        {"Tên": ["Nguyễn Văn An"], "tên": ["An"], "số": ["1"]},
        columns={"Tên": {"mask": "drop", "required": True}},
    )
    assert types == {"tên_2": "string", "số": "int64"}
    assert rows == [{"tên_2": "An", "số": 1}]
    assert "Nguyễn" not in left


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("31/12/1985", "1985"),
        ("1985-12-31 07:30", "1985"),
        ("an.nguyen@gmail.com", "***@gmail.com"),
        ("0912345678", "091***"),
        ("Nguyễn Văn An", "Ngu***"),
        ("12345", "1***"),
        ("An", "***"),
        ("", None),
    ],
)
def test_truncating_leaves_what_identifies_nobody(text, shown):
    rows, _, _, _, _ = masked(
        {"x": [text], "n": ["1"]}, columns={"x": {"mask": "truncate", "type": "date"}}
    )
    assert rows[0]["x"] == shown
    if text:
        assert masks.shortened(text) == shown


@pytest.mark.parametrize("mask", ["hash", "truncate", "drop"])
def test_no_rejected_row_shows_a_masked_value(mask):
    _, rejected, _, _, _ = masked(
        {"SĐT": ["0912345678", "0912345678"], "n": ["1", "x"]},
        columns={"SĐT": {"mask": mask, "unique": True}, "n": {"type": "int64"}},
    )
    assert len(rejected) >= 2
    assert not any("0912345678" in (row.value or "") for row in rejected)


def test_hashing_without_a_key_or_with_a_short_one_is_refused():
    with pytest.raises(MaskKeyMissing):
        masked({"a": ["x"]}, None, columns={"a": {"mask": "hash"}})
    with pytest.raises(MaskKeyMissing):
        masks.source_key("short", "source-1")


def test_an_unknown_mask_is_the_sources_fault():
    with pytest.raises(SourceInvalid):
        Options.of({"columns": {"a": {"mask": "blur"}}})


def test_reports_of_rejected_rows_never_show_personal_columns():
    rejected = [
        Rejected(2, "SĐT", "0912345678", "pattern_mismatch", "x"),
        Rejected(3, "n", "x", "type_mismatch", "is no int64"),
        Rejected(4, "", "Nguyễn Văn An,0912345678,1,2", "ragged_row", "4 cells instead of 3"),
    ]
    assert [row.value for row in personal.guarded(rejected, {"SĐT"})] == ["091***", "x", None]
    assert list(personal.guarded(rejected, set())) == rejected


def test_a_run_that_is_held_reports_no_personal_text(run, serve, portal):
    people = "".join(f"Nguyễn Văn An,09123456{n},{n}\n" for n in range(10, 40))
    source = portal.add_source(
        name="nguoi-dan",
        kind="csv",
        url=serve("Họ tên,SĐT,n\n" + people + "Trần Thị Bích Ngọc,0987654321,x\n"),
        options={"columns": {"n": {"type": "int64"}, "SĐT": {"pattern": "09123.*"}}},
        dataset={"table": "people"},
    )
    ran = run(source)
    assert [hold["kind"] for hold in ran.report.holds] == ["personal_data"]
    told = json.dumps(ran.report.as_dict(), ensure_ascii=False)
    assert ran.report.rejected
    assert "0987654321" not in told
    assert "Bích Ngọc" not in told
    assert "Nguyễn Văn An" not in told
