"""The texts of a Shapefile: bytes whose encoding its .cpg file says, or that is found out from all
of them, as that of a text file is."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import replace

import pyarrow as pa

from harvesters import encodings
from harvesters.errors import EncodingBroken, EncodingUnknown
from harvesters.legacy_alphabets import ALPHABETS
from harvesters.rawtable import RawTable
from harvesters.workbench import Workbench, quoted

_PAIRS = pa.schema([("before", pa.string()), ("after", pa.string())])
_DIGITS = re.compile(r"(?:ansi|windows|cp|ibm|ms)?[ _-]*(\d{3,5})", re.I)
# What programs write into the .cpg file when they do not know.
_SAID_OF_ANYTHING = ("iso8859-1", "cp1252", "latin_1", "ascii")


def mend_bytes(
    table: RawTable, pinned: str | None, said: str | None, bench: Workbench
) -> str | None:
    """Read a table's texts, whose characters are bytes, in place; its messages tell how.

    `pinned` is the officer's encoding, `said` the .cpg file's. Returns the legacy Vietnamese
    encoding when that was pinned: then the bytes stay for `mending`. Raises EncodingUnknown,
    EncodingBroken.
    """
    known = _read_bytes(table, pinned, said, bench)
    for column in table.columns:
        if not column.native:
            name = quoted(column.key)
            trimmed = f"nullif(trim(nfc_normalize({name})), '')"
            bench.execute(
                f"UPDATE {table.name} SET {name} = {trimmed} "  # noqa: S608
                f"WHERE {name} IS DISTINCT FROM {trimmed}"
            )
    return known


def _read_bytes(
    table: RawTable, pinned: str | None, said: str | None, bench: Workbench
) -> str | None:
    if pinned and pinned.lower() in ALPHABETS:
        return pinned.lower()
    keys = [column.key for column in table.columns if not column.native]
    heads = [column.header for column in table.columns]
    texts = [head for head in heads if not head.isascii()]
    for key in keys:
        texts += _foreign(table, key, bench)
    if not texts:
        return None
    encoding = _encoding(texts, pinned, said, table, bench)
    if encoding == encodings.LATIN:
        return None
    for key in keys:
        _reread(table, key, encoding, bench)
    table.columns = [
        replace(column, header=_read(column.header, encoding)) for column in table.columns
    ]
    return None


def _encoding(
    texts: list[str], pinned: str | None, said: str | None, table: RawTable, bench: Workbench
) -> str:
    if pinned:
        encoding = _codec(pinned)
        if encoding is None:
            raise EncodingUnknown(f"There is no encoding {pinned!r}.")
        if not _fits(texts, encoding):
            raise EncodingBroken(f"The texts of the layer are not {pinned}; correct `encoding`.")
        return encoding
    encoding = _codec(said) if said else None
    if encoding and encoding not in _SAID_OF_ANYTHING and _fits(texts, encoding):
        table.messages.append(f"texts in {encoding}, as the layer says")
        return encoding
    if _fits(texts, "utf-8"):
        found = "utf-8"
    else:
        sample = bench.folder / "texts.bin"
        sample.write_bytes(b"\n".join(text.encode(encodings.LATIN) for text in texts))
        try:
            found = encodings.of(sample)
        finally:
            sample.unlink()
    but = f", although the layer says {said[:20]!r}" if said else ""
    table.messages.append(f"texts found to be {found}{but}")
    return found


def _codec(name: str) -> str | None:
    """The codec of a .cpg file's word: `UTF-8`, `1258`, `ANSI 1258`, `ISO 88591` …"""
    word = name.strip()
    if match := _DIGITS.fullmatch(word):
        word = f"cp{match[1]}"
    word = re.sub(r"^iso[ _-]*8859[ _-]*", "iso8859-", word, flags=re.I)
    try:
        return codecs.lookup(word).name
    except LookupError:
        return None


def _fits(texts: list[str], encoding: str) -> bool:
    try:
        for text in texts:
            _read(text, encoding)
    except UnicodeError:
        return False
    return True


def _read(text: str, encoding: str) -> str:
    """A field of fixed width may end in the middle of a letter: that half is left out."""
    raw = text.encode(encodings.LATIN)
    return codecs.getincrementaldecoder(encoding)("strict").decode(raw, final=False)


def _foreign(table: RawTable, key: str, bench: Workbench) -> list[str]:
    name = quoted(key)
    rows = bench.rows(
        f"SELECT DISTINCT {name} FROM {table.name} WHERE strlen({name}) > length({name})"  # noqa: S608
    )
    return sorted(text for (text,) in rows)


def _reread(table: RawTable, key: str, encoding: str, bench: Workbench) -> None:
    def pairs() -> Iterator[pa.RecordBatch]:
        before = _foreign(table, key, bench)
        after = [_read(text, encoding) for text in before]
        yield pa.RecordBatch.from_arrays(
            [pa.array(before, pa.string()), pa.array(after, pa.string())], schema=_PAIRS
        )

    name = quoted(key)
    loaded = bench.load(_PAIRS, list(pairs()))
    bench.execute(
        f"UPDATE {table.name} SET {name} = after FROM {loaded} "  # noqa: S608
        f"WHERE {name} = before"
    )
    bench.drop(loaded)
