"""The portal's side of quotas and events for tests, over real HTTP: counts as the contract says."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

_ACTIONS = "/api/3/action/"


@dataclass
class QuotaOffice:
    """`quota[agreement]` limits queries, rows, bytes; what it does not name is unlimited."""

    server: HTTPServer
    quota: dict[str, dict[str, int]] = field(default_factory=dict)
    away: bool = False
    events: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self.used: dict[str, dict[str, int]] = {}
        self.leases: dict[str, dict[str, Any]] = {}
        self.lease_calls = 0
        for name, answer in {
            "hanoiic_usage_lease": self._lease,
            "hanoiic_usage_settle": self._settle,
            "hanoiic_usage_record": self._record,
        }.items():
            self.server.expect_request(_ACTIONS + name, method="POST").respond_with_handler(
                lambda request, answer=answer: self._answer(request, answer)
            )

    def taken(self, agreement: str, what: str) -> int:
        """Used and leased together."""
        open_leases = [
            lease["granted"].get(what, 0)
            for lease in self.leases.values()
            if lease["agreement"] == agreement and not lease["final"]
        ]
        return self.used.get(agreement, {}).get(what, 0) + sum(open_leases)

    def _answer(self, request: Request, answer: Any) -> Response:
        if self.away:
            return Response("away", 503)
        with self._lock:
            status, body = answer(json.loads(request.data))
        return Response(json.dumps(body), status, content_type="application/json")

    def _lease(self, asked: dict[str, Any]) -> tuple[int, Any]:
        self.lease_calls += 1
        for lease in self.leases.values():
            if lease["key"] == asked["key"]:
                return 200, self._told(lease)
        limits, granted = self.quota[asked["agreement"]], {}
        for what, wanted in asked["want"].items():
            if what not in limits:
                continue
            left = limits[what] - self.taken(asked["agreement"], what)
            enough = left >= wanted if what == "queries" else left > 0
            if wanted and not enough:
                facts = {"code": ["quota_exceeded"], "quota": [what], "resets_at": [1800000000]}
                return 409, {"success": False, "error": {"__type": "Validation Error", **facts}}
            granted[what] = min(wanted, left)
        lease = {
            "id": str(uuid4()), "key": asked["key"], "agreement": asked["agreement"],
            "granted": granted, "final": False,
        }  # fmt: skip
        self.leases[lease["id"]] = lease
        return 200, self._told(lease)

    def _told(self, lease: dict[str, Any]) -> dict[str, Any]:
        limits = self.quota[lease["agreement"]]
        left = {what: limits[what] - self.taken(lease["agreement"], what) for what in limits}
        result = {"lease": lease["id"], "granted": lease["granted"], "remaining": left}
        return {"success": True, "result": result}

    def _settle(self, told: dict[str, Any]) -> tuple[int, Any]:
        lease = self.leases[told["lease"]]
        lease["told"] = told["used"]
        if told["final"] and not lease["final"]:
            lease["final"] = True
            used = self.used.setdefault(lease["agreement"], {})
            for what, amount in told["used"].items():
                used[what] = used.get(what, 0) + amount
        return 200, {"success": True, "result": {}}

    def _record(self, told: dict[str, Any]) -> tuple[int, Any]:
        known = {each["id"] for each in self.events}
        self.events += [each for each in told["events"] if each["id"] not in known]
        return 200, {"success": True, "result": {}}
