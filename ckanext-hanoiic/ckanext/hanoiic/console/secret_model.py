"""Named secrets of an organisation, encrypted at rest.

The key file has one Fernet key a line: the first one encrypts, every one decrypts, so that a new
key is put before the old ones. A secret is good for one host: an officer cannot point a source at
a server of their own and have the secret sent there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa
from ckan import model
from ckan.model.types import make_uuid
from ckan.plugins import toolkit as tk
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from .errors import SecretsUnavailable
from .model import iso, now

SECRET_KINDS = ("bearer", "basic", "header", "s3", "ssh_key", "password")


class Secret(tk.BaseModel):
    """One secret; ``sealed`` is the encrypted value. ``used_at``: when a worker read it last."""

    __tablename__ = "hanoiic_secret"

    id = sa.Column(sa.Text, primary_key=True, default=make_uuid)
    owner_org = sa.Column(sa.Text, nullable=False)
    name = sa.Column(sa.Text, nullable=False)
    kind = sa.Column(sa.Text, nullable=False)
    host = sa.Column(sa.Text, nullable=False)
    sealed = sa.Column(sa.LargeBinary, nullable=False)
    created_by = sa.Column(sa.Text)
    created_at = sa.Column(sa.DateTime(timezone=True), nullable=False, default=now)
    used_at = sa.Column(sa.DateTime(timezone=True))

    def as_dict(self) -> dict[str, Any]:
        """Everything but the value, sealed or not."""
        plain = {key: getattr(self, key) for key in ("name", "kind", "host", "owner_org")}
        moments = {key: iso(getattr(self, key)) for key in ("created_at", "used_at")}
        return {**plain, **moments, "created_by": self.created_by}


def secret_of(organisation: str, name: str) -> Secret | None:
    return model.Session.query(Secret).filter_by(owner_org=organisation, name=name).first()


def seal(value: str) -> bytes:
    """The value encrypted with the newest key. Raises SecretsUnavailable."""
    return box().encrypt(value.encode())


def unseal(sealed: bytes) -> str:
    """Raises SecretsUnavailable when no key of the file fits."""
    try:
        return box().decrypt(sealed).decode()
    except InvalidToken:
        # Without its cause: an error's text ends in logs.
        raise SecretsUnavailable("No key of the key file opens this secret.") from None


def box() -> MultiFernet:
    """The keys of the file named by ``hanoiic.source_secrets_key_file``; read anew every time."""
    path = tk.config["hanoiic.source_secrets_key_file"]
    try:
        lines = Path(path).read_text(encoding="ascii").split() if path else []
        # The launcher's keys have no padding.
        return MultiFernet([Fernet(line + "=" * (-len(line) % 4)) for line in lines])
    except (OSError, ValueError):
        raise SecretsUnavailable("The key file of the secrets cannot be read.") from None
