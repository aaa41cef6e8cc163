"""What the index keeps of a dataset for its facets, and how a question reads it."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from ckanext.hanoiic.search import completion, dates, freshness, wards
from ckanext.hanoiic.search.facet_fields import facet_fields, quality_band, ward_names, years
from ckanext.hanoiic.search.synonyms import NO_SYNONYMS
from vietnamadminunits.database import query

NOW = datetime(2026, 5, 4, 10, 20, tzinfo=UTC)


def dataset(frequency: str, updated: str, **fields: object) -> dict[str, object]:
    return {"update_frequency": frequency, "resources": [{"lake_version_at": updated}], **fields}


def test_every_ward_of_today_has_its_code_and_name():
    rows = query("SELECT DISTINCT wardCode, ward FROM admin_units WHERE provinceCode = '01'")
    assert {ward.code: ward.name for ward in wards.wards().values()} == {
        row["wardCode"]: row["ward"] for row in rows
    }


def test_a_ward_is_found_by_former_names_and_districts():
    assert [w.name for w, _ in wards.matching("dich vong hau")] == ["Phường Cầu Giấy"]
    names = [(ward.name, former) for ward, former in wards.matching("Đống Đa")]
    assert names[0] == ("Phường Đống Đa", None)
    assert ("Phường Láng", "Quận Đống Đa") in names


@pytest.mark.parametrize(
    ("frequency", "updated", "due"),
    [
        ("HOURLY", "2026-05-01T10:20:00Z", "2026-05-01T13:00:00.000Z"),
        ("DAILY", "2026-05-01T10:20:00", "2026-05-03T00:00:00.000Z"),
        ("WEEKLY", "2026-05-01T00:00:00Z", "2026-05-10T00:00:00.000Z"),
        ("MONTHLY", "2026-05-01T07:00:00+07:00", "2026-06-09T00:00:00.000Z"),
    ],
)
def test_a_dataset_is_due_a_quarter_after_its_promise(frequency, updated, due):
    moment = freshness.due(dataset(frequency, updated))
    assert moment is not None
    assert dates.canonical(moment) == due


@pytest.mark.parametrize(
    "unknown",
    [dataset("IRREG", "2026-05-01"), dataset("DAILY", "soon"), {"update_frequency": "DAILY"}, {}],
)
def test_nothing_promised_or_nothing_known_is_never_due(unknown):
    assert freshness.due(unknown) is None


def test_counts_turn_with_the_clock_and_not_with_the_index():
    items = [{"name": "2026-05-05T00:00:00.000Z", "count": 3}]
    assert freshness.counted(items, 5, lambda: NOW) == {"current": 3, "unknown": 2}
    later = NOW + timedelta(days=1)
    assert freshness.counted(items, 5, lambda: later) == {"overdue": 3, "unknown": 2}


def test_a_filter_is_told_in_the_indexs_field_and_quoted_text_is_left():
    asked = 'freshness:"current" title:"freshness:overdue" freshness:nonsense'
    told = freshness.in_filter(asked, lambda: NOW)
    assert told == (
        "hanoiic_due_date:{2026-05-04T10:20:00.000Z TO *]"
        ' title:"freshness:overdue" freshness:nonsense'
    )


def test_a_filter_may_name_several_or_any():
    told = freshness.in_filter('-freshness:(unknown OR "overdue") freshness:*', lambda: NOW)
    assert told == (
        "-((*:* -hanoiic_due_date:[* TO *])"
        " OR hanoiic_due_date:[* TO 2026-05-04T10:20:00.000Z]) *:*"
    )


def test_years_end_with_the_newest_version_where_no_end_is_said():
    assert years({"temporal_start": "2024-12-31", "temporal_end": "2026-01-01"}) == [
        "2024",
        "2025",
        "2026",
    ]
    assert years(dataset("DAILY", "2026-01-02", temporal_start="2025-06-01")) == ["2025", "2026"]
    assert years({"temporal_start": "2025-06-01"}) == ["2025"]
    assert years({}) == []
    assert len(years({"temporal_start": "0001-01-01", "temporal_end": "2026-01-01"})) == 151


def test_quality_is_that_of_the_worst_table():
    def of(*shares: object) -> str | None:
        return quality_band({"resources": [{"quality": {"completeness": s}} for s in shares]})

    assert of(1, 0.95) == "good"
    assert of(1, 0.9) == "fair"
    assert of(1, 0.1) == "poor"
    assert of("much") is None
    assert of() is None


def test_a_dataset_of_the_whole_city_does_not_answer_to_every_name():
    codes = list(wards.wards())
    assert ward_names(codes) == ""
    assert "Phường Dịch Vọng" in ward_names(["00166"])
    fields = facet_fields({"spatial_wards": codes})
    assert fields == {"vocab_wards": codes}


@pytest.mark.parametrize("typed", ['a" OR *:*', "x:y", "(((", "AND", "\x00", "đường*~2^9"])
def test_what_is_typed_is_never_syntax(typed):
    words = completion.words(typed)
    assert all(word.isalnum() for word in words)
    if words:
        written = completion.titles_query(words, NO_SYNONYMS) + completion.wider_query(words)
        assert '"' not in written


@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00+07:00"])
def test_a_moment_at_the_ends_of_the_calendar_is_never_due(moment):
    resource = {"lake_version_at": moment}
    assert freshness.due({"update_frequency": "DAILY", "resources": [resource]}) is None


def test_quotations_without_an_end_take_no_time_and_stay_as_they_are():
    for pair in ('\\"', "\\\n"):
        began = time.monotonic()
        asked = '"freshness:current' + pair * 20_000
        assert freshness.in_filter(asked) == asked
        assert time.monotonic() - began < 3
