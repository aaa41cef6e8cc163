"""Each lock with the other two open: every attack on files, the network and foreign tables is
stopped by at least two of the three, and no lock stops nothing."""

from __future__ import annotations

import json
import math
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import pytest

from lake import Lake, Provenance
from tests.api_gateway.hostile import Attack, Scene, attacks

LOCKS = ("gate", "engine", "system")
ON_DATA = ("file", "replacement scan", "path-like name", "network", "write", "foreign table",
           "CTE shadowing", "unicode and quoting")  # fmt: skip
PAGE = Path(__file__).parents[2] / "docs/locks.md"
# A few attacks of each class show what all of it do; `make test-hostile` tries each.
ALL = bool(os.environ.get("HANOIIC_ALL_BOMBS"))
OF_A_CLASS = 3


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
        self.lock, self.listener = lock, listener
        self.connected = 0
        self.scene = Scene(folder / "aims", _copied(lake, folder), listener.url).lay_out()
        self.attacks = _chosen(attacks(self.scene.names))
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
        before, connected = self.scene.written(), self.listener.connected
        done = subprocess.run(
            [sys.executable, "-m", "tests.api_gateway.alone"],
            input=json.dumps(self.told), capture_output=True, text=True, check=True,
            cwd=Path(__file__).parents[2],
        )  # fmt: skip
        self.connected = self.listener.connected - connected
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


def _chosen(corpus: list[Attack]) -> list[Attack]:
    refused = [attack for attack in corpus if attack.expect == "refused"]
    if ALL:
        return refused
    by_kind = groupby(sorted(refused, key=lambda attack: attack.kind), lambda attack: attack.kind)
    classes = [list(found) for _, found in by_kind]
    return [each for found in classes for each in found[:: math.ceil(len(found) / OF_A_CLASS)]]


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
        for trial in found.values():
            trial.scene.clear_elsewhere()


@pytest.fixture(scope="module")
def results(trials) -> dict[str | None, set[int]]:
    return {lock: trial.succeeded() for lock, trial in trials.items()}


def test_attacks_on_data_are_stopped_by_two_locks_at_least(trials, results):
    weak = {}
    for number, attack in enumerate(trials[None].attacks):
        through = [lock for lock in LOCKS if number in results[lock]]
        if attack.kind in ON_DATA and len(through) > 1:
            weak[attack.sql] = through
    assert not weak


def test_no_lock_stops_nothing_and_every_attack_is_stopped_by_one(trials, results):
    for lock in LOCKS:
        assert results[None] - results[lock], f"{lock} stops nothing"
    missed = results["gate"] & results["engine"] & results["system"]
    assert not [trials[None].attacks[number].sql for number in missed]
    assert {lock: trials[lock].connected for lock in LOCKS} == dict.fromkeys(LOCKS, 0)


def test_what_each_lock_lets_through_is_what_the_page_says(trials, results):
    """Prints the table (`pytest -rP`): it goes into the page."""
    kinds = sorted({each.kind for each in trials[None].attacks})
    rows = [_counted(kind, trials[None].attacks, results) for kind in kinds]
    for row in rows:
        print(f"| {' | '.join(map(str, row))} |")
    if ALL:
        found = [[str(cell) for cell in row] for row in rows]
        assert [_but_unlocked(row) for row in _recorded()] == [_but_unlocked(row) for row in found]


def _but_unlocked(row: list[str]) -> list[str]:
    """Without any lock an attack may spoil the engine for the next: what succeeds then varies."""
    return row[:2] + row[3:]


def test_the_page_says_that_two_locks_stop_every_attack_on_data():
    recorded = {row[0]: row for row in _recorded()}
    assert set(ON_DATA) <= set(recorded)
    for kind, row in recorded.items():
        assert int(row[-1]) >= (2 if kind in ON_DATA else 1), row
    # No lock stops nothing: each lets fewer through than none does.
    unlocked, *alone = ([int(row[place]) for row in recorded.values()] for place in range(2, 6))
    assert all(sum(each) < sum(unlocked) for each in alone)


def _counted(
    kind: str, tried: list[Attack], results: dict[str | None, set[int]]
) -> list[str | int]:
    """A row of the table: the class, its attacks, those that succeed with no lock and with each
    one alone, and the fewest locks that stop one of them."""
    numbers = [number for number, each in enumerate(tried) if each.kind == kind]
    through = [sum(number in results[lock] for number in numbers) for lock in (None, *LOCKS)]
    fewest = min(sum(number not in results[lock] for lock in LOCKS) for number in numbers)
    return [kind, len(numbers), *through, fewest]


def _recorded() -> list[list[str]]:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    rows = [line for line in lines if line.startswith("| ") and not line.startswith("| class")]
    return [[cell.strip() for cell in row.strip("| ").split("|")] for row in rows]
