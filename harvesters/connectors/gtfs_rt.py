"""GTFS-Realtime: one message of Protocol Buffers, its vehicles, trips and alerts as tables."""

from __future__ import annotations

from pathlib import Path

from harvesters import apart
from harvesters.connectors.base import Connector
from harvesters.decode import refuse_other_formats
from harvesters.errors import FeedBroken
from harvesters.mending import mend
from harvesters.rawtable import RawTable
from harvesters.source import Options
from harvesters.workbench import Workbench

READER = "harvesters.readers.gtfs_rt"
# The feed of a whole country takes 20 MiB.
MOST_BYTES = 64 << 20


def decode(path: Path, options: Options, bench: Workbench) -> list[RawTable]:
    """A table for each kind of entity that the feed has.

    Raises FeedBroken, TableEmpty, and the errors of `apart.tables`.
    """
    with path.open("rb") as file:
        refuse_other_formats(file.read(4096))
    if path.stat().st_size > MOST_BYTES:
        raise FeedBroken(f"The feed is larger than {MOST_BYTES >> 20} MiB.")
    tables = apart.tables(READER, path, {}, bench)
    for table in tables:
        mend(table, options, bench)
    return tables


CONNECTOR = Connector(
    kind="gtfs_rt",
    title="GTFS-Realtime feed",
    help="Where vehicles are, how late trips run, and alerts (Protocol Buffers), as the tables "
    "<table>_vehicle_positions, _trip_updates, _stop_time_updates, _alerts and _alert_entities: "
    "those that the feed has. A feed without any leaves what was published. Options: secret, "
    "columns.",
    decode=decode,
)
