"""The supervisor: started, asked through its control socket, and stopped.

supervisord (http://supervisord.org) restarts what dies and stops everything at once; this module
only speaks its XML-RPC.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from supervisor.xmlrpc import SupervisorTransport

from deploy.errors import NotReady, NotRunning, StepFailed, SupervisorLost
from deploy.home import write_private
from deploy.processes import first_process_began, gone, kill, process_lives, session_members
from deploy.supervisord_conf import Program, configuration

if TYPE_CHECKING:
    from deploy.home import Home

START_TIMEOUT_S = 60.0
# Children are stopped one after the other, and each may take its `stop_wait_s`.
STOP_TIMEOUT_S = 200.0
# How long a process that was killed may take to end.
END_TIMEOUT_S = 2.0


@dataclass(frozen=True)
class Supervisor:
    """The supervisor of one home, running or not."""

    home: Home

    def client(self) -> Any:
        socket = self.home.supervisor_socket
        transport = SupervisorTransport(None, None, f"unix://{socket}")
        return xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport).supervisor

    def is_running(self) -> bool:
        if not self.home.supervisor_socket.exists():
            return False
        try:
            return bool(self.client().getState()["statename"] == "RUNNING")
        except (OSError, xmlrpc.client.Error):
            return False

    def start(self, programs: list[Program]) -> subprocess.Popen[bytes]:
        """Start supervisord with no program running yet.

        It becomes the leader of its own session, so a Ctrl-C at the terminal reaches the
        launcher only, which then stops it in order.
        """
        write_private(self.home.supervisord_conf, configuration(self.home, programs))
        self.home.supervisor_socket.unlink(missing_ok=True)
        with (self.home.logs / "supervisord.out").open("ab") as output:
            child = subprocess.Popen(
                [
                    *(sys.executable, "-m", "deploy.keeper", "--nodaemon"),
                    *("-c", str(self.home.supervisord_conf)),
                ],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self.home.run,
                env=clean_environment(),
                start_new_session=True,
            )
        wait_until(
            self.is_running,
            "The supervisor did not start",
            self.home.logs / "supervisord.out",
            START_TIMEOUT_S,
            gave_up=lambda: child.poll() is not None,
        )
        return child

    def start_program(self, name: str) -> None:
        try:
            self.client().startProcess(name, False)
        except xmlrpc.client.Fault as fault:
            raise StepFailed(f"{name} can't be started: {fault.faultString}") from fault
        except OSError as error:
            raise NotRunning(self.not_running_text()) from error

    def stop_program(self, name: str) -> None:
        with contextlib.suppress(xmlrpc.client.Fault):
            self.client().stopProcess(name, True)

    def programs(self) -> list[dict[str, Any]]:
        """Name, state, pid and uptime in seconds of every program.

        Raises:
            NotRunning: no supervisor answers for this home.
        """
        if not self.is_running():
            raise NotRunning(self.not_running_text())
        try:
            rows = self.client().getAllProcessInfo()
        except (OSError, xmlrpc.client.Error) as error:  # it ended a moment ago
            raise NotRunning(self.not_running_text()) from error
        return [
            {
                "name": row["name"],
                "state": row["statename"].lower(),
                "pid": row["pid"] or None,
                "uptime_s": row["now"] - row["start"] if row["statename"] == "RUNNING" else 0,
            }
            for row in rows
        ]

    @property
    def pid_file(self) -> Path:
        return self.home.run / "supervisord.pid"

    def leftovers(self) -> list[int]:
        """The children of a supervisor that was killed: alive, with nobody to look after them.

        Linux gives a number to no new process while a session still has it, so what is in the
        session of a dead supervisor is its own; unless machine or container started anew since.
        """
        text = self.pid_file.read_text(encoding="utf-8").strip() if self.pid_file.exists() else ""
        if not text.isdigit() or self.pid_file.stat().st_mtime < first_process_began():
            return []
        # One that was killed answers nobody already some time before it has ended.
        if not gone([int(text)], END_TIMEOUT_S):
            return []
        return session_members(int(text))

    def clear_leftovers(self) -> int:
        """Kill them (PostgreSQL recovers by itself) and forget the dead supervisor; how many."""
        found = self.leftovers()
        kill(found)
        self.pid_file.unlink(missing_ok=True)
        return len(found)

    def stay(self, supervisord: subprocess.Popen[bytes]) -> None:
        """Wait until somebody stops the supervisor that this process started.

        Raises:
            SupervisorLost: it was killed; its children, which nobody looks after, are ended.
        """
        if code := supervisord.wait():
            self.clear_leftovers()
            raise SupervisorLost(
                f"The supervisor was killed (exit {code}), and the portal stopped with it; "
                "`hanoiic up` starts it again."
            )

    def not_running_text(self) -> str:
        text = f"The portal of {self.home.root} is not running; `hanoiic up` starts it."
        if left := self.leftovers():
            return (
                f"{text} {len(left)} processes of a killed supervisor live; "
                "`hanoiic down` ends them."
            )
        if self.pid_file.exists():
            stale = self.pid_file.read_text(encoding="utf-8").strip()
            self.pid_file.unlink(missing_ok=True)
            text += f" A stale pid file of process {stale} was removed."
        return text

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> None:
        """Stop every child, then the supervisor; returns when the last one is gone."""
        if not self.is_running():
            if self.leftovers():
                self.clear_leftovers()
                return
            raise NotRunning(self.not_running_text())
        client = self.client()
        pid = int(client.getPID())
        client.shutdown()
        deadline = time.monotonic() + timeout_s
        while process_lives(pid):
            if time.monotonic() > deadline:
                raise NotReady(f"The supervisor (process {pid}) did not stop in {timeout_s:.0f} s.")
            time.sleep(0.1)
        # What a child that was itself killed left behind is still in the session.
        kill(session_members(pid))


def end(supervisord: subprocess.Popen[bytes]) -> None:
    """Stop the supervisor that this very process started, and every child of it.

    By signal: it works when the control socket is gone with a deleted home.
    """
    supervisord.terminate()
    supervisord.wait()
    kill(session_members(supervisord.pid))


def clean_environment() -> dict[str, str]:
    """The environment of every child: nothing of the user's but the language-neutral basics."""
    return {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}",
        "HOME": str(Path.home()),
        "LC_ALL": "C.UTF-8",
        "PYTHONUTF8": "1",
        "PYTHONUNBUFFERED": "1",
    }


def wait_until(
    condition: Callable[[], bool],
    failure: str,
    log: Path,
    timeout_s: float,
    gave_up: Callable[[], bool] = lambda: False,
) -> None:
    """Wait for a condition.

    Raises:
        NotReady: with the last line of ``log`` when the time is over or ``gave_up`` says so.
    """
    deadline = time.monotonic() + timeout_s
    while not condition():
        if gave_up() or time.monotonic() > deadline:
            raise NotReady(f"{failure}. The last line of {log} says: {last_line(log)}")
        time.sleep(0.1)


def last_line(log: Path) -> str:
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except FileNotFoundError:
        lines = []
    # SQLAlchemy ends with where to read more.
    said = [line for line in lines if not line.startswith("(Background on this error")]
    return said[-1].strip() if said else "(nothing)"
