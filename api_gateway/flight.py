"""Flight SQL: `python -m api_gateway.flight`, for ADBC, JDBC and ODBC drivers.

https://arrow.apache.org/docs/format/FlightSql.html. The same tokens, decisions, gate, processes and
limits as `POST /v1/sql`; only the way in and out is gRPC. A query begins when its FlightInfo is
asked for and is fetched once, by the same caller; a prepared statement lives in its handle.
"""

from __future__ import annotations

import base64
import binascii
import io
import json
import logging
import secrets
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.flight as flight

from api_gateway import flight_catalog as catalog
from api_gateway import flight_messages as messages
from api_gateway.app import make_gateway, settings_from_environment
from api_gateway.asked import Asked, AsOf
from api_gateway.errors import BadParameters, GatewayError, TableNotFound
from api_gateway.query import Answer, Caller, Gateway, Interrupted
from lake import logs

log = logging.getLogger(__name__)

# A query that is not fetched for so long is ended.
_WAITING_S = 30.0
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


@dataclass
class _Waiting:
    """An answer that was begun and is not fetched yet."""

    caller: str
    answer: Answer
    reader: pa.RecordBatchReader
    begun_at: float


class Door(flight.FlightServerBase):  # type: ignore[misc]
    """The gRPC server of one gateway."""

    def __init__(self, gateway: Gateway, location: str, **tls: Any) -> None:
        self._gateway = gateway
        self._waiting: dict[bytes, _Waiting] = {}
        self._lock = threading.Lock()
        super().__init__(
            location, auth_handler=_Handshake(), middleware={"bearer": _Bearers()}, **tls
        )
        threading.Thread(target=self._sweep, name="flight-sweep", daemon=True).start()

    def get_flight_info(self, context: Any, descriptor: Any) -> flight.FlightInfo:
        with _told():
            name, message = _read(descriptor.command)
            if name in _STATEMENTS:
                handle, schema = self._begin(_caller(context), *_statement(name, message))
                ticket = messages.packed("TicketStatementQuery", statement_handle=handle)
            elif name in catalog.SCHEMAS:
                schema, ticket = catalog.schema_of(name, message), descriptor.command
            else:
                raise NotImplementedError(name)
            endpoint = flight.FlightEndpoint(ticket, [])
            return flight.FlightInfo(schema, descriptor, [endpoint], -1, -1)

    def get_schema(self, context: Any, descriptor: Any) -> flight.SchemaResult:
        with _told():
            name, message = _read(descriptor.command)
            if name in _STATEMENTS:
                return flight.SchemaResult(self._schema(context, *_statement(name, message)))
            return flight.SchemaResult(catalog.schema_of(name, message))

    def do_get(self, context: Any, ticket: Any) -> flight.FlightDataStream:
        with _told():
            name, message = _read(ticket.ticket)
            if name == "TicketStatementQuery":
                waiting = self._take(message.statement_handle, _caller(context))
                return flight.GeneratorStream(waiting.reader.schema, _batches(waiting, context))
            return flight.RecordBatchStream(self._told_of(name, message, _caller(context)))

    def do_action(self, context: Any, action: Any) -> Iterator[bytes]:
        with _told():
            if action.type == "CreatePreparedStatement":
                _, message = _read(action.body.to_pybytes())
                yield self._prepared(context, message.query)
            elif action.type != "ClosePreparedStatement":
                raise NotImplementedError(action.type)

    def do_put(self, context: Any, descriptor: Any, reader: Any, writer: Any) -> None:
        """The values of a prepared statement's parameters: its handle is made anew with them."""
        with _told():
            name, message = _read(descriptor.command)
            if name != "CommandPreparedStatementQuery":
                raise NotImplementedError(name)
            sql, _ = _statement(name, message)
            rows = reader.read_all().to_pylist()
            if len(rows) > 1:
                raise BadParameters("one set of parameters is bound at a time")
            values = [_plain(value) for value in rows[0].values()] if rows else []
            result = messages.CLASSES["DoPutPreparedStatementResult"](
                prepared_statement_handle=_handle(sql, values)
            )
            writer.write(result.SerializeToString())

    def list_actions(self, context: Any) -> list[tuple[str, str]]:
        return [
            ("CreatePreparedStatement", "Prepares one SELECT"),
            ("ClosePreparedStatement", "Forgets it; handles keep nothing here"),
        ]

    def _begin(self, who: Caller, sql: str, params: list[Any]) -> tuple[bytes, pa.Schema]:
        self._gateway.meter.request(who.token, who.address)
        answer = self._gateway.query(_asked(sql, params), who)
        try:
            reader = pa.ipc.open_stream(io.BufferedReader(_Chunks(answer)))
        except BaseException:
            answer.end()
            raise
        handle = secrets.token_bytes(16)
        with self._lock:
            self._waiting[handle] = _Waiting(who.name, answer, reader, time.monotonic())
        return handle, reader.schema

    def _take(self, handle: bytes, who: Caller) -> _Waiting:
        with self._lock:
            waiting = self._waiting.get(handle)
            if waiting is None or waiting.caller != who.name:
                raise KeyError("no such query, or it was fetched already")
            return self._waiting.pop(handle)

    def _schema(self, context: Any, sql: str, params: list[Any]) -> pa.Schema:
        handle, schema = self._begin(_caller(context), sql, params)
        self._take(handle, _caller(context)).answer.end()
        return schema

    def _prepared(self, context: Any, sql: str) -> bytes:
        self._gateway.read(sql)
        try:
            schema = self._schema(context, sql, []).serialize().to_pybytes()
        except BadParameters:
            # It has parameters: what it answers is known when they are.
            schema = b""
        return messages.packed(
            "ActionCreatePreparedStatementResult",
            prepared_statement_handle=_handle(sql, []),
            dataset_schema=schema,
            parameter_schema=b"",
        )

    def _told_of(self, name: str, message: Any, who: Caller) -> pa.Table:
        if name == "CommandGetSqlInfo":
            return catalog.info(message.info)
        schema = catalog.schema_of(name, message)
        if name == "CommandGetTables":
            return pa.Table.from_pylist(list(self._tables(message, who)), schema)
        return pa.Table.from_pylist(catalog.ROWS.get(name, []), schema)

    def _tables(self, message: Any, who: Caller) -> Iterator[dict[str, Any]]:
        if message.table_types and catalog.TABLE_TYPE not in message.table_types:
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
                schema = self._gateway.shelf.arrow_schema(shelved)
                row["table_schema"] = schema.serialize().to_pybytes()
            yield row

    def _sweep(self) -> None:
        while True:
            time.sleep(_WAITING_S / 6)
            with self._lock:
                late = [
                    handle
                    for handle, waiting in self._waiting.items()
                    if time.monotonic() - waiting.begun_at > _WAITING_S
                ]
                ended = [self._waiting.pop(handle) for handle in late]
            for waiting in ended:
                waiting.answer.end()


class _Chunks(io.RawIOBase):
    """An answer's bytes as a file that Arrow reads."""

    def __init__(self, answer: Answer) -> None:
        self._chunks, self._left = iter(answer.chunks), b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._left:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._left = chunk
        count = min(len(buffer), len(self._left))
        buffer[:count], self._left = self._left[:count], self._left[count:]
        return count


class _told:
    """Turns the gateway's errors into gRPC's, with RFC 9457's members as extra information."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: Any, error: BaseException | None, _: Any) -> None:
        if isinstance(error, GatewayError):
            problem = json.dumps(error.problem(logs.request_id()), ensure_ascii=False)
            made = _ERRORS.get(int(error.status), flight.FlightServerError)
            raise made(f"{error.code}: {error.detail}", problem.encode()) from None
        if isinstance(error, ValueError | KeyError):
            raise flight.FlightServerError(f"bad_request: {error.args[0]}") from None
        if isinstance(error, Exception) and not isinstance(error, _PLAIN):
            # Arrow would tell the caller where in which file it happened.
            log.exception("unexpected_error", exc_info=error)
            raise flight.FlightInternalError("internal_error: the gateway failed") from None


def _batches(waiting: _Waiting, context: Any) -> Iterator[pa.RecordBatch]:
    try:
        for batch in waiting.reader:
            if context.is_cancelled():
                return
            yield batch
    except (Interrupted, OSError, pa.ArrowInvalid) as error:
        raise flight.FlightServerError(f"the answer was broken off: {error}") from None
    finally:
        waiting.answer.end()


def _read(data: bytes) -> tuple[str, Any]:
    return messages.unpacked(data)


def _caller(context: Any) -> Caller:
    # `ipv4:127.0.0.1:51234` or `ipv6:[::1]:51234`
    address = context.peer().partition(":")[2].rpartition(":")[0].strip("[]")
    return Caller(context.get_middleware("bearer").token, None, address or None)


def _asked(sql: str, params: list[Any]) -> Asked:
    return Asked(format="arrow", as_of=AsOf(), sql=sql, params=params)


def _handle(sql: str, params: list[Any]) -> bytes:
    return json.dumps({"sql": sql, "params": params}, ensure_ascii=False).encode()


def _statement(name: str, message: Any) -> tuple[str, list[Any]]:
    if name == "CommandStatementQuery":
        return message.query, []
    held = json.loads(message.prepared_statement_handle)
    return str(held["sql"]), list(held["params"])


def _plain(value: Any) -> Any:
    """A parameter as JSON carries it: what is no number or truth is a text."""
    return value if isinstance(value, str | int | float | bool | None) else str(value)


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
    log.info("listening", extra=logs.facts(port=door.port))
    door.serve()
    gateway.close()


if __name__ == "__main__":
    main()
