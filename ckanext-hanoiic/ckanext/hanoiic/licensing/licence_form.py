"""The licence editor's form: plain words a line each, the policy by ticks or, for the rare one that
ticks can't say, as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ckanext.hanoiic.licensing import policy_profile

POINTS = ("may", "must", "must_not")
LIMITS = {
    "queries_per_day": ("count", "hic:queriesPerDay"),
    "rows_per_month": ("count", "hic:rowsPerMonth"),
    "bytes_per_month": ("absoluteSize", "hic:bytesPerMonth"),
}
WORDS = ("purpose", "recipient", "spatial")


def read_text(form: Any) -> dict[str, Any]:
    """What ``hanoiic_licence_create`` takes."""
    return {
        "id": form.get("id", "").strip(),
        "title_vi": form.get("title_vi", ""),
        "title_en": form.get("title_en", ""),
        "url": form.get("url", ""),
        "draft": bool(form.get("draft")),
        "open": bool(form.get("open")),
        "restricted_edition": bool(form.get("restricted_edition")),
        "plain": {language: _plain(form, language) for language in ("vi", "en")},
        "policy": _policy(form),
    }


def _plain(form: Any, language: str) -> dict[str, Any]:
    points = {name: _lines(form.get(f"{name}_{language}", "")) for name in POINTS}
    return {"summary": form.get(f"summary_{language}", "").strip(), **points}


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _policy(form: Any) -> dict[str, Any]:
    if typed := form.get("policy", "").strip():
        try:
            said = json.loads(typed)
        except ValueError:
            said = {"policy": typed}
        return said if isinstance(said, dict) else {"policy": typed}
    permission: dict[str, Any] = {"action": _ticked(form, "permit")}
    if constraints := _constraints(form):
        permission["constraint"] = constraints
    if duties := [duty for duty in policy_profile.DUTIES if form.get(f"duty:{duty}")]:
        permission["duty"] = [{"action": duty} for duty in duties]
    said = policy_profile.envelope() | {"permission": [permission]}
    if prohibited := _ticked(form, "prohibit"):
        said["prohibition"] = [{"action": prohibited}]
    return said


def _ticked(form: Any, verdict: str) -> list[str]:
    return [action for action in policy_profile.ACTIONS if form.get(f"action:{action}") == verdict]


def _constraints(form: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    if days := form.get("days", "").strip():
        found.append(_constraint("elapsedTime", "lteq", f"P{days}D"))
    if until := form.get("until", "").strip():
        found.append(_constraint("dateTime", "lt", f"{until}T00:00:00+07:00"))
    for quota, (operand, unit) in LIMITS.items():
        if text := form.get(quota, "").strip():
            amount = int(text) if text.isdigit() else text
            found.append(_constraint(operand, "lteq", amount) | {"unit": unit})
    for operand in WORDS:
        if words := form.get(operand, "").replace(",", " ").split():
            found.append(_constraint(operand, "isAnyOf", words))
    return found


def _constraint(left: str, operator: str, right: Any) -> dict[str, Any]:
    return {"leftOperand": left, "operator": operator, "rightOperand": right}


def shown_text(row: Mapping[str, Any] | None) -> dict[str, Any]:
    """The fields of a licence (None: of an empty one)."""
    said = row or {"draft": True, "plain": {}, "policy": {}}
    plain = said.get("plain") or {}
    form = {
        name: said.get(name) or ""
        for name in ("id", "title_vi", "title_en", "url", "draft", "open", "restricted_edition")
    }
    for language in ("vi", "en"):
        words = plain.get(language) or {}
        form[f"summary_{language}"] = words.get("summary", "")
        for name in POINTS:
            form[f"{name}_{language}"] = "\n".join(words.get(name) or [])
    return form | _shown_policy(said.get("policy") or {})


def _shown_policy(said: Mapping[str, Any]) -> dict[str, Any]:
    """The policy as ticks; as ``policy``, JSON, when ticks would not say the same."""
    form: dict[str, Any] = {"actions": {}, "duties": [], "policy": ""}
    permissions, prohibitions = said.get("permission") or [], said.get("prohibition") or []
    for rule in permissions[:1]:
        form["actions"] |= dict.fromkeys(rule.get("action", ()), "permit")
        form["duties"] = [one.get("action") for one in rule.get("duty", ())]
        for one in rule.get("constraint", ()):
            form |= _shown_constraint(one)
    for rule in prohibitions[:1]:
        form["actions"] |= dict.fromkeys(rule.get("action", ()), "prohibit")
    typed = {
        **{f"action:{action}": verdict for action, verdict in form["actions"].items()},
        **{f"duty:{duty}": "on" for duty in form["duties"]},
        **{key: str(value) for key, value in form.items() if isinstance(value, str)},
    }
    if said and _meaning(_policy(typed)) != _meaning(said):
        form["policy"] = json.dumps(said, ensure_ascii=False, indent=2)
    return form


def _shown_constraint(one: Mapping[str, Any]) -> dict[str, str]:
    operand, right = one.get("leftOperand"), one.get("rightOperand")
    if operand == "elapsedTime":
        return {"days": str(right)[1:-1]}
    if operand == "dateTime":
        return {"until": str(right)[:10]}
    if operand in WORDS:
        return {str(operand): " ".join([right] if isinstance(right, str) else right or ())}
    return {quota: str(right) for quota, (_, unit) in LIMITS.items() if one.get("unit") == unit}


def _meaning(said: Mapping[str, Any]) -> Any:
    """A policy in one spelling: without its name, words as sets, in any order."""

    def constraint(one: Mapping[str, Any]) -> tuple[str, ...]:
        right = one.get("rightOperand")
        words = sorted([right] if isinstance(right, str) else right) if _is_words(one) else right
        operator = (
            {"eq": "isAnyOf"}.get(one["operator"], one["operator"])
            if _is_words(one)
            else (one["operator"])
        )
        return (one["leftOperand"], operator, str(words), str(one.get("unit")))

    def rule(one: Mapping[str, Any]) -> tuple[Any, ...]:
        return (
            sorted(one.get("action", ())),
            sorted(constraint(each) for each in one.get("constraint", ())),
            sorted(each["action"] for each in one.get("duty", ())),
        )

    return [[rule(one) for one in said.get(kind) or []] for kind in ("permission", "prohibition")]


def _is_words(one: Mapping[str, Any]) -> bool:
    return one.get("leftOperand") in WORDS
