"""The whole portal on real parts, with ports and a folder of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ckanapi
import pytest
import requests

from tests.servers import free_port

ROOT = Path(__file__).resolve().parents[2]
REAL_DATA = Path(os.environ.get("HANOIIC_TEST_DATA", ROOT.parent / "shared/data"))
UP_TIMEOUT_S = 420


@dataclass(frozen=True)
class Stack:
    """A running portal: its environment for commands, and what ``demo.json`` says."""

    home: Path
    environment: dict[str, str]
    demo: dict[str, Any]
    # The `hanoiic up` that started it and stays in the foreground; None where these tests did not.
    foreground: subprocess.Popen[str] | None = None

    @property
    def portal_url(self) -> str:
        return str(self.demo["portal_url"])

    @property
    def gateway_url(self) -> str:
        return str(self.demo["gateway_url"])

    @property
    def departments_url(self) -> str:
        return str(self.demo["departments_url"])

    def user(self, role: str) -> dict[str, str]:
        return dict(self.demo["users"][role])

    def hanoiic(self, *arguments: str, timeout_s: float = UP_TIMEOUT_S) -> Any:
        return hanoiic(self.environment, *arguments, timeout_s=timeout_s)

    def ckan(self, role: str | None = None) -> ckanapi.RemoteCKAN:
        return ckanapi.RemoteCKAN(
            self.portal_url, apikey=self.user(role)["ckan_token"] if role else None
        )

    def call(self, action: str, role: str | None = None, **data: Any) -> Any:
        """One CKAN action as a demo user, or as nobody."""
        return self.ckan(role).call_action(action, data, requests_kwargs={"timeout": 60})

    def gateway(
        self, method: str, path: str, token: str | None = None, **arguments: Any
    ) -> requests.Response:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        headers |= arguments.pop("headers", {})
        return requests.request(
            method, f"{self.gateway_url}{path}", headers=headers, timeout=60, **arguments
        )

    def sql(self, text: str, token: str | None = None, **more: Any) -> requests.Response:
        return self.gateway("POST", "/v1/sql", token, json={"sql": text, **more})

    def table(self, *, tier: str, name: str = "") -> str:
        return next(
            str(row["name"])
            for row in self.demo["tables"]
            if row["tier"] == tier and name in row["name"]
        )


def hanoiic(environment: dict[str, str], *arguments: str, timeout_s: float) -> Any:
    return subprocess.run(
        [sys.executable, "-m", "deploy.cli", *arguments],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=timeout_s,
    )


def in_foreground(environment: dict[str, str]) -> tuple[subprocess.Popen[str], str]:
    """`hanoiic up` as at a terminal, and what it said until it was ready or gave up."""
    child = subprocess.Popen(
        [sys.executable, "-m", "deploy.cli", "up"],
        env=environment,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        # As a shell starts what runs in its background: Ctrl-C must reach it all the same.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )
    lines = []
    for line in child.stdout or ():
        lines.append(line)
        if "Ctrl-C stops everything" in line:
            break
    return child, "".join(lines)


def environment_of(home: Path, **more: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", "/"),
        "HANOIIC_HOME": str(home),
        "HANOIIC_PORTAL_PORT": str(free_port()),
        "HANOIIC_GATEWAY_PORT": str(free_port()),
        **more,
    }


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """The portal with its demo, and the real files too where they are present.

    ``HANOIIC_TEST_HOME`` names the folder of one that runs already: for work on the tests.
    """
    if known := os.environ.get("HANOIIC_TEST_HOME"):
        home = Path(known)
        told = json.loads((home / "demo.json").read_text("utf-8"))
        kept = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}
        yield Stack(home, {**kept, "HANOIIC_HOME": str(home)}, told)
        return
    folder = Path(tempfile.mkdtemp(prefix="hanoiic-e2e-"))
    folder.chmod(0o711)
    home = folder / "home"
    real = {"HANOIIC_DEMO_DATA": str(REAL_DATA)} if REAL_DATA.is_dir() else {}
    environment = environment_of(home, **real)
    try:
        child, said = in_foreground(environment)
        if "Ctrl-C" not in said:
            pytest.fail(f"`hanoiic up` failed:\n{said}\n{tails(home)}")
        demo = json.loads((home / "demo.json").read_text("utf-8"))
        yield Stack(home, environment, demo, child)
    finally:
        hanoiic(environment, "down", timeout_s=90)
        shutil.rmtree(folder, ignore_errors=True)


def tails(home: Path, lines: int = 25) -> str:
    """The ends of all logs, for a test's failure."""
    return "\n".join(
        f"== {file.name}\n" + "\n".join(file.read_text("utf-8", "replace").splitlines()[-lines:])
        for file in sorted((home / "logs").glob("*.log"))
    )
