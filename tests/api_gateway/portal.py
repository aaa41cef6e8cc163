"""A portal for tests: answers `hanoiic_introspect` over real HTTP from tables that a test sets."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import redis
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from api_gateway.decisions import EPOCH_KEY
from tests.api_gateway.quota_office import QuotaOffice

CREDENTIAL = "credential-of-the-gateway"
STARTUP = "hic_startup"
PATH = "/api/3/action/hanoiic_introspect"
LINK_PATH = "/api/3/action/hanoiic_link_create"
LICENCE = {
    "id": "CC-BY-4.0",
    "version": 1,
    "title": "Ghi công 4.0",
    "url": "https://creativecommons.org/licenses/by/4.0/",
    "attribution": "Trung tâm Đổi mới sáng tạo Hà Nội",
}


def permit(tier: str = "open", edition: str | None = None, title: str = "Bảng thử") -> dict:
    return {
        "decision": "permit",
        "reason": tier,
        "tier": tier,
        "edition": edition,
        "agreement": None,
        "open_to": ["describe", "query", "download", "share"] if tier == "open" else [],
        "dataset": {"name": "x", "title": title, "url": "https://portal.test/dataset/x"},
        "licence": LICENCE,
    }


def deny(reason: str, tier: str = "click") -> dict:
    return {
        "decision": "deny",
        "reason": reason,
        "access_url": "https://portal.test/dataset/x#access",
        "tier": tier,
        "dataset": {"name": "x", "title": "Bảng kín", "url": "https://portal.test/dataset/x"},
        "licence": LICENCE,
    }


@dataclass
class FakePortal:
    """`tables[token][name]` is the decision; a token that is not there is unknown."""

    server: HTTPServer
    valkey: redis.Redis
    office: QuotaOffice
    tables: dict[str | None, dict[str, Any]] = field(default_factory=dict)
    token_errors: dict[str, str] = field(default_factory=dict)
    away: bool = False
    networks: list[str] | None = None
    # Of a token's owner, by token.
    organizations: dict[str | None, str] = field(default_factory=dict)
    asked: list[dict[str, Any]] = field(default_factory=list)
    # What a link token is bound to; see `_link`.
    links: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.server.expect_request(PATH, method="POST").respond_with_handler(self._answer)
        self.server.expect_request(
            "/api/3/action/hanoiic_link_create", method="POST"
        ).respond_with_handler(self._link)

    def change(self) -> None:
        """What licensing does with every change: raise the epoch."""
        self.valkey.incr(EPOCH_KEY)
        # Valkey answers us before it tells the gateways; what we ask next it answers after that.
        self.valkey.ping()

    def _answer(self, request: Request) -> Response:
        if self.away:
            return Response("away", 503)
        assert request.headers["Authorization"] == CREDENTIAL
        asked = json.loads(request.data)
        self.asked.append({**asked, "request_id": request.headers.get("X-Request-Id")})
        result: dict[str, Any] = {"epoch": int(self.valkey.get(EPOCH_KEY) or 0), "tables": {}}
        token, claims = asked["token"], None
        if link := self.links.get(token):
            # A link is bound to its bearer, one table and one action.
            held = self.tables[link["token"]].get(link["table"], {})
            known = {link["table"]: held} if asked["action"] == link["action"] else {}
            claims = link["claims"]
            self.tables[token] = known
        if token not in self.tables:
            error = self.token_errors.get(token, "token_unknown")
            result |= {"active": False, "token_error": error}
        else:
            known = self.tables[token]
            names = known if asked["tables"] is None else asked["tables"]
            result |= {
                "active": token is not None,
                "username": "startup" if token else None,
                "organization_id": self.organizations.get(token),
                "claims": claims,
                "networks": self.networks if token else None,
                "tables": {name: known.get(name, {"decision": "unknown"}) for name in names},
            }
        return _success(result)

    def _link(self, request: Request) -> Response:
        """A link's token, for its table and action as its maker may read it."""
        assert request.headers["Authorization"] == CREDENTIAL
        asked = json.loads(request.data)
        token = f"hic_l_{uuid4().hex}.signed"
        self.links[token] = asked
        return _success({"token": token, "expires_at": int(time.time()) + asked["lifetime_s"]})


def _success(result: dict[str, Any]) -> Response:
    body = json.dumps({"success": True, "result": result})
    return Response(body, 200, content_type="application/json")
