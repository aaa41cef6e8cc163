"""A licence's ODRL policy, evaluated: policy × facts → what is permitted, and on which terms.

A pure function over the portal's profile of ODRL 2.2 (:mod:`policy_profile`, with the constraints
of :mod:`policy_constraints`). Deny by default: an unknown term permits nothing at all, a constraint
that cannot be decided does not hold, and a prohibition wins over any permission.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from ckanext.hanoiic.licensing.policy_constraints import (
    Facts,
    amount_of,
    days_of,
    holds,
    moment_of,
)
from ckanext.hanoiic.licensing.policy_profile import unknown_terms

# Use → the ODRL actions that must all be permitted for it. To describe is to read the catalogue.
NEEDS: dict[str, tuple[str, ...]] = {
    "describe": (),
    "query": ("hic:query",),
    "download": ("reproduce",),
    # Delta Sharing hands files to the holder of the agreement. Passing them on (`distribute`) is
    # nothing that the portal does.
    "share": ("reproduce",),
}


@dataclass(frozen=True)
class Granted:
    """One permitted action: the duties that come with it, its quotas, and when it ends."""

    obligations: tuple[str, ...]
    limits: Mapping[str, int]
    valid_until: datetime | None


@dataclass(frozen=True)
class Verdict:
    """What a policy permits.

    ``granted``: permitted action → its terms. ``unknown``: terms that the profile doesn't have.
    ``unmet``: actions that would be permitted if their constraints held.
    """

    granted: Mapping[str, Granted]
    unknown: tuple[str, ...] = ()
    prohibited: frozenset[str] = frozenset()
    unmet: frozenset[str] = frozenset()

    def refusal(self, use: str) -> str | None:
        """Why the policy refuses a use (of :data:`NEEDS`), as a reason of a decision; None when
        it permits the use."""
        if self.unknown:
            return "policy_unknown_term"
        needed = NEEDS.get(use)
        if needed is None:
            return "policy_not_permitted"
        missing = [action for action in needed if action not in self.granted]
        if not missing:
            return None
        if all(action in self.unmet and action not in self.prohibited for action in missing):
            return "policy_unmet"
        return "policy_not_permitted"

    def of(self, use: str) -> Granted:
        """Duties, quotas and end of a use that is permitted."""
        parts = [self.granted[action] for action in NEEDS[use] if action in self.granted]
        return Granted(
            _together(duty for part in parts for duty in part.obligations),
            _smallest(part.limits for part in parts),
            _earliest(part.valid_until for part in parts),
        )


def evaluate(policy: Mapping[str, Any], facts: Facts) -> Verdict:
    """What ``policy`` permits where ``facts`` hold."""
    if unknown := tuple(unknown_terms(policy)):
        return Verdict({}, unknown)
    prohibited = {
        action
        for rule in policy.get("prohibition", ())
        if not any(holds(one, facts) is False for one in rule.get("constraint", ()))
        for action in rule["action"]
    }
    begins = _begins(policy, facts)
    granted: dict[str, Granted] = {}
    unmet: set[str] = set()
    for rule in policy["permission"]:
        constraints = rule.get("constraint", ())
        if all(holds(one, facts) for one in constraints):
            new = _granted(rule, facts)
            for action in set(rule["action"]) - prohibited:
                granted[action] = _wider(granted[action], new) if action in granted else new
        else:
            unmet |= set(rule["action"])
    for action in granted.keys() & begins.keys():
        one = granted[action]
        ends = _earliest((one.valid_until, begins[action]))
        granted[action] = replace(one, valid_until=ends)
    return Verdict(granted, (), frozenset(prohibited), frozenset(unmet - granted.keys()))


def _begins(policy: Mapping[str, Any], facts: Facts) -> dict[str, datetime]:
    """Action → the next moment from which it may be prohibited."""
    begins: dict[str, datetime] = {}
    for rule in policy.get("prohibition", ()):
        for one in rule.get("constraint", ()):
            if one["leftOperand"] != "dateTime" or one["operator"] not in ("gt", "gteq"):
                continue
            if (moment := moment_of(one)) > facts.at:
                for action in rule["action"]:
                    begins[action] = min(moment, begins.get(action, moment))
    return begins


def limits(policy: Mapping[str, Any]) -> dict[str, int]:
    """The quotas that the policy sets to any agreement under it, the smallest of each."""
    return _smallest(_limits(rule) for rule in policy.get("permission", ()))


def days(policy: Mapping[str, Any]) -> int | None:
    """How many days an agreement under the policy lasts at most."""
    spans = [
        days_of(one)
        for rule in policy.get("permission", ())
        for one in rule.get("constraint", ())
        if one["leftOperand"] == "elapsedTime"
    ]
    return min(spans, default=None)


def mentions(policy: Mapping[str, Any], *operands: str) -> bool:
    """Whether a constraint asks for one of ``operands``."""
    return any(
        one.get("leftOperand") in operands
        for rules in (policy.get("permission", ()), policy.get("prohibition", ()))
        for rule in rules
        for one in rule.get("constraint", ())
    )


def _granted(rule: Mapping[str, Any], facts: Facts) -> Granted:
    ends = [
        facts.began_at + timedelta(days=days_of(one)) if facts.began_at else None
        for one in rule.get("constraint", ())
        if one["leftOperand"] == "elapsedTime"
    ] + [
        moment_of(one)
        for one in rule.get("constraint", ())
        if one["leftOperand"] == "dateTime" and one["operator"] in ("lt", "lteq")
    ]
    duties = _together(one["action"] for one in rule.get("duty", ()))
    return Granted(duties, _limits(rule), _earliest(ends))


def _limits(rule: Mapping[str, Any]) -> dict[str, int]:
    amounts = [
        amount_of(one)
        for one in rule.get("constraint", ())
        if one["leftOperand"] in ("count", "absoluteSize")
    ]
    return _smallest({quota: amount} for quota, amount in amounts)


def _wider(one: Granted, other: Granted) -> Granted:
    """What two permissions of one action grant together: the duties of both, the larger quotas,
    the later end."""
    both = one.limits.keys() & other.limits.keys()
    ends = (one.valid_until, other.valid_until)
    return Granted(
        _together((*one.obligations, *other.obligations)),
        {quota: max(one.limits[quota], other.limits[quota]) for quota in both},
        max(end for end in ends if end) if all(ends) else None,
    )


def _together(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(words))


def _smallest(several: Iterable[Mapping[str, int]]) -> dict[str, int]:
    least: dict[str, int] = {}
    for limits_ in several:
        for quota, amount in limits_.items():
            least[quota] = min(amount, least.get(quota, amount))
    return least


def _earliest(moments: Iterable[datetime | None]) -> datetime | None:
    return min((moment for moment in moments if moment), default=None)
