"""Pages that prove: the audit for operators, and anyone's check of a receipt."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import requests
from ckan.plugins import toolkit as tk
from ckanext.hanoiic.licensing import receipts
from ckanext.hanoiic.licensing.views import call, licensing, user_or_sign_in
from flask import request

FILTERS = ("event", "actor", "dataset", "subject")
PAGE = 50
KEYS_TIMEOUT_S = 5


@licensing.get("/audit")
def audit_page() -> Any:
    return user_or_sign_in() or _operator_only() or _audit()


@licensing.post("/audit/verify")
def audit_verify() -> Any:
    if away := user_or_sign_in() or _operator_only():
        return away
    return _audit(call("hanoiic_audit_verify"))


def _operator_only() -> Any:
    if tk.current_user.sysadmin:
        return None
    return tk.abort(403, tk._("This page is for the portal's operators."))


def _audit(verdict: dict[str, Any] | None = None) -> Any:
    filters = {name: request.args[name] for name in FILTERS if request.args.get(name)}
    before = request.args.get("before", type=int)
    entries = call("hanoiic_audit_list", **filters, before=before or "", limit=PAGE)
    older = None
    if len(entries) == PAGE:
        older = tk.h.url_for(
            "hanoiic_licensing.audit_page", **filters, before=entries[-1]["number"]
        )
    facts = {"entries": entries, "filters": filters, "verdict": verdict, "older": older}
    return tk.render("hanoiic_licensing/audit.html", facts)


@licensing.get("/receipts/verify")
def receipt_form() -> str:
    return _receipt()


@licensing.post("/receipts/verify")
def receipt_verify() -> str:
    """Needs no account: who gets an answer passed on may check it as well."""
    text, file = request.form.get("receipt", ""), request.files.get("result")
    try:
        keys = gateway_keys()
    except (requests.RequestException, ValueError):
        return _receipt(receipts.Verdict("keys_unreachable"), text)
    verdict = receipts.verify(text, keys, file.stream if file and file.filename else None)
    return _receipt(verdict, text)


def gateway_keys() -> dict[str, Any]:
    """The gateway's JWK set, read from it."""
    address = tk.config["hanoiic.gateway_internal_url"] or tk.config["hanoiic.gateway_url"]
    answer = requests.get(f"{address}/v1/receipts/keys", timeout=KEYS_TIMEOUT_S)
    answer.raise_for_status()
    return dict(answer.json())


def _receipt(verdict: receipts.Verdict | None = None, text: str = "") -> str:
    told = verdict.told if verdict else None
    facts = {
        "verdict": verdict,
        "receipt": text,
        "signed_at": datetime.fromtimestamp(told["iat"], UTC).isoformat() if told else None,
        "keys_url": f"{tk.config.get('hanoiic.gateway_url', '')}/v1/receipts/keys",
    }
    return str(tk.render("hanoiic_licensing/receipt.html", facts))
