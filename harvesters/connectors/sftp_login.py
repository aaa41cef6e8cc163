"""Sessions with SFTP servers: to a checked address, with the pinned key, in bounds.

The SSH library believes whatever length a packet says that it has; so the socket counts, and ends
the session beyond what was agreed on.
"""

from __future__ import annotations

import base64
import hashlib
import io
import logging
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

import paramiko  # type: ignore[import-untyped]

from harvesters.addresses import connected
from harvesters.credentials import Credential
from harvesters.errors import (
    HostKeyMismatch,
    LoginRefused,
    SecretMissing,
    SecretUnfit,
    SourceAnsweredError,
    SourceInterrupted,
    SourceTooLarge,
    SourceTooSlow,
    SourceUnreachable,
)
from harvesters.fetch import Client
from harvesters.source import Source

PORT = 22
GREETING_BYTES = 1 << 20
_KEY = re.compile(r"-----BEGIN ([A-Z ]*PRIVATE KEY)-----(.*?)-----END \1-----", re.S)
# What it logs of a session is no one's business but ours, who raise it.
logging.getLogger("paramiko").setLevel(logging.CRITICAL)


class _Counted:
    """A socket of which only so many bytes are read."""

    def __init__(self, sock: socket.socket, most_bytes: int) -> None:
        self._sock = sock
        self.left = most_bytes
        self.is_spent = False

    def recv(self, size: int) -> bytes:
        chunk = self._sock.recv(size)
        self.left -= len(chunk)
        if self.left < 0:
            self.is_spent = True
            return b""
        return chunk

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


@contextmanager
def session(source: Source, client: Client, most_bytes: int) -> Iterator[paramiko.SFTPClient]:
    """A session of at most `most_bytes` (and a greeting) from the server.

    Raises AddressForbidden, SourceUnreachable, HostKeyMismatch, LoginRefused, SecretMissing,
    SecretUnfit, SourceTooLarge; and paramiko's own errors (`named_errors`).
    """
    parts = urlsplit(source.url)
    host, port = str(parts.hostname), parts.port or PORT
    user, password, key = _login(client.credential)
    limits = client.limits
    sock = connected(client.addresses(host, port), limits.connect_timeout_s)
    counted = _Counted(sock, GREETING_BYTES)
    transport = paramiko.Transport(counted)
    try:
        transport.banner_timeout = transport.auth_timeout = limits.read_timeout_s
        transport.start_client(timeout=limits.read_timeout_s)
        _check(transport.get_remote_server_key(), source.options.host_key)
        transport.set_keepalive(15)
        if key is not None:
            transport.auth_publickey(user, key)
        else:
            transport.auth_password(user, password)
        counted.left += most_bytes
        opened = paramiko.SFTPClient.from_transport(transport)
        assert opened is not None  # noqa: S101  (a session that is logged in has channels)
        channel = opened.get_channel()
        assert channel is not None  # noqa: S101
        channel.settimeout(limits.read_timeout_s)
        yield opened
    except (paramiko.SSHException, EOFError, OSError) as error:
        if counted.is_spent:
            raise SourceTooLarge("The server sent more than a session may bring.") from error
        raise
    finally:
        transport.close()
        with suppress(OSError):
            sock.close()


@contextmanager
def named_errors(url: str) -> Iterator[None]:
    """What goes wrong in a session, by our names."""
    host = urlsplit(url).hostname
    try:
        yield
    except paramiko.AuthenticationException as error:
        raise LoginRefused(f"{host} does not take the secret.") from error
    except TimeoutError as error:
        raise SourceTooSlow(f"{host} sent nothing for too long.") from error
    except FileNotFoundError as error:
        raise SourceAnsweredError(f"{host} has no such file or folder.", status=404) from error
    except PermissionError as error:
        raise SourceAnsweredError(f"{host} does not let the folder be read.", status=403) from error
    except (paramiko.SFTPError, EOFError) as error:
        raise SourceInterrupted(f"{host} ended the session.") from error
    except paramiko.SSHException as error:
        words = " ".join(str(error).split())[:100]
        if "Server connection dropped" in words or "Socket is closed" in words:
            raise SourceInterrupted(f"{host} ended the session.") from error
        raise SourceUnreachable(f"{host} is no SSH server, or it broke off: {words}.") from error
    except OSError as error:
        if "closed" in str(error).lower() or isinstance(error, ConnectionResetError):
            raise SourceInterrupted(f"{host} ended the session.") from error
        raise SourceUnreachable(f"No connection to {host}.") from error


def _login(secret: Credential | None) -> tuple[str, str, paramiko.PKey | None]:
    if secret is None:
        raise SecretMissing(
            "An SFTP server wants a secret of kind basic (user:password) or ssh_key; name it in "
            "`secret`."
        )
    user, _, value = secret.value.partition(":")
    if secret.kind == "basic":
        return user.strip(), value, None
    if secret.kind == "ssh_key":
        return user.strip(), "", _private_key(value)
    raise SecretUnfit("The secret of an SFTP server is of kind basic or ssh_key.")


def _private_key(value: str) -> paramiko.PKey:
    """A key as OpenSSH writes it, however its lines were broken. Raises SecretUnfit."""
    found = _KEY.search(value)
    if found is None:
        raise SecretUnfit("The secret has no private key as OpenSSH writes it.")
    body = "".join(found[2].split())
    lines = [body[at : at + 64] for at in range(0, len(body), 64)]
    text = "\n".join([f"-----BEGIN {found[1]}-----", *lines, f"-----END {found[1]}-----", ""])
    for kind in (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey):
        try:
            return kind.from_private_key(io.StringIO(text))
        except (paramiko.SSHException, ValueError, IndexError):
            continue
    raise SecretUnfit("The secret's private key can't be read, or it has a passphrase.")


def _check(key: paramiko.PKey, pinned: str | None) -> None:
    """Raise HostKeyMismatch unless the server has the pinned key."""
    digest = hashlib.sha256(key.asbytes()).digest()
    fingerprint = "SHA256:" + base64.b64encode(digest).decode().rstrip("=")
    if pinned is None:
        raise HostKeyMismatch(
            f"The server's key is {fingerprint} ({key.get_name()}). Ask the department whether it "
            "is theirs, then pin it in the option `host_key`.",
            fingerprint=fingerprint,
        )
    words = pinned.split()
    if fingerprint not in words and key.get_base64() not in words:
        raise HostKeyMismatch(
            f"The server has another key than the pinned one: {fingerprint} ({key.get_name()}). "
            "Somebody may stand between; ask the department before you pin it.",
            fingerprint=fingerprint,
        )
