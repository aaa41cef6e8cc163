"""Actions on secrets. Their values go in by an officer and come out to the harvest worker only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from ckan import model
from ckan.plugins import toolkit as tk
from ckan.plugins.toolkit import _
from ckan.types import AuthResult, Context

from . import checks
from .auth import allowed, hanoiic_run_claim, is_officer, source_of
from .check_input import said
from .errors import SecretsUnavailable
from .kinds import N_
from .model import Source, now
from .preview_actions import organisation_of, preview_of
from .refusals import refused
from .secret_model import SECRET_KINDS, Secret, seal, secret_of, unseal
from .source_fields import CREDENTIAL_NAME, CREDENTIAL_NAME_RULE
from .states import DELETED

HOST = checks.matching(
    r"[a-z0-9][a-z0-9.-]{0,252}", N_("Must be the name of a host, such as api.example.vn")
)


def _value(value: Any) -> str:
    """Kept as it is written, without the newline that copying adds; the complaint never has it."""
    if not checks.is_text(value) or not 1 <= len(value) <= 4000:
        raise tk.Invalid(_("Must be text"))
    # A key is pasted in many lines; where they break has no meaning.
    is_key = "PRIVATE KEY-----" in value
    text = " ".join(value.split()) if is_key else value.strip("\r\n")
    if any(ord(letter) < 0x20 or letter == "\x7f" for letter in text):
        raise tk.Invalid(_("Must be one line of text"))
    return text


def _pair(separator: str) -> Callable[[str], bool]:
    return lambda value: all(part.strip() for part in value.partition(separator))


def _is_key(value: str) -> bool:
    user, _colon, key = value.partition(":")
    return bool(user.strip()) and "PRIVATE KEY-----" in key and "-----END" in key


# Kind → whether a value has its form, and the complaint.
FORMS: dict[str, tuple[Callable[[str], bool], str]] = {
    "bearer": (lambda value: " " not in value, N_("A token has no space")),
    "basic": (_pair(":"), N_("Must be user:password")),
    "header": (_pair(":"), N_("Must be a header and its value, such as X-Api-Key: …")),
    "s3": (_pair(":"), N_("Must be access key:secret key")),
    "ssh_key": (_is_key, N_("Must be user:, then a private key as OpenSSH writes it")),
    "password": (bool, ""),
}
FIELDS = {
    "name": checks.matching(CREDENTIAL_NAME, CREDENTIAL_NAME_RULE),
    "kind": checks.one_of(*SECRET_KINDS),
    "host": lambda value: HOST(str(value).strip().lower()),
    "value": _value,
}


def hanoiic_secret_create(context: Context, data_dict: dict[str, Any]) -> dict[str, Any]:
    """Keep a secret of an organisation; one with the same name is replaced.

    :param owner_org: id or name of the organisation
    :param name: a–z, 0–9, - and _
    :param kind: ``bearer`` (value: the token), ``basic`` (``user:password``), ``header``
        (``Name: value``), ``s3`` (``access key:secret key``), ``ssh_key`` (``user:`` and an
        OpenSSH private key, in one line) or ``password``
    :param host: the only host that it is sent to
    :param value: the secret; it is never shown again
    :returns: ``name``, ``kind``, ``host``, ``owner_org``, ``created_by``, ``created_at``,
        ``used_at``
    :raises ValidationError: one complaint a field; ``secrets_unavailable`` without a key
    """
    tk.check_access("hanoiic_secret_create", context, data_dict)
    values = said(data_dict, FIELDS, required=tuple(FIELDS), beside={"owner_org"})
    organisation = organisation_of(data_dict)
    fits, complaint = FORMS[values["kind"]]
    if not fits(values["value"]):
        raise tk.ValidationError({"value": [_(complaint)]})
    try:
        sealed = seal(values.pop("value"))
    except SecretsUnavailable as error:
        raise refused(error) from None
    user = context.get("auth_user_obj") or model.User.get(context.get("user"))
    # Locked, so that two officers who write the same name do it one after the other.
    model.Session.query(model.Group).filter_by(id=organisation.id).with_for_update().one()
    secret = secret_of(organisation.id, values["name"])
    if secret is None:
        secret = Secret(owner_org=organisation.id)
        model.Session.add(secret)
    for key, value in values.items():
        setattr(secret, key, value)
    secret.sealed, secret.created_at, secret.used_at = sealed, now(), None
    secret.created_by = user.id if user else None
    model.Session.commit()
    return secret.as_dict()


@tk.side_effect_free
def hanoiic_secret_list(context: Context, data_dict: dict[str, Any]) -> list[dict[str, Any]]:
    """The secrets of an organisation, without their values.

    :param owner_org: id or name of the organisation
    :returns: list of secrets, each as ``hanoiic_secret_create`` and ``sources``: the titles of the
        sources that name it
    """
    tk.check_access("hanoiic_secret_list", context, data_dict)
    organisation = organisation_of(data_dict)
    secrets = model.Session.query(Secret).filter_by(owner_org=organisation.id).order_by(Secret.name)
    return [{**secret.as_dict(), "sources": users_of(secret)} for secret in secrets]


def hanoiic_secret_delete(context: Context, data_dict: dict[str, Any]) -> None:
    """Delete a secret; refused while a source names it.

    :param owner_org: id or name of the organisation
    :param name: the secret's name
    """
    tk.check_access("hanoiic_secret_delete", context, data_dict)
    organisation = organisation_of(data_dict)
    secret = secret_of(organisation.id, str(tk.get_or_bust(data_dict, "name")))
    if secret is None:
        raise tk.ObjectNotFound(_("No such secret"))
    users = users_of(secret)
    if users:
        message = _("Still used by: {sources}").format(sources=", ".join(users))
        raise tk.ValidationError({"name": [message]})
    model.Session.delete(secret)
    model.Session.commit()


def hanoiic_secret_read(context: Context, data_dict: dict[str, Any]) -> dict[str, Any]:
    """A secret with its value; the harvest worker only, for what it is harvesting or previewing.

    The source or the preview must be of the secret's organisation, name the secret, and have the
    secret's host in its address.

    :param name: the secret's name
    :param source_id: id of a source; or ``preview_id``
    :param preview_id: id of a preview
    :returns: ``name``, ``kind``, ``host``, ``value``
    """
    tk.check_access("hanoiic_secret_read", context, data_dict)
    name = str(tk.get_or_bust(data_dict, "name"))
    if data_dict.get("preview_id"):
        user = preview_of({"id": data_dict["preview_id"]})
        named = user.secret or user.options.get("secret")
    else:
        user = source_of(data_dict, "source_id")
        named = user.options.get("secret") if user.state != DELETED else None
    secret = secret_of(user.owner_org, name)
    if secret is None or named != name or urlsplit(user.url).hostname != secret.host:
        raise tk.ObjectNotFound(_("No such secret"))
    try:
        value = unseal(secret.sealed)
    except SecretsUnavailable as error:
        raise refused(error) from None
    secret.used_at = now()
    model.Session.commit()
    return {"name": secret.name, "kind": secret.kind, "host": secret.host, "value": value}


def users_of(secret: Secret) -> list[str]:
    """Titles of the living sources that name a secret."""
    query = model.Session.query(Source.title).filter(
        Source.owner_org == secret.owner_org,
        Source.state != DELETED,
        Source.options["secret"].astext == secret.name,
    )
    return [title for (title,) in query.order_by(Source.title)]


def may_manage(context: Context, data: dict[str, Any]) -> AuthResult:
    """Officers of the organisation; without one nobody."""
    organisation = model.Group.get(data.get("owner_org")) if data.get("owner_org") else None
    officer = organisation is not None and is_officer(context.get("user"), organisation.id)
    return allowed(officer)


SECRET_ACTIONS = {
    "hanoiic_secret_create": hanoiic_secret_create,
    "hanoiic_secret_list": hanoiic_secret_list,
    "hanoiic_secret_delete": hanoiic_secret_delete,
    "hanoiic_secret_read": hanoiic_secret_read,
}
SECRET_AUTH = {
    "hanoiic_secret_create": may_manage,
    "hanoiic_secret_list": may_manage,
    "hanoiic_secret_delete": may_manage,
    "hanoiic_secret_read": hanoiic_run_claim,
}
