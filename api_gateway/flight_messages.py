"""Flight SQL's messages, as far as they are served: Apache Arrow's `FlightSql.proto` as a table.

https://arrow.apache.org/docs/format/FlightSql.html. Names, numbers and types of fields are the
protocol's; classes are made of them by protobuf's own factory, so no generated code is kept.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from api_gateway.errors import BadRequest

PACKAGE = "arrow.flight.protocol.sql"
_TYPE_URL = f"type.googleapis.com/{PACKAGE}."
_NOT_SERVED = "not a message of Flight SQL that is served here"
_TEXT, _BYTES, _BOOL, _INT64, _UINT32 = (
    descriptor_pb2.FieldDescriptorProto.TYPE_STRING,
    descriptor_pb2.FieldDescriptorProto.TYPE_BYTES,
    descriptor_pb2.FieldDescriptorProto.TYPE_BOOL,
    descriptor_pb2.FieldDescriptorProto.TYPE_INT64,
    descriptor_pb2.FieldDescriptorProto.TYPE_UINT32,
)
_REFERENCE = {"catalog": (1, _TEXT), "db_schema": (2, _TEXT), "table": (3, _TEXT)}
# Message → field → (number, type); `many` in a third place: repeated.
_MESSAGES: dict[str, dict[str, tuple[Any, ...]]] = {
    "CommandGetSqlInfo": {"info": (1, _UINT32, "many")},
    "CommandGetXdbcTypeInfo": {"data_type": (1, _INT64)},
    "CommandGetCatalogs": {},
    "CommandGetDbSchemas": {"catalog": (1, _TEXT), "db_schema_filter_pattern": (2, _TEXT)},
    "CommandGetTables": {
        "catalog": (1, _TEXT),
        "db_schema_filter_pattern": (2, _TEXT),
        "table_name_filter_pattern": (3, _TEXT),
        "table_types": (4, _TEXT, "many"),
        "include_schema": (5, _BOOL),
    },
    "CommandGetTableTypes": {},
    "CommandGetPrimaryKeys": _REFERENCE,
    "CommandGetExportedKeys": _REFERENCE,
    "CommandGetImportedKeys": _REFERENCE,
    "CommandGetCrossReference": {
        "pk_catalog": (1, _TEXT),
        "pk_db_schema": (2, _TEXT),
        "pk_table": (3, _TEXT),
        "fk_catalog": (4, _TEXT),
        "fk_db_schema": (5, _TEXT),
        "fk_table": (6, _TEXT),
    },
    "CommandStatementQuery": {"query": (1, _TEXT), "transaction_id": (2, _BYTES)},
    "CommandPreparedStatementQuery": {"prepared_statement_handle": (1, _BYTES)},
    "TicketStatementQuery": {"statement_handle": (1, _BYTES)},
    "DoPutPreparedStatementResult": {"prepared_statement_handle": (1, _BYTES)},
    "ActionCreatePreparedStatementRequest": {"query": (1, _TEXT), "transaction_id": (2, _BYTES)},
    "ActionCreatePreparedStatementResult": {
        "prepared_statement_handle": (1, _BYTES),
        "dataset_schema": (2, _BYTES),
        "parameter_schema": (3, _BYTES),
    },
    "ActionClosePreparedStatementRequest": {"prepared_statement_handle": (1, _BYTES)},
    "CommandStatementUpdate": {"query": (1, _TEXT), "transaction_id": (2, _BYTES)},
    "CommandPreparedStatementUpdate": {"prepared_statement_handle": (1, _BYTES)},
    "ActionCancelQueryRequest": {"info": (1, _BYTES)},
    "ActionCancelQueryResult": {"result": (1, _INT64)},
    # Of Flight itself; `info` is a FlightInfo, and travels as bytes do.
    "CancelFlightInfoRequest": {"info": (1, _BYTES)},
    "CancelFlightInfoResult": {"status": (1, _INT64)},
}
# What both results say.
CANCELLED, NOT_CANCELLABLE = 1, 3


def _classes() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(
        name="hanoiic/flight_sql.proto", package=PACKAGE, syntax="proto3"
    )
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, (number, kind, *many) in fields.items():
            label = (
                descriptor_pb2.FieldDescriptorProto.LABEL_REPEATED
                if many
                else (descriptor_pb2.FieldDescriptorProto.LABEL_OPTIONAL)
            )
            message.field.add(name=field, number=number, type=kind, label=label)
    # A pool of its own: another package may bring the same messages.
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{name}"))
        for name in _MESSAGES
    }


CLASSES = _classes()


def packed(name: str, **fields: Any) -> bytes:
    """A message in an `Any`, as commands, tickets and results travel."""
    message = CLASSES[name](**fields)
    wrapped = any_pb2.Any(type_url=_TYPE_URL + name, value=message.SerializeToString())
    return bytes(wrapped.SerializeToString())


def unpacked(data: bytes) -> tuple[str, Any]:
    """The name and the message of an `Any`. Raises BadRequest for what is not served."""
    wrapped = _parsed(any_pb2.Any, data)
    name = wrapped.type_url.removeprefix(_TYPE_URL)
    return name, parsed(name, wrapped.value)


def parsed(name: str, data: bytes) -> Any:
    """The message of that name. Raises BadRequest for what is not served."""
    if name not in CLASSES:
        raise BadRequest(_NOT_SERVED)
    return _parsed(CLASSES[name], data)


def _parsed(kind: Any, data: bytes) -> Any:
    try:
        return kind.FromString(data)
    except DecodeError as error:
        raise BadRequest(_NOT_SERVED) from error
