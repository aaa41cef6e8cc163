"""The portal as the harvesters see it: CKAN's actions in memory, over real HTTP."""

from __future__ import annotations

import copy
import json
import math
import re
import threading
import time
import uuid
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "harvester-token"
FINISHED = ("published", "unchanged", "held", "refused", "failed")
# A run whose worker does not say that it queued it is handed out again.
CLAIM_LEASE_S = 30.0


class ActionError(Exception):
    def __init__(self, status: int, error: dict[str, Any]) -> None:
        super().__init__(error)
        self.status = status
        self.error = error


def not_found() -> ActionError:
    return ActionError(404, {"__type": "Not Found Error", "message": "Not found"})


def invalid(**fields: list[str]) -> ActionError:
    return ActionError(409, {"__type": "Validation Error", **fields})


class FakePortal:
    """`datasets`, `sources`, `runs` and `previews` by id; `editions` are those wanted; `reserved`
    is table → source, `uploads` are id → bytes, `secrets` name → kind, host and value, `calls` are
    the names of the actions called.

    `before` may raise or wait before an action: `portal.before["package_create"] = …`.
    """

    def __init__(self) -> None:
        self.datasets: dict[str, dict[str, Any]] = {}
        self.sources: dict[str, dict[str, Any]] = {}
        self.runs: dict[str, dict[str, Any]] = {}
        self.previews: dict[str, dict[str, Any]] = {}
        self.editions: list[dict[str, Any]] = []
        self.edition_reports: list[dict[str, Any]] = []
        self.edition_previews: dict[str, dict[str, Any]] = {}
        self.pins: dict[str, list[int]] = {}
        self.uploads: dict[str, bytes] = {}
        self.secrets: dict[str, dict[str, str]] = {}
        self.reserved: dict[str, str] = {}
        self.claim_lease_s = CLAIM_LEASE_S
        self.calls: list[str] = []
        self.request_ids: set[str | None] = set()
        self.before: dict[str, Callable[[dict[str, Any]], None]] = {}
        self._lock = threading.RLock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}
        )
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def add_source(self, **fields: Any) -> dict[str, Any]:
        source = {
            "id": str(uuid.uuid4()),
            "title": "Nguồn thử",
            "owner_org": "so-tai-nguyen",
            "options": {},
            "dataset": {},
            "state": "active",
            **fields,
        }
        self.sources[source["id"]] = source
        return source

    def ask_for_run(self, source: dict[str, Any], trigger: str = "manual") -> dict[str, Any]:
        return self._run(source_id=source["id"], state="requested", trigger=trigger)

    def ask_for_preview(self, **fields: Any) -> dict[str, Any]:
        preview = {"id": str(uuid.uuid4()), "kind": "", "options": {}, "secret": "", **fields}
        preview |= {"state": "requested", "stages": [], "result": None}
        self.previews[preview["id"]] = preview
        return preview

    def counted(self, action: str) -> int:
        return self.calls.count(action)

    def _run(self, **fields: Any) -> dict[str, Any]:
        run = {"id": str(uuid.uuid4()), "stages": [], "tables": [], "error": None, "lease": 0.0}
        run |= fields
        self.runs[run["id"]] = run
        return run

    def _dataset(self, reference: str) -> dict[str, Any]:
        for dataset in self.datasets.values():
            if reference in (dataset["id"], dataset["name"]):
                return dataset
        raise not_found()

    # --- actions --------------------------------------------------------------------------------

    def package_show(self, data: dict[str, Any]) -> Any:
        return self._dataset(data["id"])

    def package_create(self, data: dict[str, Any]) -> Any:
        if any(dataset["name"] == data["name"] for dataset in self.datasets.values()):
            raise invalid(name=["That URL is already in use."])
        dataset = {**data, "id": str(uuid.uuid4()), "state": "active"}
        self.datasets[dataset["id"]] = dataset
        return self._stored(dataset)

    def hanoiic_datasets_create(self, data: dict[str, Any]) -> Any:
        """All of them or none."""
        before = dict(self.datasets)
        try:
            made = [self.package_create(fields) for fields in data["datasets"]]
        except ActionError:
            self.datasets = before
            raise
        return {"datasets": [{"id": one["id"], "name": one["name"]} for one in made]}

    def package_update(self, data: dict[str, Any]) -> Any:
        dataset = self._dataset(data["id"])
        dataset.clear()
        dataset.update(data)
        return self._stored(dataset)

    def package_patch(self, data: dict[str, Any]) -> Any:
        dataset = self._dataset(data["id"])
        dataset.update(data)
        return dataset

    def _stored(self, dataset: dict[str, Any]) -> dict[str, Any]:
        for resource in dataset["resources"]:
            resource.setdefault("id", str(uuid.uuid4()))
            for key in ("row_count", "byte_count", "lake_version"):
                if key in resource:
                    resource[key] = str(resource[key])
        return dataset

    def package_search(self, data: dict[str, Any]) -> Any:
        wanted = re.findall(r'(\w+):"([^"]*)"', data.get("fq", ""))
        found = [
            dataset
            for dataset in self.datasets.values()
            if all(dataset.get(key) == value for key, value in wanted)
        ]
        return {"count": len(found), "results": found}

    def hanoiic_source_show(self, data: dict[str, Any]) -> Any:
        for source in self.sources.values():
            if data["id"] in (source["id"], source["name"]):
                return source
        raise not_found()

    def hanoiic_secret_read(self, data: dict[str, Any]) -> Any:
        if "preview_id" in data:
            user = self.previews.get(data["preview_id"], {})
            named = user.get("secret") or user.get("options", {}).get("secret")
        else:
            named = self.sources.get(data["source_id"], {}).get("options", {}).get("secret")
        if named != data["name"] or named not in self.secrets:
            raise not_found()
        return {"name": named, **self.secrets[named]}

    def hanoiic_tables_reserve(self, data: dict[str, Any]) -> Any:
        for table in data["tables"]:
            if (owner := self.reserved.setdefault(table, data["source_id"])) != data["source_id"]:
                raise invalid(
                    message=["taken"], code=["table_taken"], table=[table], source_id=[owner]
                )
        return {"tables": data["tables"]}

    def hanoiic_run_create(self, data: dict[str, Any]) -> Any:
        return self._run(**data)

    def hanoiic_run_show(self, data: dict[str, Any]) -> Any:
        return self.runs[data["id"]]

    def hanoiic_run_update(self, data: dict[str, Any]) -> Any:
        run = self.runs[data["id"]]
        if run["state"] in FINISHED and data.get("state") != run["state"]:
            raise invalid(message=["The run has ended."], code=["run_finished"])
        run.update(data)
        run["lease"] = math.inf
        return run

    def hanoiic_run_claim(self, data: dict[str, Any]) -> Any:
        now = time.monotonic()
        free = [
            run for run in self.runs.values() if run["state"] == "requested" and run["lease"] <= now
        ][: data["limit"]]
        for run in free:
            run["lease"] = now + self.claim_lease_s
        return [{**run, "source": self.sources[run["source_id"]]} for run in free]

    def hanoiic_preview_claim(self, data: dict[str, Any]) -> Any:
        waiting = [one for one in self.previews.values() if one["state"] == "requested"]
        for preview in waiting[: data["limit"]]:
            preview["state"] = "running"
        return waiting[: data["limit"]]

    def hanoiic_preview_update(self, data: dict[str, Any]) -> Any:
        self.previews[data["id"]].update(data)
        return self.previews[data["id"]]

    def hanoiic_edition_list(self, data: dict[str, Any]) -> Any:
        return [one for one in self.editions if data.get("table") in (None, one["table"])]

    def hanoiic_edition_report(self, data: dict[str, Any]) -> Any:
        self.edition_reports.append(data)
        for one in self.editions:
            if one["edition"] == data["edition"]:
                one["state"] = data["state"]
                one[f"{data['state']}_version"] = data["version"]
        return data

    def hanoiic_edition_preview_claim(self, data: dict[str, Any]) -> Any:
        waiting = [one for one in self.edition_previews.values() if one["state"] == "requested"]
        for one in waiting:
            one["state"] = "running"
        return waiting

    def hanoiic_edition_preview_update(self, data: dict[str, Any]) -> Any:
        self.edition_previews[data["id"]].update(data)
        return data

    def hanoiic_pins_list(self, data: dict[str, Any]) -> Any:
        return self.pins

    # --- HTTP -----------------------------------------------------------------------------------

    def _answer(self, action: str, token: str | None, data: dict[str, Any]) -> tuple[int, Any]:
        self.calls.append(action)
        try:
            if token != TOKEN:
                raise ActionError(403, {"__type": "Authorization Error", "message": "No"})
            if action in self.before:
                self.before[action](data)
            with self._lock:
                result = copy.deepcopy(getattr(self, action)(data))
        except ActionError as error:
            return error.status, {"success": False, "error": error.error}
        return 200, {"success": True, "result": result}

    def _handler(portal) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                action = self.path.rpartition("/")[2]
                portal.request_ids.add(self.headers.get("X-Request-Id"))
                status, answer = portal._answer(
                    action, self.headers.get("Authorization"), json.loads(body or b"{}")
                )
                content = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def do_GET(self) -> None:
                allowed = self.headers.get("Authorization") == TOKEN
                upload = portal.uploads.get(self.path.removeprefix("/hanoiic/uploads/"))
                status = 403 if not allowed else 404 if upload is None else 200
                content = upload if status == 200 else b""
                self.send_response(status)
                self.send_header("Content-Length", str(len(content or b"")))
                self.end_headers()
                self.wfile.write(content or b"")

            def log_message(self, *_: Any) -> None:
                return

        return Handler
