"""What licensing refuses: one tree, told apart by ``code``. Actions tell it as CKAN's errors."""

from __future__ import annotations

from typing import Any


class LicensingError(Exception):
    """A refusal. ``facts`` say what it is about; they hold no secret."""

    code = "licensing_error"

    def __init__(self, detail: str, **facts: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.facts = facts


class NotAllowedNow(LicensingError):
    """The state machine has no such transition from the present state."""

    code = "transition_not_allowed"


class OwnRequest(LicensingError):
    """Nobody decides a request of their own, sysadmins included."""

    code = "own_request"


class WrongTier(LicensingError):
    """The dataset's tier gives access in another way."""

    code = "wrong_tier"


class AgreementStands(LicensingError):
    """A live agreement already gives, or by its suspension withholds, access."""

    code = "agreement_stands"


class OfficerNeeded(LicensingError):
    """The party's agreement was revoked: only an officer can give access again."""

    code = "officer_needed"


class PartyGone(LicensingError):
    """The organisation or person that would hold the agreement was deleted."""

    code = "party_gone"


class ChooseOrganization(LicensingError):
    """The user belongs to several organisations and must say for which one."""

    code = "choose_organization"


class ReasonMissing(LicensingError):
    """A refusal, suspension or revocation without a reason."""

    code = "reason_missing"


class TableTaken(LicensingError):
    """Another dataset holds the lake table."""

    code = "table_taken"


class TableNotYours(LicensingError):
    """Only the harvester and sysadmins put a lake table under a dataset."""

    code = "table_not_yours"


class OfferInvalid(LicensingError):
    """An offer's terms that don't fit its tables, its licence or the profile."""

    code = "offer_invalid"


class AnswerInvalid(LicensingError):
    """An answer to a request's question that is missing, or is not of the question's kind."""

    code = "answer_invalid"


class OfferClosed(LicensingError):
    """The offer was withdrawn, or it is not valid now: nobody can take it up."""

    code = "offer_closed"


class LicenceInvalid(LicensingError):
    """A licence text that can't be published: a term the profile doesn't have, or words missing."""

    code = "licence_invalid"


class LicencePublished(LicensingError):
    """What is published is never edited: a change is a new version."""

    code = "licence_published"


class EditionKeyMissing(LicensingError):
    """A column is to be hashed, and the portal has no key for it."""

    code = "edition_key_missing"


class TooManyPreviews(LicensingError):
    """Five previews of one officer are not done yet."""

    code = "too_many_edition_previews"


class LicenceChanged(LicensingError):
    """A published licence text was edited: it needs a new version instead."""

    code = "licence_changed"


class QuotaExceeded(LicensingError):
    """The agreement's quota has not enough left; ``quota`` and ``resets_at`` say which and when."""

    code = "quota_exceeded"


class AgreementNotActive(LicensingError):
    """Nothing can be leased of an agreement that gives no access."""

    code = "agreement_not_active"


class LeaseUnknown(LicensingError):
    """There is no lease with this id."""

    code = "lease_unknown"


class ApplicationRetired(LicensingError):
    """The application is no longer used: it gets no token."""

    code = "application_retired"


class TokenEnded(LicensingError):
    """A token that is revoked, replaced or expired can't be rotated."""

    code = "token_ended"


class LinkNotPermitted(LicensingError):
    """A link was asked for what the bearer may not read; ``reason`` is the decision's."""

    code = "link_not_permitted"
