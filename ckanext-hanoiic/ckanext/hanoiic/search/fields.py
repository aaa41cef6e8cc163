"""Where DisMax looks: Solr's ``qf``, ``tie``, ``mm``, ``pf``, ``pf2``, ``pf3``, ``ps``, ``qs``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

from .errors import ValueRefused
from .synonyms import NO_SYNONYMS, Alternative, Synonyms
from .tree import Best, Boost, Node, Pattern, Phrase, Term

Leaf = Term | Phrase | Pattern
Weights = dict[str, float]

MOST_FIELDS = 64
MOST_SLOP = 100
# The parameters of phrases that raise the rank, and of how many words they are (None: of all).
_PHRASES = {"pf": None, "pf2": 2, "pf3": 3}


@dataclass(frozen=True)
class Fields:
    """The fields with their weights; ``phrases`` by the number of their words (None: all)."""

    weights: Weights
    tie: float = 0.0
    mm: str = "100%"
    weaker: tuple[str, ...] = ()  # other `mm`, for where too few rows are found
    synonyms: Synonyms = NO_SYNONYMS
    phrases: Mapping[int | None, tuple[Weights, int]] = field(default_factory=dict)
    slop: int = 0

    @classmethod
    def of(
        cls,
        qf: str,
        tie: str | float = 0.0,
        mm: str | int = "100%",
        synonyms: Synonyms = NO_SYNONYMS,
        more: Mapping[str, Any] | None = None,
    ) -> Fields:
        """``more``: Solr's parameters, of which those about phrases are read.

        ``mm`` may be several, ``2<-1 | 60% | 1``: each for where those before it find too little.
        """
        more = more or {}
        first, *weaker = (rule.strip() for rule in str(mm).split("|"))
        slop = _slop(more.get("ps") or 0, "ps")
        phrases = {
            count: (weights_of(more[name], name), _slop(more.get(name.replace("f", "s")) or slop))
            for name, count in _PHRASES.items()
            if more.get(name)
        }
        slop_of_quotes = _slop(more.get("qs") or 0, "qs")
        return cls(
            weights_of(qf, "qf"),
            number(tie, "tie"),
            first,
            tuple(weaker),
            synonyms,
            phrases,
            slop_of_quotes,
        )

    def best(self, leaf: Leaf, others: Iterable[Node] = ()) -> Node:
        """``leaf`` in every field, weighted, or ``others`` (what it may also be called)."""
        if isinstance(leaf, Phrase) and not leaf.slop:
            leaf = replace(leaf, slop=self.slop)
        return Best((*self._everywhere(leaf), *others), self.tie)

    def other_name(self, alternative: Alternative) -> tuple[Node, ...]:
        """What a word may also be called, in every field."""
        return self._everywhere(Phrase("", alternative.text, roughly=True), alternative.weight)

    def _everywhere(self, leaf: Leaf, share: float = 1.0) -> tuple[Node, ...]:
        return tuple(
            Boost(replace(leaf, field=name), weight * share)
            for name, weight in self.weights.items()
        )

    def nearness(self, words: list[str]) -> tuple[Node, ...]:
        """Words of the query as phrases, which raise the rank where they stand side by side.

        Neighbours always: a Vietnamese word is several syllables. ``pf`` and its like add others.
        """
        found = [
            replace(self, slop=0).best(Phrase("", f"{one} {two}")) for one, two in pairwise(words)
        ]
        for count, (weights, slop) in self.phrases.items():
            length = count or len(words)
            runs = [words[start : start + length] for start in range(len(words) - length + 1)]
            found += [
                Best(
                    tuple(
                        Boost(Phrase(name, " ".join(run), slop), weight)
                        for name, weight in weights.items()
                    )
                )
                for run in runs
                if len(run) > 1
            ]
        return tuple(found)


def weights_of(written: Any, name: str) -> Weights:
    """``title^4 text`` → the weight of each field."""
    weights = {}
    for piece in str(written).replace(",", " ").split():
        field_name, _, weight = piece.partition("^")
        weights[field_name] = number(weight or "1", name)
    if len(weights) > MOST_FIELDS:
        raise ValueRefused(f"{name}: more than {MOST_FIELDS} fields")
    return weights


def number(text: str | float, name: str) -> float:
    try:
        found = float(text)
    except (TypeError, ValueError):
        raise ValueRefused(f"{name}={text!r} is no number") from None
    if not 0 <= found < 1e9:
        raise ValueRefused(f"{name}={text!r} is out of range")
    return found


def _slop(text: Any, name: str = "ps") -> int:
    found = number(text, name)
    if found > MOST_SLOP or not found.is_integer():
        raise ValueRefused(f"{name}={text!r} is no number of places")
    return int(found)
