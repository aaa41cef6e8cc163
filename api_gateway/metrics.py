"""What the gateway counts, for Prometheus; `docs/metrics.md` lists it, and a test compares.

Served on a port of its own (`HANOIIC_GATEWAY_METRICS_PORT`, loopback unless told otherwise), never
on the public one. With `PROMETHEUS_MULTIPROC_DIR` set, as under several gunicorn workers, every
process counts into that folder, and whichever of them answers tells of all.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import socketserver
import threading
from functools import cache
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import prometheus_client
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, multiprocess

log = logging.getLogger(__name__)

_SECONDS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)

REQUESTS = Histogram(
    "hanoiic_gateway_request_seconds",
    "Time from a request to the end of its answer.",
    ["door", "status"],
    buckets=_SECONDS,
)
QUEUE = Histogram(
    "hanoiic_gateway_queue_seconds",
    "Time a query waited for a place in a query process.",
    ["pool"],
    buckets=_SECONDS,
)
WAITING = Gauge(
    "hanoiic_gateway_waiting_queries",
    "Queries that wait for a place.",
    ["pool"],
    multiprocess_mode="livesum",
)
BUSY = Gauge(
    "hanoiic_gateway_busy_processes",
    "Query processes at work.",
    ["pool"],
    multiprocess_mode="livesum",
)
STARTED = Counter(
    "hanoiic_gateway_processes_started_total",
    "Query processes given their tables.",
    ["pool"],
)
ENDED = Counter(
    "hanoiic_gateway_processes_ended_total",
    "Query processes ended, by cause: a problem's code, or overtime, left, age, place, lost.",
    ["pool", "cause"],
)
CACHE = Counter(
    "hanoiic_gateway_cache_total",
    "Lookups of what is remembered (statement, decision, answer, process, hot), by result.",
    ["cache", "result"],
)
PAST_LIMIT = Histogram(
    "hanoiic_gateway_past_limit_seconds",
    "Time that a process of a query lived past the query's limit.",
    ["pool"],
    buckets=(0.05, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5),
)
BYTES = Counter("hanoiic_gateway_answer_bytes_total", "Bytes of answers sent.", ["door"])
PROBLEMS = Counter("hanoiic_gateway_problems_total", "Requests refused or failed.", ["code"])

# Files of live gauges carry the number of their process.
_OF_PROCESS = re.compile(r"gauge_live\w*_(\d+)\.db")


def looked_up(what: str, *, hit: bool) -> None:
    """Count one lookup."""
    _lookups(what, "hit" if hit else "miss").inc()


# Finding a labelled counter takes longer than counting with it.
_lookups = cache(CACHE.labels)
bytes_of = cache(BYTES.labels)
requests_of = cache(REQUESTS.labels)


class _Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True
    # The process that takes over from another one listens beside it until that one has gone.
    allow_reuse_port = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: Prometheus asks every few seconds."""


def serve(port: int, host: str) -> int | None:
    """Serve `/metrics` from a thread, and return the port; None when `port` is 0: not at all."""
    if not port:
        return None
    _forget_the_dead()
    try:
        server = _Server((host, port), _Quiet)
    except OSError:
        log.exception("metrics_not_served")
        return None
    server.set_app(prometheus_client.make_wsgi_app(_registry()))
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return int(server.server_address[1])


def _registry() -> CollectorRegistry:
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REGISTRY
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry


def _forget_the_dead() -> None:
    """What is at work in a process that is no more is not at work."""
    folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    for file in Path(folder).glob("gauge_live*.db") if folder else ():
        if (found := _OF_PROCESS.fullmatch(file.name)) and not Path("/proc", found[1]).exists():
            with contextlib.suppress(FileNotFoundError):
                file.unlink()
