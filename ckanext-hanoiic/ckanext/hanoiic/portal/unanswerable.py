"""Answers 400 or 404 to requests that CKAN and ckanext-dcat would fail on with an error of the
server."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import flask
from ckan.lib.search import SearchError
from ckan.plugins import toolkit as tk
from rdflib.plugin import PluginException
from werkzeug.exceptions import BadRequest, Forbidden, HTTPException, NotFound

NUL = "\0"  # which PostgreSQL can't compare with anything
TOLD: Mapping[type[Exception], type[HTTPException]] = {
    SearchError: BadRequest,  # a feed or catalogue of a query that can't be read
    tk.ObjectNotFound: NotFound,  # a form for a dataset that is none
    tk.NotAuthorized: Forbidden,
    PluginException: NotFound,  # an RDF format that nobody writes: /catalog.doc
}


def install(app: Any) -> Any:
    """Watch every request of the Flask application ``app``."""
    app.before_request(refuse_nul)
    for failure, told in TOLD.items():
        app.register_error_handler(failure, _as(told))
    return app


def refuse_nul() -> flask.Response | None:
    """Refuse an address or a query with the character 0, which no name and no word has."""
    request = flask.request
    asked = (request.path, *request.args.keys(), *(v for _, v in request.args.items(multi=True)))
    if not any(NUL in text for text in asked):
        return None
    if not request.path.startswith("/api/"):
        raise BadRequest
    error = {"__type": "Bad Request", "message": tk._("The request could not be understood")}
    answer = flask.jsonify(success=False, error=error)
    answer.status_code = BadRequest.code
    return answer


def _as(told: type[HTTPException]) -> Callable[[Exception], Any]:
    def answer(_failure: Exception) -> Any:
        return flask.current_app.handle_http_exception(told())

    return answer
