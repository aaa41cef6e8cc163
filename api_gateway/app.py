"""The gateway as a WSGI application, `api_gateway.app:create_app()`, for gunicorn with the worker
class `api_gateway.serving.Worker`."""

from __future__ import annotations

import atexit
import logging
import os
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import redis
from flask import Flask, Response, g, jsonify, request
from gunicorn.http.errors import ParseException  # type: ignore[import-untyped]
from werkzeug.exceptions import HTTPException

from api_gateway import metrics, open_tables, titles
from api_gateway.cancelling import Queries
from api_gateway.decisions import Decisions, ValkeyEpoch
from api_gateway.errors import (
    PROBLEM_TYPE,
    BadRequest,
    GatewayError,
    MethodNotAllowed,
    NotFound,
    QueryCancelled,
    RangeMissing,
    TooLarge,
)
from api_gateway.exporter import Exporter
from api_gateway.exports import Exports
from api_gateway.introspection import CkanPortal
from api_gateway.meter import Meter
from api_gateway.portal import PortalActions
from api_gateway.process import ClientGone
from api_gateway.query import Gateway
from api_gateway.routes import (
    caller,
    downloads,
    exports,
    files,
    index,
    openapi,
    receipts,
    rows,
    share,
    sql,
    tables,
)
from api_gateway.settings import BODY_BYTES, Settings
from api_gateway.valkey import TIMEOUT_S, impatient
from lake import logs
from lake import settings as lake_settings

log = logging.getLogger(__name__)

_EXPOSED = (
    "Content-Disposition, Content-Range, Delta-Sharing-Capabilities, Delta-Table-Version, ETag, "
    "Hanoiic-Attribution, Hanoiic-Columns, "
    "Hanoiic-Query-Id, Hanoiic-Receipt, Hanoiic-Row-Limit, Hanoiic-Table-Versions, "
    "Hanoiic-Truncated, Link, RateLimit, RateLimit-Policy, Retry-After, WWW-Authenticate, "
    "X-Request-Id"
)
# CORS: any web page may ask, as befits a public API. There are no cookies that it could misuse.
_HEADERS = [
    ("Access-Control-Allow-Origin", "*"),
    ("Access-Control-Expose-Headers", _EXPOSED),
    ("X-Content-Type-Options", "nosniff"),
]
_POLICY = ("Content-Security-Policy", "default-src 'none'; sandbox")
# CORS: what browsers ask for before a request that is not a simple one (preflight).
_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, HEAD, POST, DELETE, OPTIONS",
    # Clients add headers of their own, as PostgREST's do; old browsers read only names.
    "Access-Control-Allow-Headers": (
        "Accept-Profile, Authorization, Content-Type, Hanoiic-Query-Id, Idempotency-Key, If-Match, "
        "If-Modified-Since, If-None-Match, If-Range, If-Unmodified-Since, Prefer, Range, "
        "Range-Unit, X-Client-Info, X-Request-Id, *"
    ),
    "Access-Control-Max-Age": "86400",
}
# The pages about data, whose requests are counted; those about the gateway itself are not.
_COUNTED = frozenset(
    {"downloads", "exports", "files", "receipts", "rows", "share", "sql", "tables"}
)
_HTTP_ERRORS: dict[int, type[GatewayError]] = {
    400: BadRequest,
    404: NotFound,
    405: MethodNotAllowed,
    413: TooLarge,
    416: RangeMissing,
}


class _Application(Flask):
    """Flask, without the steps of a request that the gateway does not need."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function as it is: no page is a coroutine, and Flask would check that seven
        times a request."""
        return func

    def wsgi_app(self, environ: WSGIEnvironment, start_response: StartResponse) -> Any:
        """Every answer gets `_HEADERS` here: Flask would read each of them over and over."""

        def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            own_policy = any(name == _POLICY[0] for name, _ in headers)
            added = _HEADERS if own_policy else [*_HEADERS, _POLICY]
            return start_response(status, headers + added, *error)

        return super().wsgi_app(environ, start)


def create_app(settings: Settings | None = None) -> Flask:
    """The application. Without arguments everything is told by the environment.

    Raises what `lake.settings` raises when the settings do not describe a gateway.
    """
    settings = settings or settings_from_environment()
    logs.configure("gateway", settings.log_level)
    app = _Application("api_gateway", static_folder=None)
    app.json.ensure_ascii = False  # type: ignore[attr-defined]
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.config["MAX_CONTENT_LENGTH"] = BODY_BYTES
    app.url_map.strict_slashes = False
    gateway = make_gateway(settings)
    app.extensions["hanoiic_gateway"] = gateway
    exporter = Exporter(gateway, _exports(settings))
    app.extensions["hanoiic_exporter"] = exporter
    atexit.register(gateway.close)
    # The last registered is called first: what is unfinished is left, not failed.
    atexit.register(exporter.close)
    for room in (
        index, tables, sql, downloads, exports, files, openapi, receipts, rows, share
    ):  # fmt: skip
        app.register_blueprint(room.pages)
    _carry_request_id(app)
    _count_requests(app, gateway)
    _measure(app)
    metrics.serve(settings.gateway_metrics_port, settings.gateway_metrics_host)
    _answer_problems(app)
    _warn_of_missing_locks(gateway)
    return app


def settings_from_environment() -> Settings:
    home = os.environ.get("HANOIIC_HOME")
    file = Path(home, "etc/gateway.env") if home else None
    return lake_settings.load(Settings, os.environ, home_file=file)


def make_gateway(settings: Settings) -> Gateway:
    credential = lake_settings.read_secret(settings.gateway_credential_file)
    actions = PortalActions(settings.portal_url, credential)
    url = lake_settings.read_secret(settings.redis_url_file)
    valkey = impatient(url)
    decisions = Decisions(CkanPortal(actions), ValkeyEpoch(valkey))
    open_tables.keep_current(decisions.confirm_open)
    # Waiting for messages takes longer than a lookup may: it needs a client of its own.
    patient = redis.Redis.from_url(url, socket_connect_timeout=TIMEOUT_S)
    return Gateway(settings, decisions, Meter(settings, actions, valkey), Queries(patient), actions)


def _exports(settings: Settings) -> Exports:
    secret = lake_settings.read_secret(settings.gateway_credential_file)
    return Exports(settings.exports_dir, secret, settings.exports_mb * 1024 * 1024)


def _carry_request_id(app: Flask) -> None:
    @app.before_request
    def begin() -> None:
        g.stack = ExitStack()
        g.begun = time.monotonic()
        g.request_id = g.stack.enter_context(
            logs.request(request.headers.get(logs.REQUEST_ID_HEADER))
        )

    @app.after_request
    def finish(response: Response) -> Response:
        response.headers[logs.REQUEST_ID_HEADER] = g.request_id
        if request.method == "OPTIONS":
            response.headers.extend(_PREFLIGHT)
        return response

    @app.teardown_request
    def end(_: BaseException | None) -> None:
        if stack := g.pop("stack", None):
            stack.close()


def _count_requests(app: Flask, gateway: Gateway) -> None:
    @app.before_request
    def count() -> None:
        if request.blueprint in _COUNTED and request.method != "OPTIONS":
            g.allowance = gateway.count(caller())

    @app.after_request
    def tell(response: Response) -> Response:
        if allowance := g.pop("allowance", None):
            response.headers.extend(allowance.headers)
        return response


def _measure(app: Flask) -> None:
    @app.after_request
    def measure(response: Response) -> Response:
        begun, request_id, door = g.begun, g.request_id, request.blueprint or "none"
        told: dict[str, Any] = {
            "method": request.method,
            "page": request.endpoint,
            "status": response.status_code,
            "versions": response.headers.get("Hanoiic-Table-Versions"),
        }

        # When the response is closed, since an answer ends with its last byte.
        def ended() -> None:
            taken_s = time.monotonic() - begun
            metrics.requests_of(door, str(told["status"])).observe(taken_s)
            with logs.request(request_id):
                log.info("answered", extra=logs.facts(**told, duration_s=round(taken_s, 4)))

        response.call_on_close(ended)
        return response


def _answer_problems(app: Flask) -> None:
    @app.errorhandler(GatewayError)
    def refused(error: GatewayError) -> Response:
        return _problem(error)

    @app.errorhandler(HTTPException)
    def not_served(error: HTTPException) -> Response:
        kind = _HTTP_ERRORS.get(error.code or 500)
        if kind is None:
            log.exception("unexpected_http_error")
            return _problem(GatewayError())
        return _problem(kind(headers=_facts_of(error)))

    @app.errorhandler(ParseException)
    def malformed(_: ParseException) -> Response:
        return _problem(BadRequest("the body's chunks are malformed"))

    @app.errorhandler(ClientGone)
    def hung_up(_: ClientGone) -> Response:
        # The caller is gone: this is only for the log and the metrics.
        log.info("client_gone")
        return _problem(QueryCancelled())

    @app.errorhandler(Exception)
    def failed(error: Exception) -> Response:
        log.exception("unexpected_error")
        return _problem(GatewayError())


def _problem(error: GatewayError) -> Response:
    problem = error.problem(logs.request_id())
    if request.blueprint == rows.pages.name or request.path.startswith("/v1/rest/"):
        # PostgREST's clients look here for the error's message.
        problem["message"] = error.detail
    metrics.PROBLEMS.labels(error.code).inc()
    language = request.accept_languages.best_match(titles.LANGUAGES, default="en")
    if language == "vi":
        problem["title"] = titles.VIETNAMESE[error.code]
    response = jsonify(problem)
    response.content_language.add(language)
    response.vary.add("Accept-Language")
    response.status_code = int(error.status)
    response.content_type = PROBLEM_TYPE
    response.headers.extend(error.headers)
    response.headers["Cache-Control"] = "no-store"
    return response


def _facts_of(error: HTTPException) -> dict[str, str]:
    """The headers that HTTP asks for: which methods there are, how long the file is."""
    wanted = ("Allow", "Content-Range")
    return {name: value for name, value in error.get_headers() if name in wanted}


def _warn_of_missing_locks(gateway: Gateway) -> None:
    if missing := gateway.nursery.locks.missing:
        allowed = gateway.settings.allow_weak_sandbox
        log.warning(
            "sandbox_incomplete",
            extra=logs.facts(missing=missing, serves="all" if allowed else "open tables only"),
        )
