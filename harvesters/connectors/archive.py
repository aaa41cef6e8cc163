"""Packed files: zip, gz and tar.gz of what the other connectors read, one table a member."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from harvesters import connectors, guess
from harvesters.connectors.base import Connector
from harvesters.errors import (
    BinaryContent,
    DataRefused,
    FormatMismatch,
    HtmlInsteadOfData,
    PartNotFound,
    RowsNotFound,
    TableNotFound,
)
from harvesters.rawtable import RawTable
from harvesters.source import Options
from harvesters.unpack import Unpacked, Unpacking
from harvesters.workbench import Workbench
from lake import names

MAX_TABLES = 200
_SHOWN_NAMES = 10
# A zip that is one thing for its own connector, and no folder of files.
_WHOLE = ("excel", "shapefile", "kml")
# What often lies beside the data and is none: left out when no table is found in it.
_MAY_BE_NOTES = (".txt", ".xml", ".json", ".html", ".htm", ".md")
_SENTENCES = (".txt", ".md")
_PACKED = (".zip", ".gz", ".tgz", ".tar")
# Members that are looked at although nobody named them.
_TABULAR = (
    *(".csv", ".tsv", ".tab", ".txt", ".xlsx", ".xls", ".ods", ".xlsm", ".json", ".ndjson"),
    *(".jsonl", ".geojson", ".parquet", ".xml", ".kml", ".kmz", ".gpkg"),
    *(*_PACKED, ""),
)


def decode(path: Path, options: Options, bench: Workbench) -> list[RawTable]:
    """The tables of all members, or of those that `parts` names.

    Raises PartNotFound, FormatMismatch (no archive), the errors of `Unpacking.files`, and those of
    the connectors, which then name the member.
    """
    with path.open("rb") as file:
        head = file.read(guess.HEAD_BYTES)
    if not head.startswith((b"PK", b"\x1f\x8b")) and guess.kind("", None, head).kind != "archive":
        raise FormatMismatch("The file is no archive (zip, gz, tar.gz).")
    if head.startswith(b"PK\x03\x04"):
        whole = guess.of_file("", None, path).kind
        if whole in _WHOLE:
            return _decoded(whole, path, options, bench)
    unpacking = Unpacking(bench.folder, lambda name: _is_wanted(name, options.parts), _is_archive)
    tables: list[RawTable] = []
    left_out: list[str] = []
    for one in unpacking.files(path):
        for table in _tables(one, options, bench, left_out):
            tables.append(table)
            if len(tables) > MAX_TABLES:
                raise PartNotFound(
                    f"The archive has more than {MAX_TABLES} tables; name those you want in the "
                    "option `parts`, such as 2026*.csv."
                )
    left_out += unpacking.skipped
    if not tables:
        seen = ", ".join(map(repr, left_out[:_SHOWN_NAMES])) or "nothing"
        fits = f" that fits {options.parts!r}" if options.parts else ""
        raise PartNotFound(f"The archive has no table{fits}; it has {seen}.")
    _name_parts(tables)
    if left_out:
        more = f" and {len(left_out) - _SHOWN_NAMES} more" if len(left_out) > _SHOWN_NAMES else ""
        tables[0].messages.append(f"left out: {', '.join(left_out[:_SHOWN_NAMES])}{more}")
    return tables


def _is_wanted(name: str, parts: str | None) -> bool:
    path = PurePosixPath(name)
    if parts is None:
        return path.suffix.lower() in _TABULAR
    return path.suffix.lower() in _PACKED or _fits(name, parts)


def _is_archive(one: Unpacked) -> bool:
    try:
        return guess.of_file(one.name, None, one.path).kind == "archive"
    except (FormatMismatch, HtmlInsteadOfData, BinaryContent):
        return False
    except DataRefused as error:
        raise _naming(error, one.name) from error


def _tables(
    one: Unpacked, options: Options, bench: Workbench, left_out: list[str]
) -> Iterator[RawTable]:
    """The tables of one member; what is only a note beside the data is left out."""
    name = one.name or "the file"
    if options.parts is not None and one.name and not _fits(one.name, options.parts):
        left_out.append(one.name)
        return
    is_note = options.parts is None and PurePosixPath(one.name).suffix.lower() in _MAY_BE_NOTES
    try:
        kind = guess.of_file(one.name, None, one.path).kind
        if connectors.of(kind).is_catalogue:
            raise FormatMismatch(f"It is an answer of a {kind} catalogue.")
        tables = _decoded(kind, one.path, options, bench)
    except (TableNotFound, RowsNotFound, FormatMismatch, HtmlInsteadOfData) as error:
        if is_note:
            left_out.append(one.name)
            return
        raise _naming(error, name) from error
    except DataRefused as error:
        raise _naming(error, name) from error
    for table in tables:
        is_text = is_note and PurePosixPath(one.name).suffix.lower() in _SENTENCES
        if is_text and _is_no_table(table, bench):
            left_out.append(one.name)
            continue
        part = f"{one.name}/{table.part}" if table.part else one.name
        yield replace(table, part=part)


def _is_no_table(table: RawTable, bench: Workbench) -> bool:
    """Whether what was read of a note is sentences, not rows."""
    (rows,) = bench.row(f"SELECT count(*) FROM {table.name}")  # noqa: S608
    return len(table.columns) < 2 or not rows


def _fits(name: str, parts: str) -> bool:
    """Whether a pattern is that of a member's path, of its name, or of a folder it lies in."""
    path = PurePosixPath(name)
    return any(fnmatchcase(str(each), parts) for each in (path, path.name, *path.parents))


def _decoded(kind: str, path: Path, options: Options, bench: Workbench) -> list[RawTable]:
    decode_member = connectors.of(kind).decode
    assert decode_member is not None  # noqa: S101  (the caller has asked)
    return decode_member(path, options, bench)


def _naming(error: DataRefused, name: str) -> DataRefused:
    """The same error, told of a member."""
    return type(error)(f"{name}: {error.detail}", **error.facts)


def _name_parts(tables: list[RawTable]) -> None:
    """Parts are told apart by their files' names, else by whole paths; one table needs none."""
    if len(tables) == 1:
        tables[0].messages.insert(0, f"the only table of the archive: {tables[0].part or 'file'}")
        tables[0].part = ""
        return
    paths = [PurePosixPath(table.part) for table in tables]
    short = [path.with_suffix("").name for path in paths]
    whole = [str(path.with_suffix("")) for path in paths]
    for parts in (short, whole):
        if len({names.table_name("t", part) for part in parts}) == len(parts):
            break
    else:
        parts = [f"{part} {number}" for number, part in enumerate(whole, start=1)]
    for table, part in zip(tables, parts, strict=True):
        table.part = part


CONNECTOR = Connector(
    kind="archive",
    title="Archive of tables (zip, gz, tar.gz)",
    help="Every CSV, workbook, JSON, Parquet, XML or map file in it becomes a table named "
    "<table>_<file>; a single one is the table itself. Archives in archives are opened too, up to "
    "three levels. Options: parts (a pattern such as 2026/*.csv), and those of the files' kinds.",
    decode=decode,
)
