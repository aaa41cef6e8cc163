"""Forms of everybody who is known by a cookie carry a token, on CKAN's pages and on ours.

CKAN checks the token too, but as soon as somebody without a session opens a view, it stops checking
that view for everybody, for as long as the process lives.
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
    """Refuse with 400 what a session's cookie alone would allow.

    CKAN's mark ``login_via_auth_header`` says that no session speaks: an API token, or nobody.
    """
    if flask.current_app.config["WTF_CSRF_ENABLED"] and not flask.g.get("login_via_auth_header"):
        csrf.protect()
