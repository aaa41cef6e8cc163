"""One request for tables, and what receipts and the portal are told of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from api_gateway import forwarded
from api_gateway.decisions import fingerprint
from api_gateway.introspection import Decision, TableDecision
from api_gateway.shelf import Shelved
from lake import logs


@dataclass(frozen=True)
class Visit:
    """One request for tables: by whom, through which door, by which decision, for which versions.

    `query` is what is asked, as a text: the same one for requests that have the same answer. `once`
    is the key under which a repeated request is charged only once.
    """

    door: str
    action: str
    token: str | None
    address: str | None
    decision: Decision
    tables: tuple[str, ...]
    shelved: tuple[Shelved, ...]
    query: str
    media_type: str
    issuer: str
    once: str | None = None
    # Kept here, as an answer may end when its request's context is gone.
    request_id: str | None = field(default_factory=logs.request_id)

    @property
    def who(self) -> str:
        """Who is counted: the organisation, else the user, the token or the address."""
        told = self.decision.organization_id or self.decision.sub
        return told or fingerprint(self.token) or f"address:{forwarded.group(self.address)}"

    @property
    def limits(self) -> dict[str, float]:
        """The limits that hold for all of its tables: the lowest of each."""
        return strictest(each.decision for each in self.shelved)

    @property
    def charged_once_as(self) -> str | None:
        """The caller's key, with everything that the answer is made of: the same key with another
        answer is charged again."""
        if self.once is None:
            return None
        made_of = [self.who, self.once, self.query, self.media_type]
        made_of += [f"{each.table}@{each.version.number}" for each in self.shelved]
        return hashlib.sha256("\0".join(made_of).encode()).hexdigest()


def strictest(decisions: Iterable[TableDecision]) -> dict[str, float]:
    """The lowest of each limit of several tables."""
    found: dict[str, float] = {}
    for each in decisions:
        for name, value in each.limits.items():
            found[name] = min(value, found.get(name, float("inf")))
    return found


def statement(visit: Visit) -> dict[str, Any]:
    """The members of a receipt that are known before the answer is made."""
    return {
        "sub": visit.decision.organization or visit.decision.username or "anonymous",
        "query_sha256": hashlib.sha256(visit.query.encode()).hexdigest(),
        "tables": [
            {
                "name": each.table,
                "version": each.version.number,
                "content_hash": each.version.content_hash,
                "edition": each.decision.edition,
                "agreement": each.decision.agreement,
                "licence": {
                    name: each.decision.licence.get(name) for name in ("id", "version", "hash")
                },
            }
            for each in visit.shelved
        ],
    }


def event(visit: Visit, outcome: str, **more: Any) -> dict[str, Any]:
    """What the portal is told of a visit (docs/architecture.md, "Quotas and usage")."""
    decision = visit.decision
    versions = {each.table: each.version.number for each in visit.shelved}
    return {
        "id": str(uuid4()),
        "at": datetime.now(UTC).isoformat(),
        "request_id": visit.request_id,
        "door": visit.door,
        "action": visit.action,
        "token_id": decision.token_id,
        "client_id": decision.client_id,
        "sub": decision.sub,
        "organization_id": decision.organization_id,
        "outcome": outcome,
        "tables": [_told(name, decision.of(name), versions.get(name)) for name in visit.tables],
        **more,
    }


def _told(name: str, table: TableDecision, version: int | None) -> dict[str, Any]:
    licence = table.licence
    return {
        "name": name,
        "version": version,
        "edition": table.edition,
        "agreement": table.agreement,
        "licence": f"{licence['id']}@{licence.get('version')}" if licence.get("id") else None,
    }
