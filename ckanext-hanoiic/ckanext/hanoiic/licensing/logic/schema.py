"""What the actions accept."""

from __future__ import annotations

from ckan.plugins import toolkit as tk
from ckan.types import Schema
from ckanext.hanoiic.licensing import links, offers, policy_profile, tokens
from ckanext.hanoiic.licensing.logic import checks

REASON_LENGTH = 2000
MOST_DAYS = 3650
TITLE_LENGTH = 200
KEY_LENGTH = 200


def introspect() -> Schema:
    ignore_missing = tk.get_validator("ignore_missing")
    return {
        "token": [ignore_missing, checks.text_or_nothing],
        "tables": [ignore_missing, checks.table_names],
        "action": [
            *checks.named("not_missing"), checks.one_of("query", "download", "share", "describe"),
        ],
        "audience": [tk.get_validator("default")(tokens.GATEWAY), checks.text_or_nothing],
    }  # fmt: skip


def nothing() -> Schema:
    return {}


def dataset() -> Schema:
    return {"dataset": checks.text()}


def id_and_table() -> Schema:
    return by_id() | {"table": checks.text_or_none()}


def offer_of_table() -> Schema:
    return dataset() | {"table": checks.text()}


def offer_reason() -> Schema:
    return dataset() | {
        "table": checks.text_or_none(),
        "reason": checks.text(REASON_LENGTH),
    }


def offer() -> Schema:
    days = checks.optional(tk.get_validator("int_validator"), checks.between(1, MOST_DAYS))
    return dataset() | {
        "table": checks.text_or_none(),
        "tier": [*checks.named("not_missing"), checks.one_of(*offers.TIERS)],
        "licence": checks.text_or_none(),
        "valid_from": checks.optional(checks.moment),
        "valid_until": checks.optional(checks.future_moment),
        "agreement_days": days,
        "sla_working_days": days,
    }


def licence() -> Schema:
    return by_id() | {"version": checks.optional(tk.get_validator("int_validator"))}


def licence_version() -> Schema:
    return by_id() | {"version": checks.named("not_missing int_validator")}


def licence_withdraw() -> Schema:
    return licence_version() | {"reason": checks.text(REASON_LENGTH)}


def licence_text() -> Schema:
    default = tk.get_validator("default")
    boolean = tk.get_validator("boolean_validator")
    return by_id() | {
        "title_vi": checks.text(TITLE_LENGTH),
        "title_en": checks.text(TITLE_LENGTH),
        "url": checks.text_or_none(),
        "draft": [default(True), boolean],
        "open": [default(False), boolean],
        "restricted_edition": [default(False), boolean],
    }


def licence_edit() -> Schema:
    return licence_text() | licence_version()


def edition_list() -> Schema:
    return {"table": checks.text_or_none()}


def edition_report() -> Schema:
    return {
        "edition": checks.text(),
        "table": checks.text(),
        "version": checks.named("not_missing int_validator"),
        "state": [*checks.named("not_missing"), checks.one_of("written", "failed")],
        "error": checks.text_or_none(REASON_LENGTH),
    }


def edition_preview_update() -> Schema:
    return by_id() | {"state": [*checks.named("not_missing"), checks.one_of("ready", "failed")]}


def by_id() -> Schema:
    return {"id": checks.text()}


def accept() -> Schema:
    return {
        "dataset": checks.text(),
        "table": checks.text_or_none(),
        "organization": checks.text_or_none(),
    }


def request() -> Schema:
    return accept() | {
        "purpose": checks.text(checks.PURPOSE_LENGTH),
        "purpose_code": checks.optional(checks.one_of(*policy_profile.PURPOSES)),
        "answers": [tk.get_validator("default")({}), checks.answers],
        "renew": [tk.get_validator("default")(False), tk.get_validator("boolean_validator")],
    }


def decide_with_reason() -> Schema:
    return by_id() | {"reason": checks.text(REASON_LENGTH)}


def say() -> Schema:
    return by_id() | {"text": checks.text(checks.PURPOSE_LENGTH)}


def approve() -> Schema:
    return by_id() | {
        "reason": checks.text_or_none(REASON_LENGTH),
        "valid_until": checks.optional(checks.future_moment),
    }


def listing(*states: str) -> Schema:
    return {
        "box": [tk.get_validator("default")("mine"), checks.one_of("mine", "inbox")],
        "state": checks.optional(checks.one_of(*states)),
    }


def application() -> Schema:
    return {
        "name": checks.text(checks.NAME_LENGTH),
        "description": checks.text_or_none(REASON_LENGTH),
        "organization": checks.text_or_none(),
    }


def token() -> Schema:
    default = tk.get_validator("default")
    return {
        # The application's name, where it isn't named by its id.
        "name": checks.text_or_none(checks.NAME_LENGTH),
        "application": checks.text_or_none(),
        "scopes": [default(list(tokens.DEFAULT_SCOPES)), checks.scopes],
        "organization": checks.text_or_none(),
        "networks": [tk.get_validator("ignore_empty"), checks.networks],
        "audience": [default(list(tokens.AUDIENCES)), checks.audience],
        "lifetime_days": [
            default(tokens.LIFETIME_DAYS),
            tk.get_validator("int_validator"),
            checks.lifetime,
        ],
    }


def rotate() -> Schema:
    return by_id() | {
        "overlap_hours": [
            tk.get_validator("default")(tokens.OVERLAP_HOURS),
            tk.get_validator("int_validator"),
            checks.overlap,
        ]
    }


def lease() -> Schema:
    return {
        "agreement": checks.text(),
        "key": checks.text(KEY_LENGTH),
        "want": [*checks.named("not_missing"), checks.amounts],
    }


def settle() -> Schema:
    return {
        "lease": checks.text(),
        "used": [*checks.named("not_missing"), checks.amounts],
        "final": [tk.get_validator("default")(True), tk.get_validator("boolean_validator")],
    }


def events() -> Schema:
    return {"events": [*checks.named("not_missing"), checks.events]}


def link() -> Schema:
    return {
        "token": [tk.get_validator("ignore_missing"), checks.text_or_nothing],
        "table": checks.text(),
        "action": [*checks.named("not_missing"), checks.one_of("download", "share")],
        "claims": [tk.get_validator("default")({}), checks.claims],
        "lifetime_s": [
            tk.get_validator("default")(links.LIFETIME_S),
            tk.get_validator("int_validator"),
            checks.link_lifetime,
        ],
    }


def usage_report() -> Schema:
    return {
        "dataset": checks.text(),
        "days": [tk.get_validator("default")(30), tk.get_validator("int_validator"), checks.days],
    }


def audit_list() -> Schema:
    to_int = tk.get_validator("int_validator")
    return {
        **dict.fromkeys(("event", "actor", "dataset", "subject"), checks.text_or_none()),
        "before": checks.optional(to_int),
        "limit": [tk.get_validator("default")(50), to_int, checks.page],
    }
