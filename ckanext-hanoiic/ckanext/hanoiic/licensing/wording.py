"""What the templates say: a word for every code, and helpers for what the pages show."""

from __future__ import annotations

from typing import Any

from babel.numbers import format_decimal
from ckan.plugins import toolkit as tk
from ckanext.hanoiic.licensing import language, shown, usage
from ckanext.hanoiic.licensing.words import (
    ANSWER_KINDS,
    AUDIT_EVENTS,
    EVENTS,
    LICENCE_PARTS,
    LICENCE_STATES,
    MASKS,
    ODRL,
    OPERATORS,
    PURPOSES,
    QUOTAS,
    REASONS,
    RECEIPTS,
    SCOPES,
    SPENT,
    STATES,
    TIERS,
    TIME_UNITS,
    VERDICTS,
    YES_NO,
)


def tier(code: str) -> dict[str, str]:
    """Colour and words of a tier."""
    colour, words = TIERS[code]
    return {"colour": colour, "words": tk._(words)}


def state(code: str) -> dict[str, str]:
    """Colour and words of a request's or agreement's state."""
    colour, words = STATES[code]
    return {"colour": colour, "words": tk._(words)}


def reason(code: str | None) -> str:
    """Why the reader may or may not; None: the dataset is hidden from the reader."""
    return tk._(REASONS[code])


def scope(code: str) -> str:
    return tk._(SCOPES[code])


def event(code: str) -> str:
    """What happened to a request."""
    return tk._(EVENTS[code])


def purposes() -> dict[str, str]:
    """Kinds of use, by code."""
    return {code: tk._(words) for code, words in PURPOSES.items()}


def answer(told: dict[str, Any]) -> str:
    """An answer as its question's kind is read."""
    if told.get("kind") == "yes_no":
        words = YES_NO[told["answer"]]
        return tk._(words)
    if told.get("kind") == "date":
        return tk.h.hanoiic_day(told["answer"])
    return told["answer"]


def answer_kinds() -> dict[str, str]:
    """Kinds of answer a question can ask for, by code."""
    return {kind: tk._(words) for kind, words in ANSWER_KINDS.items()}


def amount(number: float) -> str:
    """A number with the digits grouped as the reader's language does it."""
    return format_decimal(number, locale=language.current())


def byte_amount(count: int) -> str:
    """Bytes in the largest unit that leaves a whole number, as people say it."""
    size, unit = float(count), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if size < 1000:
            break
        size, unit = size / 1000, larger
    return f"{amount(round(size, 1 if unit != 'B' and size < 100 else 0))} {unit}"


def quota_bars(quota: dict[str, int], used: dict[str, dict[str, int]]) -> list[dict[str, Any]]:
    """Of each quota: its words, limit, what is used or reserved, and both as said."""
    bars = []
    for measure, name in usage.QUOTAS.items():
        if name in quota:
            say = byte_amount if measure == "bytes" else amount
            spent = used[measure]["used"] + used[measure]["leased"]
            bars.append(
                {
                    "words": tk._(SPENT[measure]),
                    "limit": quota[name],
                    "used": spent,
                    "said": f"{say(spent)} / {say(quota[name])}",
                }
            )
    return bars


def verdict(told: dict[str, Any]) -> str:
    """The outcome of a check of the audit."""
    return tk._(VERDICTS[told.get("fault")]).format(**told)


def receipt(told: Any) -> str:
    """The outcome of a check of a receipt."""
    words = tk._(RECEIPTS[told.fault])
    if told.fault is None and told.result_checked:
        words += " " + tk._("The file is the answer it was signed for.")
    return words


def audit_event(code: str) -> str:
    """What an entry of the audit tells."""
    return tk._(AUDIT_EVENTS[code]) if code in AUDIT_EVENTS else code


def audit_events() -> list[tuple[str, str]]:
    """Events that the audit can be searched for, in the order of their words."""
    return sorted(((code, audit_event(code)) for code in AUDIT_EVENTS), key=lambda one: one[1])


def audit_reason(entry: dict[str, Any]) -> str:
    """In a line, why or what: a decision's reason in words, or the name or text that was given."""
    told = entry["facts"].get("reason") or entry["facts"].get("name") or ""
    return tk._(REASONS[told]) if told in REASONS else str(told)


def mask_kind(kind: str) -> str:
    return tk._(MASKS[kind])


def mask(told: dict[str, Any]) -> str:
    """A mask in words, with how much is left."""
    if told["kind"] == "truncate":
        return tk._("cut to {n} letters").format(n=told["length"])
    if told["kind"] == "bucket":
        width = TIME_UNITS.get(told["width"])
        return tk._("rounded down to {width}").format(width=tk._(width) if width else told["width"])
    return mask_kind(told["kind"])


def operator(op: str) -> str:
    return OPERATORS[op] if len(OPERATORS[op]) == 1 else tk._(OPERATORS[op])


def quota_label(name: str) -> str:
    return tk._(QUOTAS[name][0])


def quota(name: str, amount: int) -> str:
    return tk._(QUOTAS[name][1]).format(n=f"{amount:,}".replace(",", "."))


def purpose(code: str) -> str:
    return tk._(PURPOSES[code])


def licence_state(code: str) -> dict[str, str]:
    """Colour and words of a licence version's state."""
    colour, words = LICENCE_STATES[code]
    return {"colour": colour, "words": tk._(words)}


def licence_part(name: str) -> str:
    return tk._(LICENCE_PARTS[name])


def odrl(term: str) -> str:
    """An action or duty of the ODRL profile in words."""
    return tk._(ODRL[term])


HELPERS = {
    "hanoiic_mask": mask,
    "hanoiic_mask_kind": mask_kind,
    "hanoiic_operator": operator,
    "hanoiic_quota": quota,
    "hanoiic_quota_label": quota_label,
    "hanoiic_purpose": purpose,
    "hanoiic_licence_state": licence_state,
    "hanoiic_odrl": odrl,
    "hanoiic_event": event,
    "hanoiic_audit_event": audit_event,
    "hanoiic_audit_events": audit_events,
    "hanoiic_audit_reason": audit_reason,
    "hanoiic_purposes": purposes,
    "hanoiic_answer": answer,
    "hanoiic_answer_kinds": answer_kinds,
    "hanoiic_language": language.current,
    "hanoiic_amount": amount,
    "hanoiic_bytes": byte_amount,
    "hanoiic_quota_bars": quota_bars,
    "hanoiic_verdict": verdict,
    "hanoiic_receipt_words": receipt,
    "hanoiic_licence_part": licence_part,
    "hanoiic_licence": shown.licence,
    "hanoiic_accesses": shown.accesses,
    "hanoiic_offers": shown.offers_of,
    "hanoiic_tier": tier,
    "hanoiic_state": state,
    "hanoiic_reason": reason,
    "hanoiic_scope": scope,
    "hanoiic_token_choices": shown.token_choices,
    "hanoiic_waiting_requests": shown.waiting_requests,
}
