"""Longitudes and latitudes: checked, and made points of where an officer asks for it."""

from __future__ import annotations

import pytest
import shapely

from harvesters import points
from harvesters.connectors import CONNECTORS
from harvesters.normalise import normalise
from harvesters.publish import publish
from harvesters.rawtable import RawColumn, RawTable, batches_of_rows, text_schema
from harvesters.source import Options
from harvesters.validate import validate
from harvesters.workbench import Workbench
from tests.harvesters.conftest import rows, types

LON = ["105.8542", "105.7938", "105.8019", "105.8", "105.9", "106", "105", "105.1", "105.2", ""]
LAT = ["21.0285", "21.0367", "20.9961", "21", "21.1", "21.2", "21.3", "21.4", "21.5", "21.6"]


def located(columns: dict[str, list], lake=None, /, **options):
    """The messages of a table with places, published as `t` where a lake is given."""
    pinned = Options.of(options)
    with Workbench() as bench:
        numbered = enumerate(zip(*columns.values(), strict=True), start=2)
        name = bench.load(text_schema(len(columns)), batches_of_rows(numbered, len(columns)))
        raw = RawTable(name, [RawColumn(f"c{i}", header) for i, header in enumerate(columns)])
        typed = normalise(raw, pinned, bench)
        points.locate(typed, pinned, bench)
        if lake:
            checked = validate(typed, pinned, bench)
            publish(checked, lake, "t", run_id="r", source_url="", source_hash="")
        return typed.messages


@pytest.mark.parametrize("names", [("kinh_do", "vi_do"), ("Kinh độ", "Vĩ độ"), ("lng", "lat")])
def test_points_are_added_where_they_are_asked_for(lake, names):
    columns = {names[0]: LON, names[1]: LAT, "k": list("abcdefghij")}
    located(columns, lake, geometry=True)
    assert types(lake, "t")["geometry"] == "geometry"
    found = rows(lake, "t")
    point = shapely.from_wkb(found[0]["geometry"])
    assert (point.x, point.y) == (105.8542, 21.0285)
    assert found[-1]["geometry"] is None
    assert [row["k"] for row in found] == columns["k"]


def test_without_the_option_the_table_stays_as_it_is(lake):
    located({"lon": LON, "lat": LAT}, lake)
    assert "geometry" not in types(lake, "t")


def test_exchanged_places_and_places_far_away_are_told_and_not_changed(lake):
    assert "seem to be exchanged" in located({"lon": LAT, "lat": LON}, lake)[0]
    assert rows(lake, "t")[0] == {"lon": 21.0285, "lat": 105.8542}
    far = [*LON[:9], "2.35"] * 2
    assert "2 places lie outside" in located({"lon": far, "lat": LAT * 2})[0]
    assert located({"lon": LON, "lat": LAT}) == []


def test_a_table_without_a_pair_says_that_there_is_none():
    assert "no geometry" in located({"lon": LON}, geometry=True)[0]


def test_a_file_keeps_its_rows_in_order(lake, tmp_path):
    count = 30_000
    path = tmp_path / "places.csv"
    lines = (f"{n},{105 + n / 100_000},21.{n % 9}" for n in range(count))
    path.write_text("n,lon,lat\n" + "\n".join(lines) + "\n")
    pinned = Options.of({"geometry": True})
    with Workbench() as bench:
        (raw,) = CONNECTORS["csv"].decode(path, pinned, bench)
        typed = normalise(raw, pinned, bench)
        points.locate(typed, pinned, bench)
        checked = validate(typed, pinned, bench)
        publish(checked, lake, "t", run_id="r", source_url="", source_hash="")
    found = rows(lake, "t")
    assert [row["n"] for row in found] == list(range(count))
    assert shapely.from_wkb(found[-1]["geometry"]).x == found[-1]["lon"]
