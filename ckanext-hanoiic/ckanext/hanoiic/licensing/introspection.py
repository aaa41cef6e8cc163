"""The answer to the gateway's question: who is this, and which tables may they read?

Made in the manner of RFC 7662; docs/architecture.md holds the contract.
"""

from __future__ import annotations

import re
from typing import Any

from ckan import model
from ckan.plugins import toolkit as tk
from ckanext.hanoiic.licensing import clock, editions, epoch, standing, terms, tokens
from ckanext.hanoiic.licensing.model import Licence
from ckanext.hanoiic.licensing.standing import Caller, Dataset, Standing

ACTIONS = ("query", "download", "share", "describe")
UNKNOWN = {"decision": "unknown"}
# The lake's names. Nothing else is looked up.
TABLE_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


def answer(token: str | None, tables: list[str] | None, action: str) -> dict[str, Any]:
    """Decide ``tables`` (None: every one the caller may know of) for the bearer of ``token``."""
    # Read first: the number must never vouch for rows older than itself.
    number = epoch.current()
    bearer = None if token is None else tokens.bearer(token)
    if isinstance(bearer, tokens.Invalid):
        return _identity(None, number) | {"token_error": bearer.token_error, "tables": {}}
    caller = Caller(bearer.user, bearer.parties, bearer.scopes) if bearer else standing.ANONYMOUS
    return _identity(bearer, number) | {"tables": _tables(caller, tables, action)}


def _identity(bearer: tokens.Bearer | None, number: int) -> dict[str, Any]:
    organisation = (
        model.Group.get(bearer.organization_id) if bearer and bearer.organization_id else None
    )
    return {
        "active": bearer is not None,
        "username": bearer.user.name if bearer else None,
        "organization": organisation.name if organisation else None,
        "scope": " ".join(bearer.scopes) if bearer else "",
        "exp": int(bearer.expires_at.timestamp()) if bearer else None,
        "token_error": None,
        "epoch": number,
    }


def _tables(caller: Caller, names: list[str] | None, action: str) -> dict[str, Any]:
    datasets = standing.by_table(names and [name for name in names if TABLE_NAME.fullmatch(name)])
    judged = standing.judge(caller, datasets.values(), action, clock.now())
    known = {
        name: judged[dataset.scope]
        for name, dataset in sorted(datasets.items())
        if judged[dataset.scope].decision.decision != "unknown"
    }
    read = editions.chosen({name: one for name, one in known.items() if one.decision.permits})
    told = {name: _table(one, read.get(name)) for name, one in known.items()}
    # A private table and one that never was give the very same answer.
    return told if names is None else {name: told.get(name, UNKNOWN) for name in names}


def _table(one: Standing, read: editions.Chosen | None) -> dict[str, Any]:
    dataset = one.dataset
    use = one.use
    offer = use.offer if use else dataset.offer
    told = {
        "decision": one.decision.decision,
        "reason": one.decision.reason,
        "tier": dataset.tier,
        "dataset": describe_dataset(dataset),
        "licence": describe_licence(offer.licence if offer else None, dataset),
    }
    if read is None:
        return told | {"access_url": f"{told['dataset']['url']}#access"}
    return told | {"edition": read.edition, "edition_kind": read.kind} | _conditions(use)


def _conditions(use: terms.Use | None) -> dict[str, Any]:
    """Duties, limits and end of a use; nothing binds those who publish the table."""
    agreement = use.agreement if use else None
    granted = use.granted() if use else None
    quota = terms.quota(use.offer) if use and agreement else {}
    ends = [agreement and agreement.valid_until, granted and granted.valid_until]
    until = min((end for end in ends if end), default=None)
    concurrent = quota.get("concurrent_queries")
    return {
        "agreement": agreement.id if agreement else None,
        "offer": use.offer.id if use else None,
        "valid_until": int(until.timestamp()) if until else None,
        "obligations": [{"action": duty} for duty in granted.obligations] if granted else [],
        "limits": {"concurrent_queries": concurrent} if concurrent else {},
        "metered": any(name in quota for name in terms.METERED),
    }


def describe_dataset(dataset: Dataset) -> dict[str, Any]:
    package, owner = dataset.package, dataset.owner
    return {
        "name": package.name,
        "title": package.title or package.name,
        "title_en": package.extras.get("title_en") or package.title or package.name,
        "url": tk.url_for("dataset.read", id=package.name, locale="default", _external=True),
        "organization": owner.name if owner else None,
    }


def describe_licence(licence: Licence | None, dataset: Dataset) -> dict[str, Any]:
    """Id, version, title, address and the line to credit; empty when there is no known licence."""
    if licence is None:
        return {}
    who = (
        dataset.owner.title or dataset.owner.name if dataset.owner else tk.config["ckan.site_title"]
    )
    return {
        "id": licence.id,
        "version": licence.version,
        "hash": licence.content_hash,
        "title": licence.title_vi,
        "title_en": licence.title_en,
        "url": licence.url
        or tk.url_for(
            "hanoiic_licensing.licence", licence_id=licence.id, locale="default", _external=True
        ),
        "attribution": f"{who}: {dataset.package.title or dataset.package.name} ({licence.id})",
    }
