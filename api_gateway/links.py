"""Links to files, for readers that send no `Authorization`: tokens that the portal signs.

A link token is bound to its caller, one table, one action and its claims, and lives five minutes at
most; it ends with the right that it was made of.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from api_gateway.errors import AccessDenied, DecisionUnavailable
from api_gateway.portal import PortalActions, Refused, Unreachable

LIFETIME_S = 300


@dataclass(frozen=True)
class Link:
    """A link token; `expires_at` in seconds since 1970."""

    token: str
    expires_at: int


def make(
    portal: PortalActions, token: str | None, table: str, action: str, claims: dict[str, Any]
) -> Link:
    """A link for the bearer of `token`. Raises AccessDenied, DecisionUnavailable."""
    asked = {
        "token": token, "table": table, "action": action, "claims": claims,
        "lifetime_s": LIFETIME_S,
    }  # fmt: skip
    try:
        made = portal.call("hanoiic_link_create", asked)
    except Unreachable:
        raise DecisionUnavailable(headers={"Retry-After": "5"}) from None
    except Refused as refused:
        reason = str(refused.facts.get("reason") or refused.code)
        raise AccessDenied(f"no link is made: {reason}", table=table, reason=reason) from None
    return Link(made["token"], int(made["expires_at"]))
