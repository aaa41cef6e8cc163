"""From what a caller says of a source to the values that are kept, or one complaint a field."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from ckan import model
from ckan.plugins import toolkit as tk
from ckan.plugins.toolkit import _

from .checks import check_object
from .errors import LicenceMissing
from .kinds import fits_scheme, kind_of
from .model import Source
from .secret_model import secret_of
from .source_fields import DATASET, OPTIONS, table_name_for
from .states import DELETED
from .tables import is_anothers
from .upload_model import Upload, upload_of_url
from .validators import source_schema

# What `hanoiic_source_show` answers beside the fields of a source; said back, it is ignored.
READ_ONLY = {"id", "created_by", "created_at", "updated_at", "next_due_at"}
READ_ONLY |= {"last_run", "health", "organization", "decisions", "conflicts", "every_nth"}
READ_ONLY |= {"revision"}


def validated(data: dict[str, Any], source: Source | None = None) -> dict[str, Any]:
    """The values of a source to create, or with ``source`` to change: what is not said stays.

    Raises ValidationError; the keys of its ``error_dict`` are field names, inside the JSON objects
    ``dataset.<key>`` and ``options.<key>``, and perhaps ``code``.
    """
    schema = source_schema()
    kept = {key: getattr(source, key) for key in schema} if source else {}
    said = {key: value for key, value in data.items() if key in schema}
    values, errors = tk.navl_validate({**kept, **said}, schema)
    errors = dict(errors)
    unknown = sorted(set(data) - set(schema) - READ_ONLY)
    if unknown:
        message = _("Unknown: {unknown}. Known: {known}")
        known = ", ".join(sorted(schema))
        errors["message"] = [message.format(unknown=", ".join(unknown), known=known)]
    for part, checks in (("options", OPTIONS), ("dataset", DATASET)):
        if part not in errors:
            values[part], complaints = check_object(values[part], checks)
            for key, complaint in complaints.items():
                errors[f"{part}.{key}" if key else part] = [complaint]
    if not errors:
        add_defaults(values)
        errors = taken(values, source)
        # What was registered before licences were asked for may still be paused or corrected.
        if "dataset" in said or not source:
            errors |= unlicensed(values)
    if errors:
        raise tk.ValidationError(errors)
    return {key: values[key] for key in schema}


def add_defaults(values: dict[str, Any]) -> None:
    """What can be told from the rest: the table's name and, for one dataset, its title."""
    dataset = values["dataset"]
    organisation = model.Group.get(values["owner_org"])
    dataset.setdefault("table", table_name_for(organisation.name, values["name"]))
    # Nothing said means the most careful tier.
    dataset.setdefault("access_tier", "request")
    if not kind_of(values["kind"]).catalogue:
        dataset["title"] = dataset.get("title") or values["title"]


def taken(values: dict[str, Any], source: Source | None) -> dict[str, list[str]]:
    """Complaints about a name or a table that is another's."""
    others = model.Session.query(Source).filter(Source.state != DELETED)
    if source:
        others = others.filter(Source.id != source.id)
    errors = {}
    if others.filter(Source.name == values["name"]).first():
        errors["name"] = [_("Another source has this name")]
    table = values["dataset"]["table"]
    if is_anothers(table, values["kind"], values["owner_org"], source):
        errors["dataset.table"] = [_("Another source fills this table")]
    if not fits_scheme(values["url"], values["kind"]):
        errors["url"] = [_("An address of this scheme is not of this kind of source")]
    upload = upload_of_url(values["url"])
    if upload and not belongs(upload, values["owner_org"], source):
        errors["url"] = [_("File not found")]
    secret = values["options"].get("secret")
    if secret and secret_of(values["owner_org"], secret) is None:
        errors["options.secret"] = [_("No such secret: {name}").format(name=secret)]
    return errors


def unlicensed(values: dict[str, Any]) -> dict[str, list[str]]:
    """The complaint about open data without a licence. A catalogue tells its datasets' licences."""
    dataset, kind = values["dataset"], kind_of(values["kind"])
    if dataset["access_tier"] != "open" or dataset.get("license_id") or kind.catalogue:
        return {}
    message = _("Open data needs a licence: it tells readers what they may do with the data")
    return {"dataset.license_id": [message], "code": [LicenceMissing.code]}


def belongs(upload: str, organisation: str, source: Source | None) -> bool:
    """Whether a source of an organisation may have an uploaded file: it is its own, or the
    organisation's and nobody's."""
    found = model.Session.get(Upload, upload)
    if found is None or (source and found.source_id == source.id):
        return found is not None
    return found.owner_org == organisation and found.source_id is None


def flush_unique() -> None:
    """Write to the database; a name that somebody took a moment ago becomes a ValidationError."""
    try:
        model.Session.flush()
    except sa.exc.IntegrityError as error:
        model.Session.rollback()
        fields = {
            "hanoiic_source_name": ("name", _("Another source has this name")),
            "hanoiic_source_table": ("dataset.table", _("Another source fills this table")),
        }
        constraint = getattr(error.orig.diag, "constraint_name", None)
        if constraint not in fields:
            raise
        field, complaint = fields[constraint]
        raise tk.ValidationError({field: [complaint]}) from error
