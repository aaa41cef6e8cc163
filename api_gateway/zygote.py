"""The process that query processes are forked from: everything imported, no engine alive.

`python -m api_gateway.zygote '<json>'`, with the socket to the gateway as the descriptor that the
JSON names. It says first which OS locks hold, then answers each socket it is sent with the pid and
the pidfd of a new process that serves it. When the gateway is gone it ends, and its children with
it.
"""

from __future__ import annotations

import json
import logging
import os
import select
import shutil
import signal
import socket
import sys
from pathlib import Path
from typing import Any, NoReturn

from api_gateway import allowed, sandbox, urgency
from api_gateway.worker import Room, Worker
from lake import logs

log = logging.getLogger(__name__)


class Zygote:
    """Forks, and tidies up after the dead: the folder of a process goes when it is reaped."""

    def __init__(self, control: socket.socket, told: dict[str, Any]) -> None:
        self._control = control
        lake_root = Path(told["lake_root"])
        self._readable = (lake_root, Path(told["hot_dir"]))
        self._memory_mb = int(told["memory_mb"])
        self._slow_query_s = float(told["slow_query_s"])
        self._spill_root = _own_folder(Path(told["spill_dir"]))
        self._locks = sandbox.probe(lake_root, self._spill_root)
        self._spills: dict[int, Path] = {}
        self._number = 0

    def run(self) -> None:
        """Serve until the gateway hangs up."""
        # Read now: a locked process reads no file of the program.
        allowed.allowed_functions()
        told = vars(self._locks) | {"takes_turns": urgency.allow_turns()}
        self._control.send(json.dumps(told).encode())
        woken, waker = os.pipe()
        for end in (woken, waker):
            os.set_blocking(end, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        control = self._control.fileno()
        try:
            while True:
                ready, _, _ = select.select([control, woken], [], [])
                if woken in ready:
                    os.read(woken, 4096)
                    self._reap()
                if control in ready and not self._fork([woken, waker]):
                    return
        finally:
            shutil.rmtree(self._spill_root, ignore_errors=True)

    def _fork(self, inherited: list[int]) -> bool:
        message, descriptors, _, _ = socket.recv_fds(self._control, 16, 1)
        if not message:
            return False
        self._number += 1
        spill = self._spill_root / str(self._number)
        spill.mkdir(mode=0o700)
        if self._locks.unprivileged and os.geteuid() == 0:
            os.chown(spill, sandbox.NOBODY, sandbox.NOBODY)
        sys.stderr.flush()
        parent = os.getpid()
        if (child := os.fork()) == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for descriptor in (*inherited, self._control.detach()):
                os.close(descriptor)
            self._become_worker(descriptors[0], spill, parent)
        os.close(descriptors[0])
        self._spills[child] = spill
        pidfd = os.pidfd_open(child)
        socket.send_fds(self._control, [str(child).encode()], [pidfd])
        os.close(pidfd)
        return True

    def _become_worker(self, descriptor: int, spill: Path, parent: int) -> NoReturn:
        status = 1
        try:
            if self._locks.unprivileged:
                sandbox.drop_privileges()
            sandbox.drop_capabilities()
            # After the change of user, which clears it.
            sandbox.die_with_parent(parent)
            room = Room(self._readable, spill, self._memory_mb, self._locks, self._slow_query_s)
            with socket.socket(fileno=descriptor) as sock:
                Worker(sock, room).serve()
            status = 0
        except BaseException:
            log.exception("worker_failed")
        finally:
            os._exit(status)

    def _reap(self) -> None:
        while self._spills:
            child, _ = os.waitpid(-1, os.WNOHANG)
            if child == 0:
                return
            if spill := self._spills.pop(child, None):
                shutil.rmtree(spill, ignore_errors=True)


def _own_folder(spill_dir: Path) -> Path:
    """A folder for this process, after removing those of processes that are no more."""
    spill_dir.mkdir(parents=True, exist_ok=True)
    for left in spill_dir.glob("gateway-*"):
        if not Path("/proc", left.name.partition("-")[2]).exists():
            shutil.rmtree(left, ignore_errors=True)
    own = spill_dir / f"gateway-{os.getpid()}"
    shutil.rmtree(own, ignore_errors=True)
    # Its children may be another user: they pass through, and list nothing.
    own.mkdir(mode=0o711)
    return own


def main() -> None:
    told = json.loads(sys.argv[1])
    logs.configure("gateway", told["log_level"])
    with socket.socket(fileno=int(told["descriptor"])) as control:
        Zygote(control, told).run()


if __name__ == "__main__":
    main()
