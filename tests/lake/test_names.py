"""Names of tables, columns and aliases."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lake import names
from lake.errors import InvalidName
from tests.lake.strategies import text


@pytest.mark.parametrize(
    ("written", "slug"),
    [
        ("Trạm quan trắc", "tram_quan_trac"),
        ("Đường Đống Đa", "duong_dong_da"),
        ("PM2.5 (µg/m³)", "pm2_5_ug_m3"),
        ("  Tỷ lệ (%) ", "ty_le_pct"),
        ("2025 dân số", "x_2025_dan_so"),
        ("", "x"),
        ("数据", "x"),
        (unicodedata.normalize("NFD", "Phường Hoàn Kiếm"), "phuong_hoan_kiem"),
    ],
)
def test_vietnamese_becomes_ascii(written, slug):
    assert names.from_vietnamese(written) == slug


@given(text)
def test_every_slug_is_a_table_name_and_its_own_slug(written):
    slug = names.from_vietnamese(written)
    assert names.check(slug) == slug
    assert names.from_vietnamese(slug) == slug


@given(st.lists(text, min_size=1, max_size=8))
def test_column_names_are_normal_unique_and_stable(written):
    columns = names.column_names(written)
    assert len({name.casefold() for name in columns}) == len(written)
    assert all(name == unicodedata.normalize("NFC", name).strip() != "" for name in columns)
    assert names.column_names(columns) == columns


@given(st.lists(text, min_size=1, max_size=8))
def test_aliases_are_unique_table_like_and_stable(written):
    aliases = names.aliases(names.column_names(written))
    assert len(set(aliases)) == len(written)
    assert [names.check(alias) for alias in aliases] == aliases
    assert names.aliases(aliases) == aliases


def test_a_repeated_name_does_not_push_a_unique_one_away():
    assert names.column_names(["Tên", "tên", "Tên_2", ""]) == ["Tên", "tên_3", "Tên_2", "column_4"]
    assert names.aliases(["Mã", "mà", "ma_2"]) == ["ma", "ma_3", "ma_2"]


def test_two_long_names_stay_two():
    long = "so_luong_" * 10
    first, second = (
        names.table_name("giao thông", long + "a"),
        names.table_name("giao thông", long + "b"),
    )
    assert first != second
    assert len(first) == len(second) == names.LONGEST
    assert names.table_name("Giao thông", "Điểm dừng") == "giao_thong_diem_dung"


@pytest.mark.parametrize("name", ["", "A", "1a", "a-b", "a.b", "../a", "a/b", "a" * 64, "á", "a\n"])
def test_a_name_outside_the_alphabet_is_refused(name):
    with pytest.raises(InvalidName):
        names.check(name)


@pytest.mark.parametrize("key", ["", "..", "a/b", "-a", "a.parquet", "a\n", "a" * 129])
def test_an_id_outside_the_alphabet_is_refused(key):
    with pytest.raises(InvalidName):
        names.check_key(key)
