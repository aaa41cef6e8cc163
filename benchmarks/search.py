"""How fast the search index answers: ``python benchmarks/search.py [--datasets 5000]``.

Fills an index of its own on an embedded PostgreSQL with generated Vietnamese datasets, and prints
milliseconds (p50, p99) of what CKAN asks: the search page with five facets, filters, autocomplete.
Each query is another one than the one before it. The machine's load is printed beside the figures.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import quantiles
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

# isort: off
# First, as CKAN puts its own folder, with a package `tests`, before all others on the path.
from tests.search import judged  # noqa: E402
from tests.servers import postgres, temporary_home  # noqa: E402
from ckanext.hanoiic.search import synonyms  # noqa: E402
from ckanext.hanoiic.search.index import SearchIndex  # noqa: E402
from ckanext.hanoiic.search.store import Store  # noqa: E402
from deploy.postgres import PORTAL_ROLE  # noqa: E402
# isort: on

FACETS = {
    "facet": "true",
    "facet.field": ["organization", "groups", "access_tier", "res_format", "update_frequency"],
    "facet.limit": "50",
    "facet.mincount": 1,
}
VISIBLE = ["+capacity:public", "+state:active", '+site_id:"bench"', '+permission_labels:("public")']
BOX = {
    "defType": "dismax",
    "q.op": "AND",
    "df": "text",
    "qf": "name^4 title^4 tags^2 groups^2 text",
    "mm": "2<-1 5<80%",
    "tie": "0.1",
    "rows": 20,
    "sort": "score desc, metadata_modified desc",
    "fl": "id validated_data_dict",
    "fq": VISIBLE,
}
BATCH = 200


def documents(count: int) -> Iterator[dict[str, Any]]:
    """Datasets with titles, descriptions and columns of the judged set, words mixed anew."""
    entries, _ = judged.load()
    dice = random.Random(1)
    texts = [entry.text().split() for entry in entries]
    for number in range(count):
        entry = entries[number % len(entries)]
        words = [word for text in dice.sample(texts, 6) for word in text]
        notes = " ".join(dice.sample(words, min(60, len(words))))
        yield {
            **entry.document(),
            "index_id": f"bench-{number}",
            "id": f"bench-{number}",
            "site_id": "bench",
            "name": f"{entry.name}-{number}".replace("_", "-"),
            "title": f"{entry.title} {number}",
            "title_string": f"{entry.title} {number}",
            "notes": f"{entry.details['notes']} {notes}",
            "organization": f"so-{dice.randrange(25)}",
            "groups": [f"topic-{dice.randrange(8)}"],
            "tags": dice.sample(words, 4),
            "res_format": dice.sample(["CSV", "XLSX", "GeoJSON", "Parquet"], 2),
            "access_tier": dice.choice(["open", "click", "request"]),
            "update_frequency": dice.choice(["DAILY", "MONTHLY", "ANNUAL"]),
            "metadata_modified": f"2025-{dice.randrange(1, 13):02}-11T00:00:00Z",
            "validated_data_dict": '{"name": "x"}' + " " * 4000,
        }


def asked() -> dict[str, Callable[[int], tuple[str, dict[str, Any]]]]:
    """What is measured: name → the query and parameters of round n."""
    _, queries = judged.load()
    texts = [query.q for query in queries]
    words = sorted({word for text in texts for word in text.split() if len(word) > 2})
    page = {**BOX, **FACETS}

    def autocomplete(n: int) -> tuple[str, dict[str, Any]]:
        typed = words[n % len(words)][:4]
        q = f'name_ngram:"{typed}" OR title_ngram:"{typed}" OR name:"{typed}" OR title:"{typed}"'
        return q, {"df": "text", "fl": "name,title", "rows": 10, "fq": VISIBLE}

    def filtered(n: int) -> tuple[str, dict[str, Any]]:
        narrow = [*VISIBLE, f'+organization:"so-{n % 25}"', f'+groups:"topic-{n % 8}"']
        return "*:*", {**page, "fq": narrow, "sort": "metadata_modified desc"}

    return {
        "all + facets": lambda n: (
            "*:*",
            {**page, "sort": "metadata_modified desc", "start": n % 50},
        ),
        "one word + facets": lambda n: (words[n % len(words)], page),
        "query + facets": lambda n: (texts[n % len(texts)], page),
        "six words + facets": lambda n: (" ".join(words[n % 40 : n % 40 + 6]), page),
        "query, no facets": lambda n: (texts[n % len(texts)], BOX),
        "filters + facets": filtered,
        "autocomplete": autocomplete,
    }


def measure(index: SearchIndex, rounds: int, only: str) -> None:
    print(f"{'ms':24}{'p50':>8}{'p99':>8}{'load':>8}")
    for name, ask in asked().items():
        if only not in name:
            continue
        times = []
        for n in range(rounds):
            q, parameters = ask(n)
            start = time.perf_counter()
            index.search(q, parameters)
            times.append((time.perf_counter() - start) * 1000)
        cut = quantiles(times, n=100)
        print(f"{name:24}{cut[49]:8.1f}{cut[98]:8.1f}{os.getloadavg()[0]:8.1f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--datasets", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--only", default="", help="measure only what has this in its name")
    options = parser.parse_args()
    synonyms.current()
    with temporary_home("search-bench-") as home, postgres(home) as database:
        store = Store(database.url(PORTAL_ROLE, home.secret("database_portal")), 60)
        index = SearchIndex(store)
        batch: list[dict[str, Any]] = []
        start = time.perf_counter()
        for document in documents(options.datasets):
            batch.append(document)
            if len(batch) == BATCH:
                index.add(batch)
                batch = []
        index.add(batch)
        took = time.perf_counter() - start
        print(f"{options.datasets} datasets indexed, {options.datasets / took:.0f} a second")
        with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM ANALYZE")
        measure(index, options.rounds, options.only)
        store.engine.dispose()


if __name__ == "__main__":
    main()
