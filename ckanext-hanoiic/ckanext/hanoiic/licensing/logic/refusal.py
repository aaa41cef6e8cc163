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
    errors.PartyGone.code: N_("Who asked for access is not there any more."),
    errors.ChooseOrganization.code: N_("Choose the organisation you act for."),
    errors.ReasonMissing.code: N_("Give a reason."),
    errors.TableTaken.code: N_("Another dataset holds the lake table {table}."),
    errors.TableNotYours.code: N_(
        "Only a harvest or a system administrator puts the lake table {table} under a dataset."
    ),
    errors.OfferClosed.code: N_("This offer is not open now; the page says why."),
    errors.LicencePublished.code: N_(
        "Version {version} of the licence {licence} is published and is never edited. Begin a new "
        "version."
    ),
    errors.EditionKeyMissing.code: N_(
        "Columns can't be hashed: the portal's operator has to set the key of editions."
    ),
    errors.TooManyPreviews.code: N_("Five previews are not done yet; wait for them."),
    errors.QuotaExceeded.code: N_("The agreement's quota is used up."),
    errors.AgreementNotActive.code: N_("The agreement gives no access now."),
    errors.LeaseUnknown.code: N_("There is no such lease."),
    errors.ApplicationRetired.code: N_("The application is no longer used."),
    errors.TokenEnded.code: N_("The token has ended or was replaced already; make a new one."),
    errors.LinkNotPermitted.code: N_("The bearer may not read this table."),
    errors.LicenceChanged.code: N_(
        "The published licence {licence} was edited; it needs a new version."
    ),
}

# What is wrong with an offer or a licence, by the fact ``problem``.
PROBLEMS = {
    "no_columns": N_("At least one column has to be shown."),
    "not_a_list": N_("Must be a list."),
    "not_an_object": N_("Must be an object."),
    "not_a_predicate": N_("A row filter has a column, an operator and a value."),
    "unknown_column": N_("There is no column {column} in every table that this offer is about."),
    "unknown_mask": N_("There is no such way to mask {column}."),
    "mask_of_type": N_("{column} is of the type {type} and can't be masked like this."),
    "length": N_("{column}: say how many characters are left (0 to 1000)."),
    "width": N_("{column}: say how wide a bucket is, a number above 0 or a unit of time."),
    "unknown_operator": N_("{column}: there is no such comparison."),
    "value": N_("{column} is of the type {type}; the value to compare with is not."),
    "sample_rows": N_("A sample has 1 to {most} rows."),
    "sample_by": N_("A sample can't be spread over {column}."),
    "quota": N_("{name} must be a whole number above 0."),
    "rule": N_("An automatic approval can't ask for {name}."),
    "no_licence": N_("Choose a licence: this way of access is to accept it."),
    "unknown_licence": N_("This licence is not in force."),
    "unknown_table": N_("This dataset has no such table."),
    "restricted_edition": N_(
        "This licence is for samples and masked data: hide columns or rows, mask something, or let "
        "holders have a sample."
    ),
    "id": N_("An id has letters, digits, dots and hyphens, at least two."),
    "draft_exists": N_("There is a draft of this licence already; go on with that one."),
    "empty": N_("Must not be empty."),
    "url": N_("The address must begin with http:// or https://."),
    "points": N_("Vietnamese and English must have the same number of points."),
    "unknown_term": N_("The portal's ODRL profile has no such term: {terms}"),
    "schema": N_("The policy does not conform to the portal's ODRL profile at: {terms}"),
    "uid": N_("The policy's uid is that of another licence or version."),
    "pinned_table": N_("This offer is not about the table {table}."),
    "pinned_list": N_("Versions of {table} are whole numbers in a list."),
    "pinned_most": N_("At most {most} versions of {table} are kept."),
    "pinned_version": N_("{table} has no version {version}; the newest is {newest}."),
    "questions_most": N_("At most {most} questions can be asked."),
    "questions_shape": N_("A question has an id of its own, both texts, and a kind."),
    "question_words": N_("Question {number}: write it in Vietnamese and in English."),
    "question_long": N_("Question {number}: at most {most} characters."),
    "question_kind": N_("Question {number}: there is no such kind of answer."),
    "answer_missing": N_("Please answer this question."),
    "answer_unknown": N_("This is not asked any more; load the page again."),
    "answer_line": N_("Answer in one line."),
    "answer_number": N_("Answer with a number, such as 12 or 0.5."),
    "answer_date": N_("Answer with a date."),
    "answer_yes_no": N_("Answer yes or no."),
}


# Facts that programs need beside the code.
TOLD = ("quota", "resets_at", "reason", "problem", "field", "state")


def as_validation_error(refusal: errors.LicensingError, field: str = "message") -> Any:
    """CKAN's error (409 in the API) that carries the code and the sentence."""
    told = SENTENCES.get(refusal.code) or PROBLEMS[refusal.facts["problem"]]
    sentence = tk._(told).format(**refusal.facts)
    facts = {name: [value] for name, value in refusal.facts.items() if name in TOLD}
    return tk.ValidationError({field: [sentence], "code": [refusal.code], **facts})


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
