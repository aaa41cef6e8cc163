"""The real gateway for tests: gunicorn on a free port, as in production."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import requests

from tests.servers import free_port, wait_for

THREADS = 16


class Gateway:
    """A running gateway: its address, its log, and its processes."""

    def __init__(self, url: str, log: Path, master: int) -> None:
        self.url, self.log, self.master = url, log, master
        self.session = requests.Session()
        self.session.trust_env = False

    def get(self, path: str, token: str | None = None, **more) -> requests.Response:
        return self.request("GET", path, token, **more)

    def sql(self, sql: str, token: str | None = None, **body) -> requests.Response:
        headers, stream = body.pop("headers", {}), body.pop("stream", False)
        return self.request(
            "POST", "/v1/sql", token, json={"sql": sql, **body}, headers=headers, stream=stream
        )

    def request(self, method: str, path: str, token: str | None, **more) -> requests.Response:
        headers = more.pop("headers", {})
        if token:
            headers["Authorization"] = f"Bearer {token}"
        return self.session.request(
            method, self.url + path, headers=headers, timeout=more.pop("timeout", 60), **more
        )

    def descendants(self, of: int | None = None) -> list[int]:
        """Every process below the gateway's master."""
        found, waiting = [], [of or self.master]
        while waiting:
            for task in Path(f"/proc/{waiting.pop()}/task").glob("*/children"):
                with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                    children = [int(each) for each in task.read_text().split()]
                    found += children
                    waiting += children
        return found

    @property
    def web(self) -> int:
        """The web process: the master's child."""
        return self.webs[0]

    @property
    def webs(self) -> list[int]:
        """The web processes, if there are several."""
        children = Path(f"/proc/{self.master}/task/{self.master}/children").read_text()
        return [int(child) for child in children.split()]


@contextlib.contextmanager
def running(
    folder: Path,
    settings: dict[str, object],
    environment: dict[str, str] | None = None,
    prefix: Sequence[str] = (),
    workers: int = 1,
    threads: int = THREADS,
) -> Iterator[Gateway]:
    """A gateway with these settings (names without prefix), gone afterwards. `prefix`: a command
    that starts it."""
    port = free_port()
    log = folder / f"gateway-{port}.log"
    environ = {
        "PATH": os.environ["PATH"],
        **{f"HANOIIC_{name}": str(value) for name, value in settings.items()},
        **(environment or {}),
    }
    command = [
        *prefix, sys.executable, "-m", "gunicorn", "-k", "api_gateway.serving.Worker",
        "--threads", str(threads),
        "--workers", str(workers),
        "-b", f"127.0.0.1:{port}", "--no-control-socket", "--keep-alive", "75",
        "api_gateway.app:create_app()",
    ]  # fmt: skip
    with log.open("wb") as output:
        master = subprocess.Popen(command, stdout=output, stderr=output, env=environ)
    gateway = Gateway(f"http://127.0.0.1:{port}", log, master.pid)

    def answers() -> bool:
        assert master.poll() is None, log.read_text()
        with contextlib.suppress(requests.ConnectionError):
            return gateway.get("/v1/health").ok
        return False

    try:
        wait_for(answers, "the gateway")
        yield gateway
    finally:
        if master.poll() is None:
            master.send_signal(signal.SIGTERM)
        try:
            master.wait(20)
        except subprocess.TimeoutExpired:
            master.kill()
            master.wait()
