"""From a decision to an answer: 404 for what a caller may not know of, 403 with the way in."""

from __future__ import annotations

import difflib

from api_gateway import forwarded
from api_gateway.decisions import Decisions
from api_gateway.errors import AccessDenied, SandboxMissing, TableNotFound
from api_gateway.introspection import Decision, TableDecision
from api_gateway.sandbox import Locks


def require_permits(
    decision: Decision, tables: tuple[str, ...], token: str | None, decisions: Decisions
) -> None:
    """Nothing, if every table is permitted. Raises TableNotFound before AccessDenied: one table
    refuses the whole query."""
    for name in tables:
        if decision.of(name).decision not in ("permit", "deny"):
            raise not_found(name, token, decisions)
    for name in tables:
        if not decision.of(name).permitted:
            raise _denied(name, decision.of(name))


def require_locks(decision: Decision, tables: tuple[str, ...], locks: Locks) -> None:
    """Nothing, if every table is open or every lock holds. Raises SandboxMissing."""
    if locks.missing and not all(decision.of(name).open for name in tables):
        raise SandboxMissing(missing=locks.missing)


def require_network(decision: Decision, address: str | None) -> None:
    """Nothing, if the caller's token may be used from its address. Raises AccessDenied."""
    if decision.networks is not None and not forwarded.within(address, decision.networks):
        raise AccessDenied(
            "the token may not be used from this network", reason="network_not_allowed"
        )


def not_found(name: str, token: str | None, decisions: Decisions) -> TableNotFound:
    """The same words for a table that does not exist and for one the caller may not know of."""
    known = decisions.decide(token, None, "describe").tables
    visible = [each for each, of in known.items() if of.decision in ("permit", "deny")]
    near = difflib.get_close_matches(name, [each for each in visible if each != name], n=3)
    return TableNotFound(
        f"no table {name} that you may know of; GET /v1/tables lists them",
        table=name,
        suggestions=near or None,
    )


def _denied(name: str, table: TableDecision) -> AccessDenied:
    return AccessDenied(
        f"access to {name} is not granted: {table.reason}",
        table=name,
        reason=table.reason,
        tier=table.tier or None,
        access_url=table.access_url or None,
    )
