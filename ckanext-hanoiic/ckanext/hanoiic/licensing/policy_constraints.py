"""Constraints of a licence's policy: how each is read, and when it holds.

A constraint is ODRL's object of ``leftOperand``, ``operator``, ``rightOperand`` and, for quotas,
``unit``; :data:`OPERANDS` has a row for every left operand. Readers raise ValueError, TypeError,
KeyError or OverflowError for a constraint that the profile does not allow.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from operator import ge, gt, le, lt
from typing import Any

# Unit of a count or size → the quota it limits (of an offer: :mod:`terms`).
QUOTA_OF_UNIT = {
    "hic:queriesPerDay": "queries_per_day",
    "hic:rowsPerMonth": "rows_per_month",
    "hic:bytesPerMonth": "bytes_per_month",
}

# The largest integer that the canonical JSON of a policy has (RFC 8785).
MOST = 2**53 - 1
_DAYS = re.compile(r"P([1-9][0-9]{0,3})D")


@dataclass(frozen=True)
class Facts:
    """What is known of one use.

    ``began_at``: when the agreement began; None without one. ``purposes`` of the agreement,
    ``recipients``: what the caller's organisation is called, ``places``: where it is established.
    ``used``: quota → what this period has seen. ``trial``: a sample is tried before there is an
    agreement, so what binds an agreement is not asked.
    """

    at: datetime
    began_at: datetime | None = None
    purposes: frozenset[str] = frozenset()
    recipients: frozenset[str] = frozenset()
    places: frozenset[str] = frozenset()
    used: Mapping[str, int] = field(default_factory=dict)
    trial: bool = False


def holds(constraint: Mapping[str, Any], facts: Facts) -> bool | None:
    """Whether a constraint holds; None when the facts do not tell."""
    return OPERANDS[constraint["leftOperand"]].holds(constraint, facts)


_COMPARE: dict[str, Callable[[Any, Any], bool]] = {"lt": lt, "lteq": le, "gt": gt, "gteq": ge}


def moment_of(constraint: Mapping[str, Any]) -> datetime:
    """The right side of ``dateTime``, which must name its zone."""
    moment = datetime.fromisoformat(constraint["rightOperand"])
    if moment.tzinfo is None:
        raise ValueError("a moment needs its zone")
    return moment


def days_of(constraint: Mapping[str, Any]) -> int:
    """The right side of ``elapsedTime`` (``P90D``), in days."""
    said = _DAYS.fullmatch(constraint["rightOperand"])
    if said is None:
        raise ValueError("a duration is in days")
    return int(said[1])


def amount_of(constraint: Mapping[str, Any]) -> tuple[str, int]:
    """The quota that a ``count`` or ``absoluteSize`` limits, and its most."""
    amount, operand = constraint["rightOperand"], constraint["leftOperand"]
    quota = QUOTA_OF_UNIT[constraint["unit"]]
    is_size = quota == "bytes_per_month"
    if type(amount) is not int or not 1 <= amount <= MOST or is_size != (operand == "absoluteSize"):
        raise ValueError("a quota is a whole number of its unit")
    return quota, amount


def words_of(constraint: Mapping[str, Any]) -> frozenset[str]:
    """The right side of operands that compare with one text or a list of them."""
    said = constraint["rightOperand"]
    words = [said] if isinstance(said, str) else said
    if not isinstance(words, list) or not words or not all(isinstance(one, str) for one in words):
        raise ValueError("words are text")
    return frozenset(words)


def _time_holds(constraint: Mapping[str, Any], facts: Facts) -> bool:
    return _COMPARE[constraint["operator"]](facts.at, moment_of(constraint))


def _elapsed_holds(constraint: Mapping[str, Any], facts: Facts) -> bool | None:
    if facts.trial:
        return True
    if facts.began_at is None:
        return None
    return facts.at < facts.began_at + timedelta(days=days_of(constraint))


def _quota_holds(constraint: Mapping[str, Any], facts: Facts) -> bool | None:
    """Without an agreement nothing is counted. A quota that is used up exactly allows no more."""
    if facts.trial:
        return True
    if facts.began_at is None:
        return None
    quota, most = amount_of(constraint)
    return facts.used.get(quota, 0) < most


def _among(
    known: Callable[[Facts], frozenset[str]], *, of_agreement: bool = False
) -> Callable[[Mapping[str, Any], Facts], bool | None]:
    """Whether what is ``known`` of a use is among the words. ``of_agreement``: a trial, which has
    no agreement yet, is not asked."""

    def are_among(constraint: Mapping[str, Any], facts: Facts) -> bool | None:
        if facts.trial and of_agreement:
            return True
        ours, words = known(facts), words_of(constraint)
        if not ours:
            return None
        return bool(ours & words) == (constraint["operator"] in ("eq", "isAnyOf"))

    return are_among


@dataclass(frozen=True)
class Operand:
    """A left operand: its operators, how its right side is read, and when it holds."""

    operators: frozenset[str]
    read: Callable[[Mapping[str, Any]], Any]
    holds: Callable[[Mapping[str, Any], Facts], bool | None]


_SETS = frozenset({"eq", "neq", "isAnyOf", "isNoneOf"})
OPERANDS: dict[str, Operand] = {
    "dateTime": Operand(frozenset(_COMPARE), moment_of, _time_holds),
    "elapsedTime": Operand(frozenset({"lt", "lteq"}), days_of, _elapsed_holds),
    "count": Operand(frozenset({"lteq"}), amount_of, _quota_holds),
    "absoluteSize": Operand(frozenset({"lteq"}), amount_of, _quota_holds),
    "purpose": Operand(_SETS, words_of, _among(lambda facts: facts.purposes, of_agreement=True)),
    "recipient": Operand(_SETS, words_of, _among(lambda facts: facts.recipients)),
    "spatial": Operand(_SETS, words_of, _among(lambda facts: facts.places)),
}
