"""What the templates say: licences in plain words, and a word for every code."""

from __future__ import annotations

from typing import Any

from ckan import model
from ckan.plugins import toolkit as tk
from ckanext.hanoiic.licensing import language, licences, offers, tokens
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
    "approved": ("success", N_("Approved")),
    "rejected": ("danger", N_("Refused")),
    "withdrawn": ("secondary", N_("Withdrawn")),
    "active": ("success", N_("In force")),
    "suspended": ("warning", N_("Suspended")),
    "expired": ("secondary", N_("Expired")),
    "revoked": ("danger", N_("Revoked")),
    "superseded": ("secondary", N_("Replaced by a newer one")),
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
    "request_rejected": N_("Your request was refused."),
    "agreement_revoked": N_("Your access was revoked."),
    "agreement_suspended": N_("Your access is suspended."),
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
    "scope_missing": N_("The token lacks the scope for this."),
}
SCOPES = {"query": N_("Query"), "download": N_("Download")}


def licence(license_id: str | None, version: int | None = None) -> dict[str, Any] | None:
    """A licence in plain words in the reader's language; None for one the portal doesn't know.

    ``{id, version, title, url, draft, summary, may, must, must_not}``; without ``version`` the
    newest one.
    """
    row: Any = licences.shipped().get(license_id or "")
    if version is not None and (row is None or row.version != version):
        row = model.Session.get(Licence, (license_id, version))
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


def access(dataset: dict[str, Any]) -> dict[str, Any] | None:
    """How the reader of the page stands to a dataset (action ``hanoiic_access_show``).

    None for a draft or a deleted dataset: nobody has or gets access to it.
    """
    if dataset.get("state") != "active":
        return None
    return tk.get_action("hanoiic_access_show")({}, {"id": dataset["id"]})


def offers_of(dataset_id: str) -> dict[str, dict[str, str]]:
    """Table → ``{tier, id}`` of the current offer that is its own; "" for the dataset's."""
    return {
        table: {"tier": offer.tier, "id": offer.id}
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
    return {"scopes": tokens.SCOPES, "days": (7, 30, 90, 180, 365), "day": tokens.LIFETIME_DAYS}


HELPERS = {
    "hanoiic_licence": licence,
    "hanoiic_access": access,
    "hanoiic_offers": offers_of,
    "hanoiic_tier": tier,
    "hanoiic_state": state,
    "hanoiic_reason": reason,
    "hanoiic_scope": scope,
    "hanoiic_token_choices": token_choices,
    "hanoiic_waiting_requests": waiting_requests,
}
