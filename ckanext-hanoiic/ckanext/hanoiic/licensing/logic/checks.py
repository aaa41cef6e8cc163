"""What a value that an action gets has to be: checks that give it back, or raise ``tk.Invalid``."""

from __future__ import annotations

import ipaddress
import re
from datetime import UTC, date, datetime, time
from functools import wraps
from typing import Any
from zoneinfo import ZoneInfo

from ckan.plugins import toolkit as tk
from ckanext.hanoiic.licensing import clock, links, tokens, usage, usage_events

PURPOSE_LENGTH = 2000
NAME_LENGTH = 100
MAX_LIFETIME_DAYS = 365
MAX_TABLES = 1000
MAX_NETWORKS = 20
MAX_OVERLAP_HOURS = 24 * 14
MAX_EVENTS = 1000
MAX_AMOUNT = 2**62
LONGEST = 10_000
# The character 0, and half of a letter.
UNREADABLE = re.compile("[\0\ud800-\udfff]")
# Moments beyond can't be read back from the database in every zone: one would stop every decision.
EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
LATEST = datetime(9999, 12, 31, 17, tzinfo=UTC)


def named(names: str) -> list[Any]:
    return [tk.get_validator(name) for name in names.split()]


def shorter_than(length: int) -> Any:
    def check(value: str) -> str:
        if len(value) > length:
            raise tk.Invalid(tk._("At most {count} characters").format(count=length))
        return value

    return check


def one_of(*choices: str) -> Any:
    def check(value: Any) -> str:
        if value not in choices:
            raise tk.Invalid(tk._("Must be one of: {choices}").format(choices=", ".join(choices)))
        return value

    return check


def text_or_nothing(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise tk.Invalid(tk._("Must be text"))


def table_names(value: Any) -> list[str] | None:
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise tk.Invalid(tk._("Must be a list of table names"))
    if len(value) > MAX_TABLES:
        raise tk.Invalid(tk._("At most {count} tables").format(count=MAX_TABLES))
    return value


def scopes(value: Any) -> list[str]:
    given = [value] if isinstance(value, str) else value
    if not isinstance(given, list) or not given or any(one not in tokens.SCOPES for one in given):
        raise tk.Invalid(
            tk._("Must be one or more of: {choices}").format(choices=", ".join(tokens.SCOPES))
        )
    return [scope for scope in tokens.SCOPES if scope in given]


def of_number(check: Any) -> Any:
    """A check that leaves alone what is no number: CKAN asks it even so, and has complained."""

    @wraps(check)
    def checked(value: Any) -> Any:
        return check(value) if isinstance(value, int) else value

    return checked


@of_number
def lifetime(value: int) -> int:
    if not 1 <= value <= MAX_LIFETIME_DAYS:
        raise tk.Invalid(tk._("Between 1 and {count} days").format(count=MAX_LIFETIME_DAYS))
    return value


def between(least: int, most: int) -> Any:
    @of_number
    def check(value: int) -> int:
        if not least <= value <= most:
            raise tk.Invalid(tk._("Between {least} and {most}").format(least=least, most=most))
        return value

    return check


def moment(value: Any) -> datetime:
    """An ISO date (from its beginning) or date-time; by the portal's clock where it has no zone."""
    return _moment(value, time())


def future_moment(value: Any) -> datetime:
    """As :func:`moment`, in the future; of a date its last second."""
    moment = _moment(value, time(23, 59, 59))
    if moment <= clock.now():
        raise tk.Invalid(tk._("Must lie in the future"))
    return moment


def _moment(value: Any, of_day: time) -> datetime:
    text, here = str(value).strip(), ZoneInfo(tk.config["ckan.display_timezone"])
    try:
        moment = datetime.combine(date.fromisoformat(text), of_day)
    except ValueError:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            moment = None
    if moment is not None and moment.tzinfo is None:
        moment = moment.replace(tzinfo=here)
    if moment is None or not EARLIEST <= moment <= LATEST:
        raise tk.Invalid(tk._("Must be an ISO date or date-time"))
    return moment


def text(longest: int = LONGEST) -> list[Any]:
    """Of a field that has a text, without blanks around it."""
    names = named("strip_value not_empty")
    return [*named("not_missing not_empty"), last(readable), *names, shorter_than(longest)]


def text_or_none(longest: int = LONGEST) -> list[Any]:
    """Of a field that may have a text, without blanks around it."""
    names = named("strip_value ignore_empty")
    return [*named("ignore_missing"), last(readable), *names, shorter_than(longest)]


def optional(*checks: Any) -> list[Any]:
    """Of a field that may have a value of one of the other kinds."""
    # CKAN puts an empty list back that `ignore_empty` took out.
    return [*named("ignore_missing"), last(single), *named("ignore_empty"), *checks]


def last(check: Any) -> Any:
    """A check that is the last one of a field that it refuses: CKAN goes on with the others."""

    def checked(key: Any, data: Any, errors: Any, context: Any) -> None:
        try:
            data[key] = check(data[key])
        except tk.Invalid as refused:
            errors[key].append(refused.error)
            raise tk.StopOnError from refused

    return checked


def readable(value: Any) -> str:
    """A text that the database takes."""
    if isinstance(value, str) and not UNREADABLE.search(value):
        return value
    raise tk.Invalid(tk._("Must be text"))


def single(value: Any) -> Any:
    if isinstance(value, list | dict):
        raise tk.Invalid(tk._("Must be text"))
    return value


def answers(value: Any) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise tk.Invalid(tk._("Must be answers by the ids of their questions"))
    for text in value.values():
        shorter_than(PURPOSE_LENGTH)(readable(text))
    return value


@of_number
def overlap(value: int) -> int:
    if not 0 <= value <= MAX_OVERLAP_HOURS:
        raise tk.Invalid(tk._("Between 0 and {count} hours").format(count=MAX_OVERLAP_HOURS))
    return value


def audience(value: Any) -> list[str]:
    given = [value] if isinstance(value, str) else value
    if (
        not isinstance(given, list)
        or not 1 <= len(given) <= MAX_NETWORKS
        or not all(0 < len(readable(one)) <= NAME_LENGTH for one in given)
    ):
        raise tk.Invalid(tk._("Must be a list of names"))
    return given


def networks(value: Any) -> list[str]:
    """Addresses and networks as a list or a text, in CIDR notation."""
    given = re.split(r"[\s,;]+", value.strip()) if isinstance(value, str) else value
    if not isinstance(given, list) or len(given) > MAX_NETWORKS:
        raise tk.Invalid(tk._("At most {count} networks").format(count=MAX_NETWORKS))
    try:
        return [str(ipaddress.ip_network(one, strict=False)) for one in given]
    except (ValueError, TypeError):
        raise tk.Invalid(tk._("Must be networks such as 203.0.113.0/24 or 2001:db8::/32")) from None


def amounts(value: Any) -> dict[str, int]:
    if not isinstance(value, dict) or not set(value) <= set(usage.MEASURES):
        raise tk.Invalid(tk._("Must be amounts of: {choices}").format(
            choices=", ".join(usage.MEASURES)
        ))  # fmt: skip
    if not all(type(one) is int and 0 <= one <= MAX_AMOUNT for one in value.values()):
        raise tk.Invalid(tk._("Must be whole numbers from 0"))
    return value


# Field of an event → (its type, what stands for a missing one; ... where it must be there).
EVENT: dict[str, tuple[Any, Any]] = {
    "id": (str, ...), "at": (str, ...), "request_id": (str, None), "door": (str, ...),
    "action": (str, ...), "token_id": (str, None), "client_id": (str, None), "sub": (str, None),
    "organization_id": (str, None), "outcome": (str, ...), "reason": (str, None),
    "tables": (list, []), "rows": (int, 0), "bytes": (int, 0), "duration_s": ((int, float), 0.0),
    "receipt": (str, None),
}  # fmt: skip


def events(value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list) or len(value) > MAX_EVENTS:
        raise tk.Invalid(tk._("At most {count} events").format(count=MAX_EVENTS))
    return [event(one) for one in value]


def event(value: Any) -> dict[str, Any]:
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
    one_of(*usage_events.COUNTED)(told["outcome"])
    tables_named = all(
        isinstance(table, dict) and isinstance(table.get("name"), str) for table in told["tables"]
    )
    if not tables_named or min(told["rows"], told["bytes"], told["duration_s"]) < 0:
        raise tk.Invalid(tk._("Must be an event"))
    return told


def claims(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict) or not links.claims_fit(value):
        raise tk.Invalid(tk._("Must be a small JSON object"))
    return value


@of_number
def link_lifetime(value: int) -> int:
    if not 1 <= value <= links.LIFETIME_S:
        raise tk.Invalid(tk._("Between 1 and {count} seconds").format(count=links.LIFETIME_S))
    return value


@of_number
def days(value: int) -> int:
    if not 1 <= value <= 366:
        raise tk.Invalid(tk._("Between 1 and {count} days").format(count=366))
    return value


@of_number
def page(value: int) -> int:
    return max(1, min(500, value))
