"""The gateway's error tree, and how an error looks to a caller (RFC 9457).

Errors hold facts that the caller may see: names it sent, limits, reasons. Never a row's value, a
path, or the SQL of somebody else.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, ClassVar

PROBLEM_TYPE = "application/problem+json"


class GatewayError(Exception):
    """Base of everything the gateway refuses. `headers` go with the answer."""

    code: ClassVar[str] = "internal_error"
    status: ClassVar[HTTPStatus] = HTTPStatus.INTERNAL_SERVER_ERROR
    title: ClassVar[str] = "The gateway failed"

    def __init__(
        self, detail: str = "", *, headers: dict[str, str] | None = None, **facts: Any
    ) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.headers = headers or {}
        self.facts = {name: value for name, value in facts.items() if value is not None}

    def problem(self, request_id: str | None) -> dict[str, Any]:
        """The body of the answer: RFC 9457 members, then the facts."""
        return {
            "type": f"urn:hanoiic:problem:{self.code}",
            "title": self.title,
            "status": int(self.status),
            "detail": self.detail,
            "code": self.code,
            "request_id": request_id,
            **self.facts,
        }


def kinds() -> dict[str, type[GatewayError]]:
    """Every kind of error by its code."""
    found, waiting = {GatewayError.code: GatewayError}, [GatewayError]
    while waiting:
        for child in waiting.pop().__subclasses__():
            found[child.code] = child
            waiting.append(child)
    return found


class BadRequest(GatewayError):
    """The request itself is malformed. Fact: `parameter`."""

    code = "bad_request"
    status = HTTPStatus.BAD_REQUEST
    title = "The request is malformed"


class NotFound(GatewayError):
    """No such page."""

    code = "not_found"
    status = HTTPStatus.NOT_FOUND
    title = "No such page"


class MethodNotAllowed(GatewayError):
    """The page is not asked this way."""

    code = "method_not_allowed"
    status = HTTPStatus.METHOD_NOT_ALLOWED
    title = "The method is not allowed here"


class TooLarge(GatewayError):
    """The request body or the SQL text is over its limit. Fact: `limit_bytes`."""

    code = "request_too_large"
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    title = "The request is too large"


class EncodingUnsupported(GatewayError):
    """The request's body is in a content coding that is not read."""

    code = "encoding_not_read"
    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    title = "The request's encoding is not read"


class PreconditionFailed(GatewayError):
    """The file is not, or no longer, the one that `If-Match` or `If-Unmodified-Since` speaks of."""

    code = "precondition_failed"
    status = HTTPStatus.PRECONDITION_FAILED
    title = "The file is another one"


class RangeMissing(GatewayError):
    """The file has no such bytes."""

    code = "range_not_satisfiable"
    status = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
    title = "The file has no such bytes"


class NotAcceptable(GatewayError):
    """No format of `Accept` or `format` is served. Fact: `formats`."""

    code = "format_not_served"
    status = HTTPStatus.NOT_ACCEPTABLE
    title = "The format is not served"


class FormatUnsuited(GatewayError):
    """The rows cannot be written in the format asked for. Fact: `format`."""

    code = "format_unsuited"
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "The answer does not fit the format"


class FilterInvalid(GatewayError):
    """The address asks for rows in a way that cannot be read. Facts: `parameter`, `position`."""

    code = "filter_invalid"
    status = HTTPStatus.BAD_REQUEST
    title = "The filter cannot be read"


class ColumnUnknown(FilterInvalid):
    """The table has no such column. Facts: `column`, `parameter`, `position`, `suggestions`."""

    code = "column_unknown"
    title = "No such column"


class LinkInvalid(GatewayError):
    """A link to a file that is altered, expired, or another file's. Fact: `token_error`."""

    code = "link_invalid"
    status = HTTPStatus.FORBIDDEN
    title = "The link is not valid"


class ExportNotFound(GatewayError):
    """The caller has no such export, or its day is over."""

    code = "export_not_found"
    status = HTTPStatus.NOT_FOUND
    title = "No such export"


class ExportNotReady(GatewayError):
    """The export has no result, yet or at all. Fact: `state`."""

    code = "export_not_ready"
    status = HTTPStatus.CONFLICT
    title = "The export has no result"


class TooManyExports(GatewayError):
    """The caller's exports that are unfinished, or kept, are too many. Fact: `limit`."""

    code = "too_many_exports"
    status = HTTPStatus.TOO_MANY_REQUESTS
    title = "Too many exports"


class KeyReused(GatewayError):
    """The `Idempotency-Key` was sent before, with another request."""

    code = "idempotency_key_reused"
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "The Idempotency-Key belongs to another request"


class ExportsFull(GatewayError):
    """The disk's share for exports is used up."""

    code = "exports_full"
    status = HTTPStatus.INSUFFICIENT_STORAGE
    title = "There is no room for exports now"


class NotSingular(GatewayError):
    """One object was asked for, and there is none, or more than one. Fact: `row_count`."""

    code = "not_singular"
    status = HTTPStatus.NOT_ACCEPTABLE
    title = "The answer is not one row"


class SyntaxRefused(GatewayError):
    """The SQL cannot be parsed. Facts: `position` (0-based, characters), `near`."""

    code = "sql_syntax"
    status = HTTPStatus.BAD_REQUEST
    title = "The SQL cannot be parsed"


class StatementRefused(GatewayError):
    """The statement is more than one plain SELECT may be. Facts: `position`, `hint`."""

    code = "statement_not_allowed"
    status = HTTPStatus.BAD_REQUEST
    title = "Only one plain SELECT is allowed"


class FunctionRefused(StatementRefused):
    """A function outside the allow-list. Facts: `function`, `position`, and `hint` or
    `suggestions`."""

    code = "function_not_allowed"
    title = "The function is not allowed"


class TooComplex(StatementRefused):
    """Too many or too deeply nested parts."""

    code = "query_too_complex"
    title = "The query is too complex"


class QueryInvalid(GatewayError):
    """The SQL parses, but names columns, types or arguments that do not fit. Fact: `position`."""

    code = "query_invalid"
    status = HTTPStatus.BAD_REQUEST
    title = "The query does not fit the tables"


class BadParameters(GatewayError):
    """The query's parameters and the given `params` differ."""

    code = "bad_parameters"
    status = HTTPStatus.BAD_REQUEST
    title = "The parameters do not fit the query"


class QueryFailed(GatewayError):
    """A value could not be computed: a conversion, an overflow, a division of intervals."""

    code = "query_failed"
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "The query failed on a value"


class QueryTimeout(GatewayError):
    """The query used its engine time. Fact: `timeout_s`."""

    code = "query_timeout"
    status = HTTPStatus.GATEWAY_TIMEOUT
    title = "The query took too long"


class MemoryExceeded(GatewayError):
    """The query needs more memory or temporary disk than one query gets. Fact: `memory_mb`."""

    code = "query_memory_exceeded"
    status = HTTPStatus.INSUFFICIENT_STORAGE
    title = "The query needs more memory than it may have"


class QueryCancelled(GatewayError):
    """Its caller cancelled the query."""

    code = "query_cancelled"
    status = HTTPStatus.CONFLICT
    title = "The query was cancelled"


class QueryNotFound(GatewayError):
    """The caller has no running query of that id."""

    code = "query_not_found"
    status = HTTPStatus.NOT_FOUND
    title = "No such query runs"


class WorkerDied(GatewayError):
    """The query's process ended without an answer; no other query was touched.

    No fault of the server's, that a client should ask again: the same query ends the next one.
    """

    code = "query_crashed"
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "The query's process ended unexpectedly"


class Busy(GatewayError):
    """No query process came free in time."""

    code = "busy"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    title = "All query processes are busy"


class TokenInvalid(GatewayError):
    """The bearer token is not valid. Fact: `token_error`."""

    code = "token_invalid"
    status = HTTPStatus.UNAUTHORIZED
    title = "The access token is not valid"


class AccessDenied(GatewayError):
    """The caller may not read a table. Facts: `table`, `reason`, `access_url`."""

    code = "access_denied"
    status = HTTPStatus.FORBIDDEN
    title = "Access to the table is not granted"


class QuotaExceeded(GatewayError):
    """An agreement's quota is used up. Facts: `quota`, `resets_at` (seconds since 1970)."""

    code = "quota_exceeded"
    # Not 429: clients repeat those by themselves, and a quota may last for weeks.
    status = HTTPStatus.FORBIDDEN
    title = "The quota is used up"


class RateLimited(GatewayError):
    """More requests a minute than the caller may send. Fact: `limit_per_minute`."""

    code = "rate_limited"
    status = HTTPStatus.TOO_MANY_REQUESTS
    title = "Too many requests"


class TooManyQueries(GatewayError):
    """The caller's other queries are still running. Fact: `limit_concurrent`."""

    code = "too_many_queries"
    status = HTTPStatus.TOO_MANY_REQUESTS
    title = "Too many queries at once"


class AnswerTooLarge(GatewayError):
    """The answer is larger than one answer may be. Facts: `limit_rows`, `limit_bytes`."""

    code = "answer_too_large"
    status = HTTPStatus.FORBIDDEN
    title = "The answer is too large"


class ReceiptNotFound(GatewayError):
    """No such receipt, its answer was not completed, or it is no longer kept."""

    code = "receipt_not_found"
    status = HTTPStatus.NOT_FOUND
    title = "No such receipt"


class TableNotFound(GatewayError):
    """No such table, or none that the caller may know of. Facts: `table`, `suggestions`."""

    code = "table_not_found"
    status = HTTPStatus.NOT_FOUND
    title = "No such table"


class VersionNotFound(GatewayError):
    """The table has no such version, or it is no longer kept. Fact: `table`."""

    code = "version_not_found"
    status = HTTPStatus.NOT_FOUND
    title = "No such version of the table"


class LakeUnavailable(GatewayError):
    """The lake cannot be read now: its object store does not answer."""

    code = "lake_unavailable"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    title = "The data cannot be read now"


class TableUnreadable(LakeUnavailable):
    """One table's log or a file of it is damaged or not there; others may be read."""

    code = "table_unreadable"
    title = "This table cannot be read now"


class EditionMissing(GatewayError):
    """What this caller may read of the table is not written yet."""

    code = "edition_not_ready"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    title = "The caller's edition of the table is not ready"


class DecisionUnavailable(GatewayError):
    """The portal cannot confirm that the caller may read the table now."""

    code = "decision_unavailable"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    title = "Access cannot be confirmed now"


class SandboxMissing(GatewayError):
    """This machine lacks a lock that licensed tables need."""

    code = "sandbox_incomplete"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    title = "Licensed tables are not served on this machine"


# What a query process may report, by code.
BY_CODE: dict[str, type[GatewayError]] = {
    error.code: error
    for error in (
        FormatUnsuited,
        SyntaxRefused,
        StatementRefused,
        TooComplex,
        QueryInvalid,
        BadParameters,
        QueryFailed,
        QueryTimeout,
        MemoryExceeded,
        TableUnreadable,
        WorkerDied,
    )
}
