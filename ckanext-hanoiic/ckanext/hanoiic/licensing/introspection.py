"""The answer to the gateway's question: who is this, and which tables may they read?

Made in the manner of RFC 7662; docs/architecture.md holds the contract.
"""

from __future__ import annotations

import re
from typing import Any

from ckan.lib.redis import connect_to_redis
from ckan.plugins import toolkit as tk
from ckanext.hanoiic.licensing import audit, clock, editions, epoch, links, standing, terms, tokens
from ckanext.hanoiic.licensing.links import Link
from ckanext.hanoiic.licensing.model import Licence
from ckanext.hanoiic.licensing.standing import Caller, Dataset, Standing

ACTIONS = ("query", "download", "share", "describe")
OPEN = "open"
UNKNOWN = {"decision": "unknown"}
# What a lake table may be called; for anything else the database is not asked.
TABLE_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
# The same refusal (of one token, table and reason) is audited once in so many seconds; the gateway
# reports each one that it tells a caller by itself.
DENIED_KEY = "hanoiic:denied:"
DENIED_S = 60


def answer(
    token: str | None, tables: list[str] | None, action: str, audience: str = tokens.GATEWAY
) -> dict[str, Any]:
    """Decide ``tables`` (None: every one the caller may know of) for the bearer of ``token``."""
    # The epoch is read before the rows, so that it never stands for rows that are older than it.
    number = epoch.current()
    bearer, link = _bearer(token)
    if isinstance(bearer, tokens.Invalid):
        return _identity(None, None, number) | {"token_error": bearer.token_error, "tables": {}}
    told = _tables(_caller(bearer, audience), tables, action, link)
    if action != "describe" and tables is not None:
        _write_down_denials(bearer, told, action)
    return _identity(bearer, link, number) | {"tables": told}


def _bearer(token: str | None) -> tuple[tokens.Bearer | tokens.Invalid | None, Link | None]:
    if token is None:
        return None, None
    if not token.startswith(links.PREFIX):
        return tokens.bearer(token), None
    found = links.bearer(token)
    return (found, None) if isinstance(found, tokens.Invalid) else found


def _caller(bearer: tokens.Bearer | None, audience: str) -> Caller:
    if bearer is None:
        return standing.ANONYMOUS
    return Caller(bearer.user, bearer.parties, bearer.scopes, audience in bearer.audience)


def _identity(bearer: tokens.Bearer | None, link: Link | None, number: int) -> dict[str, Any]:
    organisation = bearer.organization if bearer else None
    application = bearer.application if bearer else None
    return {
        "active": bearer is not None,
        "username": bearer.user.name if bearer else None,
        "sub": bearer.user.id if bearer else None,
        "client_id": application.id if application else None,
        "client_name": application.name if application else None,
        "organization": organisation.name if organisation else None,
        "organization_id": organisation.id if organisation else None,
        "scope": " ".join(bearer.scopes) if bearer else "",
        "aud": list(bearer.audience) if bearer else [],
        "networks": list(bearer.networks) if bearer and bearer.networks else None,
        "token_id": bearer.token_id if bearer else None,
        "exp": _exp(bearer, link),
        "now": clock.now().timestamp(),
        "claims": link.claims if link else None,
        "token_error": None,
        "epoch": number,
    }


def _exp(bearer: tokens.Bearer | None, link: Link | None) -> int | None:
    ends = [int(bearer.expires_at.timestamp())] if bearer else []
    return min(ends + ([link.expires_at] if link else []), default=None)


def _tables(
    caller: Caller, names: list[str] | None, action: str, link: Link | None = None
) -> dict[str, Any]:
    datasets = standing.by_table(names and [name for name in names if TABLE_NAME.fullmatch(name)])
    if link is not None:
        datasets = {name: one for name, one in datasets.items() if name == link.table}
    judged = standing.judge(caller, datasets.values(), action, clock.now(), history=False)
    known = {
        name: judged[dataset.scope]
        for name, dataset in sorted(datasets.items())
        if judged[dataset.scope].decision.decision != "unknown"
    }
    read = editions.chosen({name: one for name, one in known.items() if one.decision.permits})
    told = {name: _table(one, read.get(name)) for name, one in known.items()}
    if link is not None:
        told = {name: _bound(one, link, action) for name, one in told.items()}
    # A private table and one that does not exist have the same answer.
    return told if names is None else {name: told.get(name, UNKNOWN) for name in names}


def _bound(told: dict[str, Any], link: Link, action: str) -> dict[str, Any]:
    """A link's decision: it permits nothing but the action, agreement and edition it was made
    for."""
    if told["decision"] != "permit":
        return told
    reason = None
    if action not in (link.action, "describe"):
        reason = "scope_missing"
    elif (told["agreement"], told["edition"]) != (link.agreement, link.edition):
        reason = "agreement_superseded"
    return denied(told, reason) if reason else told


def denied(told: dict[str, Any], reason: str) -> dict[str, Any]:
    """A permit made into a deny."""
    kept = {name: told[name] for name in ("tier", "dataset", "licence")}
    return {
        "decision": "deny",
        "reason": reason,
        "access_url": f"{told['dataset']['url']}#access",
    } | kept


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
    anyones = use.uses() if use and one.decision.reason == OPEN else []
    shown = {"edition": read.edition, "edition_kind": read.kind, "open_to": anyones}
    return told | shown | _conditions(use)


def _conditions(use: terms.Use | None) -> dict[str, Any]:
    """Duties, limits and end of a use; those who publish the table are bound by nothing."""
    agreement = use.agreement if use else None
    granted = use.granted() if use else None
    quota = terms.quota(use.offer) if use and agreement else {}
    # An agreement may last longer than its offer stands.
    own_end = agreement.valid_until if agreement else use and use.offer.valid_until
    ends = [own_end, granted and granted.valid_until]
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


def _write_down_denials(bearer: tokens.Bearer | None, told: dict[str, Any], action: str) -> None:
    who = (bearer.token_id or bearer.user.id) if bearer else "anonymous"
    refused = {name: one for name, one in told.items() if one["decision"] == "deny"}
    if not refused:
        return
    with connect_to_redis().pipeline(transaction=False) as pipe:
        for name, one in refused.items():
            pipe.set(f"{DENIED_KEY}{who}:{name}:{one['reason']}", 1, nx=True, ex=DENIED_S)
        first = dict(zip(refused, pipe.execute(), strict=True))
    for name, one in refused.items():
        if first[name]:
            audit.record(
                "access_denied", bearer.user.id if bearer else None,
                subject_id=bearer.token_id if bearer else None, table=name,
                dataset=one["dataset"]["name"], action=action, reason=one["reason"],
                organization=bearer.organization_id if bearer else None,
            )  # fmt: skip


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
            "hanoiic_licensing.licence",
            licence_id=licence.id,
            version=licence.version,
            locale="default",
            _external=True,
        ),
        "attribution": f"{who}: {dataset.package.title or dataset.package.name} ({licence.id})",
    }
