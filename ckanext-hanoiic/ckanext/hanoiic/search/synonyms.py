"""What else a reader may mean: abbreviations, synonyms, former and today's names of places.

Read from the YAML files in ``words/`` and one of the portal's own (``hanoiic.search.synonyms``).
Only queries are widened, so an edited file needs no new index.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path

import yaml

from .vietnamese import Word, spelling, storable, words

SHIPPED = (
    Path(__file__).with_name("words") / "synonyms.yaml",
    Path(__file__).with_name("words") / "wards.yaml",
)
SAME = 0.9  # what a synonym counts, beside the word itself
FORMER = 0.5
MOST_ALTERNATIVES = 8
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's is ten times as fast
# A name without its kind: `Phường Hàng Bạc` → `Hàng Bạc`.
_WARD_KINDS = ("phường", "xã", "thị trấn")
_SHORT_KINDS = {"quận": "q", "huyện": "h", "thị xã": "tx", "phường": "p"}

Key = tuple[str, ...]


@dataclass(frozen=True)
class Alternative:
    """Another ``text`` for words of a query; finding it counts ``weight`` of finding them."""

    text: str
    weight: float


@dataclass(frozen=True)
class Spot:
    """Words ``first`` to ``last`` (their places) of a query, and what they may also be called."""

    first: int
    last: int
    alternatives: tuple[Alternative, ...]


@dataclass(frozen=True)
class Synonyms:
    """Entries by their folded words; within an entry, by their spelling."""

    entries: Mapping[Key, Mapping[Key, Mapping[str, float]]] = field(default_factory=dict)
    ignored: frozenset[str] = frozenset()  # spellings
    # Names of wards and districts, of several syllables: folded words → their spellings.
    places: Mapping[Key, frozenset[Key]] = field(default_factory=dict)

    @functools.cached_property
    def longest(self) -> int:
        return max(map(len, self.entries), default=0)

    def spots(self, query: Sequence[Word]) -> Iterator[Spot]:
        """The entries in a query, also within one another: `sở GTVT` and its `GTVT`."""
        for start, first in enumerate(query):
            for named in accumulate([word] for word in query[start : start + self.longest]):
                found = self.alternatives(named)
                if found:
                    yield Spot(first.place, named[-1].place, found)

    def alternatives(self, named: Sequence[Word]) -> tuple[Alternative, ...]:
        """Best first; a word with diacritics must be the entry's own, one without may be any."""
        weights: dict[str, float] = {}
        for spelt, texts in self.entries.get(_folded(named), {}).items():
            if _is_written(named, spelt):
                for text, weight in texts.items():
                    weights[text] = max(weight, weights.get(text, 0))
        best = sorted(weights.items(), key=lambda pair: -pair[1])[:MOST_ALTERNATIVES]
        return tuple(Alternative(text, weight) for text, weight in best)

    def place_at(self, query: Sequence[Word], start: int) -> int:
        """How many words from ``start`` on are the name of a place; 0: none."""
        for length in range(min(self._longest_place, len(query) - start), 1, -1):
            named = query[start : start + length]
            spellings = self.places.get(_folded(named), ())
            if any(_is_written(named, spelt) for spelt in spellings):
                return length
        return 0

    @functools.cached_property
    def _longest_place(self) -> int:
        return max(map(len, self.places), default=0)

    def is_ignored(self, text: str) -> bool:
        return spelling(storable(text)) in self.ignored


def _is_written(named: Sequence[Word], spelt: Key) -> bool:
    return all(
        not word.has_diacritics or word.spelling == written
        for word, written in zip(named, spelt, strict=True)
    )


NO_SYNONYMS = Synonyms()


def read(files: Iterable[Path]) -> Synonyms:
    """The entries of YAML files; raises ValueError for one of another form."""
    weights: dict[tuple[str, str], float] = {}
    ignored: set[str] = set()
    places: dict[Key, set[Key]] = defaultdict(set)

    def means(text: str, other: str, weight: float) -> None:
        if words(text) and words(other) and text != other:
            weights[text, other] = max(weight, weights.get((text, other), 0))

    def is_place(unit: str) -> None:
        named = words(_bare(unit, (*_WARD_KINDS, *_SHORT_KINDS)))
        if len(named) > 1:
            places[_folded(named)].add(tuple(word.spelling for word in named))

    for file in files:
        content = _checked(yaml.load(file.read_text(encoding="utf-8"), _LOADER) or {}, file)  # noqa: S506
        for group in content.get("same", []):
            for text in group:
                for other in group:
                    means(text, other, SAME)
        for today, before in content.get("formerly", {}).items():
            for former in before:
                means(former, today, FORMER)
                means(today, former, FORMER)
        for today, before in content.get("wards", {}).items():
            for unit in (today, *before):
                is_place(unit)
            for former in before:
                for one, other in ((former, today), (today, former)):
                    for name in _written_ways(one):
                        means(name, _bare(other), FORMER)
        for district, wards in content.get("districts", {}).items():
            is_place(district)
            for name in _short_ways(district):
                for ward in wards:
                    means(name, _bare(ward), FORMER)
        for place in content.get("places", []):
            is_place(place)
        ignored.update(spelling(word) for word in content.get("ignored", []))
    named = {key: frozenset(spellings) for key, spellings in places.items()}
    return Synonyms(_indexed(weights), frozenset(ignored), named)


def _folded(named: Sequence[Word]) -> Key:
    return tuple(word.folded for word in named)


def _indexed(
    weights: Mapping[tuple[str, str], float],
) -> dict[Key, dict[Key, dict[str, float]]]:
    entries: dict[Key, dict[Key, dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
    for (text, other), weight in weights.items():
        named = words(text)
        if {word.folded for word in named} <= {word.folded for word in words(other)}:
            continue  # whoever finds the longer name finds these words too
        spellings = entries[_folded(named)]
        spellings[tuple(word.spelling for word in named)][other] = weight
    return entries


def _checked(content: object, file: Path) -> dict:
    lists = ("same", "places", "ignored")
    mappings = ("formerly", "wards", "districts")
    others = ("codes",)  # read by `wards`
    if not isinstance(content, dict):
        raise ValueError(f"{file}: a mapping of {', '.join((*lists, *mappings))} is expected")
    for name, value in content.items():
        texts: object = value
        if name in mappings and isinstance(value, dict):
            texts = [text for today, before in value.items() for text in (today, *before)]
        elif name == "same" and isinstance(value, list):
            texts = [
                text for group in value for text in (group if isinstance(group, list) else [0])
            ]
        if name in others:
            continue
        if name not in lists + mappings or not (
            isinstance(texts, list) and all(isinstance(text, str) for text in texts)
        ):
            raise ValueError(f"{file}: {name!r} is not of the form that the shipped files show")
    return content


def _bare(unit: str, kinds: Sequence[str] = _WARD_KINDS) -> str:
    """The name alone, where it has several syllables (``Láng`` alone is a word of its own)."""
    for kind in kinds:
        if unit.lower().startswith(f"{kind} ") and len(unit.split()) > len(kind.split()) + 1:
            return unit[len(kind) + 1 :]
    return unit


def _written_ways(unit: str) -> list[str]:
    return list(dict.fromkeys([*_short_ways(unit), _bare(unit)]))


def _short_ways(unit: str) -> list[str]:
    """``Quận Đống Đa``, ``q Đống Đa``."""
    short = [
        f"{letters} {unit[len(kind) + 1 :]}"
        for kind, letters in _SHORT_KINDS.items()
        if unit.lower().startswith(f"{kind} ")
    ]
    return [unit, *short]


_in_use: list[Synonyms] = []


def use(own_file: str | None) -> None:
    """Read the portal's own file too; raises ValueError or OSError where it can't be read."""
    files = [*SHIPPED, Path(own_file)] if own_file else SHIPPED
    _in_use[:] = [_read_once(tuple((file, file.stat().st_mtime_ns) for file in files))]


def current() -> Synonyms:
    """The entries of the shipped files and of the portal's own."""
    if not _in_use:
        use(None)
    return _in_use[0]


@functools.lru_cache(maxsize=2)
def _read_once(files: tuple[tuple[Path, int], ...]) -> Synonyms:
    """Of files and their times of change. CKAN configures its plugins twice while it starts."""
    return read(file for file, _ in files)
