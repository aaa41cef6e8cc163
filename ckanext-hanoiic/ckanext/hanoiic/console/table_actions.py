"""Actions on lake tables."""

from __future__ import annotations

from typing import Any

from ckan import model
from ckan.plugins import toolkit as tk
from ckan.plugins.toolkit import _
from ckan.types import Context

from . import checks, tables
from .auth import source_of
from .errors import TableTaken
from .refusals import refused
from .source_fields import TABLE_NAME, TABLE_NAME_RULE
from .states import DELETED

NAMES = checks.list_of(checks.matching(TABLE_NAME, TABLE_NAME_RULE), most=2000)


def hanoiic_tables_reserve(context: Context, data_dict: dict[str, Any]) -> dict[str, Any]:
    """Keep lake tables for a source, before anything is published; the harvest worker only.

    Again is harmless. All of the tables are the source's after it, or none. A dataset that has one
    of them and whose source was deleted becomes the source's.

    :param source_id: id of a source that is not deleted
    :param identifier: what the dataset is called in the source, its ``harvest_identifier``
    :param tables: list of names
    :returns: ``{"tables": [names]}``
    :raises ValidationError: ``table_taken`` when another source, dataset or organisation has one;
        ``table`` names it, ``source_id`` the other source where there is one
    """
    tk.check_access("hanoiic_tables_reserve", context, data_dict)
    try:
        names = NAMES(data_dict.get("tables"))
    except tk.Invalid as error:
        raise tk.ValidationError({"tables": [error.error]}) from error
    source = source_of(data_dict, "source_id").lock()
    if source.state == DELETED:
        raise tk.ObjectNotFound(_("Source not found"))
    try:
        dataset = str(tk.get_or_bust(data_dict, "identifier"))
        left = tables.reserve(source, dataset, names)
    except TableTaken as error:
        model.Session.rollback()
        other = {"source_id": error.source_id} if error.source_id else {}
        raise refused(error, table=error.table, **other) from error
    model.Session.commit()
    # After it, as each commits by itself; what a crash leaves out the next run inherits.
    for id in sorted(left):
        heir = {"id": id, "harvest_source": source.id, "harvest_identifier": dataset}
        tk.get_action("package_patch")({**context, "ignore_auth": True}, heir)
    return {"tables": names}


TABLE_ACTIONS = {"hanoiic_tables_reserve": hanoiic_tables_reserve}
