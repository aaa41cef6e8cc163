"""Texts to values: what a whole column says decides."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal

import pytest

from harvesters import units
from harvesters.errors import ColumnMissing, SourceInvalid
from harvesters.normalise import normalise
from harvesters.publish import publish
from harvesters.rawtable import RawColumn, RawTable, batches_of_rows, text_schema
from harvesters.source import Options
from harvesters.validate import validate
from harvesters.workbench import Workbench
from tests.harvesters.conftest import rows

NEW_YEAR = datetime(2024, 1, 1, tzinfo=UTC)


def read(lake, columns: dict[str, list], /, figures: tuple[str, ...] = (), **options):
    """Columns of text to what the lake keeps of them: types, values, messages, rejected rows."""
    pinned = Options.of(options)
    with Workbench() as bench:
        numbered = enumerate(zip(*columns.values(), strict=True), start=2)
        width = len(columns)
        name = bench.load(text_schema(width), batches_of_rows(numbered, width))
        signs = ["." if header in figures else None for header in columns]
        raw = RawTable(
            name,
            [
                RawColumn(f"c{i}", header, decimal=sign)
                for i, (header, sign) in enumerate(zip(columns, signs, strict=True))
            ],
        )
        typed = normalise(raw, pinned, bench)
        checked = validate(typed, pinned, bench)
        done = publish(checked, lake, "t", run_id="r", source_url="", source_hash="")
        rejected = checked.shown()
    found = rows(lake, "t") if done.row_count else []
    values = {column.name: [row[column.name] for row in found] for column in done.columns}
    return {column.name: column.type for column in done.columns}, values, typed.messages, rejected


@pytest.mark.parametrize(
    ("texts", "type_text", "values"),
    [
        (["1", "-2", "+3"], "int64", [1, -2, 3]),
        (["00001", "00002"], "string", ["00001", "00002"]),
        (["1", "02"], "string", ["1", "02"]),
        (["0", "0.5", ".25"], "float64", [0.0, 0.5, 0.25]),
        (["1.5", "2e+3", "2.5E3", "1e-07"], "float64", [1.5, 2000.0, 2500.0, 1e-07]),
        (["1E2", "3e4", "12"], "string", ["1E2", "3e4", "12"]),
        (["1e+400", "1"], "string", ["1e+400", "1"]),
        (["0001-01-01 00:00:00", "2024-01-01 07:00:00"], "timestamp", [None, NEW_YEAR]),
        (["0000-00-00", "2024-02-29"], "date", [None, date(2024, 2, 29)]),
        (["999999999999999999"], "int64", [999999999999999999]),
        (
            ["12345678901234567890", "1"],
            "decimal(20,0)",
            [Decimal("12345678901234567890"), Decimal(1)],
        ),
        (["1234567890123456.78"], "decimal(18,2)", [Decimal("1234567890123456.78")]),
        (["105.84421590000001"], "float64", [105.84421590000001]),
        (["2,5", "3"], "float64", [2.5, 3.0]),
        (["1.234.567", "12.000"], "int64", [1234567, 12000]),
        (["1.234,5", "7"], "float64", [1234.5, 7.0]),
        (["1,234.5", "1,000"], "float64", [1234.5, 1000.0]),
        (["1 234 567", "12"], "int64", [1234567, 12]),
        (["true", "FALSE"], "boolean", [True, False]),
        (["Có", "không"], "boolean", [True, False]),
        (["0", "1"], "int64", [0, 1]),
        (["2024-02-29", "2024/3/1"], "date", [date(2024, 2, 29), date(2024, 3, 1)]),
        (["31/12/2024", "1/2/2024"], "date", [date(2024, 12, 31), date(2024, 2, 1)]),
        (["12/31/2024", "1/2/2024"], "date", [date(2024, 12, 31), date(2024, 1, 2)]),
        (["1/2/2024", "3/4/2024"], "date", [date(2024, 2, 1), date(2024, 4, 3)]),
        (["31.12.2024", "01-02-2024"], "date", [date(2024, 12, 31), date(2024, 2, 1)]),
        (["31/02/2024"], "string", ["31/02/2024"]),
        (["8:05", "23:59:30"], "time", [time(8, 5), time(23, 59, 30)]),
        (["25:00", "8:05"], "string", ["25:00", "8:05"]),
        (["8:05 AM", "12:30 pm", "12:00:05AM"], "time", [time(8, 5), time(12, 30), time(0, 0, 5)]),
        (["13:05 PM"], "string", ["13:05 PM"]),
        (["giá", "1"], "string", ["giá", "1"]),
        (["", " "], "string", [None, None]),
    ],
)
def test_a_whole_column_decides_its_type(lake, texts, type_text, values):
    found, read_values, _, rejected = read(lake, {"x": texts, "n": ["k"] * len(texts)})
    assert found["x"] == type_text
    assert read_values["x"] == values
    assert rejected == []


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2024-01-01T00:30:00Z", datetime(2024, 1, 1, 0, 30, tzinfo=UTC)),
        ("2024-01-01T07:30:00+07:00", datetime(2024, 1, 1, 0, 30, tzinfo=UTC)),
        ("2024-01-01T07:30:00.250+0700", datetime(2024, 1, 1, 0, 30, 0, 250000, tzinfo=UTC)),
        ("2024-01-01 07:30", datetime(2024, 1, 1, 0, 30, tzinfo=UTC)),
        ("13/01/2024 07:30:15", datetime(2024, 1, 13, 0, 30, 15, tzinfo=UTC)),
        ("1/13/2024 7:30 PM", datetime(2024, 1, 13, 12, 30, tzinfo=UTC)),
        ("2024-01-01 12:00 AM", datetime(2023, 12, 31, 17, 0, tzinfo=UTC)),
    ],
)
def test_times_without_a_zone_are_hanois(lake, text, instant):
    found, values, _, _ = read(lake, {"lúc": [text]})
    assert found["lúc"] == "timestamp"
    assert values["lúc"] == [instant]


def test_one_value_at_the_end_of_a_long_column_counts(lake):
    texts = [str(number) for number in range(5000)] + ["không rõ"]
    found, values, _, _ = read(lake, {"x": texts})
    assert found["x"] == "string"
    assert values["x"][-1] == "không rõ"


def test_other_columns_tell_the_decimal_sign(lake):
    columns = {"vi_do": ["21,0386", "20,9"], "kinh_do": ["105,838", "105,816"]}
    _, values, messages, _ = read(lake, columns)
    assert values["kinh_do"] == [105.838, 105.816]
    assert "decimal comma" in messages


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        (["12.500", "8.300"], True),
        (["12,500", "8,300"], True),
        (["12.500", "8.3"], False),
        (["12.500", "1.234.567"], False),
        (["12", "8"], False),
    ],
)
def test_signs_that_may_divide_thousands_are_told(lake, texts, told):
    _, _, messages, _ = read(lake, {"số": texts})
    assert any("may divide thousands or decimals" in message for message in messages) is told
    assert not any("may divide" in text for text in read(lake, {"số": texts}, decimal=",")[2])


def test_other_columns_tell_the_order_of_day_and_month(lake):
    _, values, _, _ = read(lake, {"từ": ["1/2/2024"], "đến": ["1/31/2024"]})
    assert values["từ"] == [date(2024, 1, 2)]


def test_dates_that_can_be_both_are_told(lake):
    _, _, messages, _ = read(lake, {"ngày": ["1/2/2024"]})
    assert "can't be told apart" in messages[0]
    _, values, messages, _ = read(
        lake, {"ngày": ["1/2/2024"]}, columns={"ngày": {"type": "date", "format": "mdy"}}
    )
    assert values["ngày"] == [date(2024, 1, 2)]
    assert messages == []


def test_sentinels_become_empty_and_are_counted(lake):
    columns = {
        "pm25": ["12.5", "-999.0", "-3.5", "N/A", "-999"],
        "ghi chú": ["tốt", "N/A", "-", "NA", "xấu"],
    }
    found, values, messages, _ = read(lake, columns)
    assert found["pm25"] == "float64"
    assert values["pm25"] == [12.5, None, -3.5, None, None]
    assert values["ghi chú"] == ["tốt", None, "-", "NA", "xấu"]
    assert messages[0].startswith("pm25: 3 values")


@pytest.mark.parametrize(
    ("type_text", "texts", "values"),
    [
        ("date", ["45322", "44927"], [date(2024, 1, 31), date(2023, 1, 1)]),
        (
            "timestamp",
            ["45322.3125", "45323"],
            [datetime(2024, 1, 31, 0, 30, tzinfo=UTC), datetime(2024, 1, 31, 17, tzinfo=UTC)],
        ),
    ],
)
def test_days_as_a_worksheet_counts_them(lake, type_text, texts, values):
    pins = {"columns": {"ngày": {"type": type_text, "format": "serial"}}}
    found, read_values, _, rejected = read(lake, {"ngày": texts}, **pins)
    assert (found["ngày"], read_values["ngày"], rejected) == (type_text, values, [])


def test_minus_999_among_its_like_is_a_number(lake):
    _, values, _, _ = read(lake, {"độ cao": ["-999", "-998", "-500"]})
    assert values["độ cao"] == [-999, -998, -500]


def test_pins_win_over_what_the_values_say(lake):
    columns = {"mã": ["1", "2"], "giá": ["1.234", "5.000"], "số": ["7", "x"]}
    found, values, _, rejected = read(
        lake,
        columns,
        decimal=",",
        columns={"ma": {"type": "string"}, "giá": {"type": "int64"}, "SỐ": {"type": "int64"}},
    )
    assert found == {"mã": "string", "giá": "int64", "số": "int64"}
    assert values == {"mã": ["1"], "giá": [1234], "số": [7]}
    assert [(row.row, row.column, row.value, row.reason_code) for row in rejected] == [
        (3, "số", "x", "type_mismatch")
    ]


@pytest.mark.parametrize(
    ("pin", "texts", "reason", "kept"),
    [
        ({"required": True}, ["a", "", "b"], "required", ["a", "b"]),
        ({"unique": True}, ["a", "b", "a", "", ""], "not_unique", ["a", "b", None, None]),
        ({"minimum": 0}, ["1", "-1", "0"], "below_minimum", [1, 0]),
        ({"maximum": 1.5}, ["1.5", "1.6"], "above_maximum", [1.5]),
        ({"minimum": "2024-01-01"}, ["2024-01-01", "2023-12-31"], "below_minimum", None),
        ({"pattern": "[0-9]{5}"}, ["00001", "x"], "pattern_mismatch", ["00001"]),
    ],
)
def test_the_contract_rejects_rows_with_a_reason(lake, pin, texts, reason, kept):
    keys = [f"k{number}" for number in range(len(texts))]
    _, values, _, rejected = read(lake, {"x": texts, "k": keys}, columns={"x": pin})
    assert {row.reason_code for row in rejected} == {reason}
    if kept is not None:
        assert values["x"] == kept
    assert len(values["x"]) + len(rejected) == len(texts)


def test_a_required_column_that_is_not_there_refuses_the_table(lake):
    with pytest.raises(ColumnMissing):
        read(lake, {"x": ["1"]}, columns={"mã": {"required": True}})


@pytest.mark.parametrize(
    "pin", [{"minimum": "hôm qua"}, {"pattern": "("}, {"type": "integer"}, {"type": "list<int64>"}]
)
def test_a_contract_that_cannot_be_checked_is_the_sources_fault(lake, pin):
    with pytest.raises(SourceInvalid):
        read(lake, {"x": ["1", "2"]}, columns={"x": pin})


def test_headers_keep_their_letters_and_carry_their_unit(lake):
    found, _, _, _ = read(lake, {"PM2.5  (µg/m³)": ["1"], "Quận/Huyện": ["a"], "quận/huyện": ["b"]})
    assert list(found) == ["PM2.5 (µg/m³)", "Quận/Huyện", "quận/huyện_2"]
    column = lake.table("t").columns(1)[0]
    assert (column.unit, column.ascii) == ("µg/m³", "pm2_5_ug_m3")


@pytest.mark.parametrize(
    ("header", "unit"),
    [
        ("Diện tích(*) (Km2)", "Km2"),
        ("Dân số trung bình (Nghìn người)", "Nghìn người"),
        ("Mật độ (Người/km2)", "Người/km2"),
        ("Nhiệt độ [°C]", "°C"),
        ("Date (LT)", None),
        ("Tên (tiếng Anh)", None),
        ("giá", None),
    ],
)
def test_units_of_headers(header, unit):
    assert units.of(header) == unit


def test_numbers_that_came_as_such_do_not_say_how_texts_are_written(lake):
    columns = {"số": ["0.5", "1.5"], "giá": ["12.500", "9.800"]}
    assert "may divide thousands" in " ".join(read(lake, columns, figures=("số",))[2])
    assert not read(lake, columns)[2]
