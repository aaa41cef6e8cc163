"""Many new datasets in one request: what ``package_create`` does for each, done once where it can.

One look at the caller's token, one transaction, one signal to the gateway, one write of the index,
and one reading of all that the index keeps of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from ckan import logic, model
from ckan.plugins import toolkit as tk
from ckan.plugins.toolkit import _
from ckan.types import Context
from ckanext.hanoiic.search.both_forms import forms_of
from ckanext.hanoiic.search.gathering import gathered
from ckanext.hanoiic.search.reading_ahead import reading

from . import checks
from .asked_once import asked_once

Fields = dict[str, Any]


def _object(value: Any) -> Fields:
    if not isinstance(value, dict):
        raise tk.Invalid(_("Must be a JSON object"))
    return value


WANTED = checks.list_of(_object, most=50)


def hanoiic_datasets_create(context: Context, data_dict: dict[str, Any]) -> dict[str, Any]:
    """Make new datasets, all of them or none; the harvest worker only.

    Each passes CKAN's ``package_create``, with its rights, its validation and all plugins' hooks.

    :param datasets: list of what ``package_create`` takes, 50 at most
    :returns: ``{"datasets": [{"id", "name"}]}`` in the order of the request
    :raises ValidationError, NotAuthorized: of the first that can't be made
    """
    tk.check_access("hanoiic_datasets_create", context, data_dict)
    try:
        wanted = WANTED(data_dict.get("datasets"))
    except tk.Invalid as error:
        raise tk.ValidationError({"datasets": [error.error]}) from error
    own = {"user": context["user"], "auth_user_obj": context.get("auth_user_obj")}
    create = tk.get_action("package_create")
    try:
        _lock_new_tags(wanted)
        with asked_once():
            ids = [
                create(Context(own, defer_commit=True, return_id_only=True), fields)
                for fields in wanted
            ]
            with reading(ids):
                _index(ids)
                model.repo.commit()
    except Exception:
        model.Session.rollback()
        raise
    made = zip(ids, wanted, strict=True)
    return {"datasets": [{"id": id_, "name": fields["name"]} for id_, fields in made]}


def _lock_new_tags(datasets: Sequence[Fields]) -> None:
    """Lock the names of new tags: two transactions could else make the same tag twice, as CKAN's
    tables don't forbid it."""
    named = {
        tag["name"]
        for fields in datasets
        for tag in fields.get("tags") or ()
        if isinstance(tag, dict) and isinstance(tag.get("name"), str)
    }
    known = model.Session.scalars(
        sa.select(model.Tag.name).where(
            model.Tag.name.in_(named), model.Tag.vocabulary_id.is_(None)
        )
    )
    if new := sorted(named.difference(known)):
        # In one order everywhere, so that nobody waits in a circle.
        name = sa.func.unnest(sa.cast(new, sa.ARRAY(sa.Text))).column_valued("name")
        key = sa.func.hashtextextended(sa.literal("hanoiic.tag:").concat(name), 0)
        model.Session.execute(sa.select(sa.func.pg_advisory_xact_lock(key)))


def _index(datasets: Sequence[str]) -> None:
    """Index the datasets before the commit, as ``package_create`` does: a dataset that can't be
    indexed is not kept."""
    both_forms = forms_of(datasets)
    with gathered():
        for dataset in datasets:
            logic.index_insert_package_dicts(both_forms(dataset))


DATASET_ACTIONS = {"hanoiic_datasets_create": hanoiic_datasets_create}
