"""Follows the columns of an answer to the lake tables they are of, through SELECTs and joins.

Columns go in their order, as the engine tells those of one name apart by it: `value`, `value_1` …
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from api_gateway.formats import unique
from api_gateway.origins import Named, Select, Source, Star, folded
from lake import Column

# The columns of every SELECT and source together: an answer has few, and the web process follows.
_MOST_COLUMNS = 20_000

ColumnsOf = Callable[[str], Mapping[str, Column]]


class _Output(NamedTuple):
    """A column of a source or an answer; without a `name` any number of columns of any names."""

    name: str | None
    origin: Column | None = None
    source: str | None = None
    is_merged: bool = False


_ANY = _Output(None)


class _TooMany(Exception):
    """The columns that are followed are more than `_MOST_COLUMNS`."""


def resolve(select: Select | None, columns_of: ColumnsOf) -> dict[str, Column]:
    """The lake columns among the answer's, by their names in the answer. `columns_of` a table's
    columns by folded name."""
    try:
        outputs = _Follower(columns_of).selected(select)
    except _TooMany:
        return {}
    return {name: each.origin for name, each in _unlike(_known(outputs)) if each.origin}


class _Follower:
    def __init__(self, columns_of: ColumnsOf) -> None:
        self._columns_of = columns_of
        self._left = _MOST_COLUMNS

    def selected(self, select: Select | None) -> list[_Output]:
        """The columns of a SELECT, up to those that are not known."""
        if select is None:
            return [_ANY]
        scope = self._joined(select.sources)
        found: list[_Output] = []
        for item in select.items:
            new = scope.star(item) if isinstance(item, Star) else [scope.named(item)]
            known = _known(self._counted(new))
            found += known
            if len(known) < len(new):
                return [*found, _ANY]
        return found

    def _joined(self, sources: Sequence[Source]) -> _Scope:
        scope = _Scope([], {})
        for source in sources:
            right = self._scope(source)
            if source.join in ("SEMI", "ANTI"):
                continue
            if source.shared != ():
                self._counted(scope.outputs)
            scope.join(right, source)
        return scope

    def _scope(self, source: Source) -> _Scope:
        if isinstance(source.of, tuple) and not source.alias:
            return self._joined(source.of)
        outputs = [_Output(each.name, each.origin, source.alias) for each in self._read(source)]
        return _Scope(list(outputs), {source.alias: outputs})

    def _read(self, source: Source) -> list[_Output]:
        if isinstance(source.of, str):
            columns = self._columns_of(source.of)
            outputs = [_Output(each.name, each) for each in columns.values()] or [_ANY]
        elif isinstance(source.of, tuple):
            outputs = self._read(source.of[0])
        else:
            outputs = self.selected(source.of)
        known = _known(outputs)
        if len(known) < len(outputs) and source.names:
            return [_ANY]
        # A function may have fewer columns than its alias names.
        names = [*source.names, *(each.name or "" for each in known[len(source.names) :])]
        renamed = [each._replace(name=name) for name, each in zip(names, known, strict=False)]
        unlike = [each._replace(name=name) for name, each in _unlike(renamed)]
        return self._counted([*unlike, *outputs[len(known) :]])

    def _counted(self, outputs: list[_Output]) -> list[_Output]:
        self._left -= len(outputs)
        if self._left < 0:
            raise _TooMany
        return outputs


class _Scope:
    """What the columns of one SELECT may be: those of `*` in their order, and those by source."""

    def __init__(self, outputs: list[_Output], by_source: dict[str, list[_Output]]) -> None:
        self.outputs = outputs
        self._by_source = by_source
        self._found: dict[str | None, dict[str, _Output]] = {}

    def join(self, right: _Scope, how: Source) -> None:
        """Take in the sources of `right`, joined as `how` says."""
        for alias, outputs in right._by_source.items():
            self._by_source[alias] = [_ANY] if alias in self._by_source else outputs
        if how.shared == ():
            self.outputs += right.outputs
        elif how.shared is None and not all(each.name for each in self.outputs + right.outputs):
            self.outputs = [_ANY]
        else:
            self._merge(right.outputs, how)

    def _merge(self, right: list[_Output], how: Source) -> None:
        theirs = {folded(each.name): each.origin for each in right if each.name}
        if how.shared is None:
            shared = theirs.keys() & {folded(each.name or "") for each in self.outputs}
        else:
            shared = {folded(name) for name in how.shared}
        for place, each in enumerate(self.outputs):
            if (key := folded(each.name or "")) in shared:
                # Of a RIGHT or FULL join the value may be of either side.
                is_ours = how.join in ("INNER", "LEFT") or each.origin == theirs.get(key)
                origin = each.origin if is_ours else None
                self.outputs[place] = each._replace(origin=origin, is_merged=True)
        self.outputs += [each for each in right if folded(each.name or "") not in shared]

    def named(self, item: Named) -> _Output:
        """The column that `item` is."""
        if item.column is None:
            return _Output(item.name)
        found = self._columns(item.source).get(folded(item.column))
        if found is None or found.name is None:
            return _Output(item.name or item.column)
        return _Output(item.name or found.name, found.origin)

    def star(self, star: Star) -> list[_Output]:
        """The columns that `star` is."""
        changes = {(each.source, each.column): each for each in star.changes}
        found: list[_Output] = []
        replaced: set[str] = set()
        for each in self._of(star.source):
            key = folded(each.name or "")
            change = changes.get((None, key)) or changes.get((each.source, key))
            if change is None or each.name is None:
                found.append(each)
            elif change.source and each.is_merged:
                # The other side's column comes instead.
                return [_ANY]
            elif change.renamed and not change.is_computed:
                found.append(each._replace(name=change.renamed))
            elif change.renamed and key not in replaced:
                replaced.add(key)
                found.append(_Output(change.renamed))
        return found

    def _of(self, source: str | None) -> list[_Output]:
        return self.outputs if source is None else self._by_source.get(source, [_ANY])

    def _columns(self, source: str | None) -> dict[str, _Output]:
        """Columns by folded name; a name that is there twice is none's."""
        if source not in self._found:
            found: dict[str, _Output] = {}
            for each in self._of(source):
                key = folded(each.name or "")
                found[key] = _ANY if key in found else each
            self._found[source] = found
        return self._found[source]


def _known(outputs: Iterable[_Output]) -> list[_Output]:
    return list(itertools.takewhile(lambda each: each.name is not None, outputs))


def _unlike(outputs: Sequence[_Output]) -> Iterator[tuple[str, _Output]]:
    """Outputs with their names made unlike, in a FROM as in an answer."""
    return zip(unique(each.name or "" for each in outputs), outputs, strict=True)
