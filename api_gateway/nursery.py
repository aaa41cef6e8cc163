"""Where query processes come from: a zygote that forks them, started again when it dies."""

from __future__ import annotations

import json
import logging
import socket
import subprocess
import sys
import threading

from api_gateway import frames
from api_gateway.errors import GatewayError
from api_gateway.process import Process
from api_gateway.sandbox import Locks
from api_gateway.settings import Settings
from lake import logs

log = logging.getLogger(__name__)

_START_S = 60.0
# The whole environment of a query process.
_ENVIRONMENT = {
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "LANG": "C.UTF-8",
    "MALLOC_ARENA_MAX": "2",
    # The memory of a batch is kept for the next one: new pages of the system cost as much as making
    # the rows.
    "MALLOC_MMAP_THRESHOLD_": str(32 * 1024 * 1024),
    "MALLOC_TRIM_THRESHOLD_": str(64 * 1024 * 1024),
    "PATH": "/usr/bin:/bin:/usr/sbin:/sbin",
    "TZ": "UTC",
}


class Nursery:
    """Starts query processes through a zygote, and a new zygote when that one dies."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._turn = threading.Lock()
        self._control: socket.socket | None = None
        self._zygote: subprocess.Popen[bytes] | None = None
        self.locks = Locks(False, False, False)
        # Whether a process that gave way can get its turn back.
        self.takes_turns = False
        with self._turn:
            self._start()

    def spawn(self) -> Process:
        """A new process, connected and without tables. Raises GatewayError where none starts."""
        with self._turn:
            for _ in range(2):
                try:
                    return self._spawn()
                except OSError:
                    log.warning("zygote_restarted")
                    self._stop()
                    self._start()
        raise GatewayError("no query process starts")

    def close(self) -> None:
        """End the zygote, and with it every query process."""
        with self._turn:
            self._stop()

    def _spawn(self) -> Process:
        if self._control is None:
            raise OSError
        mine, theirs = frames.pair()
        try:
            with theirs:
                socket.send_fds(self._control, [b"f"], [theirs.fileno()])
            message, descriptors, _, _ = socket.recv_fds(self._control, 16, 1)
            if not message:
                raise OSError
        except OSError:
            mine.close()
            raise
        return Process(mine, int(message), descriptors[0])

    def _start(self) -> None:
        mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        told = {
            "descriptor": theirs.fileno(),
            "lake_root": str(self._settings.readable_root),
            "hot_dir": str(self._settings.hot_dir),
            "spill_dir": str(self._settings.gateway_spill_dir.absolute()),
            "memory_mb": self._settings.gateway_memory_mb,
            "slow_query_s": self._settings.gateway_slow_query_s,
            "log_level": self._settings.log_level,
        }
        with theirs:
            self._zygote = subprocess.Popen(
                [sys.executable, "-I", "-m", "api_gateway.zygote", json.dumps(told)],
                env=_ENVIRONMENT,
                cwd="/",
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                # A process group of its own: Ctrl-C is for the gateway, which then ends them. No
                # session of its own: Linux may share the CPU among sessions first, and heeds nice
                # only within one.
                process_group=0,
            )
        mine.settimeout(_START_S)
        said = mine.recv(4096)
        if not said:
            raise GatewayError("the parent of the query processes did not start")
        told = json.loads(said)
        self.takes_turns = told.pop("takes_turns")
        self.locks = Locks(**told)
        self._control = mine
        log.info("sandbox", extra=logs.facts(**vars(self.locks), takes_turns=self.takes_turns))

    def _stop(self) -> None:
        if self._control:
            self._control.close()
            self._control = None
        if self._zygote:
            try:
                self._zygote.wait(timeout=5)
            except subprocess.TimeoutExpired:
                self._zygote.kill()
                self._zygote.wait()
            self._zygote = None
