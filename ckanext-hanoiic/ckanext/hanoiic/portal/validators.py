"""What the fields of the catalogue may hold. CKAN keeps text: a JSON field is kept as JSON text."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from ckan import authz, model
from ckan.plugins import toolkit as tk
from ckan.types import Context, FlattenDataDict, FlattenErrorDict, FlattenKey

TABLE_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
WARD_CODE = re.compile(r"\d{5}")
COLUMN_KEYS = ("name", "ascii", "type", "unit", "title", "title_en", "description")
# What RFC 3987 leaves out of an address.
NO_ADDRESS = re.compile(r"""[\x00-\x20\x7f-\x9f<>"{}|\\^`]""")
SHARES = ("completeness", "validity")
MOST = 2**63 - 1  # what PostgreSQL and Delta Lake count with
TRUTH = {"true": "true", "false": "false", "True": "true", "False": "false"}


def hanoiic_skip_blank(
    key: FlattenKey, data: FlattenDataDict, errors: FlattenErrorDict, context: Context
) -> None:
    """End the validation of a field that is absent or empty; a zero is a value."""
    if data.get(key) in (tk.missing, None, "", [], {}):
        data.pop(key, None)
        raise tk.StopOnError


def hanoiic_harvester_keeps(
    key: FlattenKey, data: FlattenDataDict, errors: FlattenErrorDict, context: Context
) -> None:
    """A field that is not said stays what the harvester made it: forms do not know it.

    A form that carried it along, and stood open during a harvest, put the version before back.
    """
    package = context.get("package")
    if data.get(key) is not tk.missing or package is None:
        return
    *above, name = key
    id_ = data.get((*above, "id"))
    kept = model.Session.get(model.Resource, id_) if above and isinstance(id_, str) else None
    if not above:
        data[key] = package.extras.get(name)
    elif kept is not None and kept.package_id == package.id:
        data[key] = kept.extras.get(name)


def hanoiic_true_or_false(value: Any) -> str:
    """``true`` or ``false`` as text, from text or a JSON boolean."""
    try:
        return TRUTH[str(value)]
    except KeyError:
        raise tk.Invalid(tk._("Must be true or false")) from None


def hanoiic_count(value: Any) -> int:
    """A whole number from 0 to ``MOST``, also where it comes as text."""
    number: int = tk.get_validator("natural_number_validator")(value, {})
    if number > MOST:
        raise tk.Invalid(tk._("Must be at most {most}").format(most=MOST))
    return number


def hanoiic_table_name(value: str) -> str:
    """A lake table's name: ``[a-z][a-z0-9_]{0,62}``."""
    if not TABLE_NAME.fullmatch(value):
        raise tk.Invalid(tk._("Not a table name: {value}").format(value=value))
    return value


def hanoiic_web_address(value: str) -> str:
    """An http or https address that is safe in links and in linked data.

    Not the name of an uploaded file either: CKAN would hand it to everybody, whatever the licence.
    """
    try:
        parts = urlsplit(value)
        _port = parts.port
    except ValueError:
        raise tk.Invalid(tk._("Must be a web address: http:// or https://")) from None
    if parts.scheme not in ("http", "https") or not parts.hostname or NO_ADDRESS.search(value):
        raise tk.Invalid(tk._("Must be a web address: http:// or https://"))
    return value


def hanoiic_utc_time(value: Any) -> str:
    """An ISO 8601 time in UTC; one without a zone is taken as UTC."""
    try:
        moment = datetime.fromisoformat(str(value))
        moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise tk.Invalid(tk._("Date format incorrect")) from None
    return moment.isoformat().replace("+00:00", "Z")


def hanoiic_not_before(first: str) -> Any:
    """Refuse a date earlier than the one in field ``first``."""

    def validate(
        key: FlattenKey, data: FlattenDataDict, errors: FlattenErrorDict, context: Context
    ) -> None:
        start, end = data.get((*key[:-1], first)), data.get(key)
        # Validators of the other field may have run already or not: compare the days only.
        if isinstance(start, str | datetime) and isinstance(end, str) and str(start)[:10] > end:
            raise tk.Invalid(tk._("The end is before the start"))

    return validate


def hanoiic_ward_codes(value: Any) -> str:
    """Ward codes as JSON text, from a list, JSON text, or codes separated by commas or blanks."""
    codes = value if isinstance(value, list) else _from_json_or(re.split(r"[\s,;]+", value), value)
    if not isinstance(codes, list):
        raise tk.Invalid(tk._("Must be a list of ward codes"))
    codes = [str(code).strip() for code in codes if str(code).strip()]
    wrong = [code for code in codes if not WARD_CODE.fullmatch(code)]
    if wrong:
        raise tk.Invalid(tk._("Not a ward code of five digits: {code}").format(code=wrong[0]))
    return _json_text(list(dict.fromkeys(codes)))


def hanoiic_columns(value: Any) -> str:
    """A table's columns as JSON text: objects with at least ``name`` and ``type``."""
    columns = _from_json(value)
    if not isinstance(columns, list):
        raise tk.Invalid(tk._("Must be a list of columns"))
    for column in columns:
        if not isinstance(column, dict) or not column.get("name") or not column.get("type"):
            raise tk.Invalid(tk._("Every column needs a name and a type"))
    return _json_text([{k: c[k] for k in COLUMN_KEYS if c.get(k) is not None} for c in columns])


def hanoiic_quality(value: Any) -> str:
    """Quality figures as JSON text: shares from 0 to 1 and the count of rejected rows."""
    quality = _from_json(value)
    if not isinstance(quality, dict):
        raise tk.Invalid(tk._("Must be an object"))
    for share in SHARES:
        if not _is_number(quality.get(share, 0)) or not 0 <= quality.get(share, 0) <= 1:
            raise tk.Invalid(tk._("{name} must be from 0 to 1").format(name=share))
    rejected = quality.get("rejected_rows", 0)
    if not _is_number(rejected) or not 0 <= rejected <= MOST:
        raise tk.Invalid(
            tk._("{name} must be from 0 to {most}").format(name="rejected_rows", most=MOST)
        )
    return _json_text(quality)


def hanoiic_publishing_organization(value: Any) -> Any:
    """Refuse a company as the owner of a dataset: only departments publish."""
    owner = model.Group.get(value) if value else None
    if owner is not None and owner.extras.get("org_kind") == "company":
        raise tk.Invalid(tk._("Only a department can publish a dataset"))
    return value


def hanoiic_kind_set_by_operator(value: str, context: Context) -> str:
    """Only a sysadmin may change what an existing organisation is."""
    if _stands(context, "org_kind", "department", value):
        return value
    raise tk.Invalid(tk._("Only the operator can change the kind of an organization"))


def hanoiic_place_set_by_operator(value: str, context: Context) -> str:
    """Only a sysadmin may change where an existing organisation is established: licences ask."""
    if _stands(context, "org_place", "", value):
        return value
    raise tk.Invalid(tk._("Only the operator can change where an organization is established"))


def _stands(context: Context, field: str, otherwise: str, value: str) -> bool:
    organization = context.get("group")
    if organization is None or context.get("ignore_auth") or authz.is_sysadmin(context.get("user")):
        return True
    return bool((organization.extras.get(field) or otherwise) == (value or otherwise))


def _from_json(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        raise tk.Invalid(tk._("Not valid JSON")) from None


def _from_json_or(otherwise: Any, value: Any) -> Any:
    return _from_json(value) if str(value).lstrip().startswith(("[", "{")) else otherwise


def _json_text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


VALIDATORS = {
    validator.__name__: validator
    for validator in (
        hanoiic_skip_blank,
        hanoiic_harvester_keeps,
        hanoiic_true_or_false,
        hanoiic_count,
        hanoiic_table_name,
        hanoiic_web_address,
        hanoiic_utc_time,
        hanoiic_not_before,
        hanoiic_ward_codes,
        hanoiic_columns,
        hanoiic_quality,
        hanoiic_publishing_organization,
        hanoiic_kind_set_by_operator,
        hanoiic_place_set_by_operator,
    )
}
