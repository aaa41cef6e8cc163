"""JSON documents and JSON lines become tables, from a real server into a lake."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from harvesters.connectors import json_path
from tests.harvesters.conftest import rows, types

ROWS = [
    {"mã": "007", "tên": "Cầu Giấy", "vị trí": {"kinh độ": 105.79, "vĩ độ": 21.03}, "thẻ": ["a"]},
    {"mã": "008", "tên": None, "số": 12, "vị trí": {"cao": {"m": 7}}, "mở": True},
]


def test_a_list_of_objects_is_a_table_with_nested_names(taken, lake):
    ran = taken("json", json.dumps(ROWS, ensure_ascii=False))
    assert ran.error is None
    assert rows(lake, "t") == [
        {
            **{"mã": "007", "tên": "Cầu Giấy", "vị trí.kinh độ": 105.79, "vị trí.vĩ độ": 21.03},
            **{"thẻ": '["a"]', "số": None, "vị trí.cao.m": None, "mở": None},
        },
        {
            **{"mã": "008", "tên": None, "vị trí.kinh độ": None, "vị trí.vĩ độ": None},
            **{"thẻ": None, "số": 12, "vị trí.cao.m": 7, "mở": True},
        },
    ]
    assert "lists are kept as JSON texts: thẻ" in " ".join(ran.messages)


def test_the_only_list_of_objects_is_found_wherever_it_is(taken, lake):
    document = {"version": 0.6, "ids": [1, 2], "osm3s": {"x": {"rows": ROWS[:1]}}, "none": []}
    assert taken("json", json.dumps(document)).error is None
    assert rows(lake, "t")[0]["mã"] == "007"


@pytest.mark.parametrize(
    "pin", ["result.b", "/result/b", "$.result.b", "$.result.b[*]", "$.result.b.*"]
)
def test_one_of_several_lists_is_pinned(taken, lake, pin):
    document = json.dumps({"result": {"a": [{"x": 1}], "b": [{"y": 2}]}})
    ran = taken("json", document)
    assert ran.error.code == "rows_not_found"
    assert "result.a (1 rows); result.b (1 rows)" in ran.error.detail
    assert taken("json", document, rows=pin).error is None
    assert rows(lake, "t") == [{"y": 2}]


def test_lists_in_every_element_of_a_list_can_be_pinned(taken, lake):
    document = [{"day": 1, "items": [{"x": 1}, {"x": 2}]}, {"day": 2, "items": [{"x": 3}]}]
    assert taken("json", json.dumps(document), rows="$[*].items[*]").error is None
    assert [row["x"] for row in rows(lake, "t")] == [1, 2, 3]


def test_a_name_with_a_point_is_no_path(taken, lake):
    assert taken("json", '[{"a.b": 1, "a": {"b": 2}}, {"a": {"b": 3}}]').error is None
    assert rows(lake, "t") == [{"a.b": 1, "a.b_2": 2}, {"a.b": None, "a.b_2": 3}]


def test_half_a_letter_breaks_no_line_and_nul_is_none(taken, lake):
    assert taken("ndjson", '{"a": "x\\ud83d"}\n{"a": "\\ud83d\\ude80\\u0000"}\n').error is None
    assert [row["a"] for row in rows(lake, "t")] == ["x\ufffd", "🚀"]


def test_numbers_keep_their_digits(taken, lake):
    text = '[{"a": 0.1000000000000000055511151231257827, "b": [1.50], "c": 12345678901234567890}]'
    assert taken("json", text).error is None
    (row,) = rows(lake, "t")
    assert row["b"] == "[1.50]"
    assert row["c"] == Decimal("12345678901234567890")
    assert types(lake, "t")["c"] == "decimal(20,0)"


def test_numbers_of_features_keep_their_digits(taken, lake):
    place = '{"type": "Point", "coordinates": [105.850000000000000001, 21]}'
    feature = '{"type": "Feature", "properties": {"id": 12345678901234567890}, "geometry": %s}'
    text = '{"type": "FeatureCollection", "features": [%s]}' % (feature % place)
    assert taken("geojson", text).error is None
    (row,) = rows(lake, "t")
    assert (row["id"], row["lon"]) == (Decimal("12345678901234567890"), 105.85)


def test_a_row_that_is_no_object_is_rejected_with_its_number(taken, lake):
    ran = taken("json", json.dumps([{"a": n} for n in range(30)] + [7]))
    assert ran.error is None
    (row,) = ran.rejected
    assert (row.row, row.reason_code, row.value) == (31, "not_an_object", "7")


def test_more_nested_names_than_columns_stay_json(taken, lake):
    wide = [{"id": n, "thẻ": {f"k{n}_{i}": i for i in range(300)}} for n in range(10)]
    ran = taken("json", json.dumps(wide))
    assert ran.error is None
    assert types(lake, "t") == {"id": "int64", "thẻ": "string"}
    assert json.loads(rows(lake, "t")[9]["thẻ"])["k9_299"] == 299


def test_old_fonts_and_old_code_pages_are_read_in_json_too(taken, lake):
    text = json.dumps([{"tên": "Phường Cửa Nam"}] * 3, ensure_ascii=False)
    assert taken("json", text.encode("utf-16")).error is None
    assert rows(lake, "t")[0] == {"tên": "Phường Cửa Nam"}


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [
        ('[{"a": 1}, {"a"', "json_broken", "truncated"),
        ('[{"a": NaN}]', "json_broken", "no NaN"),
        ('[{"a": 1, "a": 2}]', "json_broken", "'a' occurs twice"),
        ('[{"a": 1}] x', "json_broken", "near byte"),
        ('[{"a": "\\ud800"}]', None, ""),
        ('[{"a": ' + "9" * 5000 + "}]", "json_broken", "over 4000 digits"),
        ('[{"a": "\\ud83d\\ude00"}]', None, ""),
        ('[{"a":' + "[" * 5000 + "]" * 5000 + "}]", "nested_too_deep", "64 levels"),
        ('{"a":' * 5000 + "1" + "}" * 5000, "nested_too_deep", "64 levels"),
        ("[]", "table_empty", "empty"),
        ('{"a": []}', "table_empty", "empty"),
        ("{}", "rows_not_found", "no list"),
        ("[1, 2]", "rows_not_found", "no list"),
        ('{"a.b": [{"x": 1}], "a": {"b": [{"x": 1}]}}', "rows_not_found", "two different"),
        ('{"a": 1}\n{"a": 2}\n', "format_mismatch", "ndjson"),
        ("<html><body>", "html_instead_of_data", ""),
        ("", "json_broken", "truncated"),
        (json.dumps([{f"k{n}": 1 for n in range(2001)}]), "too_many_columns", "2000"),
    ],
)
def test_what_is_no_table_is_refused_by_name(taken, lake, content, code, said):
    error = taken("json", content).error
    assert (error.code if error else None) == code
    assert said in (error.detail if error else "")
    assert bool(lake.tables()) == (code is None)


def test_a_pin_that_leads_nowhere_is_refused(taken):
    error = taken("json", '{"a": [{"x": 1}]}', rows="b").error
    assert error.code == "rows_not_found"
    assert "'b'" in error.detail


def test_lines_become_rows_and_broken_ones_are_rejected(taken, lake):
    lines = [json.dumps({"số": n, "nơi": {"phường": "Cửa Nam"}}) for n in range(100)]
    lines[40:40] = ['{"số": 1', '{"số": NaN}', '{"số": 1, "số": 2}', "[1]", ""]
    ran = taken("ndjson", "\n".join(lines))
    assert ran.error is None
    assert len(rows(lake, "t")) == 100
    assert types(lake, "t") == {"số": "int64", "nơi.phường": "string"}
    assert [(row.row, row.reason_code) for row in ran.rejected] == [
        (number, "json_broken") for number in (41, 42, 43, 44)
    ]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("a,b\n1,2\n", "json_broken"),
        ("\n\n", "table_empty"),
        ('{"a": ' + "[" * 200_000 + "\n", "nested_too_deep"),
        ('{"a": 1}\n' + '{"a":' * 80 + "1" + "}" * 80, "nested_too_deep"),
        ('{"a": 1}\n{"a"\n{"b"\n', "too_many_rejected"),
    ],
)
def test_what_is_no_json_a_line_is_refused_by_name(taken, lake, content, code):
    assert taken("ndjson", content).error.code == code
    assert lake.tables() == []


@pytest.mark.realdata
def test_hospitals_of_overpass_become_a_table(taken, lake, data):
    ran = taken("json", (data / "health/hanoi-hospitals-overpass.json").read_bytes())
    assert ran.error is None
    found = rows(lake, "t")
    assert len(found) == 252
    assert {"id", "lat", "lon", "tags.name", "tags.amenity"} <= set(found[0])
    assert types(lake, "t")["lat"] == "float64"


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("$", ""),
        ("$[*]", ""),
        ("/a/b", "a.b"),
        ("a.b", "a.b"),
        ("$.a.b[*]", "a.b"),
        ("$['result'][\"các mục\"][*]", "result.các mục"),
        ("$.a[*].rows", "a.item.rows"),
        ("$.*.b", "item.b"),
        ("@odata.nextLink", "@odata.nextLink"),
    ],
)
def test_paths_as_people_write_them(path, place):
    assert json_path.dotted(path) == place


@pytest.mark.parametrize("path", ["$..items", "$.a[0].rows", "$.a[?(@.x>1)]", "$.a[1:3]", "a["])
def test_a_path_that_picks_is_refused_where_it_does(taken, lake, path):
    ran = taken("json", '{"a": [{"items": [{"x": 1}], "rows": [{"x": 1}]}]}', rows=path)
    assert ran.code == "source_invalid"
    assert "can't be read from" in ran.error.detail
    assert not lake.tables()


def test_numbers_keep_their_point_beside_texts_with_a_decimal_comma(taken, lake):
    document = [{"giá": "1.234,5", "hệ số": 1.125}, {"giá": "12,5", "hệ số": 12.625}]
    features = [
        {"type": "Feature", "geometry": None, "properties": properties} for properties in document
    ]
    collection = {"type": "FeatureCollection", "features": features}
    lines = "\n".join(map(json.dumps, document))
    contents = {"json": json.dumps(document), "ndjson": lines, "geojson": json.dumps(collection)}
    for kind, content in contents.items():
        assert taken(kind, content).error is None
        found = [(row["giá"], row["hệ số"]) for row in rows(lake, "t")]
        assert found == [(1234.5, 1.125), (12.5, 12.625)], kind
