"""The edge between licensing's refusals and CKAN's errors: a code and a sentence for the reader."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from ckan import model
from ckan.plugins import toolkit as tk
from ckanext.hanoiic.licensing import errors


def N_(msgid: str) -> str:
    """Mark a sentence for translation; it is translated when it is told."""
    return msgid


SENTENCES = {
    errors.NotAllowedNow.code: N_("This was decided already; load the page again."),
    errors.OwnRequest.code: N_("Somebody else must decide your own request."),
    errors.WrongTier.code: N_("This dataset gives access in another way now; load the page again."),
    errors.AgreementStands.code: N_("There is an agreement for this dataset already."),
    errors.OfficerNeeded.code: N_(
        "Your access was revoked. Send a request; the publishing organisation decides it."
    ),
    errors.ChooseOrganization.code: N_("Choose the organisation you act for."),
    errors.ReasonMissing.code: N_("Give a reason."),
    errors.TableTaken.code: N_("Another dataset holds the lake table {table}."),
    errors.TableNotYours.code: N_(
        "Only a harvest or a system administrator puts the lake table {table} under a dataset."
    ),
    errors.LicenceChanged.code: N_(
        "The published licence {licence} was edited; it needs a new version."
    ),
}


def as_validation_error(refusal: errors.LicensingError, field: str = "message") -> Any:
    """CKAN's error (409 in the API) that carries the code and the sentence."""
    sentence = tk._(SENTENCES[refusal.code]).format(**refusal.facts)
    return tk.ValidationError({field: [sentence], "code": [refusal.code]})


def refusing(action: Callable[..., Any]) -> Callable[..., Any]:
    """Undo what a refused action began and tell the refusal as a ``ValidationError``."""

    @wraps(action)
    def wrapper(context: Any, data_dict: dict[str, Any]) -> Any:
        try:
            return action(context, data_dict)
        except errors.LicensingError as refusal:
            model.Session.rollback()
            raise as_validation_error(refusal) from refusal

    return wrapper
