"""Checks of the values inside a JSON object: each takes a value and returns the one to keep.

All raise ``toolkit.Invalid`` with a sentence for the officer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from ckan.plugins import toolkit as tk
from ckan.plugins.toolkit import _

Check = Callable[[Any], Any]

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


def is_text(value: Any) -> bool:
    """Whether it is a text that PostgreSQL can keep: without NUL and halves of characters."""
    return isinstance(value, str) and not any(
        letter == "\x00" or "\ud800" <= letter <= "\udfff" for letter in value
    )


def text(longest: int) -> Check:
    """A string of at most ``longest`` characters, trimmed."""

    def check(value: Any) -> str:
        if not is_text(value):
            raise tk.Invalid(_("Must be text"))
        if len(value) > longest:
            raise tk.Invalid(_("Must have at most {n} characters").format(n=longest))
        return value.strip()

    return check


def matching(pattern: str, says: str) -> Check:
    """A string that matches ``pattern`` entirely; ``says`` is the (translatable) complaint."""
    compiled = re.compile(pattern)

    def check(value: Any) -> str:
        if not isinstance(value, str) or not compiled.fullmatch(value):
            raise tk.Invalid(_(says))
        return value

    return check


def one_of(*choices: str) -> Check:
    """One of the strings ``choices``."""

    def check(value: Any) -> str:
        if value not in choices:
            raise tk.Invalid(_("Must be one of: {choices}").format(choices=", ".join(choices)))
        return value

    return check


def integer(least: int, most: int) -> Check:
    """A whole number between ``least`` and ``most``, both allowed."""

    def check(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            message = _("Must be a whole number from {least} to {most}")
            raise tk.Invalid(message.format(least=least, most=most))
        return value

    return check


def share(value: Any) -> float:
    """A number from 0 to 1."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise tk.Invalid(_("Must be a number from 0 to 1"))
    return value


def boolean(value: Any) -> bool:
    """JSON's true or false."""
    if not isinstance(value, bool):
        raise tk.Invalid(_("Must be true or false"))
    return value


def true_or_false(value: Any) -> str:
    """The words ``true`` and ``false``, as a dataset carries them; JSON's own are taken too."""
    word = str(value).lower()
    if word not in ("true", "false"):
        raise tk.Invalid(_("Must be true or false"))
    return word


def bound(value: Any) -> float | str:
    """An end of a range: a number, or text such as a date."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise tk.Invalid(_("Must be a number or text"))
    return value


def pattern(value: Any) -> str:
    """A regular expression of at most 500 characters."""
    regular = text(500)(value)
    try:
        re.compile(regular)
    except re.error as error:
        message = _("Not a regular expression: {reason}").format(reason=error)
        raise tk.Invalid(message) from error
    return regular


def iso_date(value: Any) -> str:
    """An ISO 8601 date, ``2026-01-31``; an empty one stays empty."""
    if value == "":
        return value
    try:
        return date.fromisoformat(value).isoformat()
    except (TypeError, ValueError) as error:
        raise tk.Invalid(_("Must be a date like 2026-01-31")) from error


def email(value: Any) -> str:
    """An e-mail address; an empty one stays empty."""
    address = text(254)(value)
    if address and not _EMAIL.fullmatch(address):
        raise tk.Invalid(_("Not an e-mail address"))
    return address


def list_of(check: Check, most: int) -> Check:
    """A list of at most ``most`` values that each pass ``check``."""

    def check_all(value: Any) -> list[Any]:
        if not isinstance(value, list) or len(value) > most:
            raise tk.Invalid(_("Must be a list of at most {n} values").format(n=most))
        return [check(one) for one in value]

    return check_all


def named(check: Check, most: int) -> Check:
    """A list of names, kept as CKAN writes them, ``[{"name": "…"}]``; strings are taken too."""

    def name_of(value: Any) -> dict[str, str]:
        return {"name": check(value.get("name") if isinstance(value, dict) else value)}

    return list_of(name_of, most)


def mapping_of(check: Check, most: int) -> Check:
    """An object with any keys whose values pass ``check``; a complaint names its key."""

    def check_all(value: Any) -> dict[str, Any]:
        if not isinstance(value, dict) or len(value) > most:
            raise tk.Invalid(_("Must be an object of at most {n} keys").format(n=most))
        checked = {}
        for key, one in value.items():
            if not is_text(key):
                raise tk.Invalid(_("Must be text"))
            try:
                checked[key] = check(one)
            except tk.Invalid as error:
                raise tk.Invalid(f"{key}: {error.error}") from error
        return checked

    return check_all


def object_of(checks: Mapping[str, Check]) -> Check:
    """An object with the keys of ``checks`` only; the first complaint names its key."""

    def check_all(value: Any) -> dict[str, Any]:
        checked, errors = check_object(value, checks)
        for key, complaint in errors.items():
            raise tk.Invalid(f"{key}: {complaint}" if key else complaint)
        return checked

    return check_all


def check_object(value: Any, checks: Mapping[str, Check]) -> tuple[dict[str, Any], dict[str, str]]:
    """The checked values and one complaint a bad key; the key ``""`` is about the object itself.

    A null value is left out: it means "not said".
    """
    if not isinstance(value, dict):
        return {}, {"": _("Must be a JSON object")}
    checked: dict[str, Any] = {}
    errors: dict[str, str] = {}
    unknown = sorted(set(value) - set(checks))
    if unknown:
        message = _("Unknown: {unknown}. Known: {known}")
        known = ", ".join(sorted(checks))
        errors[""] = message.format(unknown=", ".join(map(str, unknown)), known=known)
    for key, one in value.items():
        if key not in checks or one is None:
            continue
        try:
            checked[key] = checks[key](one)
        except tk.Invalid as error:
            errors[key] = error.error
    return checked, errors
