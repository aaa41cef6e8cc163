"""The state machines of requests and agreements, as tables.

``TABLE[state][event]`` is the next state; what is not in the table is refused, and a state
without a row is terminal: it never reopens.
"""

from __future__ import annotations

from ckanext.hanoiic.licensing.errors import NotAllowedNow

REQUEST = {
    "submitted": {
        "ask": "info_needed",
        "approve": "approved",
        "reject": "rejected",
        "withdraw": "withdrawn",
        "expire": "expired",
    },
    "info_needed": {
        "answer": "submitted",
        "reject": "rejected",
        "withdraw": "withdrawn",
        "expire": "expired",
    },
}
REQUEST_STATES = ("submitted", "info_needed", "approved", "rejected", "withdrawn", "expired")
OPEN = tuple(REQUEST)

AGREEMENT = {
    "active": {
        "suspend": "suspended",
        "expire": "expired",
        "revoke": "revoked",
        "supersede": "superseded",
    },
    "suspended": {"resume": "active", "expire": "expired", "revoke": "revoked"},
}
AGREEMENT_STATES = ("active", "suspended", "expired", "revoked", "superseded")
LIVE = tuple(AGREEMENT)

NEEDS_REASON = frozenset({"ask", "answer", "reject", "revoke", "suspend"})


def after(table: dict[str, dict[str, str]], state: str, event: str) -> str:
    """The state that ``event`` leads to from ``state``; raises :class:`NotAllowedNow`."""
    try:
        return table[state][event]
    except KeyError:
        raise NotAllowedNow(f"cannot {event} what is {state}", state=state, event=event) from None
