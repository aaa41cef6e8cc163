"""How fast the search index answers: ``python benchmarks/search.py [--datasets 5000]``.

Fills an index of its own on an embedded PostgreSQL with generated Vietnamese datasets, and prints
milliseconds (p50, p99) of what CKAN asks: the search page with five facets, filters, autocomplete,
with the bar beside them. Each query is another one than the one before it. Remembered is, as in the
portal, how many rows have a word (for five minutes) and the counts of the whole catalogue (until a
write: ``all + facets, anew`` is the first question after one). ``cpu`` is the time
that the processors worked for it (this process and PostgreSQL's), which other load changes less.
``plain`` is the peer in the same run: PostgreSQL's own full text (unaccent, simple, ts_rank) over
the same datasets, all words required, facets by GROUP BY.

``--keep FOLDER`` keeps the filled index there, for the next run with as many datasets. How fast
real CKAN fills the index is measured by ``benchmarks/reindex.py``.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import sys
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from statistics import median, quantiles
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

# isort: off
# First, as CKAN puts its own folder, with a package `tests`, before all others on the path.
from tests.search import judged  # noqa: E402
from tests.servers import postgres, temporary_home  # noqa: E402
from ckanext.hanoiic.search import completion, synonyms  # noqa: E402
from ckanext.hanoiic.search.everything import Remembered  # noqa: E402
from ckanext.hanoiic.search.index import SearchIndex  # noqa: E402
from ckanext.hanoiic.search.questions import SOME_WORDS  # noqa: E402
from ckanext.hanoiic.search.store import Store  # noqa: E402
from deploy.home import Home  # noqa: E402
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
# As `hanoiic_search_suggest` asks while a reader types.
SUGGESTED = {
    "fl": "name title organization extras_title_en",
    "sort": "score desc, title_string asc",
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


def batches(found: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    while batch := list(islice(found, BATCH)):
        yield batch


def asked() -> dict[str, Callable[[int], tuple[str, dict[str, Any]]]]:
    """What is measured: name → the query and parameters of round n."""
    queries = judged.load()[1]["judged"]
    texts = [query.q for query in queries]
    words = sorted({word for text in texts for word in text.split() if len(word) > 2})
    page = {**BOX, **FACETS}

    def autocomplete(n: int) -> tuple[str, dict[str, Any]]:
        typed = words[n % len(words)][:4]
        q = f'name_ngram:"{typed}" OR title_ngram:"{typed}" OR name:"{typed}" OR title:"{typed}"'
        return q, {"df": "text", "fl": "name,title", "rows": 10, "fq": VISIBLE}

    def suggested(n: int) -> tuple[str, dict[str, Any]]:
        typed = completion.words(texts[n % len(texts)][: 3 + n % 12])
        q = completion.titles_query(typed, synonyms.current())
        return q, {"df": "text", "q.op": "AND", "rows": 15, "fq": VISIBLE, **SUGGESTED}

    def filtered(n: int) -> tuple[str, dict[str, Any]]:
        narrow = [*VISIBLE, f'+organization:"so-{n % 25}"', f'+groups:"topic-{n % 8}"']
        return "*:*", {**page, "fq": narrow, "sort": "metadata_modified desc"}

    def everything(n: int) -> tuple[str, dict[str, Any]]:
        return "*:*", {**page, "start": n % 50}

    return {
        "all + facets": everything,
        ANEW: everything,
        "one word + facets": lambda n: (words[n % len(words)], page),
        "query + facets": lambda n: (texts[n % len(texts)], page),
        "six words + facets": lambda n: (" ".join(words[n % 40 : n % 40 + 6]), page),
        # No dataset has both words, many have the first.
        "some words + facets": lambda n: (
            f"{words[n % len(words)]} zqx{n}",
            {**page, "mm": SOME_WORDS},
        ),
        "query, no facets": lambda n: (texts[n % len(texts)], BOX),
        "filters + facets": filtered,
        "suggestions": suggested,
        "package_autocomplete": autocomplete,
    }


ANEW = "all + facets, anew"
# Milliseconds at 5,000 datasets (p50, p99); three times as much is allowed at 50,000.
BARS = {
    "all + facets": (40, 120),
    ANEW: (40, 120),
    "one word + facets": (40, 120),
    "query + facets": (40, 120),
    "six words + facets": (40, 120),
    "some words + facets": (40, 120),
    "filters + facets": (10, None),
    "suggestions": (10, None),
    "package_autocomplete": (10, None),
}
BAR_OF_INDEXING = 100  # datasets a second


def cpu_ms(pid: int) -> float:
    """How long the processors worked for a process until now."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e6


def measure(index: SearchIndex, peer: Peer, datasets: int, rounds: int, only: str) -> None:
    print(
        f"{'ms':26}{'p50':>8}{'p99':>8}{'bar':>12}{'cpu p50':>9}{'cpu p99':>9}"
        f"{'plain p50':>11}{'p99':>8}{'ratio':>7}{'load':>7}"
    )
    with index.store.transaction() as connection:
        backend = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
    own = os.getpid()
    for name, ask in asked().items():
        if only not in name:
            continue
        walls, works, plain = [], [], []
        for n in range(rounds):
            q, parameters = ask(n)
            if name == ANEW:
                index.store.remembered = Remembered()
            start, worked = time.perf_counter(), cpu_ms(own) + cpu_ms(backend)
            index.search(q, parameters)
            walls.append((time.perf_counter() - start) * 1000)
            works.append(cpu_ms(own) + cpu_ms(backend) - worked)
            if name in PEERS:
                start = time.perf_counter()
                peer.search(q, parameters)
                plain.append((time.perf_counter() - start) * 1000)
        bars = "/".join(
            str(bar * (3 if datasets > 5000 else 1)) if bar else "-"
            for bar in BARS.get(name, (None, None))
        )
        line = f"{name:26}{_cut(walls)}{bars:>12}{_cut(works, 9)}"
        if plain:
            line += f"{_cut(plain, 11, 8)}{median(walls) / median(plain):7.2f}"
        print(f"{line}{'' if plain else ' ' * 26}{os.getloadavg()[0]:7.1f}", flush=True)


def _cut(times: list[float], width: int = 8, second: int | None = None) -> str:
    cut = quantiles(times, n=100)
    return f"{cut[49]:{width}.1f}{cut[98]:{second or width}.1f}"


PEERS = ("all + facets", ANEW, "one word + facets", "query + facets", "filters + facets")
PLAIN = """
CREATE TABLE plain (id text, words tsvector, organization text, groups text[], access_tier text,
 res_format text[], update_frequency text, modified text, data text)"""
PLAIN_ROW = """
INSERT INTO plain VALUES (%s, setweight(to_tsvector('simple', unaccent(%s)), 'A')
 || to_tsvector('simple', unaccent(%s)), %s, %s, %s, %s, %s, %s, %s)"""
PLAIN_QUERY = """
WITH q AS (SELECT plainto_tsquery('simple', unaccent(%s)) AS q), matched AS MATERIALIZED (
 SELECT p.ctid AS at, organization, groups, access_tier, res_format, update_frequency, modified,
 ts_rank(words, q) AS score FROM plain p, q
 WHERE (%s::boolean OR words @@ q) AND (%s::text IS NULL OR organization = %s)
 AND (%s::text IS NULL OR %s = ANY(groups)))
SELECT (SELECT count(*) FROM matched),
 (SELECT json_agg(data) FROM (SELECT data FROM (SELECT at FROM matched
  ORDER BY score DESC, modified DESC LIMIT 20) m JOIN plain ON plain.ctid = m.at) d),
 (SELECT json_agg(f) FROM (SELECT organization, count(*) FROM matched GROUP BY 1) f),
 (SELECT json_agg(f) FROM (SELECT unnest(groups), count(*) FROM matched GROUP BY 1) f),
 (SELECT json_agg(f) FROM (SELECT access_tier, count(*) FROM matched GROUP BY 1) f),
 (SELECT json_agg(f) FROM (SELECT unnest(res_format), count(*) FROM matched GROUP BY 1) f),
 (SELECT json_agg(f) FROM (SELECT update_frequency, count(*) FROM matched GROUP BY 1) f)"""


class Peer:
    """Plain PostgreSQL full text over the same datasets."""

    def __init__(self, store: Store) -> None:
        self.connection = store.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        self.connection.exec_driver_sql("SET enable_seqscan = on")

    def make(self) -> None:
        for statement in (
            "DROP TABLE IF EXISTS plain",
            "CREATE EXTENSION IF NOT EXISTS unaccent",
            PLAIN,
            "CREATE INDEX ON plain USING gin (words)",
        ):
            self.connection.exec_driver_sql(statement)

    def add(self, documents: list[dict[str, Any]]) -> None:
        rows = [
            (
                *(d["id"], d["title"], " ".join([d["notes"], d["extras_columns"], *d["tags"]])),
                *(d["organization"], d["groups"], d["access_tier"], d["res_format"]),
                *(d["update_frequency"], d["metadata_modified"], d["validated_data_dict"]),
            )
            for d in documents
        ]
        self.connection.exec_driver_sql(PLAIN_ROW, rows)

    def search(self, q: str, parameters: dict[str, Any]) -> None:
        narrow = parameters["fq"][len(VISIBLE) :]
        organization, topic = [text.split('"')[1] for text in narrow] or (None, None)
        self.connection.exec_driver_sql(
            PLAIN_QUERY, (q, q == "*:*", organization, organization, topic, topic)
        ).one()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--datasets", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--only", default="", help="measure only what has this in its name")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep the filled index there")
    options = parser.parse_args()
    synonyms.current()
    with home_in(options.keep) as home, postgres(home) as database:
        store = Store(database.url(PORTAL_ROLE, home.secret("database_portal")), 60)
        index, peer = SearchIndex(store), Peer(store)
        filled = index.search("*:*", {"rows": 0})["response"]["numFound"]
        if filled != options.datasets:
            index.delete("*:*")
            peer.make()
            fill(index, peer, options.datasets)
        if options.rounds:
            measure(index, peer, options.datasets, options.rounds, options.only)
        peer.connection.close()
        store.engine.dispose()


@contextlib.contextmanager
def home_in(folder: Path | None) -> Iterator[Home]:
    """A home for the server: in ``folder``, or gone afterwards."""
    if folder is None:
        with temporary_home("search-bench-") as home:
            yield home
    else:
        home = Home(folder.resolve())
        home.create()
        yield home


def fill(index: SearchIndex, peer: Peer, datasets: int) -> None:
    indexing_s = 0.0
    for batch in batches(documents(datasets)):
        start = time.perf_counter()
        index.add(batch)
        indexing_s += time.perf_counter() - start
        peer.add(batch)
    print(
        f"{datasets} datasets: {datasets / indexing_s:.0f} a second into the index"
        f" (bar {BAR_OF_INDEXING}, with CKAN's reading: benchmarks/reindex.py)"
    )
    peer.connection.exec_driver_sql("SET statement_timeout = 0")  # a query's limit, not this one's
    peer.connection.exec_driver_sql("VACUUM ANALYZE")


if __name__ == "__main__":
    main()
