"""A harvest worker with a pace of its own: `python -m tests.harvesters.hasty '{"stalled_s": 3}'`"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys

from harvesters import database, opening
from harvesters.settings import read
from harvesters.tries import Tries
from harvesters.worker import Pace, Worker
from lake import logs


def main(pace: Pace) -> None:
    settings = read(os.environ)
    logs.configure("harvest", settings.log_level)
    logging.getLogger("procrastinate").setLevel(logging.WARNING)
    conninfo = opening.conninfo(settings)
    worker = Worker(
        database.queue(conninfo),
        lambda: opening.room(settings),
        opening.portal(settings),
        opening.lanes(settings),
        Tries(conninfo),
        lake=opening.lake(settings),
        pace=pace,
    )
    asyncio.run(worker.run())


if __name__ == "__main__":
    main(Pace(**json.loads(sys.argv[1])))
