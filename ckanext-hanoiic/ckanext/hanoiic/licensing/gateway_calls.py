"""Who calls the gateway's actions, found without a write.

CKAN notes every use of an API token: an UPDATE and a commit of the token's one row, for which all
requests of a busy gateway would queue. Here its token is checked as CKAN does it, and its use is
noted once a minute for each process.
"""

from __future__ import annotations

import time

from ckan import model
from ckan.lib import api_token
from ckan.plugins import toolkit as tk
from flask import g, request

ACTIONS = frozenset(
    f"hanoiic_{name}"
    for name in ("introspect", "link_create", "usage_lease", "usage_settle", "usage_record")
)
NOTED_EVERY_S = 60.0

_noted_at = float("-inf")


def identify() -> model.User | None:
    """The gateway's user behind a request for one of its actions; None leaves it to CKAN."""
    global _noted_at
    path, _, action = request.path.rpartition("/")
    token = request.headers.get(tk.config["apitoken_header_name"], "")
    if action not in ACTIONS or not path.endswith("/action") or not token:
        return None
    due = time.monotonic() - _noted_at >= NOTED_EVERY_S
    user = api_token.get_user_from_token(token, update_access_time=due)
    if user is None or user.name != tk.config["hanoiic.gateway_user"] or not user.is_active:
        return None
    if due:
        _noted_at = time.monotonic()
    # As CKAN marks a request that no browser's cookie made.
    g.login_via_auth_header = True
    return user
