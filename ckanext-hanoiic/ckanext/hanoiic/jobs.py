"""CKAN's background jobs: ``python -m ckanext.hanoiic.jobs INI``.

Before it takes the first job it mends what the search index lost in a crash. A small process
beside it asks every minute for licensing's chores, as long as the worker lives.
"""

from __future__ import annotations

import configparser
import logging
import os
import subprocess
import sys
import time

import redis
import rq

CHORES = "ckanext.hanoiic.licensing.chores.run"
EVERY_S = 60
TIMEOUT_S = 600
# Where no worker takes it, one waits and is not joined by others.
JOB_ID = "hanoiic-chores"

log = logging.getLogger(__name__)


def main() -> None:
    ini = sys.argv[1]
    ckan = [sys.executable, "-m", "ckanext.hanoiic", "-c", ini]
    # A failure is on stderr, and must not keep the jobs from being done.
    subprocess.run([*ckan, "hanoiic-search", "mend"], check=False)
    worker = os.getpid()
    if os.fork() == 0:
        ask_for_chores(ini, worker)
        os._exit(0)
    os.execv(sys.executable, [*ckan, "jobs", "worker"])  # noqa: S606 (our own program, no shell)


def ask_for_chores(ini: str, worker: int) -> None:
    """Put the chores in CKAN's queue every minute until the worker is gone."""
    settings = configparser.RawConfigParser()
    settings.read(ini, encoding="utf-8")
    main = settings["app:main"]
    client = redis.Redis.from_url(main["ckan.redis.url"].replace("%%", "%"))
    queue = rq.Queue(f"ckan:{main['ckan.site_id']}:default", connection=client)
    asked_at = float("-inf")
    while os.getppid() == worker:
        if time.monotonic() - asked_at >= EVERY_S:
            asked_at = time.monotonic()
            try:
                ask(queue)
            except redis.RedisError as error:
                log.warning("chores_not_asked cause=%s", type(error).__name__)
        time.sleep(1)


def ask(queue: rq.Queue) -> bool:
    """Queue the chores unless they wait already."""
    if JOB_ID in queue.job_ids:
        return False
    queue.enqueue_call(CHORES, job_id=JOB_ID, timeout=TIMEOUT_S, result_ttl=0, failure_ttl=EVERY_S)
    return True


if __name__ == "__main__":
    main()
