"""The file that tells supervisord which programs there are."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deploy.home import Home

LOG_BYTES = 10 * 1024 * 1024
LOG_BACKUPS = 3


@dataclass(frozen=True)
class Program:
    """One child of the supervisor. Its environment holds settings, never a secret."""

    name: str
    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    user: str | None = None
    stop_signal: str = "TERM"
    stop_wait_s: int = 20


def configuration(home: Home, programs: list[Program]) -> str:
    """The text of ``supervisord.conf``."""
    sections = [
        {
            "": "unix_http_server",
            "file": home.supervisor_socket,
            "chmod": "0600",
        },
        {
            "": "supervisord",
            "logfile": home.logs / "supervisord.log",
            "pidfile": home.run / "supervisord.pid",
            "childlogdir": home.logs,
            # Not the home itself: its folder `lake` would hide the package of that name.
            "directory": home.run,
            "umask": "077",
            "silent": "true",
            # supervisord drops nothing here; said aloud because it warns when it isn't.
            **({"user": "root"} if os.getuid() == 0 else {}),
        },
        {
            "": "rpcinterface:supervisor",
            "supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface",
        },
        *(_program(home, program, place) for place, program in enumerate(programs, start=1)),
    ]
    return "\n".join(
        f"[{section.pop('')}]\n"
        + "".join(f"{key}={_escaped(value)}\n" for key, value in section.items())
        for section in sections
    )


def _program(home: Home, program: Program, place: int) -> dict[str, Any]:
    quoted = (f'{name}="{_in_quotes(value)}"' for name, value in program.environment.items())
    return {
        "": f"program:{program.name}",
        "command": shlex.join(program.command),
        "environment": ",".join(quoted),
        **({"user": program.user, "directory": "/"} if program.user else {}),
        # Stopped in the reverse of this order, one after the other: the database last.
        "priority": place,
        # The launcher starts the programs in their order and waits for each to be ready.
        "autostart": "false",
        "autorestart": "true",
        "startsecs": 1,
        # A server that waits for another one to come back gets the time to.
        "startretries": 1000,
        "stopsignal": program.stop_signal,
        "stopwaitsecs": program.stop_wait_s,
        "stopasgroup": str(program.stop_signal == "TERM").lower(),
        "killasgroup": "true",
        "redirect_stderr": "true",
        "stdout_logfile": home.logs / f"{program.name}.log",
        "stdout_logfile_maxbytes": LOG_BYTES,
        "stdout_logfile_backups": LOG_BACKUPS,
    }


def _escaped(value: object) -> str:
    return str(value).replace("%", "%%")


def _in_quotes(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')
