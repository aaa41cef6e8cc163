"""The contract beyond one column: keys of several columns, and references to other tables."""

from __future__ import annotations

import pytest

from harvesters.contract import References, rules
from harvesters.errors import ColumnMissing, ReferenceMissing, SourceInvalid, TooManyRejected
from harvesters.normalise import normalise
from harvesters.publish import publish
from harvesters.rawtable import RawColumn, RawTable, batches_of_rows, text_schema
from harvesters.source import MAX_REJECTED_SHARE, Options
from harvesters.validate import refuse_unfit, validate
from harvesters.workbench import Workbench


def checked(columns, lake=None, offered=(), publish_as=None, refuse=False, /, **options):
    """Accepted rows and rejected rows of a table."""
    pinned = Options.of(options)
    references = References(lake, offered) if lake else None
    with Workbench() as bench:
        numbered = enumerate(zip(*columns.values(), strict=True), start=2)
        name = bench.load(text_schema(len(columns)), batches_of_rows(numbered, len(columns)))
        raw = RawTable(name, [RawColumn(f"c{i}", header) for i, header in enumerate(columns)])
        typed = normalise(raw, pinned, bench)
        found = validate(typed, pinned, bench, rules(typed, pinned, references, bench))
        if refuse:
            refuse_unfit(found, pinned)
        if publish_as:
            publish(found, lake, publish_as, run_id="r", source_url="", source_hash="")
        rejected = [(row.row, row.value, row.reason_code) for row in found.shown()]
        return bench.rows(found.accepted_sql()), rejected


@pytest.fixture
def wards(lake):
    checked({"Mã phường": ["00004", "00008"], "n": ["1", "2"]}, lake, (), "wards")
    return lake


REFERENCE = {"columns": {"mã": {"references": "wards.Mã phường"}}}


@pytest.mark.parametrize("column", ["Mã phường", "ma_phuong"])
def test_a_value_that_stands_nowhere_in_the_other_table_is_rejected(wards, column):
    pin = {"columns": {"mã": {"references": f"wards.{column}"}}}
    codes = ["00004", "00009", "", "00008"]
    rows, rejected = checked({"mã": codes, "k": ["a", "b", "c", "d"]}, wards, ("wards",), **pin)
    assert [row[0] for row in rows] == ["00004", None, "00008"]
    assert rejected == [(3, "00009", "reference_unknown")]


def test_only_offered_tables_can_be_referred_to(wards):
    with pytest.raises(SourceInvalid, match="not offered"):
        checked({"mã": ["00004"]}, wards, ("other",), **REFERENCE)
    with pytest.raises(SourceInvalid, match="no lake"):
        checked({"mã": ["00004"]}, None, **REFERENCE)
    with pytest.raises(SourceInvalid, match="no column"):
        checked({"mã": ["1"]}, wards, ("wards",), columns={"mã": {"references": "wards.x"}})


def test_a_table_that_is_not_there_yet_ends_the_run_by_name(lake):
    with pytest.raises(ReferenceMissing):
        checked({"mã": ["00004"]}, lake, ("wards",), **REFERENCE)


def test_columns_are_unique_together():
    columns = {"trạm": ["a", "a", "b", "a", ""], "ngày": ["1", "2", "1", "1", "1"]}
    rows, rejected = checked(columns, unique=[["trạm", "Ngày"]])
    assert len(rows) == 4
    assert rejected == [(5, "a", "not_unique")]


def test_a_keys_column_that_is_not_there_refuses_the_table():
    with pytest.raises(ColumnMissing):
        checked({"a": ["1"]}, unique=[["a", "b"]])
    with pytest.raises(SourceInvalid):
        checked({"a": ["1"]}, unique=["a"])


@pytest.mark.parametrize(("wrong", "refused"), [(5, False), (6, True)])
def test_over_five_in_a_hundred_rejected_rows_publish_nothing(wrong, refused):
    assert MAX_REJECTED_SHARE == 0.05
    columns = {"x": ["-1"] * wrong + ["1"] * (100 - wrong)}
    pins = {"columns": {"x": {"minimum": 0}}}
    if refused:
        with pytest.raises(TooManyRejected):
            checked(columns, None, (), None, True, **pins)
    else:
        assert len(checked(columns, None, (), None, True, **pins)[0]) == 95
