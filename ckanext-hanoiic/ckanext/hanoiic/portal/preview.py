"""The first rows and the versions of a dataset's tables, asked from the gateway for its page.

The page never waits longer than ``DEADLINE_S`` for all its tables together, and shows a friendly
note where an answer is missing. Rows of open tables are kept in Valkey under (table, version). Rows
that need a right are asked for at every view, with a token that lasts a minute and is this user's
alone. So are those of an edition, as the gateway serves the previous one while a new one is
written.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import requests
from ckan.lib.redis import connect_to_redis
from ckan.plugins import toolkit as tk
from redis.exceptions import RedisError

from .request_log import HEADER, request_id
from .table_terms import table_terms

DEADLINE_S = 3.0
CONNECT_S = 1.0
ROWS = 10
KEPT_S = 24 * 3600
RESTING_S = 15
WORKERS = 4
MAX_BYTES = 512 * 1024
RESTING_KEY = "hanoiic:preview:resting"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Preview:
    """What a page can show of one table.

    ``state`` is ``rows``, ``locked`` (this person has no right yet) or ``unavailable`` (no answer
    in time). ``versions`` are the gateway's, newest first.
    """

    state: str
    rows: list[dict[str, Any]] = field(default_factory=list)
    versions: list[dict[str, Any]] = field(default_factory=list)

    def shown_columns(self, columns: list[dict[str, Any]]) -> list[str]:
        """Names of the columns worth a place in a table: no binary ones."""
        binary = {c["name"] for c in columns if c["type"] in ("binary", "geometry")}
        return [name for name in (self.rows[0] if self.rows else {}) if name not in binary]


UNAVAILABLE = Preview("unavailable")
LOCKED = Preview("locked")


class GatewayRefused(Exception):
    """The gateway answered that this caller may not read the table."""

    code = "preview_refused"


def previews(dataset: Mapping[str, Any]) -> dict[str, Preview]:
    """A preview for every resource of ``dataset`` with a lake table, by the resource's id."""
    terms = table_terms(dataset)
    tables = {one["id"]: one for one in dataset.get("resources", []) if one["id"] in terms}
    keys = {id_: _key(tables[id_], terms[id_].offer_id) for id_ in terms if terms[id_].whole}
    found = {id_: kept for id_, key in keys.items() if (kept := _kept(key))}
    closed = any(not one.is_open for one in terms.values())
    token = _preview_token() if closed else None
    if token is None:
        found |= {id_: LOCKED for id_, one in terms.items() if not one.is_open}
    wanted = {id_: resource for id_, resource in tables.items() if id_ not in found}
    if not wanted:
        return found
    headers = {HEADER: request_id(), "Accept-Language": tk.h.lang()}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    asked = _ask_all(wanted, headers)
    for id_ in keys.keys() & asked.keys():
        _keep(keys[id_], asked[id_])
    return found | asked


def _ask_all(tables: Mapping[str, dict[str, Any]], headers: dict[str, str]) -> dict[str, Preview]:
    if _resting():
        return dict.fromkeys(tables, UNAVAILABLE)
    base = tk.config["hanoiic.gateway_internal_url"].rstrip("/")
    ends = time.monotonic() + DEADLINE_S
    pool = ThreadPoolExecutor(max_workers=WORKERS, thread_name_prefix="preview")
    futures = {
        id_: pool.submit(_ask, base, resource["lake_table"], headers, ends)
        for id_, resource in tables.items()
    }
    answers = {id_: _outcome(future, ends) for id_, future in futures.items()}
    # Don't wait for threads that still wait for the gateway.
    pool.shutdown(wait=False, cancel_futures=True)
    return answers


def _outcome(future: Future[Preview], ends: float) -> Preview:
    try:
        return future.result(timeout=max(0.0, ends - time.monotonic()))
    except GatewayRefused:
        return LOCKED
    except TimeoutError:
        _rest()
    except (requests.RequestException, ValueError, KeyError) as problem:
        log.warning("No preview from the gateway: %s", type(problem).__name__)
    return UNAVAILABLE


def _ask(base: str, table: str, headers: dict[str, str], ends: float) -> Preview:
    def get(path: str, read: Callable[[bytes], Any], **query: str) -> Any:
        left = max(0.1, ends - time.monotonic())
        with requests.get(
            base + path,
            params=query,
            headers=headers,
            timeout=(CONNECT_S, left),
            stream=True,
            allow_redirects=False,
        ) as answer:
            if answer.status_code in (401, 403, 404):
                raise GatewayRefused
            answer.raise_for_status()
            body = answer.raw.read(MAX_BYTES + 1, decode_content=True)
        if len(body) > MAX_BYTES:
            raise ValueError("the gateway's answer is larger than a preview")
        return read(body)

    state, rows = "rows", []
    try:
        rows = get(
            "/v1/sql",
            lambda body: [json.loads(line) for line in body.splitlines() if line.strip()],
            q=f'SELECT * FROM "{table}" LIMIT {ROWS}',  # noqa: S608 (a checked table name)
            format="ndjson",
        )
    except GatewayRefused:
        state = "locked"
    described = get(f"/v1/tables/{table}", json.loads)
    return Preview(state, rows, described["versions"])


def _preview_token() -> str | None:
    """A token that lasts a minute for the person who looks; None for one who has not signed in."""
    if not tk.current_user.is_authenticated:
        return None
    try:
        return tk.get_action("hanoiic_preview_token")({"user": tk.current_user.name}, {})["token"]
    except (KeyError, tk.NotAuthorized):
        return None


def _key(resource: Mapping[str, Any], offer_id: str) -> str:
    """What an offer shows is fixed by its id: under other terms nothing is answered from here."""
    version = resource.get("lake_version", "")
    return f"hanoiic:preview:{resource['lake_table']}:{version}:{offer_id}"


def _kept(key: str) -> Preview | None:
    try:
        text = connect_to_redis().get(key)
    except RedisError:
        return None
    return Preview(**json.loads(text)) if text else None


def _keep(key: str, preview: Preview) -> None:
    if preview.state != "rows":
        return
    text = json.dumps(vars(preview), ensure_ascii=False)
    try:
        connect_to_redis().set(key, text, ex=KEPT_S)
    except RedisError as problem:
        log.warning("Preview not kept: %s", type(problem).__name__)


def _resting() -> bool:
    """Whether the gateway kept a page waiting a moment ago: then the next pages do not ask it."""
    try:
        return bool(connect_to_redis().exists(RESTING_KEY))
    except RedisError:
        return False


def _rest() -> None:
    try:
        connect_to_redis().set(RESTING_KEY, 1, ex=RESTING_S)
    except RedisError as problem:
        log.warning("The pause is not kept: %s", type(problem).__name__)
