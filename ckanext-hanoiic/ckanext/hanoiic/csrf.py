"""Protects forms against cross-site requests: whoever is known by a cookie must send a token, on
all pages.

CKAN checks the token too. But once somebody without a session has opened a view, its process never
again checks that view, for anybody.
"""

from __future__ import annotations

from typing import Any

import flask
from ckan.config.middleware.flask_app import csrf


def guard(app: Any) -> Any:
    """Check every request of the Flask application ``app``, after CKAN has told who asks."""
    app.before_request(protect_sessions)
    return app


def protect_sessions() -> None:
    """Refuse with 400 a request that only a session's cookie would allow.

    CKAN's mark ``login_via_auth_header`` says that no session speaks: an API token, or nobody.
    """
    if flask.current_app.config["WTF_CSRF_ENABLED"] and not flask.g.get("login_via_auth_header"):
        csrf.protect()
