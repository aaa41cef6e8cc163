"""Give columns of wards (phường, xã) the official codes of today's units.

A column is one of wards when its name says so or its cells do (`Phường …`, `Xã …`), and Hanoi has
most of them. Whether it has today's units or those before July 2025 is found out from names that
only one time had, and from districts, which ended with the old ones. Beside it come two columns:
`<name>_ward_code`, and `<name>_ward_match`, which says how it was found, or why not:

| `_ward_match` | meaning |
|---|---|
| `matched` | a unit of today |
| `converted` | a unit before July 2025 that went to one unit of today as a whole |
| `split` | a unit that was divided among several; which one is not guessed |
| `ambiguous` | several units have the name, and no district tells which |
| `unknown` | no unit of Hanoi has this name or code |

A column of districts gets `<name>_district_code`: the code that the district had as long as there
were districts.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import pyarrow as pa

from harvesters import wards
from harvesters.normalise import pins_by_column
from harvesters.personal_rules import Words
from harvesters.rawtable import RawColumn, RawTable
from harvesters.source import Options
from harvesters.ward_matching import CODE, Match, Pair, district_code, is_old_times, match
from harvesters.wards import Units
from harvesters.workbench import Workbench, quoted

WARDS = Words.of(
    [
        "phường",
        "xã",
        "phường xã",
        "xã phường",
        "thị trấn",
        "ward",
        "commune",
        "ward code",
        "ward name",
    ]
)
DISTRICTS = Words.of(["quận", "huyện", "quận huyện", "thị xã", "district", "district name"])
PROVINCES = Words.of(["tỉnh", "tỉnh thành", "tỉnh thành phố", "thành phố", "province"])
OFFERED = Words.of(
    ["mã phường", "mã xã", "mã phường xã", "mã xã phường", "ward code", "ma phuong xa"]
)
SAMPLED_ROWS = 400
LEAST_NAMED_SHARE, LEAST_UNNAMED_SHARE = 0.5, 0.8
LEAST_TEXTS = 3
SHOWN = 3
_SAYS_KIND = re.compile(r"(?i)\s*(?:phường|xã|thị trấn|phuong|thi tran)[ .]|\s*(?:P|X|TT)\.")
_MATCHES = pa.schema([(name, pa.string()) for name in ("ward", "district", "code", "match")])
_TOLD = {
    "matched": "are units of today",
    "converted": "are units before July 2025, converted",
    "split": "are units that were divided among several: not guessed",
    "ambiguous": "have a name that several units had, and no district tells which",
    "unknown": "are no units of Hanoi",
}


def add(table: RawTable, options: Options, bench: Workbench) -> None:
    """Add the codes to every column of wards of a table, in place; its messages tell the counts.

    The option `ward_units` pins `today` or `old`, and `none` keeps everything as it is.
    """
    if options.ward_units == "none":
        return
    masked = {key for key, pin in pins_by_column(table.columns, options).items() if pin.mask}
    texts = [
        column
        for column in table.columns
        if not column.native and column.header and column.key not in masked
    ]
    suspects = _suspects(table, texts, bench)
    if not suspects and not any(DISTRICTS.are_name(column.header) for column in texts):
        return
    units = wards.hanoi()
    district = next((column for column in texts if DISTRICTS.are_name(column.header)), None)
    province = next((column for column in texts if PROVINCES.are_name(column.header)), None)
    added = []
    for column in suspects:
        if district is column:
            continue
        pairs = _pairs(table, column, district, province, bench)
        found = _matched(pairs, units, options.ward_units)
        if found is None:
            continue
        if _offers_codes(table, column, texts, found, bench):
            table.messages.append(f"{column.header}: the table has today's ward codes already")
            continue
        added += _write(table, column, district, province, found, units, bench)
    if district and (code := _add_district_codes(table, district, texts, province, units, bench)):
        added.append(code)
    table.columns = [*table.columns, *added]


def _suspects(table: RawTable, texts: list[RawColumn], bench: Workbench) -> list[RawColumn]:
    """By a look at the first rows: columns whose cells say a ward's kind, or whose name does."""
    if not texts:
        return []
    keys = ", ".join(quoted(column.key) for column in texts)
    rows = bench.rows(f"SELECT {keys} FROM {table.name} LIMIT {SAMPLED_ROWS}")  # noqa: S608
    found = []
    for at, column in enumerate(texts):
        seen = [row[at] for row in rows if row[at]]
        said = sum(bool(_SAYS_KIND.match(text)) for text in seen)
        named = WARDS.are_name(column.header) or OFFERED.are_name(column.header)
        if seen and (named or said * 2 > len(seen)):
            found.append(column)
    return found


def _pairs(
    table: RawTable,
    column: RawColumn,
    district: RawColumn | None,
    province: RawColumn | None,
    bench: Workbench,
) -> list[Pair]:
    """Each text of the column with each district beside it."""
    beside = quoted(district.key) if district else "NULL"
    return [
        (ward, named)
        for ward, named in bench.rows(
            f"SELECT DISTINCT {quoted(column.key)}, CAST({beside} AS VARCHAR) "  # noqa: S608
            f"FROM {table.name} WHERE {quoted(column.key)} IS NOT NULL AND {_in_hanoi(province)}"
        )
    ]


def _in_hanoi(province: RawColumn | None) -> str:
    if province is None:
        return "true"
    key = quoted(province.key)
    return f"coalesce(regexp_matches(lower(strip_accents({key})), 'ha ?noi|^0?1$'), true)"


def _matched(pairs: list[Pair], units: Units, pinned: str | None) -> dict[Pair, Match] | None:
    """What every pair stands for; None when the column is not of Hanoi's wards."""
    if not pairs:
        return None
    names = {ward for ward, _ in pairs}
    old_times = is_old_times(pairs, units) if pinned in (None, "auto") else pinned == "old"
    found = {pair: match(*pair, units, old_times) for pair in pairs}
    known = {ward for (ward, _), one in found.items() if one.match != "unknown"}
    # Names without their kind are streets' and people's names too, so more of them have to fit.
    says_kind = sum(bool(_SAYS_KIND.match(name) or CODE.fullmatch(name)) for name in names)
    least = LEAST_NAMED_SHARE if says_kind * 2 > len(names) else LEAST_UNNAMED_SHARE
    if len(known) < least * len(names) or (len(names) < LEAST_TEXTS and not says_kind):
        return None
    return found


def _offers_codes(
    table: RawTable,
    column: RawColumn,
    texts: Sequence[RawColumn],
    found: dict[Pair, Match],
    bench: Workbench,
) -> bool:
    """Whether the table itself has today's codes of its wards: in this column or in another."""
    codes = {one.code for one in found.values() if one.code}
    whole = all(one.match == "matched" for one in found.values())
    if whole and all(CODE.fullmatch(ward) for ward, _ in found):
        return True
    for other in texts:
        if other is column:
            continue
        there = {
            text
            for (text,) in bench.rows(
                f"SELECT DISTINCT {quoted(other.key)} FROM {table.name} "  # noqa: S608
                f"WHERE {quoted(other.key)} IS NOT NULL LIMIT {len(codes) + 1}"
            )
        }
        if there and codes and there <= codes:
            return True
    return False


def _write(
    table: RawTable,
    column: RawColumn,
    district: RawColumn | None,
    province: RawColumn | None,
    found: dict[Pair, Match],
    units: Units,
    bench: Workbench,
) -> list[RawColumn]:
    rows = [(ward, beside, one.code, one.match) for (ward, beside), one in found.items()]
    sides = [pa.array(side, pa.string()) for side in zip(*rows, strict=True)]
    batch = pa.RecordBatch.from_arrays(sides, schema=_MATCHES)
    matches = bench.load(_MATCHES, [batch])
    bench.own(table.name)
    beside = f"CAST({quoted(district.key)} AS VARCHAR)" if district else "NULL"
    added = []
    for field, description in (
        ("code", "Mã phường, xã hiện hành (từ 01/7/2025) / today's ward code"),
        ("match", "Cách tìm ra mã: matched, converted, split (bị chia), ambiguous, unknown"),
    ):
        key = f"{column.key}_ward_{field}"
        bench.execute(f"ALTER TABLE {table.name} ADD COLUMN {key} VARCHAR")
        bench.execute(
            f"UPDATE {table.name} SET {key} = {matches}.{field} FROM {matches} "  # noqa: S608
            f"WHERE {quoted(column.key)} = ward AND {beside} IS NOT DISTINCT FROM district "
            f"AND {_in_hanoi(province)}"
        )
        header = f"{column.header}_ward_{field}"
        added.append(RawColumn(key, header, "string", native=True, description=description))
    bench.drop(matches)
    _tell(table, column, found, units, bench)
    return added


def _add_district_codes(
    table: RawTable,
    column: RawColumn,
    texts: Sequence[RawColumn],
    province: RawColumn | None,
    units: Units,
    bench: Workbench,
) -> RawColumn | None:
    """The code that each district had until July 2025, when districts ended, in a column added to
    the workbench; None when the names are not Hanoi's, or the table has the codes itself."""
    key = quoted(column.key)
    names = [
        name
        for (name,) in bench.rows(
            f"SELECT DISTINCT {key} FROM {table.name} "  # noqa: S608
            f"WHERE {key} IS NOT NULL AND {_in_hanoi(province)}"
        )
    ]
    codes = {name: code for name in names if (code := district_code(name, units))}
    if not codes or len(codes) < LEAST_UNNAMED_SHARE * len(names):
        return None
    found: dict[Pair, Match] = {
        (name, None): Match(code, "matched") for name, code in codes.items()
    }
    if _offers_codes(table, column, texts, found, bench):
        return None
    sides = [pa.array(side, pa.string()) for side in zip(*codes.items(), strict=True)]
    schema = pa.schema([("name", pa.string()), ("code", pa.string())])
    matches = bench.load(schema, [pa.RecordBatch.from_arrays(sides, schema=schema)])
    bench.own(table.name)
    added = f"{column.key}_district_code"
    bench.execute(f"ALTER TABLE {table.name} ADD COLUMN {added} VARCHAR")
    bench.execute(
        f"UPDATE {table.name} SET {added} = code FROM {matches} "  # noqa: S608
        f"WHERE {key} = name AND {_in_hanoi(province)}"
    )
    bench.drop(matches)
    unknown = sorted(set(names) - set(codes))
    told = f"; unknown: {', '.join(unknown[:SHOWN])}" if unknown else ""
    table.messages.append(f"{column.header}: {len(codes)} districts have their code{told}")
    return RawColumn(
        added,
        f"{column.header}_district_code",
        "string",
        native=True,
        description="Mã quận, huyện (đến 30/6/2025) / code of the district until June 2025",
    )


def _tell(
    table: RawTable,
    column: RawColumn,
    found: dict[Pair, Match],
    units: Units,
    bench: Workbench,
) -> None:
    key = f"{column.key}_ward_match"
    counts = Counter(
        dict(
            bench.rows(
                f"SELECT {key}, count(*) FROM {table.name} "  # noqa: S608
                f"WHERE {key} IS NOT NULL GROUP BY {key}"
            )
        )
    )
    for name, told in _TOLD.items():
        if not counts[name]:
            continue
        examples = [
            f"{ward} → {' / '.join(units.today_names[code] for code in one.candidates)}"
            if one.candidates
            else ward
            for (ward, _), one in sorted(found.items(), key=str)
            if one.match == name and name not in ("matched", "converted")
        ]
        shown = f": {'; '.join(examples[:SHOWN])}" if examples else ""
        table.messages.append(f"{column.header}: {counts[name]} rows {told}{shown}")
