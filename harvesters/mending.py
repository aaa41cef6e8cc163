"""Mend a table whose Vietnamese is hidden in a legacy encoding: cells, headers and title.

The evidence is weighed for each column and for the whole table: a column that says little by
itself follows its table. What is Unicode already stays. The messages tell what was read how, with
examples from before and after; the bytes as they were fetched stay in the raw store.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import pyarrow as pa

from harvesters import legacy
from harvesters.legacy import Finding
from harvesters.legacy_alphabets import ALPHABETS
from harvesters.letters import UNICODE_LETTER
from harvesters.pins import pins_by_column
from harvesters.rawtable import RawColumn, RawTable
from harvesters.source import ColumnPin, Options
from harvesters.workbench import Workbench, quoted

AUTO = "auto"
_NEARLY = 0.6
# Enough to be sure of a column; more would only cost time.
WEIGHED_TEXTS = 20_000
COLUMNS_AT_ONCE = 40
SHOWN_EXAMPLES = 2
SHOWN_LETTERS = 60
_PAIRS = pa.schema([("before", pa.string()), ("after", pa.string())])


@dataclass(frozen=True)
class _Verdict:
    """How the texts of a column are read. `finding` is None where it was pinned; `own` says that
    nothing in the column speaks against it."""

    encoding: str
    finding: Finding | None = None
    own: bool = True
    mixed: bool = False

    def mended(self, text: str) -> str:
        if self.finding is None:
            return legacy.force(text, self.encoding)
        return legacy.repair(text, self.encoding, established=self.own, mixed=self.mixed)

    def __str__(self) -> str:
        how = f"confidence {self.finding.confidence:.2f}" if self.finding else "pinned"
        return f"{ALPHABETS[self.encoding].title} text made Unicode ({how})"


def mend(table: RawTable, options: Options, bench: Workbench, known: str | None = None) -> None:
    """Make the legacy texts of a table Unicode, in place; its messages tell what was done.

    `known` is the encoding that is known of the whole file; the option `text_encoding` wins.
    """
    pinned = known if options.text_encoding in (None, AUTO) else options.text_encoding
    texts = _suspects(table, bench)
    heads = [*(column.header for column in table.columns), *table.above]
    whole = legacy.detect([*heads, *(text for found in texts.values() for text in found)])
    verdicts = {column.key: _verdict(pinned, texts[column.key], whole) for column in table.columns}
    head = _verdict(pinned, heads, whole)
    renamed = [_renamed(column, head, verdicts[column.key]) for column in table.columns]
    for key, encoding in _pinned(table.columns, renamed, options).items():
        verdicts[key] = _verdict(encoding, texts[key], whole)
    hidden = {key for key, pin in pins_by_column(renamed, _lenient(options)).items() if pin.mask}
    for column in renamed:
        if verdict := verdicts[column.key]:
            mixed = verdict.mixed or _is_mixed(table, column, bench)
            _mend_column(table, column, replace(verdict, mixed=mixed), bench, column.key in hidden)
    _tell_headers(table, renamed)
    table.columns = renamed
    if head:
        table.above = [head.mended(line) for line in table.above]
    table.messages += [f"above the table: {line}" for line in table.above]


def _lenient(options: Options) -> Options:
    """The pins without what they require, which is checked later."""
    pins = {name: replace(pin, required=False) for name, pin in options.columns.items()}
    return replace(options, columns=pins)


def _verdict(pinned: str | None, texts: list[str], whole: Finding | None) -> _Verdict | None:
    """The encoding of some texts: the pinned one, else their own, else their table's."""
    if pinned == legacy.NONE or not texts:
        return None
    if pinned in ALPHABETS:
        return _Verdict(pinned)
    own = legacy.detect(texts)
    if own and whole and whole.encoding != own.encoding:
        # A few headers may look like another encoding than the whole table by chance.
        there = legacy.weigh(texts, whole.encoding)
        if there.gain - there.loss >= _NEARLY * (own.gain - own.loss):
            return _Verdict(whole.encoding, whole)
    if own:
        mixed = own.among_others or own.beside_unicode
        return _Verdict(own.encoding, own, own=own.undisputed, mixed=mixed)
    if whole is None:
        return None
    there = legacy.weigh(texts, whole.encoding)
    if there.gain < there.loss:
        return None
    return _Verdict(whole.encoding, whole, own=not there.loss, mixed=True)


def _is_mixed(table: RawTable, column: RawColumn, bench: Workbench) -> bool:
    """Whether some of a column's texts are Unicode for sure."""
    key = quoted(column.key)
    (clean,) = bench.row(
        f"SELECT count(DISTINCT {key}) FROM {table.name} "  # noqa: S608
        f"WHERE regexp_matches({key}, '{UNICODE_LETTER}')"
    )
    return int(clean) > 0


def _suspects(table: RawTable, bench: Workbench) -> dict[str, list[str]]:
    """Distinct texts of each column that could be of a legacy encoding."""
    keys = [column.key for column in table.columns if not column.native]
    if census := bench.census(table.name):
        keys = [key for key in keys if census.looks[key].foreign]
    found: dict[str, list[str]] = {column.key: [] for column in table.columns}
    for start in range(0, len(keys), COLUMNS_AT_ONCE):
        some = keys[start : start + COLUMNS_AT_ONCE]
        asked = ", ".join(f"coalesce(bool_or({_is_suspect(quoted(key))}), false)" for key in some)
        answer = bench.row(f"SELECT {asked} FROM {table.name}")  # noqa: S608
        for key in (key for key, is_suspect in zip(some, answer, strict=True) if is_suspect):
            rows = bench.rows(
                f"SELECT DISTINCT {quoted(key)} AS text FROM {table.name} "  # noqa: S608
                f"WHERE {_is_suspect(quoted(key))} LIMIT {WEIGHED_TEXTS}"
            )
            found[key] = sorted(text for (text,) in rows)
    return found


def _is_suspect(key: str, encoding: str = "") -> str:
    # The two lengths differ where a text is not ASCII: most columns are out at once.
    foreign = f"strlen({key}) > length({key})"
    if encoding == "viscii":
        foreign = f"({foreign} OR regexp_matches({key}, '[{legacy.CONTROLS}]'))"
    return f"{foreign} AND NOT regexp_matches({key}, '{UNICODE_LETTER}')"


def _renamed(column: RawColumn, head: _Verdict | None, own: _Verdict | None) -> RawColumn:
    """A header is read as the headers are, or else as its column is, when it must be."""
    for verdict in (head, own and replace(own, mixed=True)):
        if verdict and (header := verdict.mended(column.header)) != column.header:
            return replace(column, header=header)
    return column


def _pinned(
    columns: list[RawColumn], renamed: list[RawColumn], options: Options
) -> dict[str, str | None]:
    """The encodings pinned to columns; an officer may name a column as it was or as it is now."""
    said = {
        name: ColumnPin(text_encoding=pin.text_encoding)
        for name, pin in options.columns.items()
        if pin.text_encoding
    }
    only = replace(options, columns=said)
    found = {**pins_by_column(columns, only), **pins_by_column(renamed, only)}
    return {key: pin.text_encoding for key, pin in found.items()}


def _mend_column(
    table: RawTable, column: RawColumn, verdict: _Verdict, bench: Workbench, hidden: bool
) -> None:
    key = quoted(column.key)
    distinct = bench.batches(
        f"SELECT DISTINCT {key} FROM {table.name} "  # noqa: S608
        f"WHERE {_is_suspect(key, verdict.encoding)}"
    )
    pairs = bench.load(_PAIRS, _changed(distinct, verdict))
    cells, texts = bench.row(
        f"SELECT count(*), count(DISTINCT before) FROM {table.name} "  # noqa: S608
        f"JOIN {pairs} ON {key} = before"
    )
    if texts:
        bench.own(table.name)
        bench.execute(
            f"UPDATE {table.name} SET {key} = after FROM {pairs} WHERE {key} = before"  # noqa: S608
        )
        examples = bench.rows(
            f"SELECT before, after FROM {pairs} ORDER BY length(before) > {SHOWN_LETTERS}, "  # noqa: S608
            f"length(before) DESC, before LIMIT {SHOWN_EXAMPLES}"
        )
        name = column.header or column.key
        table.messages.append(
            f"{name}: {verdict}, {cells} cells with {texts} texts"
            + ("" if hidden else f": {_shown(examples)}")
        )
    bench.drop(pairs)


def _changed(batches: Iterable[pa.RecordBatch], verdict: _Verdict) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        before = batch.column(0).to_pylist()
        pairs = [(text, mended) for text in before if (mended := verdict.mended(text)) != text]
        sides = zip(*pairs, strict=True) if pairs else ([], [])
        yield pa.RecordBatch.from_arrays(
            [pa.array(side, pa.string()) for side in sides], schema=_PAIRS
        )


def _tell_headers(table: RawTable, renamed: list[RawColumn]) -> None:
    changed = [
        (before.header, after.header)
        for before, after in zip(table.columns, renamed, strict=True)
        if before.header != after.header
    ]
    if changed:
        table.messages.append(f"{len(changed)} headers made Unicode: {_shown(changed)}")


def _shown(pairs: Iterable[tuple[str, str]]) -> str:
    return "; ".join(
        f"“{before[:SHOWN_LETTERS]}” → “{after[:SHOWN_LETTERS]}”"
        for before, after in list(pairs)[:SHOWN_EXAMPLES]
    )
