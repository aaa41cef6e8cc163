"""What the portal says when it is asked whether a caller may read tables.

The contract is "Decision" in docs/architecture.md. Whatever does not clearly say "permit" is no
permit.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from api_gateway.portal import PortalActions, Refused, Unreachable
from lake import logs

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TableDecision:
    """What the portal says of one table. `decision` is `permit`, `deny` or `unknown` (no such
    table, or none that the caller may know of)."""

    decision: str
    reason: str = ""
    tier: str = ""
    # Which edition of the table is read; None: the table itself. `edition_kind` is `whole`,
    # `projection` or `sample`.
    edition: str | None = None
    edition_kind: str = "whole"
    agreement: str | None = None
    # When the agreement ends, seconds since 1970.
    valid_until: float | None = None
    # Whether a quota of the agreement must be leased before answering.
    metered: bool = False
    limits: Mapping[str, float] = field(default_factory=dict)
    obligations: tuple[Mapping[str, Any], ...] = ()
    # The actions that anyone may do with the table, without a token.
    open_to: tuple[str, ...] = ()
    access_url: str = ""
    dataset: Mapping[str, Any] = field(default_factory=dict)
    licence: Mapping[str, Any] = field(default_factory=dict)

    @property
    def permitted(self) -> bool:
        return self.decision == "permit"

    @property
    def open(self) -> bool:
        """Whether anyone may read the whole table, so that it is served while the portal is away.

        The tier does not say so: a table of the tier `open` may be permitted for another reason,
        such as to its owner after the offer ended.
        """
        return self.permitted and bool(self.open_to) and self.edition is None


UNKNOWN = TableDecision("unknown")


@dataclass(frozen=True)
class Decision:
    """An introspection's answer for one caller."""

    active: bool
    tables: Mapping[str, TableDecision]
    username: str | None = None
    organization: str | None = None
    token_error: str | None = None
    # When the token ends, seconds since 1970.
    exp: float | None = None
    # Ids of the user, the organisation, the application and the token, for records and limits.
    sub: str | None = None
    organization_id: str | None = None
    client_id: str | None = None
    token_id: str | None = None
    # The networks that the token may be used from; None: any.
    networks: tuple[str, ...] | None = None
    # What a link token is bound to besides its table; None for every other token.
    claims: Mapping[str, Any] | None = None
    # The portal's clock when it answered, seconds since 1970; None: not told.
    now: float | None = None
    # How far the portal's clock is ahead of this machine's, in seconds.
    ahead_s: float = 0.0

    @property
    def ends_at(self) -> float:
        """When the token or the first of the agreements ends, in seconds since 1970 by this
        machine's clock, even if that clock is wrong."""
        ends = [self.exp, *(table.valid_until for table in self.tables.values())]
        return min((end for end in ends if end is not None), default=math.inf) - self.ahead_s

    def of(self, table: str) -> TableDecision:
        return self.tables.get(table, UNKNOWN)


class CkanPortal:
    """Asks CKAN's action `hanoiic_introspect`. Raises Unreachable, also for a strange answer."""

    def __init__(self, actions: PortalActions) -> None:
        self._actions = actions

    def introspect(
        self, token: str | None, tables: tuple[str, ...] | None, action: str
    ) -> Decision:
        asked = {
            "token": token,
            "tables": None if tables is None else list(tables),
            "action": action,
        }
        try:
            return parse(
                self._actions.call("hanoiic_introspect", asked), asked_token=token is not None
            )
        except (Refused, ValueError, LookupError, TypeError, AttributeError) as error:
            log.warning("portal_not_understood", extra=logs.facts(error=type(error).__qualname__))
            raise Unreachable from error


def parse(result: Mapping[str, Any], *, asked_token: bool) -> Decision:
    """The decision in the `result` of `hanoiic_introspect`.

    Raises AttributeError, LookupError, TypeError or ValueError for what is no such result.
    """
    tables = {}
    for name, said in result.get("tables", {}).items():
        decision = said.get("decision")
        if decision not in ("permit", "deny"):
            tables[name] = UNKNOWN
            continue
        tables[name] = TableDecision(
            decision=decision,
            reason=said.get("reason") or "",
            tier=said.get("tier") or "",
            edition=said.get("edition") or None,
            edition_kind=said.get("edition_kind") or "whole",
            agreement=said.get("agreement") or None,
            valid_until=said.get("valid_until"),
            metered=bool(said.get("metered")),
            limits=said.get("limits") or {},
            obligations=tuple(said.get("obligations") or ()),
            open_to=tuple(said.get("open_to") or ()),
            access_url=said.get("access_url") or "",
            dataset=said.get("dataset") or {},
            licence=said.get("licence") or {},
        )
    return Decision(
        active=bool(result.get("active")) or not asked_token,
        tables=tables,
        username=result.get("username"),
        organization=result.get("organization"),
        token_error=result.get("token_error"),
        exp=result.get("exp"),
        sub=result.get("sub"),
        organization_id=result.get("organization_id"),
        client_id=result.get("client_id"),
        token_id=result.get("token_id"),
        networks=None if result.get("networks") is None else tuple(result["networks"]),
        claims=result.get("claims"),
        now=result.get("now"),
    )
