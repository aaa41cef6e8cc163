"""Actions on uploaded files."""

from __future__ import annotations

from typing import Any

from ckan import model
from ckan.plugins import toolkit as tk
from ckan.plugins.toolkit import _
from ckan.types import AuthResult, Context
from werkzeug.datastructures import FileStorage

from . import upload_model
from .auth import allowed, hanoiic_run_claim, is_officer, source_of
from .errors import RunOpen, UploadTooLarge
from .preview_actions import may_create, organisation_of
from .refusals import refused
from .report import cut
from .runs import request_run
from .states import DELETED, RUNNING
from .upload_model import Upload


def upload_limit_bytes() -> int:
    return int(tk.config["hanoiic.upload_max_mb"]) << 20


def hanoiic_upload_create(context: Context, data_dict: dict[str, Any]) -> dict[str, Any]:
    """Put a file: for a preview and a source to come, or as the new file of a source.

    The new file of a source is harvested at once. Multipart form data.

    :param upload: the file
    :param owner_org: id or name of the organisation; or ``source_id``
    :param source_id: id or name of a source, whose address becomes this file
    :returns: ``id``, ``url`` (``upload:<id>``), ``owner_org``, ``source_id``, ``filename``,
        ``sha256``, ``byte_count``, ``created_by``, ``created_at`` and ``run``: the id of the run
        that was asked for, or null
    :raises ValidationError: ``upload_too_large``; ``run_open`` while a harvest of the source is on
    """
    tk.check_access("hanoiic_upload_create", context, data_dict)
    file = data_dict.get("upload")
    if not isinstance(file, FileStorage) or not file.filename:
        raise tk.ValidationError({"upload": [_("Choose a file")]})
    source = source_of(data_dict, "source_id") if data_dict.get("source_id") else None
    owner = source.owner_org if source else organisation_of(data_dict).id
    try:
        sha256, byte_count = upload_model.store(file.stream, upload_limit_bytes())
    except UploadTooLarge as error:
        raise refused(error, upload=error.detail) from error
    user = context.get("auth_user_obj") or model.User.get(context.get("user"))
    upload = Upload(
        owner_org=owner,
        filename=plain_name(file.filename),
        sha256=sha256,
        byte_count=byte_count,
        created_by=user.id if user else None,
    )
    model.Session.add(upload)
    model.Session.flush()
    run = replace_file(source, upload, upload.created_by) if source else None
    upload_model.forget_unused()
    model.Session.commit()
    return {**upload.as_dict(), "run": run}


def replace_file(source: Any, upload: Upload, user_id: str | None) -> str:
    """Make an upload the file of a source and ask for its harvest; the run's id."""
    source.lock()
    if source.state == DELETED:
        model.Session.rollback()
        raise tk.ObjectNotFound(_("Source not found"))
    run = source.open_run()
    if run and run.state == RUNNING:
        model.Session.rollback()
        error = RunOpen("A harvest of the source is on; put the file when it has ended.")
        raise refused(error, run_id=run.id)
    source.url = upload.url
    upload_model.attach(source)
    return request_run(source, "manual", user_id).id


def plain_name(filename: str) -> str:
    """The last part of a path, without control characters, of at most 200 characters."""
    last = filename.replace("\\", "/").rsplit("/", 1)[-1]
    kept = "".join(letter for letter in last if letter.isprintable())
    stem, dot, suffix = kept.rpartition(".")
    return f"{cut(stem, 180)}{dot}{suffix[:20]}" or "file"


def may_put(context: Context, data: dict[str, Any]) -> AuthResult:
    """Officers, for an organisation or a source of theirs."""
    if data.get("source_id"):
        return allowed(is_officer(context.get("user"), source_of(data, "source_id").owner_org))
    return may_create(context, data)


UPLOAD_ACTIONS = {"hanoiic_upload_create": hanoiic_upload_create}
UPLOAD_AUTH = {"hanoiic_upload_create": may_put, "hanoiic_upload_read": hanoiic_run_claim}
