"""The words for every code that pages tell."""

from __future__ import annotations

from ckanext.hanoiic.licensing.logic.refusal import N_

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
