"""What the actions accept."""

from __future__ import annotations

import ipaddress
import re
from datetime import UTC, datetime
from functools import wraps
from typing import Any
from zoneinfo import ZoneInfo

from ckan.plugins import toolkit as tk
from ckan.types import Schema
from ckanext.hanoiic.licensing import links, offers, policy, tokens, usage, usage_events

PURPOSE_LENGTH = 2000
REASON_LENGTH = 2000
NAME_LENGTH = 100
MAX_LIFETIME_DAYS = 365
MAX_TABLES = 1000
MOST_DAYS = 3650
TITLE_LENGTH = 200
MAX_NETWORKS = 20
MAX_OVERLAP_HOURS = 24 * 14
MAX_EVENTS = 1000
KEY_LENGTH = 200
MAX_AMOUNT = 2**62


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


def _of_number(check: Any) -> Any:
    """A check that leaves alone what is no number: CKAN asks it even so, and has complained."""

    @wraps(check)
    def checked(value: Any) -> Any:
        return check(value) if isinstance(value, int) else value

    return checked


@_of_number
def _lifetime(value: int) -> int:
    if not 1 <= value <= MAX_LIFETIME_DAYS:
        raise tk.Invalid(tk._("Between 1 and {count} days").format(count=MAX_LIFETIME_DAYS))
    return value


def _between(least: int, most: int) -> Any:
    @_of_number
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
    ignore_missing = tk.get_validator("ignore_missing")
    return {
        "token": [ignore_missing, _text_or_nothing],
        "tables": [ignore_missing, _table_names],
        "action": [
            *_validators("not_missing"), _one_of("query", "download", "share", "describe"),
        ],
        "audience": [tk.get_validator("default")(tokens.GATEWAY), _text_or_nothing],
    }  # fmt: skip


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
        "table": _validators("ignore_empty unicode_safe"),
        "organization": _validators("ignore_empty unicode_safe"),
    }


def request() -> Schema:
    return accept() | {
        "purpose": _text(PURPOSE_LENGTH),
        "purpose_code": [tk.get_validator("ignore_empty"), _one_of(*policy.PURPOSES)],
        "answers": [tk.get_validator("default")({}), _answers],
        "renew": [tk.get_validator("default")(False), tk.get_validator("boolean_validator")],
    }


def _answers(value: Any) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise tk.Invalid(tk._("Must be answers by the ids of their questions"))
    for text in value.values():
        _shorter_than(PURPOSE_LENGTH)(text)
    return value


def decide_with_reason() -> Schema:
    return by_id() | {"reason": _text(REASON_LENGTH)}


def say() -> Schema:
    return by_id() | {"text": _text(PURPOSE_LENGTH)}


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


def application() -> Schema:
    return {
        "name": _text(NAME_LENGTH),
        "description": [*_validators("ignore_empty unicode_safe"), _shorter_than(REASON_LENGTH)],
        "organization": _validators("ignore_empty unicode_safe"),
    }


def token() -> Schema:
    default = tk.get_validator("default")
    return {
        # The application's name, where it isn't named by its id.
        "name": [*_validators("ignore_empty unicode_safe strip_value"), _shorter_than(NAME_LENGTH)],
        "application": _validators("ignore_empty unicode_safe"),
        "scopes": [default(list(tokens.DEFAULT_SCOPES)), _scopes],
        "organization": _validators("ignore_empty unicode_safe"),
        "networks": [tk.get_validator("ignore_empty"), _networks],
        "audience": [default(list(tokens.AUDIENCES)), _audience],
        "lifetime_days": [
            default(tokens.LIFETIME_DAYS),
            tk.get_validator("int_validator"),
            _lifetime,
        ],
    }


def rotate() -> Schema:
    return by_id() | {
        "overlap_hours": [
            tk.get_validator("default")(tokens.OVERLAP_HOURS),
            tk.get_validator("int_validator"),
            _overlap,
        ]
    }


@_of_number
def _overlap(value: int) -> int:
    if not 0 <= value <= MAX_OVERLAP_HOURS:
        raise tk.Invalid(tk._("Between 0 and {count} hours").format(count=MAX_OVERLAP_HOURS))
    return value


def _audience(value: Any) -> list[str]:
    given = [value] if isinstance(value, str) else value
    if (
        not isinstance(given, list)
        or not 1 <= len(given) <= MAX_NETWORKS
        or not all(isinstance(one, str) and 0 < len(one) <= NAME_LENGTH for one in given)
    ):
        raise tk.Invalid(tk._("Must be a list of names"))
    return given


def _networks(value: Any) -> list[str]:
    """Addresses and networks as a list or a text, in CIDR notation."""
    given = re.split(r"[\s,;]+", value.strip()) if isinstance(value, str) else value
    if not isinstance(given, list) or len(given) > MAX_NETWORKS:
        raise tk.Invalid(tk._("At most {count} networks").format(count=MAX_NETWORKS))
    try:
        return [str(ipaddress.ip_network(one, strict=False)) for one in given]
    except (ValueError, TypeError):
        raise tk.Invalid(tk._("Must be networks such as 203.0.113.0/24 or 2001:db8::/32")) from None


def lease() -> Schema:
    return {
        "agreement": _validators("not_missing not_empty unicode_safe"),
        "key": _text(KEY_LENGTH),
        "want": [*_validators("not_missing"), _amounts],
    }


def settle() -> Schema:
    return {
        "lease": _validators("not_missing not_empty unicode_safe"),
        "used": [*_validators("not_missing"), _amounts],
        "final": [tk.get_validator("default")(True), tk.get_validator("boolean_validator")],
    }


def _amounts(value: Any) -> dict[str, int]:
    if not isinstance(value, dict) or not set(value) <= set(usage.MEASURES):
        raise tk.Invalid(tk._("Must be amounts of: {choices}").format(
            choices=", ".join(usage.MEASURES)
        ))  # fmt: skip
    if not all(type(one) is int and 0 <= one <= MAX_AMOUNT for one in value.values()):
        raise tk.Invalid(tk._("Must be whole numbers from 0"))
    return value


def events() -> Schema:
    return {"events": [*_validators("not_missing"), _events]}


# Field of an event → (its type, what stands for a missing one; ... where it must be there).
EVENT: dict[str, tuple[Any, Any]] = {
    "id": (str, ...), "at": (str, ...), "request_id": (str, None), "door": (str, ...),
    "action": (str, ...), "token_id": (str, None), "client_id": (str, None), "sub": (str, None),
    "organization_id": (str, None), "outcome": (str, ...), "reason": (str, None),
    "tables": (list, []), "rows": (int, 0), "bytes": (int, 0), "duration_s": ((int, float), 0.0),
    "receipt": (str, None),
}  # fmt: skip


def _events(value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list) or len(value) > MAX_EVENTS:
        raise tk.Invalid(tk._("At most {count} events").format(count=MAX_EVENTS))
    return [_event(one) for one in value]


def _event(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise tk.Invalid(tk._("Must be an event"))
    told: dict[str, Any] = {}
    for name, (kind, missing) in EVENT.items():
        one = value.get(name)
        if one is None and missing is not ...:
            one = missing
        elif not isinstance(one, kind) or isinstance(one, bool):
            raise tk.Invalid(tk._("The event's {field} is missing or wrong").format(field=name))
        told[name] = one
    try:
        told["at"] = datetime.fromisoformat(told["at"]).astimezone(UTC)
    except ValueError:
        raise tk.Invalid(tk._("Must be an ISO date or date-time")) from None
    _one_of(*usage_events.COUNTED)(told["outcome"])
    tables_named = all(
        isinstance(table, dict) and isinstance(table.get("name"), str) for table in told["tables"]
    )
    if not tables_named or min(told["rows"], told["bytes"], told["duration_s"]) < 0:
        raise tk.Invalid(tk._("Must be an event"))
    return told


def link() -> Schema:
    return {
        "token": [tk.get_validator("ignore_missing"), _text_or_nothing],
        "table": _validators("not_missing not_empty unicode_safe"),
        "action": [*_validators("not_missing"), _one_of("download", "share")],
        "claims": [tk.get_validator("default")({}), _claims],
        "lifetime_s": [
            tk.get_validator("default")(links.LIFETIME_S),
            tk.get_validator("int_validator"),
            _link_lifetime,
        ],
    }


def _claims(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict) or not links.claims_fit(value):
        raise tk.Invalid(tk._("Must be a small JSON object"))
    return value


@_of_number
def _link_lifetime(value: int) -> int:
    if not 1 <= value <= links.LIFETIME_S:
        raise tk.Invalid(tk._("Between 1 and {count} seconds").format(count=links.LIFETIME_S))
    return value


def usage_report() -> Schema:
    return {
        "dataset": _validators("not_missing not_empty unicode_safe"),
        "days": [tk.get_validator("default")(30), tk.get_validator("int_validator"), _days],
    }


@_of_number
def _days(value: int) -> int:
    if not 1 <= value <= 366:
        raise tk.Invalid(tk._("Between 1 and {count} days").format(count=366))
    return value


def audit_list() -> Schema:
    ignore_empty, to_int = tk.get_validator("ignore_empty"), tk.get_validator("int_validator")
    text = _validators("ignore_empty unicode_safe strip_value")
    return {
        **dict.fromkeys(("event", "actor", "dataset", "subject"), text),
        "before": [ignore_empty, to_int],
        "limit": [tk.get_validator("default")(50), to_int, _page],
    }


@_of_number
def _page(value: int) -> int:
    return max(1, min(500, value))
