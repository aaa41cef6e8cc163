"""GTFS: a zip of text tables, one lake table a file, typed as the GTFS reference says."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path, PurePosixPath

from harvesters import archive
from harvesters.connectors import csv
from harvesters.connectors.base import Connector
from harvesters.connectors.gtfs_words import DESCRIPTIONS
from harvesters.decode import refuse_other_formats
from harvesters.errors import GtfsFileMissing, TableNotFound
from harvesters.rawtable import RawColumn, RawTable
from harvesters.source import Options
from harvesters.workbench import Workbench, quoted

# https://gtfs.org/documentation/schedule/reference/ : the files, and the types of their fields.
FILES = """
    agency stops routes trips stop_times calendar calendar_dates fare_attributes fare_rules
    timeframes rider_categories fare_media fare_products fare_leg_rules fare_leg_join_rules
    fare_transfer_rules areas stop_areas networks route_networks shapes frequencies transfers
    pathways levels location_groups location_group_stops booking_rules translations feed_info
    attributions
""".split()  # noqa: SIM905
REQUIRED = ("agency", "stops", "routes", "trips", "stop_times")
ONE_OF_REQUIRED = ("calendar", "calendar_dates")

_FLOATS = """
    stop_lat stop_lon shape_pt_lat shape_pt_lon shape_dist_traveled length max_slope min_width
    level_index price amount safe_duration_factor safe_duration_offset mean_duration_factor
    mean_duration_offset
""".split()  # noqa: SIM905
_INTEGERS = """
    location_type wheelchair_boarding route_type route_sort_order continuous_pickup
    continuous_drop_off direction_id wheelchair_accessible bikes_allowed cars_allowed
    stop_sequence pickup_type drop_off_type timepoint monday tuesday wednesday thursday friday
    saturday sunday exception_type payment_method transfers transfer_duration
    shape_pt_sequence headway_secs exact_times transfer_type min_transfer_time pathway_mode
    is_bidirectional traversal_time stair_count is_producer is_operator is_authority fare_media_type
    booking_type prior_notice_duration_min prior_notice_duration_max prior_notice_last_day
    prior_notice_start_day duration_limit duration_limit_type fare_transfer_type transfer_count
    rule_priority is_default_fare_category stop_access
""".split()  # noqa: SIM905
_DATES = ("date", "start_date", "end_date", "feed_start_date", "feed_end_date")
_TIMES = """
    arrival_time departure_time start_time end_time start_pickup_drop_off_window
    end_pickup_drop_off_window prior_notice_last_time prior_notice_start_time
""".split()  # noqa: SIM905
_UNITS = {
    "stop_lat": "°",
    "stop_lon": "°",
    "shape_pt_lat": "°",
    "shape_pt_lon": "°",
    "headway_secs": "s",
    "min_transfer_time": "s",
    "transfer_duration": "s",
    "traversal_time": "s",
    "length": "m",
    "min_width": "m",
}
_TYPES = {
    **dict.fromkeys(_FLOATS, "float64"),
    **dict.fromkeys(_INTEGERS, "int64"),
    **dict.fromkeys(_DATES, "date"),
}
_TIME = r"[0-9]{1,3}:[0-5][0-9]:[0-5][0-9]"


def decode(path: Path, options: Options, bench: Workbench) -> list[RawTable]:
    """One table for each of the feed's files that GTFS knows.

    Raises GtfsFileMissing and the errors of archives and of delimited text.
    """
    with path.open("rb") as file:
        head = file.read(4096)
    if not head.startswith(b"PK"):
        refuse_other_formats(head)
    tables, messages = [], []
    with archive.opened(path) as feed:
        members = _members(feed)
        _require(members)
        for name, member in members.items():
            if name not in FILES:
                messages.append(f"{member.filename} is no file of GTFS; left out")
                continue
            unpacked = bench.folder / f"{name}.txt"
            archive.extract(feed, member, unpacked)
            try:
                tables.append(_table(unpacked, name, options, bench))
            except TableNotFound:
                if name in REQUIRED:
                    raise
                messages.append(f"{member.filename} is empty; left out")
            finally:
                unpacked.unlink()
    tables[0].messages[:0] = messages
    return tables


def _members(feed: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """The text files by their bare names; feeds packed with their folder are common."""
    texts = [
        member
        for member in feed.infolist()
        if member.filename.lower().endswith(".txt") and "__MACOSX" not in member.filename
    ]
    return {PurePosixPath(member.filename).stem.lower(): member for member in texts}


def _require(members: dict[str, zipfile.ZipInfo]) -> None:
    missing = [f"{name}.txt" for name in REQUIRED if name not in members]
    if not any(name in members for name in ONE_OF_REQUIRED):
        missing.append("calendar.txt or calendar_dates.txt")
    if missing:
        raise GtfsFileMissing(
            f"The zip is no complete GTFS feed; it lacks {', '.join(missing)}.", missing=missing
        )


def _table(path: Path, name: str, options: Options, bench: Workbench) -> RawTable:
    # GTFS fixes the dialect, whatever was pinned for other kinds: comma, point, header in row 1.
    spec = Options(delimiter=",", decimal=".", header_row=1, encoding=options.encoding)
    (table,) = csv.decode(path, spec, bench)
    columns = [_typed(column) for column in table.columns]
    columns += [_seconds(column) for column in columns if column.header in _TIMES]
    view = f"{table.name}_view"
    bench.execute(f"CREATE VIEW {view} AS {_selected(table.name, columns)}")
    return replace(table, name=view, columns=columns, part=name, may_be_empty=name not in REQUIRED)


def _typed(column: RawColumn) -> RawColumn:
    header = column.header.strip().lower()
    type_text = _TYPES.get(header, "string")
    order = "date_compact" if type_text == "date" else None
    return RawColumn(
        column.key,
        header,
        type=type_text,
        format=order,
        unit=_UNITS.get(header),
        description=DESCRIPTIONS.get(header),
    )


def _seconds(column: RawColumn) -> RawColumn:
    """Seconds after the service day's midnight beside a time: GTFS counts past 24:00:00."""
    return RawColumn(
        f"{column.key}_s",
        f"{column.header}_s",
        type="int64",
        native=True,
        unit="s",
        description=f"{column.header} tính bằng giây kể từ nửa đêm của ngày phục vụ",
    )


def _selected(table: str, columns: list[RawColumn]) -> str:
    padded, seconds = [], []
    for column in columns:
        if column.header not in _TIMES:
            continue
        key = quoted(column.key)
        padded.append(f"CASE WHEN length({key}) = 7 THEN '0' || {key} ELSE {key} END AS {key}")
        hours, minutes, rest = (
            f"CAST(split_part({key}, ':', {part}) AS BIGINT)" for part in (1, 2, 3)
        )
        seconds.append(
            f"CASE WHEN regexp_full_match({key}, '{_TIME}') "
            f"THEN {hours} * 3600 + {minutes} * 60 + {rest} END AS {quoted(column.key + '_s')}"
        )
    replaced = f" REPLACE ({', '.join(padded)})" if padded else ""
    added = "".join(f", {expression}" for expression in seconds)
    return f"SELECT *{replaced}{added} FROM {table}"  # noqa: S608


CONNECTOR = Connector(
    kind="gtfs",
    title="GTFS timetable (zip)",
    help="One table a file, named <table>_<file>, typed as the GTFS reference says. Times stay "
    "text (they pass 24:00:00), with their seconds after midnight beside them.",
    decode=decode,
)
