"""Actions about the audit, for operators."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from ckan import model
from ckan.plugins import toolkit as tk
from ckanext.hanoiic.licensing import chain, checkpoints, signing
from ckanext.hanoiic.licensing.audit_model import Audit
from ckanext.hanoiic.licensing.logic import dictize, schema


@tk.side_effect_free
@tk.validate_action_data(schema.audit_list)
def hanoiic_audit_list(context: Any, data_dict: dict[str, Any]) -> list[dict[str, Any]]:
    """Entries of the audit, newest first; sysadmins only.

    :param event: only these, by the name or its beginning (``request_``)
    :param actor: only what this user did (name or id)
    :param dataset: only what is about this dataset (name or id)
    :param subject: only what is about this request, agreement, token or event
    :param before: only entries with a smaller number, for the next page
    :param limit: at most 500, default 50
    """
    tk.check_access("hanoiic_audit_list", context, data_dict)
    query = sa.select(Audit).order_by(Audit.id.desc()).limit(data_dict["limit"])
    if event := data_dict.get("event"):
        query = query.where(Audit.event.startswith(event, autoescape=True))
    if actor := data_dict.get("actor"):
        user = model.User.get(actor)
        query = query.where(Audit.actor_id == (user.id if user else actor))
    if dataset := data_dict.get("dataset"):
        package = model.Package.get(dataset)
        query = query.where(Audit.dataset_id == (package.id if package else dataset))
    if subject := data_dict.get("subject"):
        query = query.where(Audit.subject_id == subject)
    if data_dict.get("before"):
        query = query.where(Audit.id < data_dict["before"])
    return [dictize.entry(row) for row in model.Session.scalars(query)]


@tk.side_effect_free
def hanoiic_audit_verify(context: Any, data_dict: dict[str, Any]) -> dict[str, Any]:
    """Check the audit's chain against its signed checkpoints; sysadmins only.

    Answers ``sound``, ``entries``, ``checkpoints`` and ``last_checkpoint``, and for the first bad
    entry ``number``, ``fault`` (``edited``, ``deleted``, ``cut``, ``rewritten``) and ``until``; or
    ``fault`` ``checkpoint_broken`` with the ``line``. ``guarded``: the portal's own role can't
    change the audit.
    """
    tk.check_access("hanoiic_audit_verify", context, data_dict)
    guarded = not model.Session.scalar(sa.text(chain.UNGUARDED))
    try:
        known = _checkpoints()
    except checkpoints.CheckpointBroken as broken:
        return {
            "sound": False, "fault": "checkpoint_broken", "line": broken.line, "guarded": guarded,
        }  # fmt: skip
    # A page at a time: the audit only grows.
    entries = sa.text(chain.ENTRIES).execution_options(
        stream_results=True, max_row_buffer=chain.PAGE
    )
    rows = model.Session.connection().execute(entries)
    verdict = chain.verify(rows, known)
    return asdict(verdict) | {"sound": verdict.sound, "guarded": guarded}


def _checkpoints() -> list[chain.Checkpoint]:
    file, key = (tk.config.get(f"hanoiic.audit_{n}_file") for n in ("checkpoints", "key"))
    if not file or not key:
        return []
    return checkpoints.read(Path(file), signing.public_key(Path(key)))
