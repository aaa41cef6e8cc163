"""Which columns of a table look like personal data, by their names and by all of their values.

A sample from all over the table finds the suspicious columns; only those are counted in full. What
is shown of them is shortened, so that no finding carries the data it warns of.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from harvesters import masks, personal_rules
from harvesters.normalise import TypedColumn, TypedTable
from harvesters.personal_rules import Glance, Kind, Rules
from harvesters.workbench import Workbench, literal
from lake.rejected import Rejected

SAMPLED_CELLS = 100_000
LEAST_SAMPLED_ROWS, MOST_SAMPLED_ROWS = 200, 4_000
SAMPLE_WINDOWS = 8
GLANCED_ROWS = 1_000
QUESTIONS_AT_ONCE = 200
# A sampled score this near to the limit is worth a look at every row.
NEARLY = 0.8
# So many cells with such a value between words are no chance.
LEAST_AMONG_WORDS = 2
_BESIDE_A_WORD = r"\p{L}{2,}[ :,;(]|[ :,;)]\p{L}{2,}"
SHOWN_EXAMPLES = 3
_WHOLE_NUMBERS = ("int64", "float64")


@dataclass(frozen=True)
class Finding:
    """A column that looks like a kind of personal data; `score` is from 0 to about 1.

    `matched_count` of the table's `row_count` rows look like it; `examples` are shortened.
    """

    column: str
    kind: str
    score: float
    matched_count: int
    row_count: int
    examples: tuple[str, ...]


@dataclass(frozen=True)
class _Suspicion:
    """One column asked about one kind: the SQL that says whether a row looks like it."""

    typed: TypedColumn
    kind: Kind
    named: bool
    looks_like: str

    def score(self, matched: int, filled: int) -> float:
        part = matched / filled if filled else 0.0
        return (self.kind.header * self.named + self.kind.share * part) if matched else 0.0


def find(typed: TypedTable, bench: Workbench, rules: Rules | None = None) -> list[Finding]:
    """The best kind of each column that scores `hold_from` or more; masked columns never do."""
    rules = rules or personal_rules.latest()
    glances = _glances(typed, bench)
    suspicions = [
        suspicion
        for column in typed.columns
        if not column.pin.mask and not column.raw.native
        for kind in rules.kinds
        if column.raw.key not in glances or kind.may_be_in(glances[column.raw.key])
        if (suspicion := _suspicion(column, kind)) is not None
    ]
    if not suspicions or not typed.row_count:
        return []
    sample, whole = _sample(typed, bench)
    counts = _counts(sample, suspicions, bench)
    if not whole:
        limit = NEARLY * rules.hold_from
        suspicions = [
            suspicion
            for suspicion, count in zip(suspicions, counts, strict=True)
            if suspicion.score(*count) >= limit
        ] + _among_words(sample, suspicions, counts, rules, bench)
        counts = _counts(typed.raw.name, suspicions, bench)
    scored = [
        (suspicion, matched, score)
        for suspicion, (matched, filled) in zip(suspicions, counts, strict=True)
        if (score := suspicion.score(matched, filled)) >= rules.hold_from
    ]
    among = _among_words(typed.raw.name, suspicions, counts, rules, bench)
    matches = dict(zip(map(id, suspicions), counts, strict=True))
    scored += [(suspicion, matches[id(suspicion)][0], rules.hold_from) for suspicion in among]
    kept = _in_context(scored, typed, sample, rules, bench)
    return [_finding(*found, typed, bench) for found in _best(kept)]


def columns(typed: TypedTable, bench: Workbench) -> frozenset[str]:
    """The names of the columns that look personal."""
    return frozenset(finding.column for finding in find(typed, bench))


def guarded(rejected: Iterable[Rejected], hidden: Collection[str]) -> Iterator[Rejected]:
    """Rejected rows with the texts of personal columns shortened: no report has them, whatever
    an officer decides later. A row that did not fit the columns goes without its text then."""
    for row in rejected:
        if row.value is None or not hidden or (row.column and row.column not in hidden):
            yield row
        else:
            yield replace(row, value=masks.shortened(row.value) if row.column else None)


def _glances(typed: TypedTable, bench: Workbench) -> dict[str, Glance]:
    """A glance at each column of texts of a small table: most patterns, which take longer to be
    made than to be asked, are out of the question then."""
    batches = bench.as_it_came(typed.raw.name) if typed.row_count <= GLANCED_ROWS else None
    if batches is None:
        return {}
    rows = list(batches)
    return {
        column.raw.key: Glance.at(
            text for batch in rows for text in batch.column(column.raw.key).to_pylist()
        )
        for column in typed.columns
        if column.column.type == "string" and not column.raw.native
    }


def _suspicion(column: TypedColumn, kind: Kind) -> _Suspicion | None:
    name, type_text, text = column.column.name, column.column.type, f"({column.text})"
    if kind.unless_headers.surely_in_name(name):
        return None
    named = kind.headers.in_name(name)
    if not named and (kind.needs_header or type_text != "string"):
        return None
    if type_text in ("date", "timestamp"):
        looks = f"{text} IS NOT NULL" if kind.name == "birth_date" else ""
    elif type_text in _WHOLE_NUMBERS or type_text.startswith("decimal"):
        looks = f"regexp_full_match({text}, {literal(kind.number)})" if kind.number else ""
    elif type_text == "string":
        looks = f"regexp_matches({text}, {literal(kind.value)})"
        if named and kind.below_headers:
            looks = f"({looks} OR regexp_matches({text}, {literal(kind.below_headers)}))"
        if kind.not_value:
            looks += f" AND NOT regexp_matches({text}, {literal(kind.not_value)})"
    else:
        looks = ""
    return _Suspicion(column, kind, named, looks) if looks else None


def _sample(typed: TypedTable, bench: Workbench) -> tuple[str, bool]:
    """Rows from windows all over the table (cheap to read), and whether they are all of them."""
    wanted = SAMPLED_CELLS // max(1, len(typed.columns))
    wanted = min(MOST_SAMPLED_ROWS, max(LEAST_SAMPLED_ROWS, wanted))
    raw = typed.raw.name
    if typed.row_count <= wanted:
        return raw, True
    if kept := bench.sample(raw, wanted, SAMPLE_WINDOWS):
        return kept, False
    width, step = wanted // SAMPLE_WINDOWS, typed.row_count / SAMPLE_WINDOWS
    windows = " OR ".join(
        f"row - first BETWEEN {int(number * step)} AND {int(number * step) + width - 1}"
        for number in range(SAMPLE_WINDOWS)
    )
    begins = f"(SELECT min(row) AS first FROM {raw})"  # noqa: S608
    return f"(SELECT {raw}.* FROM {raw}, {begins} WHERE {windows})", False  # noqa: S608


def _counts(
    table: str, suspicions: Sequence[_Suspicion], bench: Workbench
) -> list[tuple[int, int]]:
    """For each suspicion how many rows look like it, and how many have a value at all."""
    found: list[tuple[int, int]] = []
    for start in range(0, len(suspicions), QUESTIONS_AT_ONCE):
        some = suspicions[start : start + QUESTIONS_AT_ONCE]
        asked = ", ".join(
            f"count(*) FILTER ({one.looks_like}), count({one.typed.text})" for one in some
        )
        answer = iter(bench.row(f"SELECT {asked} FROM {table}"))  # noqa: S608
        found += [(int(next(answer)), int(next(answer))) for _ in some]
    return found


def _among_words(
    table: str,
    suspicions: Sequence[_Suspicion],
    counts: Sequence[tuple[int, int]],
    rules: Rules,
    bench: Workbench,
) -> list[_Suspicion]:
    """The suspicions that are below the limit, and yet true between words in so many cells that
    it is no chance. Only those that are true at all are asked: a look at words takes long."""
    asked = [
        (suspicion, suspicion.kind.among_words * filled)
        for suspicion, (matched, filled) in zip(suspicions, counts, strict=True)
        if suspicion.kind.among_words is not None
        and suspicion.typed.column.type == "string"
        and matched >= LEAST_AMONG_WORDS
        and suspicion.score(matched, filled) < rules.hold_from
    ]
    beside = literal(_BESIDE_A_WORD)
    narrower = [
        replace(
            suspicion,
            looks_like=f"({suspicion.looks_like}) "
            f"AND regexp_matches(({suspicion.typed.text}), {beside})",
        )
        for suspicion, _ in asked
    ]
    return [
        suspicion
        for (suspicion, least), (matched, _) in zip(
            asked, _counts(table, narrower, bench), strict=True
        )
        if matched >= max(LEAST_AMONG_WORDS, least)
    ]


_Scored = tuple[_Suspicion, int, float]


def _in_context(
    scored: list[_Scored], typed: TypedTable, sample: str, rules: Rules, bench: Workbench
) -> list[_Scored]:
    """What is personal only beside something else, and what is an organisation's own."""
    kept = []
    for found in scored:
        suspicion = found[0]
        kind, name = suspicion.kind, suspicion.typed.column.name
        others = {
            one.kind.name for one, _, _ in scored if one.typed is not suspicion.typed
        } | _named_kinds(typed, suspicion.typed, kind.beside, rules)
        if kind.beside and kind.beside.isdisjoint(others) and not kind.or_headers.in_name(name):
            rest = [one.column.name for one in typed.columns if one is not suspicion.typed]
            if not suspicion.named or not kind.unless_beside or kind.unless_beside.in_any(rest):
                continue
        kept.append(found)
    people = {"person_name", "citizen_id", "birth_date"}
    if (
        people.isdisjoint(suspicion.kind.name for suspicion, _, _ in kept)
        and any(suspicion.kind.organisations_own for suspicion, _, _ in kept)
        and _lists_organisations(typed, sample, rules, bench)
    ):
        return [found for found in kept if not found[0].kind.organisations_own]
    return kept


def _named_kinds(
    typed: TypedTable, but: TypedColumn, kinds: Iterable[str], rules: Rules
) -> set[str]:
    """Kinds that some other column is named after: a masked name is a person's name still."""
    return {
        kind.name
        for kind in rules.kinds
        if kind.name in kinds
        and any(
            kind.headers.in_name(column.column.name)
            and not kind.unless_headers.surely_in_name(column.column.name)
            for column in typed.columns
            if column is not but
        )
    }


def _lists_organisations(typed: TypedTable, sample: str, rules: Rules, bench: Workbench) -> bool:
    organisations = rules.organisations
    if any(organisations.headers.are_name(column.column.name) for column in typed.columns):
        return True
    texts = [column for column in typed.columns if column.column.type == "string"]
    pattern = literal(organisations.value)
    asked = [
        _Suspicion(column, rules.kinds[0], False, f"regexp_matches({column.text}, {pattern})")
        for column in texts
    ]
    return any(
        filled and matched / filled >= organisations.share
        for matched, filled in _counts(sample, asked, bench)
    )


def _best(scored: list[_Scored]) -> list[_Scored]:
    """One kind a column: the one with the highest score."""
    best: dict[int, _Scored] = {}
    for found in scored:
        key = id(found[0].typed)
        if key not in best or found[2] > best[key][2]:
            best[key] = found
    return list(best.values())


def _finding(
    suspicion: _Suspicion, matched: int, score: float, typed: TypedTable, bench: Workbench
) -> Finding:
    shown = masks.truncated(suspicion.typed.text)
    examples = bench.rows(
        f"SELECT DISTINCT {shown} FROM (SELECT * FROM {typed.raw.name} "  # noqa: S608
        f"WHERE {suspicion.looks_like} LIMIT 100) LIMIT {SHOWN_EXAMPLES}"
    )
    return Finding(
        column=suspicion.typed.column.name,
        kind=suspicion.kind.name,
        score=round(min(score, 1.0), 2),
        matched_count=matched,
        row_count=typed.row_count,
        examples=tuple(sorted(text for (text,) in examples)),
    )
