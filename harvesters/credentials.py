"""Named secrets of sources: kept by the portal, sent to the host of the source and nowhere else."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from botocore.auth import S3SigV4Auth  # type: ignore[import-untyped]
from botocore.awsrequest import AWSRequest  # type: ignore[import-untyped]
from botocore.credentials import Credentials  # type: ignore[import-untyped]

from harvesters.errors import SecretMissing, SecretUnfit
from harvesters.portal import NotThere, Portal
from harvesters.source import Source

PREVIEW = "preview:"
# What servers that are in no region answer to.
REGION = "us-east-1"
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Credential:
    """A secret's value (never shown) with its kind: `bearer`, `basic`, `header`, `password`, `s3`
    or `ssh_key`. `region` is where an S3 server says that it is."""

    kind: str
    host: str
    value: str = field(repr=False)
    region: str = REGION

    def headers(self) -> dict[str, str]:
        """The header that carries it. Raises SecretUnfit for one that no header carries."""
        if self.kind == "bearer":
            headers = {"Authorization": f"Bearer {self.value}"}
        elif self.kind == "basic":
            encoded = base64.b64encode(self.value.encode()).decode("ascii")
            headers = {"Authorization": f"Basic {encoded}"}
        elif self.kind == "header":
            name, _, value = self.value.partition(":")
            headers = {name.strip(): value.strip()}
        else:
            raise SecretUnfit(
                f"A secret of kind {self.kind} can't be sent over http: make one of kind bearer, "
                "basic or header."
            )
        # What http.client says of a header it refuses has the header in it.
        for text in (*headers, *headers.values()):
            if not text.isascii() or not text.isprintable():
                raise SecretUnfit("The secret has characters that no HTTP header has.")
        if not all(name.replace("-", "").replace("_", "").isalnum() for name in headers):
            raise SecretUnfit("The secret's header has no name that HTTP knows.")
        return headers


@dataclass(frozen=True)
class Carried:
    """Headers that go to one origin only; `sign` makes those of a request by its address."""

    scheme: str
    host: str
    port: int
    headers: Mapping[str, str] = field(repr=False)
    sign: Callable[[str], Mapping[str, str]] | None = field(default=None, repr=False)

    @classmethod
    def to(cls, url: str, credential: Credential) -> Carried:
        """For the source at `url`. Raises SecretUnfit when the secret is for another host."""
        scheme, host, port = _origin(url)
        if host != credential.host.lower():
            raise SecretUnfit("The secret is for another host than the source's.")
        if credential.kind == "s3":
            return cls(scheme, host, port, {}, _signature_of(credential))
        return cls(scheme, host, port, credential.headers())

    def for_url(self, url: str) -> Mapping[str, str]:
        """The headers for a request: none for another host, another port, or in the clear where
        the source is not."""
        if _origin(url) in (
            (self.scheme, self.host, self.port),
            # From plain http to the same host's https, where the usual ports say that it is that.
            ("https", self.host, 443 if self.port == 80 else -1),
        ):
            return self.sign(url) if self.sign else self.headers
        return {}


def read(source: Source, portal: Portal) -> Credential | None:
    """The secret that a source, or a preview of one, names; None when it names none.

    Raises SecretMissing and the errors of Portal.
    """
    name = source.options.secret
    if name is None:
        return None
    is_preview = source.id.startswith(PREVIEW)
    who = {"preview_id" if is_preview else "source_id": source.id.removeprefix(PREVIEW)}
    try:
        found = portal.call("hanoiic_secret_read", name=name, **who)
    except NotThere as error:
        raise SecretMissing(
            f"The organisation has no secret {name!r} for the host of the source's address."
        ) from error
    return Credential(
        *(found["kind"], found["host"], found["value"]), source.options.region or REGION
    )


def _signature_of(credential: Credential) -> Callable[[str], Mapping[str, str]]:
    """Signs requests (AWS Signature Version 4) with `access key:secret key`."""
    access, _, secret = credential.value.partition(":")
    signer = S3SigV4Auth(Credentials(access.strip(), secret.strip()), "s3", credential.region)

    def sign(url: str) -> Mapping[str, str]:
        request = AWSRequest("GET", url)
        signer.add_auth(request)
        return dict(request.headers.items())

    return sign


def _origin(url: str) -> tuple[str, str, int]:
    parts = urlsplit(url)
    return parts.scheme, (parts.hostname or "").lower(), parts.port or _DEFAULT_PORTS[parts.scheme]
