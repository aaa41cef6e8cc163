"""The parts of `harvest.py` that harvest a catalogue into a running portal, by one worker."""

from __future__ import annotations

import argparse
import json
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import harvest_sources as sources
import requests
from harvest_bars import judged

from harvesters import opening
from harvesters.pipeline import harvest
from harvesters.portal import Portal
from harvesters.report import Report
from harvesters.room import Room
from harvesters.settings import read
from harvesters.source import Source


@dataclass(frozen=True)
class Registered:
    """A catalogue of `count` datasets at `address` that the portal has as a source."""

    count: int
    address: str
    room: Room
    source: Source

    def harvested(self, what: str) -> float:
        """Harvest it once, print what took how long; seconds."""
        report, calls = Report(), _counting(self.room.portal)
        begun, cpu = time.monotonic(), time.process_time()
        harvest(self.source, self.room, report, f"bench-{uuid.uuid4().hex[:8]}")
        wall_s, cpu_s = time.monotonic() - begun, time.process_time() - cpu
        each_ms, cpu_ms = wall_s / self.count * 1000, cpu_s / self.count * 1000
        print(f"{what}: {wall_s:.1f} s, {each_ms:.1f} ms each,", end=" ")
        print(f"{cpu_ms:.1f} ms of it the harvester's and source's CPU")
        for stage in report.stages.values():
            if stage.duration_s:
                print(f"  {stage.stage:10} {stage.duration_s:8.2f} s  {stage.counts}")
        for action, (count, took) in sorted(calls.items(), key=lambda item: -item[1][1]):
            print(f"  {action:28} {count:6} calls  {took / count * 1000:7.1f} ms each")
        if failed := report.stages["fetch"].counts.get("failed_files"):
            print(f"  {failed} files failed: {report.stages['fetch'].messages[:2]}")
        return wall_s


def catalogue(given: argparse.Namespace) -> bool:
    """Harvest a catalogue, then again twice; whether datasets a second are enough each time."""
    with _registered(given.datasets, with_files=not given.links) as known:
        met = []
        for what, bar in (("first harvest", 20), ("unchanged", 100), ("unchanged", 100)):
            speed = known.count / known.harvested(what)
            met.append(judged(f"speed, {what}", speed, "datasets/s", at_least=bar))
    return all(met)


def unchanged(given: argparse.Namespace) -> bool:
    """Harvest files of which none changed; whether resources a second are enough, and whether each
    costs little beyond its network: the same conditional request, made bare."""
    with _registered(given.resources, with_files=True) as known:
        known.harvested("first harvest (not judged)")
        wall_s = known.harvested("unchanged")
        network_s = _asked(known)
    each_ms, network_ms = (took / known.count * 1000 for took in (wall_s, network_s))
    print(f"of {each_ms:.2f} ms a resource its bare request takes {network_ms:.2f} ms")
    return all(
        [
            judged("unchanged", known.count / wall_s, "resources/s", at_least=50),
            judged("beyond the network", each_ms - network_ms, "ms a resource", at_most=50),
        ]
    )


def _asked(known: Registered) -> float:
    """Seconds that the requests alone take, one after the other over one connection."""
    with requests.Session() as session:
        session.trust_env = False
        begun = time.monotonic()
        for number in range(known.count):
            address, etag = sources.file_of(known.address, number)
            answer = session.get(address, headers={"If-None-Match": etag}, timeout=10)
            if answer.status_code != 304:
                raise SystemExit(f"{address} answered {answer.status_code}, not 304")
        return time.monotonic() - begun


@contextmanager
def _registered(count: int, *, with_files: bool) -> Iterator[Registered]:
    home = Path(os.environ["HANOIIC_HOME"])
    with sources.catalogue(count, with_files=with_files) as address:
        settings = read({**os.environ, "HANOIIC_HARVEST_ALLOWED_HOSTS": address.split("/")[2]})
        room = opening.room(settings)
        token = json.loads((home / "demo.json").read_text())["users"]["operator"]["ckan_token"]
        operator = Portal(settings.portal_url, token)
        name = f"do-{uuid.uuid4().hex[:8]}"
        made = operator.call(
            "hanoiic_source_create",
            name=name,
            title="Danh mục đo tốc độ",
            owner_org=operator.call("organization_list")[0],
            kind="ckan",
            url=address,
            dataset={"table": name.replace("-", "_"), "access_tier": "open"},
        )
        source = Source.of(room.portal.call("hanoiic_source_show", id=made["id"]))
        yield Registered(count, address, room, source)
        room.client.close()


def _counting(portal: Any) -> dict[str, tuple[int, float]]:
    """Counts and times of a portal's calls from now on."""
    counted: dict[str, tuple[int, float]] = {}
    call = type(portal).call

    def measured(action: str, **data: Any) -> Any:
        begun = time.monotonic()
        try:
            return call(portal, action, **data)
        finally:
            count, took = counted.get(action, (0, 0.0))
            counted[action] = (count + 1, took + time.monotonic() - begun)

    portal.call = measured
    return counted
