"""Validators of a source's own fields."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

from ckan import model
from ckan.plugins import toolkit as tk
from ckan.plugins.toolkit import _

from . import schedule
from .checks import is_text
from .errors import ScheduleInvalid
from .kinds import KINDS
from .states import SOURCE_STATES
from .upload_model import Upload, upload_of_url

URL_LONGEST = 2000
SCHEMES = ("https", "http", *(scheme for kind in KINDS.values() for scheme in kind.schemes))


def hanoiic_source_url(value: Any) -> str:
    """An address of http, https, or a scheme that a kind of source has; without credentials."""
    url = value.strip() if isinstance(value, str) else ""
    if len(url) > URL_LONGEST or any(ord(letter) <= 0x20 or letter == "\x7f" for letter in url):
        raise tk.Invalid(_("The address has white space or is too long"))
    try:
        parts = urlsplit(url)
        # Reading the port is what checks it.
        _port = parts.port
    except ValueError as error:
        raise tk.Invalid(_("Not an address: check the host and the port")) from error
    if parts.scheme not in SCHEMES or not parts.hostname:
        known = ", ".join(f"{scheme}://" for scheme in SCHEMES)
        message = _("The address must begin with one of {schemes} and name a host")
        raise tk.Invalid(message.format(schemes=known))
    if "@" in parts.netloc:
        raise tk.Invalid(
            _(
                "Remove the user name and the password from the address: it is shown in reports. "
                "Ask the department for an address that needs none."
            )
        )
    return url


def hanoiic_source_place(value: Any) -> str:
    """An address as ``hanoiic_source_url``, or ``upload:<id>`` of a file that is there."""
    text = value.strip() if isinstance(value, str) else ""
    upload = upload_of_url(text)
    if upload is None:
        return hanoiic_source_url(value)
    if model.Session.get(Upload, upload) is None:
        raise tk.Invalid(_("File not found"))
    return text


def hanoiic_source_kind(value: Any) -> str:
    """A kind of the table of kinds."""
    if value not in KINDS:
        raise tk.Invalid(_("Must be one of: {choices}").format(choices=", ".join(KINDS)))
    return value


def hanoiic_source_state(value: Any) -> str:
    """``active`` or ``paused``; deleting has its own action."""
    if value not in SOURCE_STATES:
        raise tk.Invalid(_("Must be one of: {choices}").format(choices=", ".join(SOURCE_STATES)))
    return value


def hanoiic_cron(value: Any) -> str:
    """A cron expression of five fields in UTC, or empty."""
    try:
        return schedule.check(value or "")
    except ScheduleInvalid as error:
        message = _("Must be a cron expression of five fields that comes due, such as 0 19 * * *")
        raise tk.Invalid(message) from error


def hanoiic_json_object(value: Any) -> dict[str, Any]:
    """A JSON object, or its text."""
    if isinstance(value, str):
        try:
            value = json.loads(value) if value.strip() else {}
        except json.JSONDecodeError as error:
            message = _("Not JSON: look at line {line}, column {column}")
            raise tk.Invalid(message.format(line=error.lineno, column=error.colno)) from error
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise tk.Invalid(_("Must be a JSON object"))
    return value


def hanoiic_publishing_org(value: Any) -> str:
    """The id of an active organisation, given by id or name."""
    organisation = model.Group.get(value) if isinstance(value, str) else None
    if organisation is None or not organisation.is_organization or organisation.state != "active":
        raise tk.Invalid(_("No such organisation"))
    return organisation.id


def source_schema() -> dict[str, list[Any]]:
    """The navl schema of a whole source; ``options`` and ``dataset`` have their own tables."""
    get = tk.get_validator
    no_nul, text = get("hanoiic_no_nul"), get("unicode_safe")
    return {
        "name": [get("not_empty"), text, get("name_validator")],
        "title": [get("not_empty"), text, no_nul],
        "owner_org": [get("not_empty"), hanoiic_publishing_org],
        "kind": [get("not_empty"), hanoiic_source_kind],
        "url": [get("not_empty"), hanoiic_source_place],
        "schedule": [get("default")(""), hanoiic_cron],
        "state": [get("default")("active"), hanoiic_source_state],
        "options": [get("default")("{}"), hanoiic_json_object],
        "dataset": [get("default")("{}"), hanoiic_json_object],
    }


def hanoiic_no_nul(value: str) -> str:
    """Text that PostgreSQL can store, of at most 300 characters."""
    if not is_text(value) or len(value) > 300:
        raise tk.Invalid(_("Must be text of at most 300 characters"))
    return value.strip()


VALIDATORS = {
    validator.__name__: validator
    for validator in (
        hanoiic_source_url,
        hanoiic_source_kind,
        hanoiic_source_state,
        hanoiic_cron,
        hanoiic_json_object,
        hanoiic_no_nul,
    )
}
