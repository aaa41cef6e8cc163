"""Flight SQL: `python -m api_gateway.flight`, for ADBC, JDBC and ODBC drivers.

https://arrow.apache.org/docs/format/FlightSql.html. The same tokens, decisions, gate, processes and
limits as `POST /v1/sql`; only the way in and out is gRPC. A query begins when its FlightInfo is
asked for and is fetched once, by the same caller; a prepared statement lives in its handle.
"""

from __future__ import annotations

import base64
import binascii
import json
import logging
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.flight as flight

from api_gateway import bound_values, flight_sql_info, metrics
from api_gateway import flight_catalog as catalog
from api_gateway import flight_messages as messages
from api_gateway.app import make_gateway, settings_from_environment
from api_gateway.errors import (
    BadParameters,
    GatewayError,
    StatementRefused,
    TableNotFound,
)
from api_gateway.exchange import Caller
from api_gateway.flight_queries import FlightQueries, Waiting
from api_gateway.query import Gateway
from api_gateway.relay import Interrupted
from lake import logs

log = logging.getLogger(__name__)

_UPDATES = ("CommandStatementUpdate", "CommandPreparedStatementUpdate")
# Most that the values of a statement's parameters take.
_MOST_VALUES_BYTES = 1_000_000
_STATEMENTS = ("CommandStatementQuery", "CommandPreparedStatementQuery")
# HTTP status → gRPC's nearest error; anything else is the server's.
_ERRORS: dict[int, type[flight.FlightError]] = {
    401: flight.FlightUnauthenticatedError,
    403: flight.FlightUnauthorizedError,
    429: flight.FlightUnavailableError,
    503: flight.FlightUnavailableError,
    504: flight.FlightTimedOutError,
}


# What Arrow tells as it is; NotImplementedError becomes gRPC's UNIMPLEMENTED.
_PLAIN = (flight.FlightError, NotImplementedError)


class _Bearer(flight.ServerMiddleware):  # type: ignore[misc]
    """The token of one call; a handshake gets it back, as drivers expect."""

    def __init__(self, token: str | None) -> None:
        self.token = token

    def sending_headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token}"} if self.token else {}


class _Bearers(flight.ServerMiddlewareFactory):  # type: ignore[misc]
    def start_call(self, info: Any, headers: dict[str, list[str]]) -> _Bearer:
        """`Bearer <token>`, or `Basic` with the token as the password."""
        said = next(iter(headers.get("authorization", [])), "")
        kind, _, value = said.partition(" ")
        if kind.lower() == "bearer":
            return _Bearer(value.strip() or None)
        if kind.lower() == "basic":
            try:
                text = base64.b64decode(value, validate=True).decode()
            except (binascii.Error, UnicodeDecodeError):
                raise flight.FlightUnauthenticatedError(
                    "the user and password are no text"
                ) from None
            return _Bearer(text.partition(":")[2] or None)
        return _Bearer(None)


class _Handshake(flight.ServerAuthHandler):  # type: ignore[misc]
    """Nothing to agree upon: every call carries its token."""

    def authenticate(self, outgoing: Any, incoming: Any) -> None:
        """The middleware has read the token and sends it back."""

    def is_valid(self, token: bytes) -> bytes:
        return b""


class Door(flight.FlightServerBase):  # type: ignore[misc]
    """The gRPC server of one gateway."""

    def __init__(self, gateway: Gateway, location: str, **tls: Any) -> None:
        self._gateway = gateway
        self._queries = FlightQueries(gateway)
        super().__init__(
            location, auth_handler=_Handshake(), middleware={"bearer": _Bearers()}, **tls
        )

    def get_flight_info(self, context: Any, descriptor: Any) -> flight.FlightInfo:
        with _told():
            name, message = messages.unpacked(descriptor.command)
            if name in _STATEMENTS:
                sql, params = _statement(name, message)
                handle, schema = self._queries.begin(context, _caller(context), sql, params)
                ticket = messages.packed("TicketStatementQuery", statement_handle=handle)
            elif name in catalog.SCHEMAS:
                schema, ticket = catalog.schema_of(name, message), descriptor.command
            else:
                raise NotImplementedError(name)
            endpoint = flight.FlightEndpoint(ticket, [])
            return flight.FlightInfo(schema, descriptor, [endpoint], -1, -1)

    def get_schema(self, context: Any, descriptor: Any) -> flight.SchemaResult:
        with _told():
            name, message = messages.unpacked(descriptor.command)
            if name in _STATEMENTS:
                return flight.SchemaResult(self._schema(context, *_statement(name, message)))
            return flight.SchemaResult(catalog.schema_of(name, message))

    def do_get(self, context: Any, ticket: Any) -> flight.FlightDataStream:
        with _told():
            name, message = messages.unpacked(ticket.ticket)
            if name == "TicketStatementQuery":
                waiting = self._queries.fetch(message.statement_handle, _caller(context))
                return flight.GeneratorStream(waiting.reader.schema, _batches(waiting, context))
            return flight.RecordBatchStream(self._told_of(name, message, _caller(context)))

    def do_action(self, context: Any, action: Any) -> Iterator[bytes]:
        with _told():
            if action.type not in self._actions:
                raise NotImplementedError(action.type)
            _, act = self._actions[action.type]
            yield from act(self, context, action.body.to_pybytes())

    def do_put(self, context: Any, descriptor: Any, reader: Any, writer: Any) -> None:
        """The values of a prepared statement's parameters: its handle is made anew with them."""
        with _told():
            name, message = messages.unpacked(descriptor.command)
            if name in _UPDATES:
                raise StatementRefused("the gateway only reads: run a SELECT with execute")
            if name != "CommandPreparedStatementQuery":
                raise NotImplementedError(name)
            sql, _ = _statement(name, message)
            parameters = self._gateway.reader.read(sql, _caller(context).name).parameters
            handle = _handle(sql, _bound(parameters, _one_row(reader)))
            result = messages.CLASSES["DoPutPreparedStatementResult"](
                prepared_statement_handle=handle
            )
            writer.write(result.SerializeToString())

    def list_actions(self, context: Any) -> list[tuple[str, str]]:
        return [(name, about) for name, (about, _) in self._actions.items()]

    def _schema(self, context: Any, sql: str, params: Any) -> pa.Schema:
        who = _caller(context)
        # Who asks for the schema pays for no rows.
        handle, schema = self._queries.begin(context, who, sql, params, limit=0)
        waiting = self._queries.take(handle, who)
        try:
            waiting.finish()
        finally:
            waiting.answer.end()
        return schema

    def _prepare(self, context: Any, body: bytes) -> Iterator[bytes]:
        _, message = messages.unpacked(body)
        parameters = self._gateway.reader.read(message.query, _caller(context).name).parameters
        schema = b""
        if not parameters:
            # What one with parameters answers is known when they are.
            schema = self._schema(context, message.query, []).serialize().to_pybytes()
        # Their types depend on where they stand: Arrow's null is "not known".
        told = pa.schema([pa.field(name, pa.null()) for name in parameters])
        yield messages.packed(
            "ActionCreatePreparedStatementResult",
            prepared_statement_handle=_handle(message.query, []),
            dataset_schema=schema,
            parameter_schema=told.serialize().to_pybytes(),
        )

    def _forget(self, context: Any, body: bytes) -> Iterator[bytes]:
        return iter(())

    def _cancel_query(self, context: Any, body: bytes) -> Iterator[bytes]:
        _, message = messages.unpacked(body)
        result = self._cancelled(context, message.info)
        yield messages.packed("ActionCancelQueryResult", result=result)

    def _cancel_flight_info(self, context: Any, body: bytes) -> Iterator[bytes]:
        message = messages.CLASSES["CancelFlightInfoRequest"].FromString(body)
        result = self._cancelled(context, message.info)
        yield messages.CLASSES["CancelFlightInfoResult"](status=result).SerializeToString()

    def _cancelled(self, context: Any, info: bytes) -> int:
        endpoint = flight.FlightInfo.deserialize(info).endpoints[0]
        name, message = messages.unpacked(endpoint.ticket.ticket)
        who = _caller(context)
        if name == "TicketStatementQuery" and self._queries.cancel(message.statement_handle, who):
            return messages.CANCELLED
        return messages.NOT_CANCELLABLE

    _actions = {
        "CreatePreparedStatement": ("Prepares one SELECT", _prepare),
        "ClosePreparedStatement": ("Forgets it; handles keep nothing here", _forget),
        "CancelFlightInfo": ("Ends a query", _cancel_flight_info),
        "CancelQuery": ("Ends a query, as older drivers ask", _cancel_query),
    }

    def _told_of(self, name: str, message: Any, who: Caller) -> pa.Table:
        if name == "CommandGetSqlInfo":
            return flight_sql_info.info(message.info)
        if name == "CommandGetXdbcTypeInfo":
            return catalog.types(message.data_type)
        schema = catalog.schema_of(name, message)
        if name == "CommandGetTables":
            return pa.Table.from_pylist(list(self._tables(message, who)), schema)
        rows = catalog.ROWS.get(name, []) if catalog.is_ours(message) else []
        return pa.Table.from_pylist(rows, schema)

    def _tables(self, message: Any, who: Caller) -> Iterator[dict[str, Any]]:
        if message.table_types and catalog.TABLE_TYPE not in message.table_types:
            return
        if not catalog.is_ours(message):
            return
        decision = self._gateway.decisions.decide(who.token, None, "query")
        for name, of in sorted(decision.tables.items()):
            if not of.permitted or not catalog.like(message.table_name_filter_pattern, name):
                continue
            try:
                shelved = self._gateway.shelf.take(name, of, None)
            except GatewayError as error:
                if not isinstance(error, TableNotFound):
                    log.info("table_not_listed", extra=logs.facts(code=error.code))
                continue
            row: dict[str, Any] = {
                "catalog_name": catalog.NO_NAME, "db_schema_name": catalog.NO_NAME,
                "table_name": name, "table_type": catalog.TABLE_TYPE,
            }  # fmt: skip
            if message.include_schema:
                schema = self._gateway.shelf.answer_schema(shelved)
                row["table_schema"] = schema.serialize().to_pybytes()
            yield row


class _told:
    """Turns the gateway's errors into gRPC's, with RFC 9457's members as extra information."""

    def __enter__(self) -> None:
        self._begun = time.monotonic()

    def __exit__(self, kind: Any, error: BaseException | None, _: Any) -> None:
        metrics.REQUESTS.labels("flight", _status(error)).observe(time.monotonic() - self._begun)
        if isinstance(error, GatewayError):
            metrics.PROBLEMS.labels(error.code).inc()
            problem = json.dumps(error.problem(logs.request_id()), ensure_ascii=False)
            made = _ERRORS.get(int(error.status), flight.FlightServerError)
            raise made(f"{error.code}: {error.detail}", problem.encode()) from None
        if isinstance(error, ValueError | KeyError):
            raise flight.FlightServerError(f"bad_request: {error.args[0]}") from None
        if isinstance(error, Exception) and not isinstance(error, _PLAIN):
            # Arrow would tell the caller where in which file it happened.
            log.exception("unexpected_error", exc_info=error)
            raise flight.FlightInternalError("internal_error: the gateway failed") from None


def _status(error: BaseException | None) -> str:
    """What HTTP would say, for metrics."""
    if error is None or isinstance(error, GeneratorExit):
        return "200"
    return str(int(error.status)) if isinstance(error, GatewayError) else "500"


def _batches(waiting: Waiting, context: Any) -> Iterator[pa.RecordBatch]:
    try:
        for batch in waiting.reader:
            if context.is_cancelled():
                return
            yield batch
        waiting.finish()
    except (Interrupted, OSError, pa.ArrowInvalid) as error:
        raise flight.FlightServerError(f"the answer was broken off: {error}") from None
    finally:
        waiting.answer.end()


def _caller(context: Any) -> Caller:
    # `ipv4:127.0.0.1:51234` or `ipv6:[::1]:51234`
    address = context.peer().partition(":")[2].rpartition(":")[0].strip("[]")
    return Caller(context.get_middleware("bearer").token, None, address or None)


def _handle(sql: str, params: list[Any] | dict[str, Any]) -> bytes:
    return json.dumps({"sql": sql, "params": params}, ensure_ascii=False).encode()


def _statement(name: str, message: Any) -> tuple[str, list[Any] | dict[str, Any]]:
    if name == "CommandStatementQuery":
        return message.query, []
    held = json.loads(message.prepared_statement_handle)
    params = held["params"]
    params = dict(params) if isinstance(params, dict) else list(params)
    # A handle is the caller's: what no engine could bind is refused here.
    bound_values.bound(params)
    return str(held["sql"]), params


def _one_row(reader: Any) -> dict[str, Any]:
    """The one set of parameters that is sent. Raises BadParameters for more, or for too much."""
    found: dict[str, Any] = {}
    for chunk in reader:
        batch = chunk.data
        if batch is None or not batch.num_rows:
            continue
        if found or batch.num_rows > 1:
            raise BadParameters("one set of parameters is bound at a time: execute once for each")
        if batch.nbytes > _MOST_VALUES_BYTES:
            raise BadParameters(f"the parameters are over {_MOST_VALUES_BYTES} bytes")
        names = batch.schema.names
        if len(set(names)) < len(names):
            names = [str(place) for place in range(1, len(names) + 1)]
        found = dict(zip(names, map(_carried, batch.columns), strict=True))
    return found


def _bound(parameters: tuple[str, ...], row: dict[str, Any]) -> list[Any] | dict[str, Any]:
    """The values as the engine takes them: in order for `?` and `$1`, by name for `$name`; a driver
    that does not know the names sends the values in their order."""
    if all(name.isdigit() for name in parameters):
        return list(row.values())
    if set(row) == set(parameters):
        return row
    if len(row) != len(parameters):
        raise BadParameters(f"the statement has the parameters {', '.join(parameters)}")
    return dict(zip(parameters, row.values(), strict=True))


def _carried(column: pa.Array) -> Any:
    """The one value of a column as it travels to the engine. Raises BadParameters for what the
    engine would take as something else."""
    kind = column.type
    try:
        # Drivers send nanoseconds for whole microseconds, the finest that the engine binds.
        if coarser := _coarser(kind):
            column = column.cast(coarser)
        return bound_values.carried(column[0].as_py())
    except (TypeError, ValueError, OverflowError):
        raise BadParameters(
            f"a parameter of the type {kind} is not taken, or is too fine"
        ) from None


def _coarser(kind: pa.DataType) -> pa.DataType | None:
    if getattr(kind, "unit", None) != "ns":
        return None
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", kind.tz)
    return pa.duration("us") if pa.types.is_duration(kind) else pa.time64("us")


def main() -> None:
    settings = settings_from_environment()
    logs.configure("flight", settings.log_level)
    gateway = make_gateway(settings)
    tls, scheme = {}, "grpc"
    if settings.flight_tls_certificate_file and settings.flight_tls_key_file:
        pair = (
            settings.flight_tls_certificate_file.read_bytes(),
            settings.flight_tls_key_file.read_bytes(),
        )
        tls, scheme = {"tls_certificates": [pair]}, "grpc+tls"
    door = Door(gateway, f"{scheme}://{settings.flight_host}:{settings.flight_port}", **tls)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: threading.Thread(target=door.shutdown).start())
    metrics.serve(settings.flight_metrics_port, settings.gateway_metrics_host)
    log.info("listening", extra=logs.facts(port=door.port))
    door.serve()
    gateway.close()


if __name__ == "__main__":
    main()
