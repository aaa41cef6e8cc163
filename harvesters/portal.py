"""The portal over HTTP: the one place that speaks CKAN's Action API.

ckanapi has no default timeout. With CKAN installed beside it, it loads all of it, only to raise
CKAN's own error classes: half of what a command takes to start, and 60 MB of each process. So it is
imported as where there is no CKAN, and raises its own.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import requests

from harvesters.errors import PortalFailed, PortalRefused, PortalUnavailable
from lake.logs import REQUEST_ID_HEADER, request_id


@contextmanager
def _without(package: str) -> Iterator[None]:
    """Importing `package` fails as if it were not installed (None in `sys.modules`: Python's
    import system, "The module cache"), unless it is loaded already."""
    absent = sys.modules.setdefault(package, None) is None  # type: ignore[arg-type]
    try:
        yield
    finally:
        if absent:
            del sys.modules[package]


with _without("ckan"):
    from ckanapi import RemoteCKAN
    from ckanapi.errors import (
        CKANAPIError,
        NotAuthorized,
        NotFound,
        ServerIncompatibleError,
        ValidationError,
    )

TIMEOUT_S = (5.0, 60.0)
_MAY_PASS = (429, 500, 502, 503, 504)


class Portal:
    """CKAN's actions with the harvester's token. Every call may raise PortalUnavailable (passing),
    PortalRefused and PortalFailed."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url.rstrip("/")
        self._token = token

    def call(self, action: str, **data: Any) -> Any:
        """One action's result. Raises NotThere when CKAN does not know the thing.

        Threads may share a Portal.
        """
        return self._call(action, data)

    def put(self, action: str, file: IO[bytes], **data: Any) -> Any:
        """As `call`, with a file as the action's `upload`."""
        return self._call(action, data, {"upload": file})

    def _call(self, action: str, data: dict[str, Any], files: Any = None) -> Any:
        try:
            # A new connection: the process of the portal that is free takes it. A kept one stays
            # with the process that it came to, however busy that is.
            with _session() as session:
                remote = RemoteCKAN(
                    self._url, apikey=self._token, user_agent="hanoiic-harvest", session=session
                )
                return remote.call_action(
                    action, data, files=files, requests_kwargs={"timeout": TIMEOUT_S}
                )
        except NotFound as error:
            raise NotThere(f"The portal does not know what {action} asks for.") from error
        except NotAuthorized as error:
            raise PortalRefused(
                f"The harvester may not {action}; is it an editor of the organisation?",
                action=action,
            ) from error
        except ValidationError as error:
            fields = {key: value for key, value in error.error_dict.items() if key != "__type"}
            raise PortalRefused(
                f"The portal refused {action}: {_sentence(fields)}", action=action, fields=fields
            ) from error
        except (requests.ConnectionError, requests.Timeout) as error:
            raise PortalUnavailable("The portal does not answer.") from error
        except (CKANAPIError, ServerIncompatibleError, requests.RequestException) as error:
            # ckanapi puts [url, status, text] into the error of an answer it does not know.
            if any(f", {status}, " in str(error) for status in _MAY_PASS):
                raise PortalUnavailable(f"The portal could not do {action}.") from error
            raise PortalFailed(f"The portal's answer to {action} is no answer of CKAN.") from error

    @contextmanager
    def download(self, path: str) -> Iterator[requests.Response]:
        """Stream what lies at a path of the portal, for as long as the context is open."""
        session = _session()
        session.headers["Authorization"] = self._token
        try:
            with (
                session,
                session.get(f"{self._url}{path}", stream=True, timeout=TIMEOUT_S) as answer,
            ):
                if answer.status_code == 404:
                    raise NotThere(f"The portal has nothing at {path}.")
                if answer.status_code in _MAY_PASS:
                    raise PortalUnavailable(f"The portal could not give {path}.")
                if answer.status_code != 200:
                    raise PortalRefused(
                        f"The portal refused {path} ({answer.status_code}).", fields={}
                    )
                yield answer
        except (requests.ConnectionError, requests.Timeout) as error:
            raise PortalUnavailable("The portal does not answer.") from error

    def find(self, action: str, **data: Any) -> Any | None:
        """As `call`; None when CKAN does not know the thing."""
        try:
            return self.call(action, **data)
        except NotThere:
            return None


def _session() -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    session.headers["Connection"] = "close"
    if carried := request_id():
        session.headers[REQUEST_ID_HEADER] = carried
    return session


class NotThere(PortalFailed):
    code = "portal_not_there"


def _sentence(fields: dict[str, Any]) -> str:
    return "; ".join(f"{key}: {value}" for key, value in fields.items())[:500]
