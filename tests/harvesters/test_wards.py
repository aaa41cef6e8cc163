"""Wards get today's codes: old ones converted, divided ones never guessed."""

from __future__ import annotations

import pytest

from harvesters import ward_codes, ward_matching, wards
from harvesters.connectors import CONNECTORS
from harvesters.rawtable import RawColumn, RawTable, batches_of_rows, text_schema
from harvesters.source import Options
from harvesters.workbench import Workbench

TODAY = ["Phường Hồng Hà", "Phường Ba Đình", "Xã Hòa Phú", "Phường Định Công"]


class Coded:
    """A table after the codes were added: its columns by name, and its messages."""

    def __init__(self, raw, bench) -> None:
        keys = ", ".join(column.key for column in raw.columns)
        rows = bench.rows(f"SELECT {keys} FROM {raw.name} ORDER BY row")
        names = [column.header for column in raw.columns]
        self.columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
        self.messages = raw.messages


def coded(columns: dict[str, list], /, **options) -> Coded:
    with Workbench() as bench:
        numbered = enumerate(zip(*columns.values(), strict=True), start=2)
        name = bench.load(text_schema(len(columns)), batches_of_rows(numbered, len(columns)))
        raw = RawTable(name, [RawColumn(f"c{i}", header) for i, header in enumerate(columns)])
        ward_codes.add(raw, Options.of(options), bench)
        return Coded(raw, bench)


def codes(table: Coded, name: str) -> tuple[list, list]:
    return table.columns[f"{name}_ward_code"], table.columns[f"{name}_ward_match"]


def test_units_of_today_are_matched_however_they_are_spelt():
    spelt = ["Phường Hồng Hà", "P. Ba Đình", "xã  Hoà Phú", "phuong dinh cong", ""]
    found, how = codes(coded({"Phường/Xã": spelt, "n": ["1"] * 5}), "Phường/Xã")
    assert found == ["00097", "00004", "10096", found[3], None]
    assert wards.hanoi().today_names[found[3]] == "Phường Định Công"
    assert how == ["matched"] * 4 + [None]


def test_names_without_their_kind_need_a_column_named_after_wards():
    names = [name.split(" ", 1)[1] for name in TODAY]
    assert codes(coded({"phường": names}), "phường")[1] == ["matched"] * 4
    assert list(coded({"đường": names}).columns) == ["đường"]


def test_old_units_become_todays_and_divided_ones_are_not_guessed():
    table = coded(
        {
            "Phường": ["Phường Phúc Xá", "Phường Trúc Bạch", "Phường Ngọc Hà", "Phường Đào Viên"],
            "Quận": ["Ba Đình", "Quận Ba Đình", "Ba Đình", "Ba Đình"],
        }
    )
    found, how = codes(table, "Phường")
    assert how == [*_how("Phường Phúc Xá"), *_how("Phường Trúc Bạch"), "split", "unknown"]
    assert found[2] is found[3] is None
    told = " / ".join(table.messages)
    assert "1 rows are units that were divided among several: not guessed" in told
    assert "Phường Ngọc Hà → Phường Ba Đình / Phường Ngọc Hà" in told


def _how(name: str) -> list[str]:
    (unit,) = wards.hanoi().old[wards.key(name)]
    return ["converted" if len(unit.today) == 1 else "split"]


def test_the_same_name_of_old_and_of_today_is_read_by_its_time():
    both = ["Phường Ngọc Hà"] * 2
    assert codes(coded({"a": [*both, "Phường Hồng Hà"]}), "a")[1] == ["matched"] * 3
    pinned = coded({"a": [*both, "Phường Hồng Hà"]}, ward_units="old")
    assert codes(pinned, "a")[1] == ["split", "split", "matched"]


def test_a_name_of_several_old_units_needs_its_district():
    names, districts = ["Xã Đông Xuân", "Xã Đông Xuân", "Xã Kim Nỗ"], ["Sóc Sơn", "Quốc Oai"]
    alone = codes(coded({"Xã": names}, ward_units="old"), "Xã")
    assert alone[1][:2] == ["ambiguous", "ambiguous"]
    beside = coded({"Xã": names, "Huyện": [*districts, "Huyện Đông Anh"]})
    assert "ambiguous" not in codes(beside, "Xã")[1]
    said = coded(
        {"Xã": [f"{name}, huyện {at}" for name, at in zip(names, districts, strict=False)]}
    )
    assert codes(said, "Xã")[1] == codes(beside, "Xã")[1][:2]


def test_districts_get_the_code_they_had():
    table = coded({"Quận/Huyện": ["Ba Đình", "huyện Đông Anh", "Thị xã Sơn Tây", "q. ha dong"]})
    assert table.columns["Quận/Huyện_district_code"] == ["001", "017", "269", "268"]
    beside = coded({"Quận": ["Ba Đình", "Tây Hồ"], "mã": ["001", "003"]})
    assert list(beside.columns) == ["Quận", "mã"]
    assert list(coded({"Quận": ["1", "3", "Bình Thạnh"]}).columns) == ["Quận"]


def test_every_old_unit_is_converted_or_flagged():
    units = wards.hanoi()
    assert (len(units.today_names), len(units.old_by_code)) == (126, 526)
    found = {
        code: ward_matching.match(unit.name, None, units, old_times=True)
        for code, unit in units.old_by_code.items()
        if len(units.old[wards.key(unit.name)]) == 1
    }
    for code, one in found.items():
        today = units.old_by_code[code].today
        if len(today) == 1:
            assert (one.code, one.match) == (today[0], "converted")
        else:
            assert (one.code, one.match, one.candidates) == (None, "split", tuple(today))


def test_names_from_before_an_older_merger_are_known():
    (unit,) = wards.hanoi().older[wards.plain(wards.key("Phường Quốc Tử Giám"))]
    assert unit.name == "Phường Văn Miếu Quốc Tử Giám"


def test_old_codes_are_converted_where_the_table_is_of_old_times():
    units = wards.hanoi()
    whole = [code for code, unit in units.old_by_code.items() if len(unit.today) == 1][:5]
    gone = [code for code in whole if code not in units.today_names]
    table = coded({"Mã phường": [*whole, *gone], "n": ["1"] * (len(whole) + len(gone))})
    found, how = codes(table, "Mã phường")
    assert set(how) == {"converted"}
    assert found[: len(whole)] == [units.old_by_code[code].today[0] for code in whole]


def test_a_table_that_has_todays_codes_gets_none():
    units = wards.hanoi()
    names = list(units.today_names.values())
    table = coded({"Phường, xã": names, "mã": list(units.today_names)})
    assert list(table.columns) == ["Phường, xã", "mã"]
    assert "has today's ward codes already" in table.messages[0]
    assert list(coded({"ward_code": list(units.today_names)}).columns) == ["ward_code"]


def test_wards_of_other_provinces_get_no_code_of_hanoi():
    table = coded(
        {
            "Tỉnh": ["Hà Nội", "TP. Hà Nội", "Nam Định", "Hà Nội"],
            "Phường": ["Phường Hồng Hà", "Phường Ba Đình", "Phường Ba Đình", "Xã Hòa Phú"],
        }
    )
    found, how = codes(table, "Phường")
    assert found == ["00097", "00004", None, "10096"]
    assert how[2] is None


def test_ward_units_can_be_pinned_off_and_masked_columns_are_left_alone():
    assert list(coded({"Phường": TODAY}, ward_units="none").columns) == ["Phường"]
    masked = coded({"Phường": TODAY}, columns={"Phường": {"mask": "hash"}})
    assert list(masked.columns) == ["Phường"]


def test_columns_of_other_texts_are_no_wards():
    other = {
        "phường": ["Dệt may", "Da giày", "Cơ khí", "Gốm sứ"],
        "ghi chú": ["Phường hội", "Phường nghề", "Phường chèo", "Phường rối"],
        "tên": ["Trần Hưng Đạo", "Nguyễn Du", "Lý Thái Tổ", "Quang Trung"],
    }
    assert list(coded(other).columns) == list(other)


@pytest.mark.realdata
def test_the_legacy_list_of_hanoi_is_converted_whole(data):
    with Workbench() as bench:
        path = data / "planning/hanoi-wards-legacy-list.csv"
        (raw,) = CONNECTORS["csv"].decode(path, Options(), bench)
        ward_codes.add(raw, Options(), bench)
        table = Coded(raw, bench)
    name = next(name for name in table.columns if name.endswith("_ward_match"))
    units = wards.hanoi()
    expected = [
        "converted" if len(units.old_by_code[code].today) == 1 else "split"
        for code in table.columns["ma"]
    ]
    assert table.columns[name] == expected
