"""How fast real datasets in real CKAN get into the index: ``python benchmarks/reindex.py``.

Starts CKAN's servers in a folder of its own, creates datasets of the portal's schema through CKAN's
action, empties the index and times CKAN's own commands, each from an empty index:
``ckan search-index rebuild`` and ``ckan hanoiic-search rebuild`` (both with one process for each
processor). Prints the median and the range of some rounds, each without what CKAN took to start
right after it, which is as long and varies. Bar: 100 datasets a second.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

# First, as CKAN puts its own folder, with a package `tests`, before all others on the path.
from tests.search import judged  # noqa: E402
from tests.servers import postgres, temporary_home, valkey  # noqa: E402

BAR = 100  # datasets a second
COMMANDS = (
    ("search-index", "rebuild", "--quiet"),
    ("hanoiic-search", "rebuild"),
)


def datasets(count: int, owners: list[str]) -> Iterator[dict[str, Any]]:
    """Datasets as departments register them: two tables of eight columns, tags, an organisation."""
    entries, _ = judged.load()
    dice = random.Random(2)
    words = sorted(
        {
            word
            for entry in entries
            for word in entry.text().split()
            if word.isalpha() and len(word) > 2
        }
    )
    for number in range(count):
        entry = entries[number % len(entries)]
        columns = [
            {"name": f"Cột {i} {dice.choice(words)}", "ascii": f"cot_{i}", "type": "string",
             "title": " ".join(dice.sample(words, 3)),
             "description": " ".join(dice.sample(words, 6))}
            for i in range(8)
        ]  # fmt: skip
        yield {
            "name": f"dataset-{number}",
            "title": f"{entry.title} {number}",
            "title_en": entry.details["en"],
            "notes": f"{entry.details['notes']} {' '.join(dice.sample(words, 40))}",
            "owner_org": dice.choice(owners),
            "tags": [{"name": word} for word in dice.sample(words, 3)],
            "license_id": "cc-by",
            "update_frequency": dice.choice(["DAILY", "MONTHLY", "ANNUAL"]),
            "resources": [
                {
                    "name": f"Bảng {part}",
                    "url": f"http://gateway.test/{number}/{part}.csv",
                    "format": "CSV",
                    "lake_table": f"bench_{number}_{part}",
                    "columns": columns,
                }
                for part in range(2)
            ],
        }


def fill(ini: str, count: int) -> None:
    """Create the datasets, in a process of CKAN."""
    import pylibmagic  # noqa: F401  (before CKAN)
    from ckan.cli import load_config
    from ckan.config.middleware import make_app

    app = make_app(load_config(ini))
    from ckan import model
    from ckan.plugins import toolkit as tk

    with app._wsgi_app.test_request_context():
        user = tk.get_action("get_site_user")({"ignore_auth": True}, {})["name"]

        def create(action: str, **fields: Any) -> str:
            context = {"user": user, "ignore_auth": True}
            return str(tk.get_action(action)(context, fields)["id"])

        owners = [
            create("organization_create", name=f"so-{i}", title=f"Sở {i}", org_kind="department")
            for i in range(10)
        ]
        for dataset in datasets(count, owners):
            create("package_create", **dataset)
            model.Session.expunge_all()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--datasets", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--fill", metavar="INI", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.fill:
        fill(options.fill, options.datasets)
        return
    from deploy.ckan_ini import CkanIni
    from deploy.postgres import PORTAL_ROLE

    with temporary_home("reindex-") as home, postgres(home) as database, valkey(home) as cache:
        CkanIni.of(
            home,
            database_url=database.url(PORTAL_ROLE, home.secret("database_portal")),
            redis_url=cache.url,
            site_url="http://bench.test",
            gateway_url="http://gateway.test:8000",
            gateway_internal_url="http://127.0.0.1:9",
            log_level="ERROR",
            testing=True,
        ).write(home.ckan_ini)
        ckan = [sys.executable, "-m", "ckanext.hanoiic", "-c", str(home.ckan_ini)]

        def run(*command: str) -> float:
            start = time.perf_counter()
            subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
            return time.perf_counter() - start

        run(*ckan, "db", "upgrade")
        filler = [sys.executable, __file__, "--fill", str(home.ckan_ini)]
        took = run(*filler, "--datasets", str(options.datasets))
        print(f"{options.datasets} datasets created, {options.datasets / took:.0f} a second")
        for command in COMMANDS:
            rates = []
            for _ in range(options.rounds):
                run(*ckan, "search-index", "clear")
                took = run(*ckan, *command)
                # Nothing may be missing; to find that takes hardly longer than to start.
                start_up_s = run(*ckan, "hanoiic-search", "mend", "--check")
                rates.append(options.datasets / (took - start_up_s))
            print(
                f"ckan {' '.join(command):30} {median(rates):6.0f} a second"
                f" ({min(rates):.0f} to {max(rates):.0f}; bar {BAR};"
                f" load {os.getloadavg()[0]:.1f}, {os.cpu_count()} processors)",
                flush=True,
            )


if __name__ == "__main__":
    main()
