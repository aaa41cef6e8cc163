"""From the fields of the preview's form to a source's options, and back. Pure functions."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from .reading import COLUMN_RULES, COLUMN_SHOWN, READING, RULES, Choice

Options = dict[str, Any]

_OPTIONS = {**READING, **RULES}
_TEXT = Choice("")
_COLUMN = {**dict.fromkeys(COLUMN_SHOWN, _TEXT), **COLUMN_RULES}


def options_of(form: Mapping[str, str], kept: Options) -> Options:
    """``kept`` with what the form says: ``option.<name>`` and ``column.<number>.<name>``.

    An empty field takes a pin away; what the form does not show stays.
    """
    options = copy.deepcopy(kept)
    for name, choice in _OPTIONS.items():
        choose(options, kept, name, choice, form.get(f"option.{name}"))
    columns = dict(options.get("columns", {}))
    for key, column in form.items():
        if not (key.startswith("column.") and key.endswith(".name")):
            continue
        pins, before = dict(columns.get(column, {})), kept.get("columns", {}).get(column, {})
        for name, choice in _COLUMN.items():
            choose(pins, before, name, choice, form.get(f"{key.removesuffix('.name')}.{name}"))
        put(columns, column, pins)
    put(options, "columns", columns)
    return options


def choose(target: Options, before: Options, name: str, choice: Choice, typed: str | None) -> None:
    """Set what was typed for an option; None means that the form does not show it.

    A field left as it was changes nothing: a value stays as it was said, whatever else its text
    could mean, and of the tables that have a column of one name any may be the one to pin it in.
    """
    shown = choice.shape.write(before[name]) if name in before else ""
    text = "" if typed is None else typed if choice.choices else typed.strip()
    if typed is not None and text != shown:
        put(target, name, choice.shape.read(text) if text else None)


def put(target: Options, key: str, value: Any) -> None:
    """Set ``key``, or take it away for an empty value."""
    if value in (None, {}, []):
        target.pop(key, None)
    else:
        target[key] = value


def columns_of(table: Mapping[str, Any], options: Options) -> list[dict[str, Any]]:
    """The columns of a previewed table with their pins."""
    pins = options.get("columns", {})
    said = [column for column in table.get("columns") or [] if isinstance(column, dict)]
    return [{**column, "pins": pins.get(column.get("name"), {})} for column in said]


def columns_out_of_sight(result: Mapping[str, Any], options: Options) -> list[dict[str, Any]]:
    """Pinned columns that no previewed table has: left out, or of a name that is not there."""
    seen = {
        column.get("name")
        for table in result.get("tables") or []
        for column in table.get("columns") or []
        if isinstance(column, dict)
    }
    pins = options.get("columns", {})
    return [{"name": name, "pins": said} for name, said in pins.items() if name not in seen]
