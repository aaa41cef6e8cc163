"""The real portal for tests of several rooms: CKAN with its plugins under gunicorn."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import ckanapi
import requests

from deploy.ckan_ini import CkanIni
from deploy.home import Home
from tests.servers import free_port, wait_for

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Portal:
    """A running portal: its address, its home, its log and gunicorn's master."""

    url: str
    home: Home
    log: Path
    master: int

    def ckan(self, credential: str | None = None) -> ckanapi.RemoteCKAN:
        return ckanapi.RemoteCKAN(self.url, apikey=credential)

    @property
    def operator(self) -> ckanapi.RemoteCKAN:
        return self.ckan(self.home.secret("operator_credential"))


@contextmanager
def running(
    home: Home,
    database_url: str,
    redis_url: str,
    gateway_url: str = "http://127.0.0.1:9",
    *,
    workers: int = 2,
    log_level: str = "WARNING",
) -> Iterator[Portal]:
    """A portal on a free port, prepared and answering; gone afterwards."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    home.password("operator")
    CkanIni.of(
        home,
        database_url=database_url,
        redis_url=redis_url,
        site_url=url,
        gateway_url=gateway_url,
        gateway_internal_url=gateway_url,
        log_level=log_level,
    ).write(home.ckan_ini)
    prepare = [sys.executable, "-m", "ckanext.hanoiic.prepare"]
    subprocess.check_call(
        [*prepare, "--ini", str(home.ckan_ini), "--secrets", str(home.secrets)], cwd=ROOT
    )
    log = home.logs / "portal.log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [
                *(sys.executable, "-m", "gunicorn", "ckanext.hanoiic.wsgi:application"),
                *("--bind", f"127.0.0.1:{port}", "--workers", str(workers), "--threads", "8"),
                *("--preload", "--no-control-socket", "--worker-tmp-dir", str(home.run)),
            ],
            env={**os.environ, "CKAN_INI": str(home.ckan_ini)},
            cwd=ROOT,
            stdout=output,
            stderr=output,
        )

    def answers() -> bool:
        assert server.poll() is None, log.read_text("utf-8", "replace")
        with suppress(requests.RequestException):
            return requests.get(f"{url}/api/3/action/status_show", timeout=5).ok
        return False

    try:
        wait_for(answers, "the portal", 120)
        yield Portal(url, home, log, server.pid)
    finally:
        server.terminate()
        server.wait(30)
