"""The gateway's questions, answered without what CKAN prepares for a browser.

Each of the gateway's answers may wait for one of these actions. For the gateway's own user they are
answered before CKAN prepares the request, so without a page's globals, session and language. The
action itself is called as CKAN calls it, with its validation and its rights.

CKAN also looks up an API token with every request and notes its use: all requests of a busy gateway
would queue for the UPDATE of that one row. Here each process checks the token as CKAN does, but
once in five seconds, and notes its use once a minute.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from dataclasses import dataclass
from typing import Any

from ckan import model
from ckan.config.middleware.flask_app import ckan_before_request
from ckan.lib import api_token
from ckan.plugins import toolkit as tk
from ckan.views import api
from flask import Response, g, request

ACTIONS = frozenset(
    f"hanoiic_{name}"
    for name in ("introspect", "link_create", "usage_lease", "usage_settle", "usage_record")
)
NOTED_EVERY_S = 60.0
# No longer than the gateway itself remembers a decision.
KNOWN_S = 5.0


@dataclass(frozen=True)
class _Known:
    """A token (SHA-256) that was the gateway's, and until when that need not be asked again."""

    digest: bytes
    user: model.User
    until: float


_known: _Known | None = None
_noted_at = float("-inf")


def install(app: Any) -> Any:
    """Answer the gateway before CKAN's own handlers of the Flask application ``app`` begin."""
    handlers = app.before_request_funcs[None]
    if answer not in handlers:
        handlers.insert(handlers.index(ckan_before_request), answer)
    return app


def answer() -> Response | None:
    """The answer to the gateway; None leaves the request to CKAN."""
    action = _asked()
    if action is None or request.method != "POST" or identify() is None:
        return None
    # CKAN's handler of responses reads here when the request began.
    setattr(g, "__timer", time.time())
    return api.action(action, api.API_DEFAULT_VERSION)


def _asked() -> str | None:
    path, _, action = request.path.rpartition("/")
    return action if action in ACTIONS and path.endswith("/action") else None


def identify() -> model.User | None:
    """The gateway's user behind a request for one of its actions; None leaves it to CKAN."""
    if "hanoiic_gateway" not in g:
        g.hanoiic_gateway = _identify()
    return g.hanoiic_gateway


def _identify() -> model.User | None:
    token = request.headers.get(tk.config["apitoken_header_name"], "")
    if _asked() is None or not token:
        return None
    user = _remembered(token) or _looked_up(token)
    if user is not None:
        # This is how CKAN marks a request that was not made with a browser's cookie.
        g.login_via_auth_header = True
    return user


def _remembered(token: str) -> model.User | None:
    known = _known
    if known is None or time.monotonic() >= known.until:
        return None
    same = hmac.compare_digest(known.digest, hashlib.sha256(token.encode()).digest())
    return known.user if same else None


def _looked_up(token: str) -> model.User | None:
    global _known, _noted_at
    now = time.monotonic()
    due = now - _noted_at >= NOTED_EVERY_S
    user = api_token.get_user_from_token(token, update_access_time=due)
    if user is None or user.name != tk.config["hanoiic.gateway_user"] or not user.is_active:
        return None
    if due:
        _noted_at = now
    # Detached from the session, so that it stays as it was read.
    model.Session.expunge(user)
    _known = _Known(hashlib.sha256(token.encode()).digest(), user, now + KNOWN_S)
    return user
