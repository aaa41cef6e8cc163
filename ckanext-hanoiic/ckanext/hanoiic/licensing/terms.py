"""What an offer permits to one caller: the policy of its licence together with its own quota, days
and columns.

The stricter of licence and offer holds: an offer never permits more than its licence.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from ckan import model
from ckanext.hanoiic.licensing import policy, policy_profile, questions, specs
from ckanext.hanoiic.licensing.errors import OfferInvalid
from ckanext.hanoiic.licensing.model import AccessRequest, Agreement, Offer
from ckanext.hanoiic.licensing.parties import Party
from ckanext.hanoiic.licensing.policy_constraints import Facts

METERED = ("queries_per_day", "rows_per_month", "bytes_per_month")
QUOTAS = (*METERED, "concurrent_queries")
# Of a quota: its counter has room for twice as much.
MOST = 2**62
# A rule of automatic approval: its members, and the words that each may have.
RULE: dict[str, tuple[str, ...]] = {
    "organization_kinds": ("department", "company"),
    "purposes": policy_profile.PURPOSES,
}


def quota(offer: Offer) -> dict[str, int]:
    """The quota of an agreement under the offer: amounts of :data:`QUOTAS`. What is left out is not
    limited."""
    own = dict(offer.quota or {})
    for name, amount in (policy.limits(offer.licence.policy) if offer.licence else {}).items():
        own[name] = min(amount, own.get(name, amount))
    return own


def agreement_days(offer: Offer) -> int | None:
    """How many days an agreement under the offer lasts; None: until it is ended."""
    spans = [offer.agreement_days, policy.days(offer.licence.policy) if offer.licence else None]
    return min((span for span in spans if span), default=None)


def valid_until(offer: Offer, began_at: datetime) -> datetime | None:
    """When an agreement that begins then ends by itself."""
    span = agreement_days(offer)
    return began_at + timedelta(days=span) if span else None


def auto_approves(offer: Offer, party: Party, purpose_code: str | None = None) -> bool:
    """Whether the offer's rule approves a party's request without an officer.

    The rule has lists ``organization_kinds`` and ``purposes``; the request must fit each of those
    that are there. An officer always decides about a person without an organisation.
    """
    rule = offer.auto_approve
    if rule is None or party.kind != "organization":
        return False
    group = model.Session.get(model.Group, party.id)
    kinds, purposes = rule.get("organization_kinds"), rule.get("purposes")
    return (
        group is not None
        and group.state == "active"
        and (not kinds or (group.extras or {}).get("org_kind") in kinds)
        and (not purposes or purpose_code in purposes)
    )


def checked_quota(said: Mapping[str, Any]) -> dict[str, int]:
    """An offer's quota as it is kept. Raises :class:`OfferInvalid`."""
    for name, amount in said.items():
        if name not in QUOTAS or type(amount) is not int or not 1 <= amount <= MOST:
            raise OfferInvalid("Not a quota", field="quota", problem="quota", name=str(name))
    return dict(said)


def checked_rule(said: Mapping[str, Any] | None) -> dict[str, list[str]] | None:
    """A rule of automatic approval as it is kept. Raises :class:`OfferInvalid`."""
    if said is None:
        return None
    for name, words in said.items():
        known = RULE.get(name, ())
        if not known or not isinstance(words, list) or not all(word in known for word in words):
            raise OfferInvalid("Not a rule", field="auto_approve", problem="rule", name=str(name))
    return {name: list(words) for name, words in said.items() if words}


def closed(offer: Offer | None, at: datetime, *, held: bool = False) -> str | None:
    """Why the offer gives nobody access now, as a reason of a decision; None: it does give access.

    ``held``: asked for somebody who holds an agreement, which may last longer than the offer
    stands.
    """
    if offer is None:
        return None
    if offer.withdrawn_at is not None:
        return "offer_withdrawn"
    if offer.licence and offer.licence.state == "withdrawn":
        return "licence_withdrawn"
    early = offer.valid_from is not None and at < offer.valid_from
    late = offer.valid_until is not None and at >= offer.valid_until
    whole = offer.licence and offer.licence.restricted_edition and not specs.hides(offer)
    return "offer_not_valid" if whole or (not held and (early or late)) else None


@dataclass(frozen=True)
class Use:
    """One use of an offer by one party. ``agreement`` None: a use of an open or registered
    table."""

    offer: Offer
    action: str
    at: datetime
    party: Party | None = None
    agreement: Agreement | None = None
    trial: bool = False

    def closed(self) -> str | None:
        """Why the offer gives nobody access now; None: it does."""
        return closed(self.offer, self.at, held=self.agreement is not None)

    def refusal(self) -> str | None:
        """Why the offer or its licence refuse the use, as a reason of a decision; None: they don't
        refuse it."""
        return self.closed() or self._verdict().refusal(self.action)

    def uses(self) -> list[str]:
        """Every use that offer and licence permit now."""
        verdict = self._verdict()
        return [] if self.closed() else [one for one in policy.NEEDS if not verdict.refusal(one)]

    def granted(self) -> policy.Granted:
        """Duties, quotas and end of the use, when it is not refused."""
        if self.offer.licence is None:
            return policy.Granted((), {}, None)
        return self._verdict().of(self.action)

    def _verdict(self) -> policy.Verdict:
        if self.offer.licence is None:
            return _WITHOUT_LICENCE
        return policy.evaluate(self.offer.licence.policy, self._facts())

    def _facts(self) -> Facts:
        asked = self.offer.licence.policy
        agreement = self.agreement
        recipients: frozenset[str] = frozenset()
        places: frozenset[str] = frozenset()
        if self.party and policy.mentions(asked, "recipient", "spatial"):
            recipients, places = _recipient(self.party)
        return Facts(
            at=self.at,
            began_at=agreement.created_at if agreement else None,
            purposes=_purposes(agreement) if policy.mentions(asked, "purpose") else frozenset(),
            recipients=recipients,
            places=places,
            trial=self.trial,
        )


# For a dataset whose licence is not stated: its tier alone says who may use it.
_WITHOUT_LICENCE = policy.Verdict(
    {action: policy.Granted((), {}, None) for action in policy_profile.ACTIONS}
)


def _purposes(agreement: Agreement | None) -> frozenset[str]:
    if agreement is None or agreement.request_id is None:
        return frozenset()
    request = model.Session.get(AccessRequest, agreement.request_id)
    code = request.purpose_code if request else None
    return frozenset({policy_profile.AGREED, code} if code else {policy_profile.AGREED})


def _recipient(party: Party) -> tuple[frozenset[str], frozenset[str]]:
    group = model.Session.get(model.Group, party.id) if party.kind == "organization" else None
    if group is None or group.state != "active":
        return frozenset(), frozenset()
    extras = group.extras or {}
    words = {group.name, "hic:organization"}
    if kind := extras.get("org_kind"):
        words.add(f"hic:{kind}")
    return frozenset(words), frozenset(_places(extras.get("org_place") or ""))


def _places(code: str) -> Iterable[str]:
    """``VN-HN`` lies in ``VN``."""
    parts = code.split("-") if code else []
    return ("-".join(parts[: end + 1]) for end in range(len(parts)))


def told(offer: Offer) -> dict[str, Any]:
    """An offer's terms as actions tell them."""
    return {
        "columns": offer.columns,
        "masks": offer.masks,
        "row_filter": offer.row_filter,
        "sample": offer.sample,
        "quota": quota(offer),
        "agreement_days": agreement_days(offer),
        "sla_working_days": offer.sla_working_days,
        "auto_approve": offer.auto_approve,
        "pinned_versions": offer.pinned_versions,
        "questions": [asdict(one) for one in questions.of(offer)],
    }
