"""The corpus of attacks, `tests/data/hostile_sql.jsonl`, and what none of them may show.

A line is `{"kind", "sql"}`. `{again}` in the SQL stands for `again` written `times` times. The
other names in braces are places: the lake, a foreign file in several formats, a file to write, a
server that listens. `expect` is `refused` (the default) or `harmless`: answered, refused or
stopped in time, and nothing shown.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lake import Lake

CORPUS = Path(__file__).parents[1] / "data/hostile_sql.jsonl"
SECRET = "SECRET-VALUE-7411"


@dataclass(frozen=True)
class Attack:
    kind: str
    sql: str
    expect: str = "refused"

    @property
    def parameters(self) -> dict[str, str]:
        return {"file": "/etc/passwd"} if "$file" in self.sql else {}


@dataclass(frozen=True)
class Scene:
    """The places that attacks aim at, all below `folder` but the lake and `elsewhere`."""

    folder: Path
    lake: Lake
    listener: str = "http://127.0.0.1:9"

    def lay_out(self) -> Scene:
        self.folder.mkdir(mode=0o755, exist_ok=True)
        (self.folder / "secret.csv").write_text(f"{SECRET},1\n")
        (self.folder / "secret.json").write_text(json.dumps({"a": SECRET}))
        return self

    @property
    def names(self) -> dict[str, str]:
        return {
            "{lake}": self.lake.root,
            "{folder}": str(self.folder),
            "{secret_file}": self.lake.table("secret").files(1)[0],
            "{secret_csv}": str(self.folder / "secret.csv"),
            "{secret_json}": str(self.folder / "secret.json"),
            "{bus_file}": self.lake.table("bus_stops").files(2)[0],
            "{target}": str(self.folder / "hostile-target"),
            "{elsewhere}": str(self.elsewhere),
            "{listener}": self.listener,
        }

    @property
    def elsewhere(self) -> Path:
        """A place to write to that is neither the lake's nor below the scene."""
        return Path("/tmp") / "-".join(["hanoiic-hostile", *self.folder.parts[-3:-1]])

    def written(self) -> dict[str, tuple[int, int]]:
        """Every file an attack could write, with its size and time."""
        roots = [self.folder, Path(self.lake.root)]
        files = [file for root in roots for file in root.rglob("*") if file.is_file()]
        files += self._written_elsewhere()
        return {str(file): (file.stat().st_size, file.stat().st_mtime_ns) for file in files}

    def _written_elsewhere(self) -> list[Path]:
        return list(self.elsewhere.parent.glob(f"{self.elsewhere.name}*"))

    def clear_elsewhere(self) -> None:
        """Remove what statements wrote there on a trial without locks."""
        for place in self._written_elsewhere():
            shutil.rmtree(place) if place.is_dir() else place.unlink()

    def leaks(self, attack: Attack, said: str) -> list[str]:
        """What `said` shows beyond what the attack itself says."""
        own = json.dumps(attack.sql, ensure_ascii=False)[1:-1]
        shown = said.replace(own, "").replace(attack.sql, "")
        marks = (SECRET, "root:x:0", "PATH=", self.lake.root, str(self.folder))
        return [mark for mark in marks if mark in shown and mark not in attack.sql]


def attacks(names: Mapping[str, str] | None = None) -> list[Attack]:
    """The corpus, its names replaced."""
    found = []
    for line in CORPUS.read_text(encoding="utf-8").splitlines():
        said = json.loads(line)
        sql = said["sql"].replace("{again}", said.get("again", "") * said.get("times", 1))
        for name, place in (names or {}).items():
            sql = sql.replace(name, place)
        found.append(Attack(said["kind"], sql, said.get("expect", "refused")))
    return found
