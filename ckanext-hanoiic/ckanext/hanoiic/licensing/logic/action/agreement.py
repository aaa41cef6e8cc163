"""Actions about agreements."""

from __future__ import annotations

from typing import Any

from ckan.plugins import toolkit as tk
from ckanext.hanoiic.licensing import agreements, clock, parties, requests, states, usage
from ckanext.hanoiic.licensing.logic import dictize, schema, subject
from ckanext.hanoiic.licensing.logic.action.request import in_box
from ckanext.hanoiic.licensing.logic.refusal import refusing
from ckanext.hanoiic.licensing.model import Agreement


@tk.validate_action_data(schema.accept)
@refusing
def hanoiic_agreement_accept(context: Any, data_dict: dict[str, Any]) -> dict[str, Any]:
    """Accept the licence of a ``click`` dataset; again is harmless.

    :param dataset: id or name
    :param table: a lake table of it that has an offer of its own (optional)
    :param organization: for which of the user's organisations (optional when there is one)
    """
    tk.check_access("hanoiic_agreement_accept", context, data_dict)
    package, user = (
        subject.visible_dataset(context, data_dict["dataset"]),
        subject.user_of(context),
    )
    party = parties.speaking(user.id, data_dict.get("organization"))
    agreement = requests.accept(package, user, party, data_dict.get("table") or "")
    subject.commit(context)
    return dictize.agreement(agreement)


@tk.side_effect_free
@tk.validate_action_data(lambda: schema.listing(*states.AGREEMENT_STATES))
def hanoiic_agreement_list(context: Any, data_dict: dict[str, Any]) -> list[dict[str, Any]]:
    """Agreements, newest first, at most 500; ``usage`` says how much of each quota is used.

    :param box: ``mine`` (of the user and the user's organisations; default) or ``inbox`` (for
        datasets the user decides about)
    :param state: only those stored in this state
    """
    tk.check_access("hanoiic_agreement_list", context, data_dict)
    rows = in_box(Agreement, context, data_dict)
    counted = usage.counters([row.id for row in rows], clock.now())
    return [dictize.agreement(row) | {"usage": counted[row.id]} for row in rows]


@tk.side_effect_free
@tk.validate_action_data(schema.by_id)
def hanoiic_agreement_show(context: Any, data_dict: dict[str, Any]) -> dict[str, Any]:
    """One agreement, for its party and the dataset's officers."""
    tk.check_access("hanoiic_agreement_show", context, data_dict)
    row = subject.row(Agreement, data_dict["id"])
    return dictize.agreement(row) | {"usage": usage.counters([row.id], clock.now())[row.id]}


def _change(event: str, action: str, context: Any, data_dict: dict[str, Any]) -> dict[str, Any]:
    tk.check_access(action, context, data_dict)
    agreement = agreements.change(
        subject.row(Agreement, data_dict["id"]),
        event,
        subject.user_of(context),
        data_dict.get("reason", ""),
    )
    subject.commit(context)
    return dictize.agreement(agreement)


@tk.validate_action_data(schema.decide_with_reason)
@refusing
def hanoiic_agreement_revoke(context: Any, data_dict: dict[str, Any]) -> dict[str, Any]:
    """End an agreement for good; its party reads the ``reason``.

    The party can ask again but not accept again: from now on an officer decides.
    """
    return _change("revoke", "hanoiic_agreement_revoke", context, data_dict)


@tk.validate_action_data(schema.decide_with_reason)
@refusing
def hanoiic_agreement_suspend(context: Any, data_dict: dict[str, Any]) -> dict[str, Any]:
    """Withhold access until resumed; its party reads the ``reason``."""
    return _change("suspend", "hanoiic_agreement_suspend", context, data_dict)


@tk.validate_action_data(schema.by_id)
@refusing
def hanoiic_agreement_resume(context: Any, data_dict: dict[str, Any]) -> dict[str, Any]:
    """Give back the access of a suspended agreement."""
    return _change("resume", "hanoiic_agreement_resume", context, data_dict)
