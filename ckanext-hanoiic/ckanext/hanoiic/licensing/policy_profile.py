"""The portal's profile of ODRL 2.2: which terms a policy may use.

``profile/odrl-profile-1.schema.json`` says the same to others; tests compare the two.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ckanext.hanoiic.licensing.policy_constraints import OPERANDS

ACTIONS = (
    "read", "hic:query", "reproduce", "aggregate", "derive", "distribute", "cc:CommercialUse",
)  # fmt: skip
DUTIES = ("cc:Attribution", "obtainConsent", "reviewPolicy", "inform", "delete")
PURPOSES = ("research", "education", "product", "public_service", "journalism", "trial")
# Stands for whatever purpose an officer approved in an agreement.
AGREED = "hic:agreed"

# What every policy has around its rules, besides its `uid`.
ENVELOPE = {
    "@context": [
        "http://www.w3.org/ns/odrl.jsonld",
        {"cc": "http://creativecommons.org/ns#", "hic": "urn:hanoiic:odrl:"},
    ],
    "@type": "Set",
    "profile": "urn:hanoiic:odrl:profile:1",
    "conflict": "prohibit",
}
_UID = re.compile(r"urn:hanoiic:licence:[A-Za-z0-9][A-Za-z0-9.-]{1,59}:[1-9][0-9]{0,5}")
POLICY_TERMS = {*ENVELOPE, "uid", "permission", "prohibition"}
_RULE_TERMS = {
    "permission": frozenset({"action", "constraint", "duty"}),
    "prohibition": frozenset({"action", "constraint"}),
}


def envelope() -> dict[str, Any]:
    """The beginning of a new policy: its ``uid`` and rules are still missing."""
    return copy.deepcopy(ENVELOPE)


def unknown_terms(policy: Mapping[str, Any]) -> Iterator[str]:
    """Everything in ``policy`` that the profile does not have: nothing for one that conforms."""
    for name, value in ENVELOPE.items():
        if policy.get(name) != value:
            yield name
    yield from (f"policy:{name}" for name in policy if name not in POLICY_TERMS)
    if not isinstance(policy.get("uid"), str) or not _UID.fullmatch(policy["uid"]):
        yield "uid"
    for kind, allowed in _RULE_TERMS.items():
        rules = policy.get(kind, [])
        if not isinstance(rules, list) or (kind == "permission" and not rules):
            yield kind
            continue
        for rule in rules:
            yield from _unknown_in_rule(rule, kind, allowed)


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
    """Whether the right side of a constraint can be read."""
    try:
        OPERANDS[constraint["leftOperand"]].read(constraint)
    except (KeyError, ValueError, TypeError, OverflowError):
        return False
    return True
