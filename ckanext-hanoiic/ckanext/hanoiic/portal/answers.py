"""Corrects headers of answers that CKAN and ckanext-dcat leave out or set wrongly."""

from __future__ import annotations

from typing import Any

import flask
from ckan.plugins import toolkit as tk

# Texts for which clients take Latin-1 unless they are told.
UTF8 = frozenset({"text/turtle", "text/n3"})


def install(app: Any) -> Any:
    """See every answer of the Flask application ``app``, after CKAN has."""
    app.after_request_funcs.setdefault(None, []).insert(0, complete)
    return app


def complete(response: flask.Response) -> flask.Response:
    if response.mimetype in UTF8:
        response.content_type = f"{response.mimetype}; charset=utf-8"
    # CKAN marks every answer of its API as public, even if others may not see it.
    if response.cache_control.public and tk.current_user.is_authenticated:
        response.headers["Cache-Control"] = "private, no-store"
    return response
