"""Errors over Flight: the gateway's problems as gRPC's, telling no more than HTTP does."""

from __future__ import annotations

import json
import logging
import time
from typing import Any

import pyarrow.flight as flight

from api_gateway import metrics
from api_gateway.errors import GatewayError
from lake import logs

log = logging.getLogger(__name__)

# HTTP status → gRPC's nearest error; anything else is the server's.
_ERRORS: dict[int, type[flight.FlightError]] = {
    401: flight.FlightUnauthenticatedError,
    403: flight.FlightUnauthorizedError,
    429: flight.FlightUnavailableError,
    503: flight.FlightUnavailableError,
    504: flight.FlightTimedOutError,
}
# What Arrow passes on unchanged; it makes NotImplementedError gRPC's UNIMPLEMENTED.
_AS_THEY_ARE = (flight.FlightError, NotImplementedError)


class Call:
    """One call, as a context: it is counted, and the gateway's errors leave it as gRPC's, with the
    members of RFC 9457 as extra information."""

    def __enter__(self) -> None:
        self._begun = time.monotonic()

    def __exit__(self, kind: Any, error: BaseException | None, _: Any) -> None:
        metrics.REQUESTS.labels("flight", _status(error)).observe(time.monotonic() - self._begun)
        if isinstance(error, GatewayError):
            metrics.PROBLEMS.labels(error.code).inc()
            problem = json.dumps(error.problem(logs.request_id()), ensure_ascii=False)
            made = _ERRORS.get(int(error.status), flight.FlightServerError)
            raise made(f"{error.code}: {error.detail}", problem.encode()) from None
        if isinstance(error, Exception) and not isinstance(error, _AS_THEY_ARE):
            # Arrow would tell the caller where in which file it happened.
            log.exception("unexpected_error", exc_info=error)
            raise flight.FlightInternalError("internal_error: the gateway failed") from None


def _status(error: BaseException | None) -> str:
    """What HTTP would say, for metrics."""
    if error is None or isinstance(error, GeneratorExit):
        return "200"
    return str(int(error.status)) if isinstance(error, GatewayError) else "500"
