"""What the actions accept."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from ckan.plugins import toolkit as tk
from ckan.types import Schema
from ckanext.hanoiic.licensing import offers, tokens

PURPOSE_LENGTH = 2000
REASON_LENGTH = 2000
NAME_LENGTH = 100
MAX_LIFETIME_DAYS = 365
MAX_TABLES = 1000
MOST_DAYS = 3650
TITLE_LENGTH = 200


def _validators(names: str) -> list[Any]:
    return [tk.get_validator(name) for name in names.split()]


def _shorter_than(length: int) -> Any:
    def check(value: str) -> str:
        if len(value) > length:
            raise tk.Invalid(tk._("At most {count} characters").format(count=length))
        return value

    return check


def _one_of(*choices: str) -> Any:
    def check(value: Any) -> str:
        if value not in choices:
            raise tk.Invalid(tk._("Must be one of: {choices}").format(choices=", ".join(choices)))
        return value

    return check


def _text_or_nothing(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise tk.Invalid(tk._("Must be text"))


def _table_names(value: Any) -> list[str] | None:
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise tk.Invalid(tk._("Must be a list of table names"))
    if len(value) > MAX_TABLES:
        raise tk.Invalid(tk._("At most {count} tables").format(count=MAX_TABLES))
    return value


def _scopes(value: Any) -> list[str]:
    given = [value] if isinstance(value, str) else value
    if not isinstance(given, list) or not given or not set(given) <= set(tokens.SCOPES):
        raise tk.Invalid(
            tk._("Must be one or more of: {choices}").format(choices=", ".join(tokens.SCOPES))
        )
    return [scope for scope in tokens.SCOPES if scope in given]


def _lifetime(value: int) -> int:
    if not 1 <= value <= MAX_LIFETIME_DAYS:
        raise tk.Invalid(tk._("Between 1 and {count} days").format(count=MAX_LIFETIME_DAYS))
    return value


def _between(least: int, most: int) -> Any:
    def check(value: int) -> int:
        if not least <= value <= most:
            raise tk.Invalid(tk._("Between {least} and {most}").format(least=least, most=most))
        return value

    return check


def _empty_is_none(value: str | None) -> str | None:
    return (value or "").strip() or None


def _moment(value: Any) -> datetime:
    """An ISO date (from its beginning by the portal's clock) or date-time with zone."""
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        raise tk.Invalid(tk._("Must be an ISO date or date-time")) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=ZoneInfo(tk.config["ckan.display_timezone"]))
    return moment


def _future_moment(value: Any) -> datetime:
    """An ISO date (valid through its end by the portal's clock) or date-time with zone."""
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        raise tk.Invalid(tk._("Must be an ISO date or date-time")) from None
    if len(str(value)) == len("2026-01-31"):
        here = ZoneInfo(tk.config["ckan.display_timezone"])
        moment = moment.replace(hour=23, minute=59, second=59, tzinfo=here)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if moment <= datetime.now(UTC):
        raise tk.Invalid(tk._("Must lie in the future"))
    return moment


def _text(length: int) -> list[Any]:
    names = "not_missing not_empty unicode_safe strip_value not_empty"
    return [*_validators(names), _shorter_than(length)]


def introspect() -> Schema:
    return {
        "token": [tk.get_validator("ignore_missing"), _text_or_nothing],
        "tables": [tk.get_validator("ignore_missing"), _table_names],
        "action": [*_validators("not_missing"), _one_of("query", "download", "share", "describe")],
    }


def nothing() -> Schema:
    return {}


def dataset() -> Schema:
    return {"dataset": _validators("not_missing not_empty unicode_safe")}


def id_and_table() -> Schema:
    return by_id() | {"table": _validators("ignore_empty unicode_safe")}


def offer_of_table() -> Schema:
    return dataset() | {"table": _validators("not_missing not_empty unicode_safe")}


def offer_reason() -> Schema:
    return dataset() | {
        "table": _validators("ignore_empty unicode_safe"),
        "reason": _text(REASON_LENGTH),
    }


def offer() -> Schema:
    days = [*_validators("ignore_empty int_validator"), _between(1, MOST_DAYS)]
    return dataset() | {
        "table": _validators("ignore_empty unicode_safe"),
        "tier": [*_validators("not_missing"), _one_of(*offers.TIERS)],
        "licence": _validators("ignore_empty unicode_safe"),
        "valid_from": [tk.get_validator("ignore_empty"), _moment],
        "valid_until": [tk.get_validator("ignore_empty"), _future_moment],
        "agreement_days": days,
        "sla_working_days": days,
    }


def licence() -> Schema:
    return by_id() | {"version": _validators("ignore_empty int_validator")}


def licence_version() -> Schema:
    return by_id() | {"version": _validators("not_missing int_validator")}


def licence_withdraw() -> Schema:
    return licence_version() | {"reason": _text(REASON_LENGTH)}


def licence_text() -> Schema:
    default = tk.get_validator("default")
    boolean = tk.get_validator("boolean_validator")
    return by_id() | {
        "title_vi": _text(TITLE_LENGTH),
        "title_en": _text(TITLE_LENGTH),
        "url": [default(None), _text_or_nothing, _empty_is_none],
        "draft": [default(True), boolean],
        "open": [default(False), boolean],
        "restricted_edition": [default(False), boolean],
    }


def licence_edit() -> Schema:
    return licence_text() | licence_version()


def edition_list() -> Schema:
    return {"table": _validators("ignore_empty unicode_safe")}


def edition_report() -> Schema:
    return {
        "edition": _validators("not_missing not_empty unicode_safe"),
        "table": _validators("not_missing not_empty unicode_safe"),
        "version": _validators("not_missing int_validator"),
        "state": [*_validators("not_missing"), _one_of("written", "failed")],
        "error": [*_validators("ignore_empty unicode_safe"), _shorter_than(REASON_LENGTH)],
    }


def edition_preview_update() -> Schema:
    return by_id() | {"state": [*_validators("not_missing"), _one_of("ready", "failed")]}


def by_id() -> Schema:
    return {"id": _validators("not_missing not_empty unicode_safe")}


def accept() -> Schema:
    return {
        "dataset": _validators("not_missing not_empty unicode_safe"),
        "organization": _validators("ignore_empty unicode_safe"),
    }


def request() -> Schema:
    return accept() | {"purpose": _text(PURPOSE_LENGTH)}


def decide_with_reason() -> Schema:
    return by_id() | {"reason": _text(REASON_LENGTH)}


def approve() -> Schema:
    return by_id() | {
        "reason": [*_validators("ignore_empty unicode_safe"), _shorter_than(REASON_LENGTH)],
        "valid_until": [tk.get_validator("ignore_empty"), _future_moment],
    }


def listing(*states: str) -> Schema:
    return {
        "box": [tk.get_validator("default")("mine"), _one_of("mine", "inbox")],
        "state": [tk.get_validator("ignore_empty"), _one_of(*states)],
    }


def token() -> Schema:
    default = tk.get_validator("default")
    return {
        "name": _text(NAME_LENGTH),
        "scopes": [default(list(tokens.SCOPES)), _scopes],
        "organization": _validators("ignore_empty unicode_safe"),
        "lifetime_days": [
            default(tokens.LIFETIME_DAYS),
            tk.get_validator("int_validator"),
            _lifetime,
        ],
    }
