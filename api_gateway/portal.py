"""The portal's actions that the gateway calls with its own CKAN API token."""

from __future__ import annotations

import logging
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from lake import logs

log = logging.getLogger(__name__)

_TIMEOUT_S = (2.0, 5.0)


class Unreachable(Exception):
    """The portal, or the epoch, cannot be asked now."""


class Refused(Exception):
    """The portal understood and said no: `code` is stable, `facts` are what it told besides."""

    def __init__(self, code: str, facts: dict[str, Any]) -> None:
        super().__init__(code)
        self.code = code
        self.facts = facts


class PortalActions:
    """CKAN's Action API over kept connections. Thread-safe."""

    def __init__(self, portal_url: str, credential: str) -> None:
        self._url = portal_url.rstrip("/") + "/api/3/action/"
        self._session = requests.Session()
        # Proxies and .netrc of the environment are not for this credential.
        self._session.trust_env = False
        self._session.headers["Authorization"] = credential
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(pool_connections=4, pool_maxsize=32))

    def call(self, action: str, data: dict[str, Any]) -> Any:
        """The action's `result`. Raises Refused for a validation error, else Unreachable."""
        headers = {logs.REQUEST_ID_HEADER: logs.request_id() or ""}
        try:
            answer = self._session.post(
                self._url + action,
                json=data,
                headers=headers,
                timeout=_TIMEOUT_S,
                allow_redirects=False,
            )
            if answer.status_code == requests.codes.conflict:
                raise _refusal(answer.json()["error"])
            answer.raise_for_status()
            return answer.json()["result"]
        except (requests.RequestException, ValueError, LookupError, TypeError) as error:
            facts = {"action": action, "error": type(error).__qualname__}
            log.warning("portal_unreachable", extra=logs.facts(**facts))
            raise Unreachable from error


def _refusal(error: dict[str, Any]) -> Refused:
    """CKAN keeps a validation error's values in lists."""
    facts = {
        name: value[0] if isinstance(value, list) and len(value) == 1 else value
        for name, value in error.items()
        if not name.startswith("__")
    }
    return Refused(str(facts.pop("code", "refused")), facts)
