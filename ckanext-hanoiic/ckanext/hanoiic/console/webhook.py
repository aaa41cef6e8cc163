"""A signed call of the operator's webhook.

The body is JSON; ``X-Hanoiic-Signature`` is ``sha256=`` and the HMAC-SHA256, in hexadecimal, of the
header ``X-Hanoiic-Timestamp`` (seconds since 1970), a point and the body. The host is looked up
once: the address that was found to be public is the one that is called, and redirects are not
followed.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import json
import logging
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import urllib3
from ckan.plugins import toolkit as tk

from .errors import WebhookRefused

log = logging.getLogger(__name__)

TIMEOUT_S = 10.0
# What may pass is tried again by urllib3, within seconds whatever the receiver asks for, as other
# jobs wait behind this one; a redirect is an answer, not a way.
AGAIN = urllib3.Retry(
    total=3, redirect=0, backoff_factor=1.0, status_forcelist=(429, 500, 502, 503, 504),
    allowed_methods=None, raise_on_redirect=False, raise_on_status=False,
    respect_retry_after_header=False,
)  # fmt: skip
Resolve = Callable[[str, int], list[str]]


def is_set() -> bool:
    return bool(tk.config["hanoiic.webhook_url"])


def post(facts: dict[str, Any]) -> bool:
    """Send facts to the webhook; whether it took them. What goes wrong is logged, not raised."""
    try:
        status = send(facts, tk.config["hanoiic.webhook_url"], key(), resolve)
    except (WebhookRefused, OSError, urllib3.exceptions.HTTPError) as error:
        log.warning("webhook_failed cause=%s", getattr(error, "code", type(error).__name__))
        return False
    if not 200 <= status < 300:
        log.warning("webhook_failed status=%s", status)
        return False
    return True


def send(facts: dict[str, Any], url: str, secret: bytes, look_up: Resolve) -> int:
    """One signed POST; the answer's status. Raises WebhookRefused, OSError and urllib3's errors."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise WebhookRefused("The webhook's address is no plain http(s) address.")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    address = allowed_address(look_up(parts.hostname, port))
    body = json.dumps(facts, ensure_ascii=False, separators=(",", ":")).encode()
    moment = str(int(time.time()))
    headers = {
        "Host": parts.netloc,
        "Content-Type": "application/json",
        "X-Hanoiic-Timestamp": moment,
        "X-Hanoiic-Signature": f"sha256={signature(secret, moment, body)}",
    }
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    with pool(parts.scheme, address, port, parts.hostname) as connections:
        answer = connections.request(
            "POST", path, body=body, headers=headers, retries=AGAIN, redirect=False,
            # Nothing in the answer counts but its status, so however long it is, it is not read.
            preload_content=False,
        )  # fmt: skip
        answer.close()
    return answer.status


def pool(scheme: str, address: str, port: int, host: str) -> urllib3.HTTPConnectionPool:
    """Connections to an address; TLS is checked for the host's name."""
    timeout = urllib3.Timeout(connect=TIMEOUT_S, read=TIMEOUT_S)
    if scheme == "http":
        return urllib3.HTTPConnectionPool(address, port, timeout=timeout)
    names = {"server_hostname": host, "assert_hostname": host}
    return urllib3.HTTPSConnectionPool(address, port, timeout=timeout, **names)


def signature(secret: bytes, moment: str, body: bytes) -> str:
    return hmac.new(secret, moment.encode() + b"." + body, hashlib.sha256).hexdigest()


def key() -> bytes:
    """The secret of the key file. Raises WebhookRefused: nothing goes out unsigned."""
    path = tk.config["hanoiic.webhook_key_file"]
    try:
        secret = Path(path).read_bytes().strip() if path else b""
    except OSError:
        secret = b""
    if len(secret) < 16:
        raise WebhookRefused("The webhook's key file is missing, or its key is too short.")
    return secret


def allowed_address(addresses: list[str]) -> str:
    """The first address; raises WebhookRefused when one of them is not public and need be."""
    if not addresses:
        raise WebhookRefused("The webhook's host has no address.")
    if not tk.config["hanoiic.webhook_allow_private"] and not all(map(is_public, addresses)):
        raise WebhookRefused("The webhook's host is in a private network.")
    return addresses[0]


def is_public(address: str) -> bool:
    ip = ipaddress.ip_address(address.partition("%")[0])
    ip = getattr(ip, "ipv4_mapped", None) or ip
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def resolve(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))
