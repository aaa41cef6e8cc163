"""All rejected rows of a run, given to the portal for the officers of the department.

The report itself carries the first ones only. What cannot be handed over is told in the log: no run
ends badly because of it.
"""

from __future__ import annotations

import gzip
import json
import logging
import tempfile
from collections.abc import Iterable
from dataclasses import asdict
from itertools import islice
from typing import IO

from harvesters.errors import PortalFailed
from harvesters.portal import Portal
from lake import logs
from lake.rejected import Rejected

log = logging.getLogger(__name__)

KEPT_ROWS = 100_000
VALUE_LONGEST = 1_000
SPOOLED_BYTES = 1 << 20


def hand_over(portal: Portal, run_id: str, table: str, rejected: Iterable[Rejected]) -> None:
    """Give the portal a table's rejected rows: gzipped JSON lines, the first `KEPT_ROWS`."""
    with tempfile.SpooledTemporaryFile(max_size=SPOOLED_BYTES) as file:
        write(file, table, rejected)
        file.seek(0)
        try:
            portal.put("hanoiic_rejected_put", file, run_id=run_id, table=table)
        except PortalFailed as error:
            log.warning("rejected_not_kept", extra=logs.facts(table=table, code=error.code))


def write(file: IO[bytes], table: str, rejected: Iterable[Rejected]) -> None:
    """JSON lines of `table` and the fields of Rejected, gzipped."""
    with gzip.open(file, "wt", encoding="utf-8", compresslevel=1) as lines:
        for row in islice(rejected, KEPT_ROWS):
            said = asdict(row)
            said["value"] = said["value"] and said["value"][:VALUE_LONGEST]
            lines.write(json.dumps({"table": table, **said}, ensure_ascii=False) + "\n")
