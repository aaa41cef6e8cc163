"""Telling officers what needs them: an e-mail to the department's, and a signed call of a webhook.

What a run's end has to say is decided here and sent by a background job, so that neither a mail
server nor a webhook ever holds up a report. The same trouble is told once, not every hour.
"""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from typing import Any

import flask_babel
from ckan import authz, model
from ckan.lib import mailer
from ckan.plugins import toolkit as tk
from ckan.plugins.toolkit import _
from flask import current_app

from . import problems, webhook, wording
from .auth import OFFICER_RIGHT, harvester_user
from .hold_model import Hold
from .model import Run, iso
from .states import FINISHED, HELD, HOLD_OPEN

log = logging.getLogger(__name__)

TOLD = (HELD, "refused", "failed")
# Reserved by RFC 2606: nobody reads there.
NO_MAIL = ".invalid"


@dataclass(frozen=True)
class Notice:
    """What is told of a run: for the webhook as facts, for people as an e-mail."""

    facts: dict[str, Any]
    subject: str
    body: str


def after_run(run: Run, holds: list[Hold]) -> None:
    """Ask for the telling of a run that has ended and is committed; never raises."""
    if not is_news(run, holds) or not (mail_is_set() or webhook.is_set()):
        return
    try:
        # Composed here: the background job has no request, so neither a language nor addresses.
        with current_app.test_request_context(), flask_babel.force_locale(locale()):
            notice = notice_of(run)
        tk.enqueue_job(tell, [asdict(notice)], title=f"Notice of run {run.id}")
    except Exception as error:  # Valkey may be away; the report must go through.
        log.warning("notice_not_queued run=%s cause=%s", run.id, type(error).__name__)


def is_news(run: Run, holds: list[Hold]) -> bool:
    """Whether officers have not been told the same by the run before."""
    if run.state not in TOLD:
        return False
    if run.state == HELD:
        return any(hold.state == HOLD_OPEN and hold.held_at >= run.requested_at for hold in holds)
    before = (
        model.Session.query(Run)
        .filter(Run.source_id == run.source_id, Run.id != run.id, Run.state.in_(FINISHED))
        .order_by(Run.requested_at.desc())
        .first()
    )
    code = (run.error or {}).get("code")
    return before is None or (before.state, (before.error or {}).get("code")) != (run.state, code)


def mail_is_set() -> bool:
    """An operator who wants mail says from whom it comes; CKAN's server setting has a default."""
    return bool(tk.config["smtp.mail_from"])


def tell(said: dict[str, Any]) -> None:
    """The background job: every recipient is tried, what fails is logged without its contents.

    ``said``: a Notice as a dictionary.
    """
    notice = Notice(**said)
    if mail_is_set():
        for user in officers(notice.facts["organization_id"]):
            send_mail(user, notice)
    if webhook.is_set():
        webhook.post(notice.facts)


def locale() -> str:
    return str(tk.config["ckan.locale_default"])


def notice_of(run: Run) -> Notice:
    source = run.source
    holds = model.Session.query(Hold).filter_by(run_id=run.id, state=HOLD_OPEN).all()
    page = tk.h.url_for("hanoiic_console.run", id=run.id, _external=True)
    links = [tk.h.url_for("hanoiic_console.held", id=hold.id, _external=True) for hold in holds]
    error = run.error or {}
    facts = {
        "event": f"run_{run.state}",
        "run_id": run.id,
        "source_id": source.id,
        "source": source.name,
        "title": source.title,
        "organization_id": source.owner_org,
        "state": run.state,
        "finished_at": iso(run.finished_at),
        "error_code": error.get("code"),
        "url": page,
        "holds": [
            {"id": hold.id, "kind": hold.kind, "table": hold.table, "url": link}
            for hold, link in zip(holds, links, strict=True)
        ],
    }
    state = _(wording.RUN_STATES[run.state][0])
    lines = [_(wording.RUN_EXPLAINED[run.state])]
    if error:
        lines += [problems.problem(error["code"]), problems.advice(error["code"])]
    for hold, link in zip(holds, links, strict=True):
        lines.append(f"{_(wording.HOLD_KINDS[hold.kind][0])} {hold.table}: {link}")
    lines.append(_("Harvest report: {url}").format(url=page))
    return Notice(facts, f"{source.title}: {state}", "\n\n".join(lines))


def officers(organisation: str) -> list[model.User]:
    """The active editors and admins of an organisation who have an address."""
    roles = authz.get_roles_with_permission(OFFICER_RIGHT)
    users = (
        model.Session.query(model.User)
        .join(model.Member, model.Member.table_id == model.User.id)
        .filter(model.Member.group_id == organisation, model.Member.table_name == "user")
        .filter(model.Member.state == "active", model.Member.capacity.in_(roles))
        .filter(model.User.state == "active", model.User.name != harvester_user())
    )
    return [user for user in users if user.email and not user.email.endswith(NO_MAIL)]


def send_mail(user: model.User, notice: Notice) -> None:
    try:
        mailer.mail_user(user, notice.subject, notice.body)
    except (mailer.MailerException, OSError) as error:
        log.warning("notice_not_mailed user=%s cause=%s", user.id, type(error).__name__)
