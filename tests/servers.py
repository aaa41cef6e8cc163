"""Real PostgreSQL and Valkey for tests: a folder and free ports of their own, gone afterwards."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from deploy.home import Home
from deploy.postgres import EmbeddedPostgres
from deploy.valkey import EmbeddedValkey

# Bound and never listened at, these keep what `free_port` gave from everybody but a server that, as
# all of ours, binds with SO_REUSEADDR. Who connects meanwhile is refused.
_reserved: list[socket.socket] = []


def free_port() -> int:
    """A port of the loopback that nobody else is given while these tests run."""
    probe = socket.socket()
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    probe.bind(("127.0.0.1", 0))
    _reserved.append(probe)
    return int(probe.getsockname()[1])


def wait_for(condition: Callable[[], bool], what: str, timeout_s: float = 30.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not come within {timeout_s:.0f} s")
        time.sleep(0.05)


@contextlib.contextmanager
def temporary_home(prefix: str = "hanoiic-test-") -> Iterator[Home]:
    with tempfile.TemporaryDirectory(prefix=prefix) as folder:
        home = Home(Path(folder) / "home")
        Path(folder).chmod(0o711)
        home.create()
        yield home


@contextlib.contextmanager
def running(command: list[str], log: Path, user: str | None = None) -> Iterator[subprocess.Popen]:
    """A child process, stopped (then killed) at the end; its output lies in ``log``."""
    with log.open("ab") as output:
        child = subprocess.Popen(
            command,
            stdout=output,
            stderr=output,
            user=user,
            group=user,
            extra_groups=[] if user else None,
            cwd="/",
            env={"PATH": os.defpath, "LC_ALL": "C.UTF-8"},
        )
    try:
        yield child
    finally:
        child.terminate()
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


# What a machine that loses power would lose: nobody waits for a test's disk.
FORGETFUL = ("-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off")


@contextlib.contextmanager
def postgres(home: Home) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres.at(home, free_port())
    server.prepare(home)
    command = [*server.command, *FORGETFUL]
    with running(command, home.logs / "postgres.log", server.system_user):
        wait_for(server.answers, "PostgreSQL")
        server.ensure_roles(home.secret("database_portal"), home.secret("database_harvest"))
        yield server


@contextlib.contextmanager
def valkey(home: Home) -> Iterator[EmbeddedValkey]:
    server = EmbeddedValkey.at(home, free_port())
    server.prepare()
    with running(server.command, home.logs / "valkey.log"):
        wait_for(server.answers, "Valkey")
        yield server


@dataclass(frozen=True)
class MariaDb:
    """A MariaDB of Debian's package; `password` is that of the account `root`."""

    port: int
    password: str = "root-of-a-test"


def has_mariadb() -> bool:
    return shutil.which("mariadbd", path=_PROGRAMS) is not None


@contextlib.contextmanager
def mariadb() -> Iterator[MariaDb]:
    with tempfile.TemporaryDirectory(prefix="hanoiic-mariadb-") as folder:
        server, data, log = MariaDb(free_port()), Path(folder) / "data", Path(folder) / "log"
        user = [f"--user={getpass.getuser()}"]
        subprocess.run(
            [
                *("mariadb-install-db", "--no-defaults", f"--datadir={data}", *user),
                *("--skip-test-db", "--auth-root-authentication-method=normal"),
            ],
            check=True,
            capture_output=True,
            env={"PATH": _PROGRAMS},
        )
        first = Path(folder) / "first.sql"
        first.write_text(
            f"CREATE OR REPLACE USER root@'127.0.0.1' IDENTIFIED BY '{server.password}';\n"
            "GRANT ALL ON *.* TO root@'127.0.0.1' WITH GRANT OPTION;\n"
        )
        command = [
            *(str(shutil.which("mariadbd", path=_PROGRAMS)), "--no-defaults", *user),
            *(f"--datadir={data}", f"--socket={folder}/socket", f"--pid-file={folder}/pid"),
            *(f"--port={server.port}", "--bind-address=127.0.0.1", "--skip-name-resolve"),
            *(f"--init-file={first}", "--innodb-buffer-pool-size=16M", "--innodb-log-file-size=8M"),
        ]
        with running(command, log):
            wait_for(lambda: _answers(server.port), "MariaDB")
            yield server


# Debian has daemons where only root looks.
_PROGRAMS = f"{os.defpath}:/usr/sbin:/usr/local/sbin"


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False
