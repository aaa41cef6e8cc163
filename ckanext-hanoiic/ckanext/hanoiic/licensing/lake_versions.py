"""The versions of lake tables, as the gateway tells an officer: what an offer can keep."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

import requests
from ckan.plugins import toolkit as tk

log = logging.getLogger(__name__)

TIMEOUT_S = 3.0
# A table that changes every hour has more than anyone reads through.
MOST_LISTED = 100


def listed(tables: Iterable[str]) -> dict[str, list[dict[str, Any]]]:
    """Table → its newest versions (``version``, ``published_at``, ``row_count``), newest first.

    Asked with the present user's own right. A table that the gateway does not tell about now is
    left out, and so are those after it when the gateway does not answer.
    """
    address = tk.config["hanoiic.gateway_internal_url"] or tk.config["hanoiic.gateway_url"]
    token = tk.get_action("hanoiic_preview_token")({}, {})["token"]
    told: dict[str, list[dict[str, Any]]] = {}
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {token}"
        for table in tables:
            try:
                answer = session.get(f"{address}/v1/tables/{table}", timeout=TIMEOUT_S)
                if answer.ok:
                    told[table] = list(answer.json()["versions"])[:MOST_LISTED]
            except (requests.RequestException, ValueError, KeyError) as error:
                log.warning("versions_not_told cause=%s", type(error).__name__)
                break
    return told
