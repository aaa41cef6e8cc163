"""The decision: a pure function of facts, written as one table of rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Facts:
    """What is known about one caller, speaking for one party, and one table.

    ``agreement`` is the state of the party's newest agreement (``expired`` by the clock,
    ``outdated`` where its terms refuse the use and another offer has replaced its own),
    ``request`` that of a request made after it. ``audience_ok``: the token is for this gateway;
    ``scope_ok``: it carries the action's scope. ``terms`` and ``held_terms`` say why the offer or
    its licence's policy refuse somebody without an agreement, and somebody with one; None: they
    don't refuse. ``sample``: there is a sample for everyone who is signed in.
    """

    tier: str
    public: bool = True
    signed_in: bool = False
    operator: bool = False
    owner: bool = False
    audience_ok: bool = True
    scope_ok: bool = True
    agreement: str | None = None
    request: str | None = None
    terms: str | None = None
    held_terms: str | None = None
    sample: bool = False

    @property
    def open(self) -> bool:
        """Whether it is for anyone: a private dataset's is not, whatever its tier."""
        return self.public and self.tier == "open"

    @property
    def insider(self) -> bool:
        return self.operator or self.owner

    @property
    def needs_officer(self) -> bool:
        """Whether only an officer can give access: because the tier says so, or because an officer
        has taken it away."""
        return self.tier != "click" or self.agreement == "revoked"


@dataclass(frozen=True)
class Decision:
    """``permit``, ``deny`` or ``unknown``, with the reason's code (None for unknown)."""

    decision: str
    reason: str | None
    rank: int

    @property
    def permits(self) -> bool:
        return self.decision == "permit"


Rule = tuple[Callable[[Facts], bool], str, str | None]

# The reasons for which an offer or its licence's policy refuse.
TERMS = (
    "offer_withdrawn", "licence_withdrawn", "offer_not_valid",
    "policy_unknown_term", "policy_not_permitted", "policy_unmet",
)  # fmt: skip


def _refused_by_terms(holds: Callable[[Facts], str | None]) -> tuple[Rule, ...]:
    def rule(code: str) -> Rule:
        return (lambda facts: holds(facts) == code, "deny", code)

    return tuple(rule(code) for code in TERMS)


# The first rule that holds decides. The last one always holds: what nothing permits is denied.
RULES: tuple[Rule, ...] = (
    (lambda f: not (f.public or f.owner or f.operator), "unknown", None),
    (lambda f: f.open and f.terms is None, "permit", "open"),
    *_refused_by_terms(lambda f: f.terms if f.tier == "open" and not f.insider else None),
    (lambda f: not f.signed_in, "deny", "sign_in_required"),
    (lambda f: not f.audience_ok, "deny", "audience_mismatch"),
    (lambda f: not f.scope_ok, "deny", "scope_missing"),
    (lambda f: f.operator, "permit", "operator"),
    (lambda f: f.owner, "permit", "owner"),
    *_refused_by_terms(lambda f: f.held_terms if f.agreement == "active" else None),
    (lambda f: f.agreement == "active", "permit", "agreement"),
    (lambda f: f.agreement == "suspended", "deny", "agreement_suspended"),
    *_refused_by_terms(lambda f: f.terms),
    (lambda f: f.tier == "registered", "permit", "registered"),
    (lambda f: f.sample, "permit", "sample"),
    (lambda f: f.needs_officer and f.request == "submitted", "deny", "request_pending"),
    (lambda f: f.needs_officer and f.request == "info_needed", "deny", "request_info_needed"),
    (lambda f: f.needs_officer and f.request == "rejected", "deny", "request_rejected"),
    (lambda f: f.agreement == "revoked", "deny", "agreement_revoked"),
    (lambda f: f.agreement == "expired", "deny", "agreement_expired"),
    (lambda f: f.agreement == "superseded", "deny", "agreement_superseded"),
    (lambda f: f.tier == "click", "deny", "licence_not_accepted"),
    (lambda f: True, "deny", "request_needed"),
)
REASONS = tuple(dict.fromkeys(reason for _, verdict, reason in RULES if verdict == "deny"))


def decide(facts: Facts) -> Decision:
    """Decide one table for one party."""
    for rank, (holds, verdict, reason) in enumerate(RULES):
        if holds(facts):
            return Decision(verdict, reason, rank)
    raise AssertionError("the last rule always holds")


def best(decisions: Iterable[tuple[Decision, object]]) -> tuple[Decision, object]:
    """The caller's decision, of those for all parties that the caller speaks for: a permit, else
    the one that is nearest to a permit."""
    return min(decisions, key=lambda one: (not one[0].permits, one[0].rank))
