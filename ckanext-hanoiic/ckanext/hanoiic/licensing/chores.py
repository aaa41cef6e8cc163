"""What the portal does every minute: it ends what is over, and signs the newest entry of the audit.

Decisions don't wait for it: they go by the clock. This writes down what the clock has decided, and
tells people. It runs as a background job, which ``ckanext.hanoiic.jobs`` enqueues. Each chore has
its own transaction; one that fails does not keep the others from being done.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
from ckan import model
from ckan.plugins import toolkit as tk
from ckanext.hanoiic.licensing import (
    agreements,
    chain,
    checkpoints,
    clock,
    letters,
    requests,
    signing,
    usage,
    usage_events,
)
from ckanext.hanoiic.licensing.model import Agreement

log = logging.getLogger(__name__)

REMIND_BEFORE = timedelta(days=14)
SETTLED_KEPT = timedelta(days=7)


def run() -> None:
    """Every chore once."""
    for chore in CHORES:
        try:
            done = chore(clock.now())
            model.repo.commit()
        except Exception:
            model.Session.rollback()
            log.exception("chore_failed chore=%s", chore.__name__)
        else:
            if done:
                log.info("chore_done chore=%s count=%s", chore.__name__, done)


def expire_requests(at: datetime) -> int:
    return requests.expire_due(at)


def expire_agreements(at: datetime) -> int:
    return agreements.expire_due(at)


def settle_leases(at: datetime) -> int:
    """Settle leases that gateways left unsettled, and forget those so old that nobody repeats their
    keys."""
    settled = usage.settle_expired(at)
    usage.forget(at - SETTLED_KEPT)
    return settled


def remind(at: datetime) -> int:
    """Tell holders, once, of agreements that end soon."""
    ending = model.Session.scalars(
        sa.select(Agreement)
        .where(
            Agreement.state == "active",
            Agreement.reminded_at.is_(None),
            Agreement.valid_until > at,
            Agreement.valid_until <= at + REMIND_BEFORE,
            # Not for a short agreement on its first day.
            Agreement.created_at <= at - REMIND_BEFORE,
        )
        # Another machine's chores tell those that they hold.
        .with_for_update(skip_locked=True, of=Agreement)
    ).all()
    for agreement in ending:
        agreement.reminded_at = at
        letters.about_agreement(agreement, "ends soon")
    return len(ending)


def forget_events(at: datetime) -> int:
    return usage_events.forget(at - timedelta(days=tk.config["hanoiic.usage_event_days"]))


def sign_checkpoint(at: datetime) -> int:
    file, key = (tk.config.get(f"hanoiic.audit_{n}_file") for n in ("checkpoints", "key"))
    last = model.Session.execute(sa.text(chain.LAST)).first()
    if not file or not key or last is None:
        return 0
    return checkpoints.write(
        Path(file), signing.private_key(Path(key)), last.number, bytes(last.hash), at
    )


CHORES: tuple[Callable[[datetime], int], ...] = (
    expire_requests,
    expire_agreements,
    settle_leases,
    remind,
    forget_events,
    sign_checkpoint,
)
