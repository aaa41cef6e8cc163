"""Holds: the same finding has the same fingerprint, is decided once, and shows no value."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from harvesters import drift, holds, masks
from harvesters.errors import HeldVersionRejected
from harvesters.normalise import normalise
from harvesters.rawtable import RawColumn, RawTable, batches_of_rows, text_schema
from harvesters.source import Source
from harvesters.validate import validate
from harvesters.workbench import Workbench
from lake.schema import Column

PEOPLE = {
    "Họ tên": ["Nguyễn Văn An", "Trần Thị Bích Ngọc", "Lê Hoàng Minh"],
    "SĐT": ["0912345678", "0987654321", "0356789012"],
    "n": ["1", "2", "3"],
}


def source(options=None, decisions=()) -> Source:
    row = {"id": "s", "name": "s", "kind": "csv", "url": "http://x/", "options": options or {}}
    return Source.of({**row, "decisions": list(decisions)})


def examined(columns, before=None, options=None, decisions=(), keep=True):
    """The holds of a table, and the types it would be published with."""
    asked = source(options, decisions)
    with Workbench() as bench:
        numbered = enumerate(zip(*columns.values(), strict=True), start=2)
        name = bench.load(text_schema(len(columns)), batches_of_rows(numbered, len(columns)))
        raw = RawTable(name, [RawColumn(f"c{i}", header) for i, header in enumerate(columns)])
        masks.apply(raw, asked.options, bench, masks.source_key("k" * 32, "s"))
        checked = validate(normalise(raw, asked.options, bench), asked.options, bench)
        known = [Column(name, kind) for name, kind in before.items()] if before else None
        checked = drift.keep_types(checked, known) if keep else checked
        found = holds.examine(checked, known, asked, "people")
        types = {typed.column.name: typed.column.type for typed in checked.typed.columns}
        rows = bench.rows(checked.accepted_sql())
    return found, types, rows


def decision(hold, word):
    return {
        **{"kind": hold.kind, "table": hold.table, "fingerprint": hold.fingerprint},
        "decision": word,
    }


def test_personal_data_holds_and_shows_no_value():
    (hold,), _, _ = examined(PEOPLE)
    assert (hold.table, hold.kind) == ("people", "personal_data")
    assert [column["column"] for column in hold.facts["columns"]] == ["Họ tên", "SĐT"]
    assert hold.facts["rules_date"] == "2026-01-01"
    assert hold.preview == {
        "columns": ["Họ tên", "SĐT", "n"],
        "rows": [["Ngu***", "091***", "1"], ["Trầ***", "098***", "2"], ["Lê ***", "035***", "3"]],
    }
    told = json.dumps([hold.facts, hold.preview, hold.reason], ensure_ascii=False)
    assert not any(text in told for text in PEOPLE["Họ tên"] + PEOPLE["SĐT"])


def test_an_approved_finding_passes_whatever_rows_come_later():
    (hold,), _, _ = examined(PEOPLE)
    more = {name: [*values, values[0]] for name, values in PEOPLE.items()}
    assert examined(more, decisions=[decision(hold, "approve")])[0] == []


def test_approving_with_a_mask_on_one_column_needs_no_second_decision():
    (hold,), _, _ = examined(PEOPLE)
    masked = {"columns": {"SĐT": {"mask": "hash"}}}
    found, _, rows = examined(PEOPLE, options=masked, decisions=[decision(hold, "approve")])
    assert found == []
    assert len(rows[0][1]) == 32


def test_masking_every_column_needs_no_decision():
    pins = {"Họ tên": {"mask": "drop"}, "SĐT": {"mask": "truncate"}}
    found, types, rows = examined(PEOPLE, options={"columns": pins})
    assert found == []
    assert list(types) == ["SĐT", "n"]
    assert rows[0] == ("091***", 1)


def test_another_personal_column_is_another_finding():
    (hold,), _, _ = examined(PEOPLE)
    more = {**PEOPLE, "Email": ["an@gmail.com", "ngoc@yahoo.com", "minh@outlook.com"]}
    (again,), _, _ = examined(more, decisions=[decision(hold, "approve")])
    assert again.fingerprint != hold.fingerprint


def test_a_rejected_finding_refuses_the_run():
    (hold,), _, _ = examined(PEOPLE)
    with pytest.raises(HeldVersionRejected):
        examined(PEOPLE, decisions=[decision(hold, "reject")])


BEFORE = {"mã": "string", "giá": "float64", "ngày": "date"}
SAME = {"mã": ["a", "b"], "giá": ["1.5", "2"], "ngày": ["2024-01-31", "2024-02-01"]}


def test_a_column_of_texts_keeps_its_texts_when_this_file_has_only_numbers():
    _, types, rows = examined(
        {"mã": ["05.50", "-", "-999", "N/A"], "n": ["k"] * 4}, {"mã": "string"}
    )
    assert types["mã"] == "string"
    assert [code for code, _ in rows] == ["05.50", "-", "-999", None]
    _, _, rows = examined({"mã": ["5.50", "-", "-999", "N/A"], "n": ["k"] * 4}, {"mã": "string"})
    assert [code for code, _ in rows] == ["5.50", "-", "-999", None]


def test_a_table_as_published_is_not_held():
    assert examined(SAME, BEFORE)[0] == []
    assert examined(SAME, None)[0] == []


@pytest.mark.parametrize(
    ("name", "values", "type_text", "expected"),
    [
        ("giá", ["1", "2"], "float64", [1.0, 2.0]),
        ("giá", ["", ""], "float64", [None, None]),
        ("mã", ["1", "2"], "string", ["1", "2"]),
        ("ngày", ["", ""], "date", [None, None]),
    ],
)
def test_a_type_that_only_seems_to_change_stays(name, values, type_text, expected):
    found, types, rows = examined({**SAME, name: values}, BEFORE)
    assert found == []
    assert types[name] == type_text
    assert [row[list(types).index(name)] for row in rows] == expected


def test_a_pinned_type_is_a_change_and_never_undone():
    found, types, _ = examined(
        {**SAME, "mã": ["1", "2"]}, BEFORE, {"columns": {"mã": {"type": "int64"}}}
    )
    assert types["mã"] == "int64"
    assert found[0].facts["changes"] == [
        {"column": "mã", "change": "retyped", "before": "string", "after": "int64"}
    ]


def without(name):
    return {key: value for key, value in SAME.items() if key != name}


@pytest.mark.parametrize(
    ("columns", "change"),
    [
        (without("giá"), {"column": "giá", "change": "missing", "before": "float64", "after": ""}),
        (
            {**SAME, "ngày": ["hôm qua", "nay"]},
            {"column": "ngày", "change": "retyped", "before": "date", "after": "string"},
        ),
        (
            {**without("ngày"), "Ngay": SAME["ngày"]},
            {"column": "ngày", "change": "renamed", "before": "ngày", "after": "Ngay"},
        ),
        (
            {**SAME, "giá": ["chín", "mười"]},
            {"column": "giá", "change": "retyped", "before": "float64", "after": "string"},
        ),
    ],
)
def test_a_change_that_breaks_readers_is_held(columns, change):
    (hold,), _, _ = examined(columns, BEFORE)
    assert hold.kind == "schema_drift"
    assert hold.facts["changes"] == [change]
    assert hold.preview["columns"] == list(columns)
    assert examined(columns, BEFORE, decisions=[decision(hold, "approve")])[0] == []


def test_a_new_column_and_a_wider_type_are_no_breaks():
    more = {**SAME, "thêm": ["x", "y"]}
    assert examined(more, {**BEFORE, "giá": "int64"})[0] == []
    seen = drift.changes(
        [Column("giá", "int64")], [Column("giá", "float64"), Column("thêm", "string")]
    )
    assert [str(change) for change in seen] == [
        "column giá is float64 now, was int64",
        "new column thêm (string)",
    ]
    assert [(change.change, change.breaking) for change in seen] == [
        ("retyped", False),
        ("new", False),
    ]


@pytest.mark.parametrize(
    ("before", "after", "wider"),
    [
        ("int64", "float64", True),
        ("int64", "decimal(25,3)", True),
        ("int64", "decimal(10,0)", False),
        ("decimal(10,2)", "decimal(12,2)", True),
        ("decimal(10,2)", "decimal(12,1)", False),
        ("decimal(10,2)", "float64", True),
        ("float64", "int64", False),
        ("date", "timestamp", False),
        ("date", "string", False),
        ("string", "int64", False),
    ],
)
def test_only_room_for_more_is_wider(before, after, wider):
    assert drift.is_wider(before, after) is wider


def test_a_drift_of_a_table_with_people_shows_them_shortened():
    before = {**dict.fromkeys(PEOPLE, "string"), "n": "int64", "lớp": "string"}
    found, _, _ = examined(PEOPLE, before)
    assert [hold.kind for hold in found] == ["personal_data", "schema_drift"]
    assert found[1].preview["rows"][0] == ["Ngu***", "091***", "1"]
    assert replace(found[0], preview={}) != replace(found[1], preview={})
