"""What the templates say: licences in plain words, and a word for every code."""

from __future__ import annotations

from typing import Any

from babel.numbers import format_decimal
from ckan.plugins import toolkit as tk
from ckanext.hanoiic.licensing import (
    clock,
    language,
    licences,
    offers,
    specs,
    terms,
    tokens,
    usage,
)
from ckanext.hanoiic.licensing.logic.action.request import waiting_count
from ckanext.hanoiic.licensing.logic.refusal import N_
from ckanext.hanoiic.licensing.model import Licence

# Code → (Bootstrap colour, words).
TIERS = {
    "open": ("success", N_("Open to everyone")),
    "registered": ("info", N_("Open when signed in")),
    "click": ("info", N_("Accept the terms")),
    "request": ("warning", N_("By request")),
}
STATES = {
    "submitted": ("warning", N_("Waiting for a decision")),
    "info_needed": ("info", N_("More information needed")),
    "approved": ("success", N_("Approved")),
    "rejected": ("danger", N_("Refused")),
    "withdrawn": ("secondary", N_("Withdrawn")),
    "active": ("success", N_("In force")),
    "suspended": ("warning", N_("Suspended")),
    "expired": ("secondary", N_("Expired")),
    "revoked": ("danger", N_("Revoked")),
    "superseded": ("secondary", N_("Replaced by a newer one")),
    "retired": ("secondary", N_("No longer used")),
}
REASONS = {
    None: N_("Only the publishing organisation has access to this data."),
    "open": N_("Anyone may use this data."),
    "operator": N_("You may use this data as a system administrator."),
    "owner": N_("You may use this data: your organisation publishes it."),
    "agreement": N_("You have access to this data."),
    "sign_in_required": N_("Sign in to get access."),
    "licence_not_accepted": N_("Accept the licence and use the data at once."),
    "request_needed": N_("The publishing organisation decides who gets access."),
    "request_pending": N_("Your request waits for the publishing organisation."),
    "request_info_needed": N_("The publishing organisation asks you something."),
    "request_rejected": N_("Your request was refused."),
    "agreement_revoked": N_("Your access was revoked."),
    "agreement_suspended": N_("Your access is suspended."),
    "agreement_superseded": N_("Your agreement was replaced by other terms."),
    "agreement_expired": N_("Your access has ended."),
    "registered": N_("You may use this data: you are signed in."),
    "sample": N_("You may try a sample of this data."),
    "offer_withdrawn": N_("The publishing organisation withdrew this offer."),
    "licence_withdrawn": N_("The licence of this data was withdrawn."),
    "offer_not_valid": N_("This offer is not open at this time."),
    "policy_unknown_term": N_(
        "The licence says something the portal can't check, so nobody has access."
    ),
    "policy_not_permitted": N_("The licence does not permit this use."),
    "policy_unmet": N_("A condition of the licence is not met."),
    "audience_mismatch": N_("The token is for something else than this gateway."),
    "scope_missing": N_("The token lacks the scope for this."),
}
EVENTS = {
    "submit": N_("Request sent"),
    "ask": N_("More information asked for"),
    "answer": N_("Answered"),
    "approve": N_("Approved"),
    "reject": N_("Refused"),
    "withdraw": N_("Withdrawn"),
    "expire": N_("Expired without an answer"),
}
# What is measured of a quota.
SPENT = {
    "queries": N_("Queries today"),
    "rows": N_("Rows this month"),
    "bytes": N_("Data this month"),
}
VERDICTS = {
    None: N_("The chain is sound: {entries} entries, {checkpoints} signed checkpoints."),
    "edited": N_("Entry {number} is not what was written."),
    "deleted": N_("Entry {number} is missing (up to {until})."),
    "cut": N_("The end was cut off: entry {number} is missing; a signed checkpoint knows {until}."),
    "rewritten": N_("Entries {number} to {until} are not those that were signed."),
    "checkpoint_broken": N_("The checkpoint in line {line} of the file is not good."),
}
RECEIPTS = {
    None: N_("The receipt is good: the gateway signed it."),
    "not_a_receipt": N_("This is no receipt of the gateway."),
    "key_unknown": N_("It is signed with a key that is not the gateway's."),
    "signature_wrong": N_("It was altered: its signature does not fit."),
    "result_differs": N_("The file is another than the answer it was signed for."),
    "keys_unreachable": N_("The gateway's keys can't be read now; try again."),
}
SCOPES = {"query": N_("Query"), "download": N_("Download"), "share": N_("Delta Sharing")}

# Hours for which a rotated token stays good → how the page says it.
OVERLAPS = {
    0: N_("at once (after a leak)"),
    24: N_("in a day"),
    168: N_("in a week"),
    336: N_("in two weeks"),
}
# Event of the audit → words; one that is not here is told by its name.
AUDIT_EVENTS = {
    "request_submitted": N_("Request sent or answered"),
    "request_info_needed": N_("More information asked for"),
    "request_approved": N_("Request approved"),
    "request_rejected": N_("Request refused"),
    "request_withdrawn": N_("Request withdrawn"),
    "request_expired": N_("Request expired"),
    "agreement_began": N_("Agreement began"),
    "agreement_active": N_("Access given back"),
    "agreement_suspended": N_("Access suspended"),
    "agreement_revoked": N_("Access revoked"),
    "agreement_expired": N_("Access ended"),
    "agreement_superseded": N_("Agreement replaced"),
    "data_answered": N_("Data given"),
    "data_refused": N_("Data refused"),
    "data_failed": N_("Query failed"),
    "data_broken_off": N_("Answer broken off"),
    "access_denied": N_("Access denied"),
    "offer_published": N_("Offer published"),
    "offer_withdrawn": N_("Offer withdrawn"),
    "offer_removed": N_("Table’s own offer ended"),
    "table_claimed": N_("Table put under a dataset"),
    "table_released": N_("Table released"),
    "licence_drafted": N_("Licence drafted"),
    "licence_draft_discarded": N_("Licence draft discarded"),
    "licence_published": N_("Licence published"),
    "licence_superseded": N_("Licence replaced"),
    "licence_withdrawn": N_("Licence withdrawn"),
    "application_created": N_("Application made"),
    "application_retired": N_("Application retired"),
    "token_created": N_("Token made"),
    "token_revoked": N_("Token revoked"),
}

MASKS = {
    "hash": N_("a code that means nothing elsewhere"),
    "truncate": N_("cut short"),
    "bucket": N_("rounded down"),
    "round_geo": N_("rounded to its ward"),
}
TIME_UNITS = {
    "hour": N_("the hour"),
    "day": N_("the day"),
    "week": N_("the week"),
    "month": N_("the month"),
    "quarter": N_("the quarter"),
    "year": N_("the year"),
}
LICENCE_PARTS = {
    "title_vi": N_("Title (Vietnamese)"),
    "title_en": N_("Title (English)"),
    "url": N_("Address of the full text"),
    "draft": N_("Counsel has still to confirm the text"),
    "open": N_("An open licence (opendefinition.org)"),
    "restricted_edition": N_("Only for samples and masked data"),
    "plain": N_("Plain words"),
    "policy": N_("Policy (ODRL, JSON-LD)"),
}
OPERATORS = {
    "eq": "=",
    "ne": "≠",
    "lt": "<",
    "le": "≤",
    "gt": ">",
    "ge": "≥",
    "in": N_("one of"),
    "not_null": N_("is there"),
    "is_null": N_("is missing"),
}
# Name → (label, sentence).
QUOTAS = {
    "queries_per_day": (N_("Queries a day"), N_("At most {n} queries a day.")),
    "rows_per_month": (N_("Rows a month"), N_("At most {n} rows a month.")),
    "bytes_per_month": (N_("Bytes a month"), N_("At most {n} bytes a month.")),
    "concurrent_queries": (N_("Queries at the same time"), N_("At most {n} queries at a time.")),
}
PURPOSES = {
    "research": N_("research"),
    "education": N_("education"),
    "product": N_("a product"),
    "public_service": N_("a public service"),
    "journalism": N_("journalism"),
    "trial": N_("a trial"),
}
ANSWER_KINDS = {
    "text": N_("a text"),
    "line": N_("one line"),
    "number": N_("one number"),
    "date": N_("one date"),
    "yes_no": N_("yes or no"),
}
YES_NO = {"yes": N_("Yes"), "no": N_("No")}
LICENCE_STATES = {
    "draft": ("warning", N_("Draft")),
    "published": ("success", N_("In force")),
    "superseded": ("secondary", N_("Replaced by a newer one")),
    "withdrawn": ("danger", N_("Withdrawn")),
}
ODRL = {
    "read": N_("See it on a page"),
    "hic:query": N_("Query it"),
    "reproduce": N_("Download or share it into own tools"),
    "aggregate": N_("Make sums of it"),
    "derive": N_("Make something new of it"),
    "distribute": N_("Pass it on"),
    "cc:CommercialUse": N_("Use it commercially"),
    "cc:Attribution": N_("Name the source"),
    "obtainConsent": N_("Ask the persons concerned"),
    "reviewPolicy": N_("Read the terms anew before each release"),
    "inform": N_("Tell the publisher what was made"),
    "delete": N_("Delete it when access ends"),
}


def licence(license_id: str | None, version: int | None = None) -> dict[str, Any] | None:
    """A licence in plain words in the reader's language; None for one the portal doesn't know.

    ``{id, version, title, url, draft, summary, may, must, must_not}``; without ``version`` the
    newest one.
    """
    row: Any = licences.shown(license_id or "", version)
    if row is None:
        return None
    titles = {"vi": row.title_vi, "en": row.title_en} if isinstance(row, Licence) else row.title
    return {
        "id": row.id,
        "version": row.version,
        "title": titles[language.current()],
        "url": row.url,
        "draft": row.draft,
        **row.plain[language.current()],
    }


def accesses(dataset: dict[str, Any]) -> list[dict[str, Any]]:
    """How the reader of the page stands to a dataset and to each table with an offer of its own.

    Answers of ``hanoiic_access_show`` with ``table`` (None: the dataset's own offer) and ``tables``
    it is about (``{name, title}``); the dataset's own comes first, and is left out where every
    table has its own. Empty for a draft or a deleted dataset: nobody has or gets access to it.
    """
    if dataset.get("state") != "active":
        return []
    titles = {
        resource["lake_table"]: resource.get("name") or resource["lake_table"]
        for resource in dataset.get("resources", [])
        if resource.get("lake_table")
    }
    own = [table for table in offers.all_current(dataset["id"]) if table in titles]
    general = [table for table in titles if table not in own]
    scopes = [("", general)] if general or not titles else []
    scopes += [(table, [table]) for table in titles if table in own]
    show = tk.get_action("hanoiic_access_show")
    return [
        show({}, {"id": dataset["id"], "table": table})
        | {"table": table, "tables": [{"name": one, "title": titles[one]} for one in about]}
        for table, about in scopes
    ]


def offers_of(dataset_id: str) -> dict[str, dict[str, Any]]:
    """Table → ``{tier, id, whole}`` of the current offer that is its own; "" for the dataset's.

    ``whole``: it is in force and shows the whole table.
    """
    now = clock.now()
    return {
        table: {
            "tier": offer.tier,
            "id": offer.id,
            "whole": terms.closed(offer, now) is None and not specs.hides(offer),
        }
        for table, offer in offers.all_current(dataset_id).items()
    }


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


def waiting_requests() -> int:
    """How many requests for access wait for the reader's decision."""
    user = tk.current_user
    return waiting_count(user) if user.is_authenticated else 0


def token_choices() -> dict[str, Any]:
    """What the form of a new token offers."""
    return {
        "scopes": tokens.SCOPES,
        "default": tokens.DEFAULT_SCOPES,
        "days": (7, 30, 90, 180, 365),
        "day": tokens.LIFETIME_DAYS,
        "overlaps": [(hours, tk._(words)) for hours, words in OVERLAPS.items()],
        "overlap": tokens.OVERLAP_HOURS,
    }


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
    "hanoiic_licence": licence,
    "hanoiic_accesses": accesses,
    "hanoiic_offers": offers_of,
    "hanoiic_tier": tier,
    "hanoiic_state": state,
    "hanoiic_reason": reason,
    "hanoiic_scope": scope,
    "hanoiic_token_choices": token_choices,
    "hanoiic_waiting_requests": waiting_requests,
}
