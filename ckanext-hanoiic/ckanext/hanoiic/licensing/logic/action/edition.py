"""Actions of the harvest worker on editions."""

from __future__ import annotations

from typing import Any

from ckan.plugins import toolkit as tk
from ckanext.hanoiic.licensing import edition_previews, editions, pins
from ckanext.hanoiic.licensing.logic import dictize, schema, subject
from ckanext.hanoiic.licensing.logic.given import validated
from ckanext.hanoiic.licensing.logic.refusal import refusing
from ckanext.hanoiic.licensing.model import EditionPreview


@tk.side_effect_free
@tk.validate_action_data(schema.edition_list)
@refusing
def hanoiic_edition_list(context: Any, data_dict: dict[str, Any]) -> list[dict[str, Any]]:
    """Every edition that has to be written, with its spec and the salt of hashed columns.

    The harvester's user only; docs/architecture.md, "Editions", is the contract.

    :param table: of one table only (optional)
    """
    tk.check_access("hanoiic_edition_list", context, data_dict)
    return editions.listed(data_dict.get("table"))


@tk.validate_action_data(schema.edition_report)
def hanoiic_edition_report(context: Any, data_dict: dict[str, Any]) -> dict[str, Any]:
    """Tell that an edition is written for a version of its table, or why it failed.

    :param edition: its id
    :param table: its table
    :param version: the table's version
    :param state: ``written`` or ``failed``
    :param error: why (optional)
    """
    tk.check_access("hanoiic_edition_report", context, data_dict)
    editions.report(
        data_dict["edition"], data_dict["table"], data_dict["version"], data_dict["state"],
        data_dict.get("error"),
    )  # fmt: skip
    subject.commit(context)
    return {"edition": data_dict["edition"], "state": data_dict["state"]}


@tk.validate_action_data(schema.nothing)
@refusing
def hanoiic_edition_preview_claim(context: Any, data_dict: dict[str, Any]) -> list[dict[str, Any]]:
    """Take the previews that officers wait for; the harvester's user only."""
    tk.check_access("hanoiic_edition_preview_claim", context, data_dict)
    claimed = edition_previews.claim()
    subject.commit(context)
    return claimed


@validated(schema.edition_preview_update, {"result": dict})
def hanoiic_edition_preview_update(context: Any, data_dict: dict[str, Any]) -> dict[str, Any]:
    """Answer a preview: ``{"columns": […], "rows": [[text]], "row_count"}`` or ``{"error"}``."""
    tk.check_access("hanoiic_edition_preview_update", context, data_dict)
    row = subject.row(EditionPreview, data_dict["id"])
    edition_previews.answer(row, data_dict["state"], data_dict["result"] or {})
    subject.commit(context)
    return dictize.edition_preview(row)


@tk.side_effect_free
@tk.validate_action_data(schema.nothing)
def hanoiic_pins_list(context: Any, data_dict: dict[str, Any]) -> dict[str, list[int]]:
    """Table → versions that living agreements and standing offers pin: the lake keeps their
    files. The harvester's user only."""
    tk.check_access("hanoiic_pins_list", context, data_dict)
    return {table: sorted(versions) for table, versions in sorted(pins.kept().items())}
