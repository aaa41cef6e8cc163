"""Each lock with the other two open: every attack on files, the network and foreign tables is
stopped by at least two of the three, and no lock stops nothing."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from lake import Lake, Provenance
from tests.api_gateway.hostile import Attack, Scene, attacks

LOCKS = ("gate", "engine", "system")
# A part of the corpus shows what all of it does; `make test-hostile` tries each.
EVERY = 1 if os.environ.get("HANOIIC_ALL_BOMBS") else 11


class Listener:
    """A server that counts who connects."""

    def __init__(self) -> None:
        self.server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.server.getsockname()[1]}"
        self.connected = 0
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self.server.accept()
            except OSError:
                return
            self.connected += 1
            connection.close()


@pytest.fixture(scope="module")
def listener() -> Iterator[Listener]:
    listener = Listener()
    yield listener
    listener.server.close()


class Trial:
    """All attacks under one lock, or none, on a lake and folder of its own."""

    def __init__(self, lock: str | None, lake: Lake, listener: Listener, folder: Path) -> None:
        self.lock = lock
        self.scene = Scene(folder / "aims", _copied(lake, folder), listener.url).lay_out()
        self.attacks = [each for each in attacks(self.scene.names) if each.expect == "refused"][
            ::EVERY
        ]
        (folder / "spill").mkdir()
        self.told = {
            "lock": lock,
            "granted": {"bus_stops": self.scene.lake.table("bus_stops").files(2)},
            "foreign": {
                name: self.scene.lake.table(name).files(1)
                for name in ("secret", "hidden", "requested")
            },
            "spill": str(folder / "spill"),
            "attacks": [
                [attack.sql.encode(errors="replace").decode(), attack.parameters]
                for attack in self.attacks
            ],
        }

    def succeeded(self) -> set[int]:
        """The attacks, by their number, that did what they were after."""
        before = self.scene.written()
        done = subprocess.run(
            [sys.executable, "-m", "tests.api_gateway.alone"],
            input=json.dumps(self.told), capture_output=True, text=True, check=True,
            cwd=Path(__file__).parents[2],
        )  # fmt: skip
        said = json.loads(done.stdout)
        assert not [text for text in said if text.startswith(("broken", "lost"))]
        wrote = self.scene.written() != before
        return {
            number
            for number, (attack, text) in enumerate(zip(self.attacks, said, strict=True))
            if self._did(attack, text, wrote=wrote)
        }

    def _did(self, attack: Attack, said: str, *, wrote: bool) -> bool:
        if self.scene.leaks(attack, said):
            return True
        if not said.startswith("got "):
            return False
        if attack.kind in ("write", "settings", "several statements", "prepared", "macro"):
            # These are statements that no caller may run; a file that appeared says it as well.
            return wrote or attack.kind != "write"
        if attack.kind in ("catalogue", "environment", "executor"):
            return said != "got []"
        return False


def _copied(lake: Lake, folder: Path) -> Lake:
    copy = Lake(folder / "lake")
    for name in ("bus_stops", "secret", "hidden", "requested"):
        table = lake.table(name)
        for version in reversed(table.versions()):
            copy.table(name).publish(
                table.batches(version.number), Provenance(),
                schema=table.arrow_schema(version.number),
            )  # fmt: skip
    return copy


@pytest.fixture(scope="module")
def trials(lake, listener) -> Iterator[dict[str | None, Trial]]:
    with tempfile.TemporaryDirectory(prefix="hanoiic-locks-") as made:
        found = {}
        for lock in (None, *LOCKS):
            folder = Path(made, lock or "none")
            folder.mkdir()
            found[lock] = Trial(lock, lake, listener, folder)
        yield found


@pytest.fixture(scope="module")
def results(trials) -> dict[str | None, set[int]]:
    return {lock: trial.succeeded() for lock, trial in trials.items()}


def test_attacks_on_data_are_stopped_by_two_locks_at_least(trials, results):
    held = ("file", "replacement scan", "path-like name", "network", "write", "foreign table",
            "CTE shadowing", "unicode and quoting")  # fmt: skip
    weak = {}
    for number, attack in enumerate(trials[None].attacks):
        through = [lock for lock in LOCKS if number in results[lock]]
        if attack.kind in held and len(through) > 1:
            weak[attack.sql] = through
    assert not weak


def test_no_lock_stops_nothing_and_every_attack_is_stopped_by_one(trials, results, listener):
    for lock in LOCKS:
        assert results[None] - results[lock], f"{lock} stops nothing"
    missed = results["gate"] & results["engine"] & results["system"]
    assert not [trials[None].attacks[number].sql for number in missed]
    assert listener.connected == 0


def test_what_each_lock_lets_through_by_class(trials, results):
    """Prints the table (`pytest -rP`)."""
    print("| class | attacks | no lock | " + " | ".join(f"{lock} alone" for lock in LOCKS) + " |")
    through = {
        lock: Counter(trials[lock].attacks[number].kind for number in numbers)
        for lock, numbers in results.items()
    }
    for kind, count in sorted(Counter(each.kind for each in trials[None].attacks).items()):
        cells = [count, *(through[lock][kind] for lock in (None, *LOCKS))]
        print(f"| {kind} | {' | '.join(map(str, cells))} |")
    assert through["gate"].total() < through[None].total()
