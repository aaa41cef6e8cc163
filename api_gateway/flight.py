"""Flight SQL: `python -m api_gateway.flight`, for ADBC, JDBC and ODBC drivers.

https://arrow.apache.org/docs/format/FlightSql.html. The same tokens, decisions, gate, processes and
limits as `POST /v1/sql`; only the way in and out is gRPC.
"""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.flight as flight

from api_gateway import flight_catalog as catalog
from api_gateway import flight_messages as messages
from api_gateway import flight_sql_info, metrics
from api_gateway import flight_statements as statements
from api_gateway.app import make_gateway, settings_from_environment
from api_gateway.errors import BadRequest, GatewayError, StatementRefused, TableNotFound
from api_gateway.exchange import Caller
from api_gateway.flight_callers import caller, login
from api_gateway.flight_problems import Call
from api_gateway.flight_queries import FlightQueries, Waiting
from api_gateway.query import Gateway
from api_gateway.relay import Interrupted
from lake import logs

log = logging.getLogger(__name__)

_UPDATES = ("CommandStatementUpdate", "CommandPreparedStatementUpdate")


class Door(flight.FlightServerBase):  # type: ignore[misc]
    """The gRPC server of one gateway."""

    def __init__(self, gateway: Gateway, location: str, **tls: Any) -> None:
        self._gateway = gateway
        self._queries = FlightQueries(gateway)
        super().__init__(location, **login(), **tls)

    def get_flight_info(self, context: Any, descriptor: Any) -> flight.FlightInfo:
        with Call():
            name, message = messages.unpacked(descriptor.command)
            if name in statements.COMMANDS:
                sql, params = statements.read(name, message)
                handle, schema = self._queries.begin(context, caller(context), sql, params)
                ticket = messages.packed("TicketStatementQuery", statement_handle=handle)
            elif name in catalog.SCHEMAS:
                schema, ticket = catalog.schema_of(name, message), descriptor.command
            else:
                raise NotImplementedError(name)
            endpoint = flight.FlightEndpoint(ticket, [])
            return flight.FlightInfo(schema, descriptor, [endpoint], -1, -1)

    def get_schema(self, context: Any, descriptor: Any) -> flight.SchemaResult:
        with Call():
            name, message = messages.unpacked(descriptor.command)
            if name in statements.COMMANDS:
                return flight.SchemaResult(self._schema(context, *statements.read(name, message)))
            return flight.SchemaResult(catalog.schema_of(name, message))

    def do_get(self, context: Any, ticket: Any) -> flight.FlightDataStream:
        with Call():
            name, message = messages.unpacked(ticket.ticket)
            if name == "TicketStatementQuery":
                waiting = self._queries.fetch(message.statement_handle, caller(context))
                return flight.GeneratorStream(waiting.reader.schema, _batches(waiting, context))
            return flight.RecordBatchStream(self._catalog_rows(name, message, caller(context)))

    def do_action(self, context: Any, action: Any) -> Iterator[bytes]:
        with Call():
            if action.type not in self._actions:
                raise NotImplementedError(action.type)
            _, act = self._actions[action.type]
            yield from act(self, context, action.body.to_pybytes())

    def do_put(self, context: Any, descriptor: Any, reader: Any, writer: Any) -> None:
        """Bind a prepared statement's parameters: it gets a new handle that holds their values."""
        with Call():
            name, message = messages.unpacked(descriptor.command)
            if name in _UPDATES:
                raise StatementRefused("the gateway only reads: run a SELECT with execute")
            if name != "CommandPreparedStatementQuery":
                raise NotImplementedError(name)
            sql, _ = statements.read(name, message)
            parameters = self._gateway.reader.read(sql, caller(context).name).parameters
            handle = statements.handle(sql, statements.sent_values(parameters, reader))
            result = messages.CLASSES["DoPutPreparedStatementResult"](
                prepared_statement_handle=handle
            )
            writer.write(result.SerializeToString())

    def list_actions(self, context: Any) -> list[tuple[str, str]]:
        return [(name, about) for name, (about, _) in self._actions.items()]

    def _schema(self, context: Any, sql: str, params: Any) -> pa.Schema:
        """The schema of a statement's answer. No rows are asked for, so none are charged."""
        who = caller(context)
        handle, schema = self._queries.begin(context, who, sql, params, limit=0)
        waiting = self._queries.take(handle, who)
        try:
            waiting.finish()
        finally:
            waiting.answer.end()
        return schema

    def _prepare(self, context: Any, body: bytes) -> Iterator[bytes]:
        _, message = messages.unpacked(body)
        parameters = self._gateway.reader.read(message.query, caller(context).name).parameters
        schema = b""
        if not parameters:
            # With parameters the answer's schema depends on their values.
            schema = self._schema(context, message.query, []).serialize().to_pybytes()
        # Arrow's null says "type not known": it depends on where the parameter is used.
        told = pa.schema([pa.field(name, pa.null()) for name in parameters])
        yield messages.packed(
            "ActionCreatePreparedStatementResult",
            prepared_statement_handle=statements.handle(message.query, []),
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
        message = messages.parsed("CancelFlightInfoRequest", body)
        result = self._cancelled(context, message.info)
        yield messages.CLASSES["CancelFlightInfoResult"](status=result).SerializeToString()

    def _cancelled(self, context: Any, info: bytes) -> int:
        try:
            endpoint = flight.FlightInfo.deserialize(info).endpoints[0]
        except (pa.ArrowException, IndexError) as error:
            raise BadRequest("info is of no query") from error
        name, message = messages.unpacked(endpoint.ticket.ticket)
        who = caller(context)
        if name == "TicketStatementQuery" and self._queries.cancel(message.statement_handle, who):
            return messages.CANCELLED
        return messages.NOT_CANCELLABLE

    _actions = {
        "CreatePreparedStatement": ("Prepares one SELECT", _prepare),
        "ClosePreparedStatement": ("Forgets it; handles keep nothing here", _forget),
        "CancelFlightInfo": ("Ends a query", _cancel_flight_info),
        "CancelQuery": ("Ends a query, as older drivers ask", _cancel_query),
    }

    def _catalog_rows(self, name: str, message: Any, who: Caller) -> pa.Table:
        """The answer to a command about the catalog: what there is, not what is in it."""
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
        decision = self._gateway.decide(who, None, "query")
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
