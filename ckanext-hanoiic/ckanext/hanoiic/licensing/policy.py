"""A licence's ODRL policy, evaluated: policy × facts → what is permitted, and under what.

A pure function over the portal's profile of ODRL 2.2 (``profile/odrl-profile-1.schema.json``, where
every term is described). Deny by default: an unknown term permits nothing at all, a constraint that
cannot be decided does not hold, and a prohibition wins over any permission.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from operator import ge, gt, le, lt
from typing import Any

ACTIONS = (
    "read", "hic:query", "reproduce", "aggregate", "derive", "distribute", "cc:CommercialUse",
)  # fmt: skip
DUTIES = ("cc:Attribution", "obtainConsent", "reviewPolicy", "inform", "delete")
PURPOSES = ("research", "education", "product", "public_service", "journalism", "trial")
# The purpose of an agreement that an officer approved, whatever it is.
AGREED = "hic:agreed"

# What a door does → the ODRL actions it needs, all of them. To describe is to read the catalogue.
NEEDS: dict[str, tuple[str, ...]] = {
    "describe": (),
    "query": ("hic:query",),
    "download": ("reproduce",),
    # Delta Sharing hands files to the holder itself; passing them on is `distribute`, and no door.
    "share": ("reproduce",),
}

# Unit of a count or size → the quota it limits (of an offer: :mod:`terms`).
QUOTAS = {
    "hic:queriesPerDay": "queries_per_day",
    "hic:rowsPerMonth": "rows_per_month",
    "hic:bytesPerMonth": "bytes_per_month",
}

_ENVELOPE = {
    "@context": [
        "http://www.w3.org/ns/odrl.jsonld",
        {"cc": "http://creativecommons.org/ns#", "hic": "urn:hanoiic:odrl:"},
    ],
    "@type": "Set",
    "profile": "urn:hanoiic:odrl:profile:1",
    "conflict": "prohibit",
}
_UID = re.compile(r"urn:hanoiic:licence:[A-Za-z0-9][A-Za-z0-9.-]{1,59}:[1-9][0-9]{0,5}")
_DAYS = re.compile(r"P([1-9][0-9]{0,3})D")
_POLICY_TERMS = {*_ENVELOPE, "uid", "permission", "prohibition"}


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


@dataclass(frozen=True)
class Granted:
    """One permitted action: the duties that come with it, its quotas, and when it ends."""

    obligations: tuple[str, ...]
    limits: Mapping[str, int]
    valid_until: datetime | None


@dataclass(frozen=True)
class Verdict:
    """``granted``: permitted action → how. ``unknown``: terms the profile doesn't have."""

    granted: Mapping[str, Granted]
    unknown: tuple[str, ...] = ()
    prohibited: frozenset[str] = frozenset()
    unmet: frozenset[str] = frozenset()

    def refusal(self, use: str) -> str | None:
        """Why the policy refuses a use (:data:`NEEDS`), as a reason of a decision; None: it
        doesn't."""
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
        if not any(_holds(one, facts) is False for one in rule.get("constraint", ()))
        for action in rule["action"]
    }
    begins = _begins(policy, facts)
    granted: dict[str, Granted] = {}
    unmet: set[str] = set()
    for rule in policy["permission"]:
        constraints = rule.get("constraint", ())
        if all(_holds(one, facts) for one in constraints):
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
            if (moment := _moment(one)) > facts.at:
                for action in rule["action"]:
                    begins[action] = min(moment, begins.get(action, moment))
    return begins


def envelope() -> dict[str, Any]:
    """What every policy of the profile has around its rules; its ``uid`` is still missing."""
    return copy.deepcopy(_ENVELOPE)


def limits(policy: Mapping[str, Any]) -> dict[str, int]:
    """The quotas that the policy sets to any agreement under it, the smallest of each."""
    return _smallest(_limits(rule) for rule in policy.get("permission", ()))


def days(policy: Mapping[str, Any]) -> int | None:
    """How many days an agreement under the policy lasts at most."""
    spans = [
        _days(one)
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


def unknown_terms(policy: Mapping[str, Any]) -> Iterator[str]:
    """Everything in ``policy`` that the profile does not have: nothing for one that conforms."""
    for name, value in _ENVELOPE.items():
        if policy.get(name) != value:
            yield name
    yield from (f"policy:{name}" for name in policy if name not in _POLICY_TERMS)
    if not isinstance(policy.get("uid"), str) or not _UID.fullmatch(policy["uid"]):
        yield "uid"
    for kind, allowed in _RULE_TERMS.items():
        rules = policy.get(kind, [])
        if not isinstance(rules, list) or (kind == "permission" and not rules):
            yield kind
            continue
        for rule in rules:
            yield from _unknown_in_rule(rule, kind, allowed)


_RULE_TERMS = {
    "permission": frozenset({"action", "constraint", "duty"}),
    "prohibition": frozenset({"action", "constraint"}),
}


def _unknown_in_rule(rule: Any, kind: str, allowed: frozenset[str]) -> Iterator[str]:
    if not isinstance(rule, Mapping) or not _is_well_formed(rule):
        yield kind
        return
    yield from (f"{kind}:{name}" for name in rule if name not in allowed)
    yield from (f"action:{one}" for one in rule["action"] if one not in ACTIONS)
    for duty in rule.get("duty", ()):
        if set(duty) != {"action"}:
            yield "duty"
        elif duty["action"] not in DUTIES:
            yield f"duty:{duty['action']}"
    for one in rule.get("constraint", ()):
        if one.get("leftOperand") not in tuple(OPERANDS):
            yield f"constraint:{one.get('leftOperand')}"
        elif set(one) - {"leftOperand", "operator", "rightOperand", "unit"}:
            yield f"constraint:{one['leftOperand']}"
        elif one.get("operator") not in tuple(OPERANDS[one["leftOperand"]].operators):
            yield f"operator:{one.get('operator')}"
        elif not _readable(one):
            yield f"rightOperand:{one['leftOperand']}"


def _is_well_formed(rule: Mapping[str, Any]) -> bool:
    """Whether a rule has actions, and its constraints and duties are lists of objects."""
    parts = (rule.get("constraint", []), rule.get("duty", []))
    return (
        isinstance(rule.get("action"), list)
        and bool(rule["action"])
        and all(isinstance(part, list) for part in parts)
        and all(isinstance(one, Mapping) for part in parts for one in part)
    )


def _readable(constraint: Mapping[str, Any]) -> bool:
    try:
        OPERANDS[constraint["leftOperand"]].read(constraint)
    except (KeyError, ValueError, TypeError, OverflowError):
        return False
    return True


def _holds(constraint: Mapping[str, Any], facts: Facts) -> bool | None:
    """Whether a constraint holds; None when the facts do not tell."""
    return OPERANDS[constraint["leftOperand"]].holds(constraint, facts)


_COMPARE: dict[str, Callable[[Any, Any], bool]] = {"lt": lt, "lteq": le, "gt": gt, "gteq": ge}


def _moment(constraint: Mapping[str, Any]) -> datetime:
    moment = datetime.fromisoformat(constraint["rightOperand"])
    if moment.tzinfo is None:
        raise ValueError("a moment needs its zone")
    return moment


def _days(constraint: Mapping[str, Any]) -> int:
    said = _DAYS.fullmatch(constraint["rightOperand"])
    if said is None:
        raise ValueError("a duration is in days")
    return int(said[1])


def _amount(constraint: Mapping[str, Any]) -> tuple[str, int]:
    amount, operand = constraint["rightOperand"], constraint["leftOperand"]
    quota = QUOTAS[constraint["unit"]]
    is_size = quota == "bytes_per_month"
    if type(amount) is not int or amount < 1 or is_size != (operand == "absoluteSize"):
        raise ValueError("a quota is a whole number of its unit")
    return quota, amount


def _words(constraint: Mapping[str, Any]) -> frozenset[str]:
    said = constraint["rightOperand"]
    words = [said] if isinstance(said, str) else said
    if not isinstance(words, list) or not words or not all(isinstance(one, str) for one in words):
        raise ValueError("words are text")
    return frozenset(words)


def _time_holds(constraint: Mapping[str, Any], facts: Facts) -> bool:
    return _COMPARE[constraint["operator"]](facts.at, _moment(constraint))


def _elapsed_holds(constraint: Mapping[str, Any], facts: Facts) -> bool | None:
    if facts.trial:
        return True
    if facts.began_at is None:
        return None
    return facts.at < facts.began_at + timedelta(days=_days(constraint))


def _quota_holds(constraint: Mapping[str, Any], facts: Facts) -> bool | None:
    """Without an agreement nobody counts. What is used up exactly is used up."""
    if facts.trial:
        return True
    if facts.began_at is None:
        return None
    quota, amount = _amount(constraint)
    return facts.used.get(quota, 0) < amount


def _among(known: Callable[[Facts], frozenset[str]], *, of_agreement: bool = False) -> Any:
    def holds(constraint: Mapping[str, Any], facts: Facts) -> bool | None:
        if facts.trial and of_agreement:
            return True
        is_, words = known(facts), _words(constraint)
        if not is_:
            return None
        return bool(is_ & words) == (constraint["operator"] in ("eq", "isAnyOf"))

    return holds


@dataclass(frozen=True)
class Operand:
    """A left operand: its operators, how its right side is read, and when it holds."""

    operators: frozenset[str]
    read: Callable[[Mapping[str, Any]], Any]
    holds: Callable[[Mapping[str, Any], Facts], bool | None]


_SETS = frozenset({"eq", "neq", "isAnyOf", "isNoneOf"})
OPERANDS: dict[str, Operand] = {
    "dateTime": Operand(frozenset(_COMPARE), _moment, _time_holds),
    "elapsedTime": Operand(frozenset({"lt", "lteq"}), _days, _elapsed_holds),
    "count": Operand(frozenset({"lteq"}), _amount, _quota_holds),
    "absoluteSize": Operand(frozenset({"lteq"}), _amount, _quota_holds),
    "purpose": Operand(_SETS, _words, _among(lambda facts: facts.purposes, of_agreement=True)),
    "recipient": Operand(_SETS, _words, _among(lambda facts: facts.recipients)),
    "spatial": Operand(_SETS, _words, _among(lambda facts: facts.places)),
}


def _granted(rule: Mapping[str, Any], facts: Facts) -> Granted:
    ends = [
        facts.began_at + timedelta(days=_days(one)) if facts.began_at else None
        for one in rule.get("constraint", ())
        if one["leftOperand"] == "elapsedTime"
    ] + [
        _moment(one)
        for one in rule.get("constraint", ())
        if one["leftOperand"] == "dateTime" and one["operator"] in ("lt", "lteq")
    ]
    duties = _together(one["action"] for one in rule.get("duty", ()))
    return Granted(duties, _limits(rule), _earliest(ends))


def _limits(rule: Mapping[str, Any]) -> dict[str, int]:
    amounts = [
        _amount(one)
        for one in rule.get("constraint", ())
        if one["leftOperand"] in ("count", "absoluteSize")
    ]
    return _smallest({quota: amount} for quota, amount in amounts)


def _wider(one: Granted, other: Granted) -> Granted:
    """What two permissions of one action grant together: the duties of both, the looser end."""
    both = one.limits.keys() & other.limits.keys()
    ends = (one.valid_until, other.valid_until)
    return Granted(
        _together((*one.obligations, *other.obligations)),
        {quota: max(one.limits[quota], other.limits[quota]) for quota in both},
        max(end for end in ends if end) if all(ends) else None,
    )


def _together(words: Any) -> tuple[str, ...]:
    return tuple(dict.fromkeys(words))


def _smallest(several: Any) -> dict[str, int]:
    least: dict[str, int] = {}
    for limits_ in several:
        for quota, amount in limits_.items():
            least[quota] = min(amount, least.get(quota, amount))
    return least


def _earliest(moments: Any) -> datetime | None:
    return min((moment for moment in moments if moment), default=None)
