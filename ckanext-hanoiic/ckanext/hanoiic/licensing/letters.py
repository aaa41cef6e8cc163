"""E-mails about requests and agreements: to who waits, or to who must act, in both languages.

A transition notes its letter in the session; when the transaction commits a background job is
asked to write and send it, so that a mail server never delays a decision, and what is rolled back
is never told. Without a mail server nothing happens.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from ckan import model
from ckan.lib import mailer
from ckan.model import meta
from ckan.plugins import toolkit as tk
from ckanext.hanoiic.licensing import parties, working_days
from ckanext.hanoiic.licensing.model import AccessRequest, Agreement
from sqlalchemy.orm import Session

log = logging.getLogger(__name__)

NOTED = "hanoiic_letters"
# Reserved by RFC 2606: nobody reads there.
NO_MAIL = ".invalid"

OFFICERS, PARTY = "officers", "party"
# Event → (to whom, Vietnamese, English); {dataset}, {party}, {until} and {due} are filled in.
REQUEST = {
    "submit": (
        OFFICERS,
        "{party} yêu cầu quyền truy cập “{dataset}”. Hạn trả lời: {due}.",
        "{party} asks for access to “{dataset}”. Please answer by {due}.",
    ),
    "answer": (
        OFFICERS,
        "{party} đã trả lời câu hỏi của bạn về yêu cầu truy cập “{dataset}”. Hạn trả lời: {due}.",
        "{party} answered your question about “{dataset}”. Please decide by {due}.",
    ),
    "withdraw": (
        OFFICERS,
        "{party} đã rút yêu cầu truy cập “{dataset}”.",
        "{party} withdrew the request for “{dataset}”.",
    ),
    "ask": (
        PARTY,
        "Cơ quan công bố “{dataset}” cần thêm thông tin cho yêu cầu của bạn.",
        "The publisher of “{dataset}” needs more information for your request.",
    ),
    "approve": (
        PARTY,
        "Yêu cầu truy cập “{dataset}” của bạn được chấp thuận.",
        "Your request for “{dataset}” is approved.",
    ),
    "reject": (
        PARTY,
        "Yêu cầu truy cập “{dataset}” của bạn bị từ chối.",
        "Your request for “{dataset}” is refused.",
    ),
    "expire": (
        PARTY,
        "Yêu cầu truy cập “{dataset}” của bạn đã hết hạn vì không được trả lời.",
        "Your request for “{dataset}” expired without an answer.",
    ),
}  # fmt: skip
AGREEMENT = {
    "suspended": (
        PARTY,
        "Quyền truy cập “{dataset}” của bạn bị tạm dừng.",
        "Your access to “{dataset}” is suspended.",
    ),
    "active": (
        PARTY,
        "Quyền truy cập “{dataset}” của bạn được khôi phục.",
        "Your access to “{dataset}” is given back.",
    ),
    "revoked": (
        PARTY,
        "Quyền truy cập “{dataset}” của bạn bị thu hồi.",
        "Your access to “{dataset}” is revoked.",
    ),
    "expired": (
        PARTY,
        "Quyền truy cập “{dataset}” của bạn đã hết hạn.",
        "Your access to “{dataset}” has ended.",
    ),
    "ends soon": (
        PARTY,
        "Quyền truy cập “{dataset}” của bạn hết hạn vào {until}. Bạn có thể xin gia hạn ngay bây "
        "giờ mà không bị gián đoạn.",
        "Your access to “{dataset}” ends on {until}. Renew it now and there is no gap.",
    ),
}  # fmt: skip
REASON = ("Lời nhắn", "Message")


def about_request(request: AccessRequest, event: str) -> None:
    _note("request", request.id, event, request.reason)


def about_agreement(agreement: Agreement, event: str | None = None) -> None:
    """``event`` None: the state it came to."""
    _note("agreement", agreement.id, event or agreement.state, agreement.reason)


def _note(kind: str, row_id: str, event: str, text: str | None) -> None:
    if is_set():
        noted = model.Session.info.setdefault(NOTED, [])
        noted.append({"kind": kind, "id": row_id, "event": event, "text": text})


def is_set() -> bool:
    """An operator who wants mail says from whom it comes; CKAN's server setting has a default."""
    return bool(tk.config["smtp.mail_from"])


def listen() -> None:
    """Attach to CKAN's sessions; again is harmless."""
    for target in (meta.Session, meta.create_local_session):
        for name, handler in (("after_commit", _after_commit), ("after_rollback", _forget)):
            if not sa.event.contains(target, name, handler):
                sa.event.listen(target, name, handler)


def _after_commit(session: Session) -> None:
    noted = session.info.get(NOTED)
    if not noted or session.in_nested_transaction():
        return
    del session.info[NOTED]
    try:
        tk.enqueue_job(send, [noted], title="Letters about access")
    except Exception as error:  # The decision is committed; the letter alone is lost.
        log.warning("letters_not_queued cause=%s", type(error).__name__)


def _forget(session: Session) -> None:
    session.info.pop(NOTED, None)


def send(noted: list[dict[str, Any]]) -> None:
    """The background job: every recipient is tried; what fails is logged without its contents."""
    for one in noted:
        row = model.Session.get(AccessRequest if one["kind"] == "request" else Agreement, one["id"])
        if row is None:
            continue
        subject, body, recipients = compose(row, one["kind"], one["event"], one["text"])
        for user in recipients:
            try:
                mailer.mail_user(user, subject, body)
            except (mailer.MailerException, OSError) as error:
                log.warning("letter_not_sent user=%s cause=%s", user.id, type(error).__name__)


def compose(
    row: AccessRequest | Agreement, kind: str, event: str, text: str | None
) -> tuple[str, str, list[model.User]]:
    """Subject, body (Vietnamese, then English) and who gets them."""
    whom, vietnamese, english = (REQUEST if kind == "request" else AGREEMENT)[event]
    package = model.Session.get(model.Package, row.dataset_id)
    facts = {
        "dataset": (package.title or package.name) if package else row.dataset_id,
        "party": parties.title(parties.of(row)),
        "due": _day(getattr(row, "due_at", None)),
        "until": _day(getattr(row, "valid_until", None)),
    }
    site = tk.config["ckan.site_url"].rstrip("/")
    page = f"hanoiic/requests/{row.id}" if kind == "request" else "hanoiic/access#agreements"
    told = [
        "\n\n".join(
            filter(None, (sentence.format(**facts), text and f"{word}: {text}", f"{root}/{page}"))
        )
        for sentence, word, root in zip(
            (vietnamese, english), REASON, (site, f"{site}/en"), strict=True
        )
    ]
    owner = package.owner_org if package else None
    found = _officers(owner) if whom == OFFICERS else _people(row)
    # One line: a title may hold a line's end.
    subject = " ".join(vietnamese.format(**facts).split())
    return subject, "\n\n—\n\n".join(told), [user for user in found if _has_mail(user)]


def _day(moment: datetime | None) -> str:
    return moment.astimezone(working_days.HANOI).strftime("%d/%m/%Y") if moment else ""


def _officers(organization_id: str | None) -> Iterable[model.User]:
    return parties.members(organization_id, parties.OFFICER_ROLES) if organization_id else []


def _people(row: AccessRequest | Agreement) -> Iterable[model.User]:
    """Who asked or accepted, while of the party, and the admins of the organisation that holds
    it."""
    asked = model.Session.get(model.User, getattr(row, "user_id", None) or row.accepted_by)
    speaks = asked and asked.state == "active" and parties.of(row) in parties.held_by(asked.id)
    people = {asked.id: asked} if speaks else {}
    if row.party_kind == "organization":
        people |= {user.id: user for user in parties.members(row.party_id, ("admin",))}
    return people.values()


def _has_mail(user: model.User) -> bool:
    return bool(user.email) and not user.email.endswith(NO_MAIL)
