"""The operating system's lock, tried in processes of their own."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from api_gateway import sandbox


@pytest.fixture(scope="module")
def rooms(tmp_path_factory) -> tuple[Path, Path]:
    base = tmp_path_factory.mktemp("sandbox")
    readable, writable = base / "readable", base / "writable"
    for room in (readable, writable):
        room.mkdir()
    (readable / "granted").write_text("granted")
    (base / "other").write_text("other")
    return readable, writable


@pytest.fixture(scope="module")
def locks(rooms) -> sandbox.Locks:
    found = sandbox.probe(*rooms)
    if found.missing:
        pytest.skip(f"this kernel lacks {found.missing}")
    return found


def inside(rooms: tuple[Path, Path], attempt: Callable[[], object]) -> str:
    """`done`, or the name of the error, of an attempt in a locked process."""
    read_end, write_end = os.pipe()
    if (child := os.fork()) == 0:
        said = "lock failed"
        try:
            readable, writable = rooms
            if sandbox.restrict_files([readable], writable) and sandbox.restrict_calls():
                attempt()
                said = "done"
        except BaseException as error:
            said = type(error).__name__
        finally:
            os.write(write_end, said.encode())
            os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end) as answer:
        said = answer.read()
    os.waitpid(child, 0)
    return said


def test_granted_file_and_own_folder_are_usable(rooms, locks):
    readable, writable = rooms
    assert inside(rooms, (readable / "granted").read_text) == "done"
    assert inside(rooms, lambda: (writable / "mine").write_text("x")) == "done"
    assert (writable / "mine").read_text() == "x"


def test_threads_start_but_processes_do_not(rooms, locks):
    assert inside(rooms, lambda: threading.Thread(target=int).start()) == "done"
    assert inside(rooms, os.fork) == "PermissionError"


@pytest.mark.parametrize(
    "attempt",
    [
        lambda readable, writable: (readable.parent / "other").read_text(),
        lambda readable, writable: (readable / "granted").write_text("x"),
        lambda readable, writable: (readable / "new").write_text("x"),
        lambda readable, writable: (readable / "granted").unlink(),
        lambda readable, writable: Path("/etc/passwd").read_text(),
        lambda readable, writable: Path("/proc/self/environ").read_text(),
        lambda readable, writable: list(Path("/").iterdir()),
        lambda readable, writable: (
            (writable / "link").symlink_to("/etc/passwd") or (writable / "link").read_text()
        ),
        lambda readable, writable: os.link(readable.parent / "other", writable / "hard"),
        lambda readable, writable: socket.socket(),
        lambda readable, writable: socket.socketpair(),
        lambda readable, writable: subprocess.run(["true"], check=True),
        lambda readable, writable: os.execv("/bin/true", ["true"]),  # noqa: S606
        lambda readable, writable: os.kill(os.getppid(), 0),
        lambda readable, writable: os.pidfd_open(os.getppid()),
        lambda readable, writable: os.memfd_create("x"),
        lambda readable, writable: os.setuid(0),
    ],
)
def test_everything_else_is_refused(rooms, locks, attempt):
    assert inside(rooms, lambda: attempt(*rooms)) in ("PermissionError", "OSError")
    assert (rooms[0] / "granted").read_text() == "granted"


def test_a_second_restriction_only_takes_away(rooms, locks):
    readable, writable = rooms

    def narrow_then_read() -> None:
        sandbox.restrict_files([readable.parent], writable)
        (readable.parent / "other").read_text()

    assert inside(rooms, narrow_then_read) == "PermissionError"


def test_probe_tells_a_missing_lock_and_never_crashes(rooms):
    gone = rooms[0].parent / "no-such-folder"
    assert sandbox.probe(rooms[0], gone).landlock is False
