"""From what a query string asks (`filters.Rows`) to SQL: names checked and quoted, values bound.

A value is read as its column's type before any engine sees it, so that a wrong one is an error that
names its parameter. Nothing of the caller's text is ever a part of the SQL.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import InvalidOperation
from typing import Any

from api_gateway.engine import quoted
from api_gateway.errors import ColumnUnknown
from api_gateway.filter_values import reader
from api_gateway.filters import Compare, Group, Ordered, Place, Rows, Selected
from api_gateway.gate import Statement
from api_gateway.origins import Named, Select, Source, Star
from lake import Column

# PostgreSQL's names of types that a column may be cast to.
CASTS = {
    "bigint": "BIGINT", "bool": "BOOLEAN", "boolean": "BOOLEAN", "date": "DATE",
    "double precision": "DOUBLE", "float": "DOUBLE", "float4": "FLOAT", "float8": "DOUBLE",
    "int": "INTEGER", "int2": "SMALLINT", "int4": "INTEGER", "int8": "BIGINT",
    "integer": "INTEGER", "numeric": "DECIMAL(38, 9)", "real": "FLOAT", "smallint": "SMALLINT",
    "text": "VARCHAR", "time": "TIME", "timestamp": "TIMESTAMP", "timestamptz": "TIMESTAMPTZ",
    "varchar": "VARCHAR",
}  # fmt: skip
_COMPARISONS = {
    "eq": "=", "neq": "<>", "gt": ">", "gte": ">=", "lt": "<", "lte": "<=",
    "isdistinct": "IS DISTINCT FROM",
}  # fmt: skip
_PATTERNS = {
    "like": "{} LIKE ?", "ilike": "{} ILIKE ?", "match": "regexp_matches({}, ?)",
    "imatch": "regexp_matches({}, ?, 'i')",
}  # fmt: skip
# A NULL in a list is like no other: nothing that has one is within a list.
_ARRAYS = {"cs": "list_has_all({0}, {1})", "ov": "list_has_any({0}, {1})",
           "cd": "(list_has_all({1}, {0}) AND list_count({0}) = len({0}))"}  # fmt: skip
_ESCAPED = re.compile(r"(?:[^\\]|\\.)*", re.DOTALL)
_IS = {"null": "NULL", "not_null": "NOT NULL", "true": "TRUE", "false": "FALSE", "unknown": "NULL"}
_SHAPED = {"binary", "geometry"}
_SEARCHED = re.compile(r'(-?)(?:"([^"]*)"|(\S+))')


@dataclass(frozen=True)
class Compiled:
    """The rows' statement and the values bound in it, which `reach_sql` takes too: the same rows
    without order, and one more than the limit; and the rows without order, `after`, offset and
    limit, to be counted."""

    statement: Statement
    params: list[Any]
    reach_sql: str
    counted_sql: str
    counted_params: list[Any]


def compile_rows(table: str, rows: Rows, columns: Sequence[Column], limit: int | None) -> Compiled:
    """SQL for `rows` of `table`, which has `columns`; `limit` instead of that of `rows`,
    which may be applied elsewhere. Raises FilterInvalid, ColumnUnknown."""
    return _Compiler(table, columns).compiled(rows, limit)


class _Compiler:
    def __init__(self, table: str, columns: Sequence[Column]) -> None:
        self._table = table
        self._columns = columns
        self._by_name = {each.ascii.casefold(): each for each in columns if each.ascii}
        self._by_name |= {each.name.casefold(): each for each in columns}
        self._params: list[Any] = []
        # With an aggregate: what the rows are grouped by, by column.
        self._groups: dict[str, str] | None = None

    def compiled(self, rows: Rows, limit: int | None) -> Compiled:
        selected = [self._selected(each) for each in rows.select]
        groups = self._grouped(rows.select)
        where = [self._condition(each) for each in rows.where]
        source = f"SELECT {', '.join(selected)} FROM {quoted(self._table)}"  # noqa: S608
        counted, counted_params = f"{source}{_where(where)}{groups}", list(self._params)
        if rows.after is not None:
            where.append(self._after(rows.order, rows.after))
        found = f"{source}{_where(where)}{groups}"
        offset = f" OFFSET {rows.offset}" if rows.offset else ""
        sql, reach_sql = f"{found}{self._ordered(rows)}{offset}", f"{found}{offset}"
        if limit is not None:
            sql, reach_sql = f"{sql} LIMIT {limit}", f"{reach_sql} LIMIT {limit + 1}"
        items = tuple(self._item(each) for each in rows.select)
        origins = Select(items, (Source(self._table, self._table),))
        statement = Statement(sql, (self._table,), origins)
        return Compiled(statement, self._params, reach_sql, counted, counted_params)

    def _grouped(self, selected: Sequence[Selected]) -> str:
        """With an aggregate, the other columns are what it is an aggregate of, as selected."""
        plain = [each for each in selected if not each.aggregate]
        if len(plain) == len(selected):
            return ""
        # One that is there both plain and cast is ordered by as it is plain.
        cast_first = sorted(plain, key=lambda each: each.cast is None)
        self._groups = {
            self._column(each.column, each.place).name: self._value(each) for each in cast_first
        }
        values = dict.fromkeys(self._value(each) for each in plain)
        return f" GROUP BY {', '.join(values)}" if values else ""

    def _column(self, name: str, place: Place) -> Column:
        column = self._by_name.get(unicodedata.normalize("NFC", name).casefold())
        if column is None:
            near = difflib.get_close_matches(name.casefold(), self._by_name, n=3)
            raise ColumnUnknown(
                f"{self._table} has no column {name[:80]}",
                parameter=place.parameter,
                position=place.position,
                column=name[:80],
                suggestions=[self._by_name[each].name for each in near] or None,
            )
        return column

    def _of_table(self, column: Column) -> str:
        """A column by its table too: alone its name might be that of a column of the answer."""
        return f"{quoted(self._table)}.{quoted(column.name)}"

    def _item(self, selected: Selected) -> Star | Named:
        if selected.column == "*" and not selected.aggregate:
            return Star()
        name = self._name_of(selected)
        if selected.aggregate:
            return Named(name)
        return Named(name, None, self._column(selected.column, selected.place).name)

    def _name_of(self, selected: Selected) -> str:
        """What the column is called in the answer: as the caller called it."""
        if selected.name or selected.aggregate:
            return selected.name or selected.aggregate or ""
        column = self._column(selected.column, selected.place)
        by_alias = selected.column.casefold() == column.ascii.casefold() != column.name.casefold()
        return column.ascii if by_alias else column.name

    def _selected(self, selected: Selected) -> str:
        if selected.column == "*" and not selected.aggregate:
            return "*"
        return f"{self._value(selected)} AS {quoted(self._name_of(selected))}"

    def _value(self, selected: Selected) -> str:
        if selected.column == "*" and selected.aggregate:
            value = "count(*)"
        else:
            value = self._of_table(self._column(selected.column, selected.place))
            if selected.aggregate:
                value = f"{selected.aggregate}({value})"
        if selected.cast is None:
            return value
        cast = CASTS.get(selected.cast.lower())
        if cast is None:
            raise selected.place.wrong(f"no type {selected.cast[:40]}", valid=sorted(CASTS))
        return f"CAST({value} AS {cast})"

    def _ordered(self, rows: Rows) -> str:
        if not rows.order:
            return ""
        keys = (
            f"{self._key(each)} {'DESC' if each.descending else 'ASC'} "
            f"NULLS {'FIRST' if each.nulls_first else 'LAST'}"
            for each in rows.order
        )
        return f" ORDER BY {', '.join(keys)}"

    def _key(self, ordered: Ordered) -> str:
        """The table's column; among groups, what they are groups of."""
        column = self._column(ordered.column, ordered.place)
        if self._groups is None:
            return self._of_table(column)
        if column.name not in self._groups:
            raise ordered.place.wrong("beside an aggregate, order by a column that is selected too")
        return self._groups[column.name]

    def _after(self, order: Sequence[Ordered], after: Sequence[str | None]) -> str:
        """Rows behind a key in the order: behind it in its first column, or equal there and …"""
        place = Place("after", 0)
        if len(after) != len(order):
            raise place.wrong("after needs one value for each column of order")
        alternatives = []
        for last in range(len(order)):
            parts = [
                self._same(each, value, place)
                for each, value in zip(order[:last], after, strict=False)
            ]
            parts.append(self._behind(order[last], after[last], place))
            alternatives.append(f"({' AND '.join(parts)})")
        return f"({' OR '.join(alternatives)})"

    def _same(self, ordered: Ordered, value: str | None, place: Place) -> str:
        column = self._column(ordered.column, ordered.place)
        name = self._of_table(column)
        return (
            f"{name} IS NULL" if value is None else f"{name} = {self._bind(column, value, place)}"
        )

    def _behind(self, ordered: Ordered, value: str | None, place: Place) -> str:
        column = self._column(ordered.column, ordered.place)
        name = self._of_table(column)
        if self._key(ordered) != name:
            raise place.wrong("after needs groups of a column without another type")
        if value is None:
            return f"{name} IS NOT NULL" if ordered.nulls_first else "FALSE"
        sign = "<" if ordered.descending else ">"
        larger = f"{name} {sign} {self._bind(column, value, place)}"
        return larger if ordered.nulls_first else f"({larger} OR {name} IS NULL)"

    def _condition(self, condition: Compare | Group) -> str:
        if isinstance(condition, Group):
            joined = f" {condition.joined_by.upper()} "
            text = f"({joined.join(self._condition(each) for each in condition.parts)})"
        else:
            text = self._compare(condition)
        return f"(NOT {text})" if condition.negated else text

    def _compare(self, condition: Compare) -> str:
        column = self._column(condition.column, condition.place)
        operator, name, place = condition.operator, self._of_table(column), condition.place
        if operator == "is":
            word = str(condition.values[0]).lower()
            if word not in _IS or (word in ("true", "false") and column.type != "boolean"):
                raise place.wrong("is.null, is.not_null; of a boolean is.true, is.false")
            return f"({name} IS {_IS[word]})"
        if column.type in _SHAPED:
            raise place.wrong(f"{column.name} is a {column.type}: only is.null compares it")
        if operator in _ARRAYS:
            return self._array(column, condition)
        if operator.endswith("fts"):
            return self._search(column, operator, str(condition.values[0]))
        if operator == "in":
            if not condition.values:
                return "(FALSE)"
            bound = [self._bind(column, each, place) for each in condition.values]
            if len(set(bound)) > 1:
                # IN would compare all of them as one type, perhaps as floats.
                return f"({' OR '.join(f'{name} = {each}' for each in bound)})"
            return f"({name} IN ({', '.join(bound)}))"
        if operator in _PATTERNS:
            each_of: Callable[[str | None], str] = lambda value: self._pattern(  # noqa: E731
                column, operator, str(value), place
            )
        else:
            each_of = lambda value: (  # noqa: E731
                f"{name} {_COMPARISONS[operator]} {self._bind(column, value, place)}"
            )
        joined = " AND " if condition.quantifier == "all" else " OR "
        if not condition.values:
            raise place.wrong("give at least one value: {a,b}")
        return f"({joined.join(each_of(each) for each in condition.values)})"

    def _pattern(self, column: Column, operator: str, value: str, place: Place) -> str:
        text = self._of_table(column)
        if column.type != "string":
            text = f"CAST({text} AS VARCHAR)"
        if not operator.endswith("like"):
            self._params.append(value)
            return _PATTERNS[operator].format(text)
        if not _ESCAPED.fullmatch(value):
            raise place.wrong("the pattern ends with \\, which takes the sign after it as it is")
        # In an address * stands for %.
        self._params.append(value.replace("*", "%"))
        # With the word that makes it what it is in PostgreSQL a pattern is slower.
        escape = " ESCAPE '\\'" if "\\" in value else ""
        return _PATTERNS[operator].format(text) + escape

    def _array(self, column: Column, condition: Compare) -> str:
        if not column.type.startswith("list<"):
            raise condition.place.wrong(f"{column.name} is no list")
        name, item = self._of_table(column), Column(column.name, column.type[5:-1])
        if None in condition.values and condition.operator == "cs":
            # False, and NULL of NULL.
            return f"(len({name}) < 0)"
        bound = (self._bind(item, each, condition.place) for each in condition.values)
        items = f"[{', '.join(bound)}]"
        if not condition.values:
            items = f"{name}[1:0]"
        return f"({_ARRAYS[condition.operator].format(name, items)})"

    def _search(self, column: Column, operator: str, asked: str) -> str:
        """Every word (`phfts`: the phrase; `wfts`: "a phrase", -without), with or without
        diacritics."""
        folded = (
            f"replace(strip_accents(lower(CAST({self._of_table(column)} AS VARCHAR))), 'đ', 'd')"
        )
        if operator == "phfts":
            found = [("", asked)]
        elif operator == "wfts":
            found = [(sign, phrase or word) for sign, phrase, word in _SEARCHED.findall(asked)]
        else:
            found = [("", word) for word in re.findall(r"\w+", asked)]
        parts = []
        for sign, words in found:
            self._params.append(_folded(words))
            parts.append(f"{'NOT ' if sign else ''}contains({folded}, ?)")
        return f"({' AND '.join(parts)})" if parts else "(FALSE)"

    def _bind(self, column: Column, value: str | None, place: Place) -> str:
        """A bound value as the column's type. Raises FilterInvalid for one that is not."""
        read = reader(column.type)
        if read is None:
            raise place.wrong(f"{column.name} is a {column.type}: cs, cd and ov compare it")
        if value is None:
            return "NULL"
        try:
            bound, cast = read(value, column.type)
        except (ValueError, InvalidOperation, OverflowError):
            raise place.wrong(f"{column.name} is a {column.type}, and the value is none") from None
        self._params.append(bound)
        return f"CAST(? AS {cast})"


def _where(conditions: Sequence[str]) -> str:
    return f" WHERE {' AND '.join(conditions)}" if conditions else ""


def _folded(text: str) -> str:
    plain = unicodedata.normalize("NFD", text.lower().replace("đ", "d"))
    return "".join(letter for letter in plain if not unicodedata.combining(letter))
