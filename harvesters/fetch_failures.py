"""Why a file could not be fetched, in the words of `harvesters.errors`."""

from __future__ import annotations

import re

import requests
from urllib3.exceptions import HTTPError, ReadTimeoutError

from harvesters.errors import (
    HarvestError,
    RedirectsExhausted,
    SourceAnsweredError,
    SourceTooSlow,
    SourceUnreachable,
    TlsFailed,
    UrlRefused,
)
from harvesters.fetch_limits import FetchLimits
from harvesters.guarded import retry_after_s

# As much of an error's body as is looked at.
_ERROR_BYTES = 4_096
_ERROR_CODE = re.compile(rb"<Code>(\w{1,60})</Code>|\bexceptionCode=[\"'](\w{1,60})[\"']")


def failure(
    error: requests.RequestException | ValueError,
    host: str,
    limits: FetchLimits,
    *,
    is_late: bool,
) -> HarvestError:
    """What a request to `host` failed of. `is_late`: the time for the whole download was over."""
    if isinstance(error, requests.TooManyRedirects):
        return RedirectsExhausted(f"{host} redirects more than {limits.redirects} times.")
    if isinstance(error, requests.exceptions.SSLError):
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            return TlsFailed(f"The TLS certificate of {host} is not valid.")
        return TlsFailed(f"{host} does not speak TLS.")
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return SourceUnreachable(f"{host} does not answer.")
    if isinstance(error, requests.exceptions.Timeout):
        return SourceTooSlow(f"{host} sent nothing for {limits.read_timeout_s:.0f} s.")
    if isinstance(error, requests.exceptions.InvalidHeader):
        return SourceUnreachable(f"{host} answers with headers that contradict.")
    if isinstance(error, ValueError):
        # InvalidURL, InvalidSchema, and what urllib says of an address that is none.
        return UrlRefused(f"{host} redirects to an address that can't be fetched.")
    if is_late or _is_silence(error):
        return SourceTooSlow(f"{host} did not answer in time.")
    return SourceUnreachable(f"No connection to {host}.")


def _is_silence(error: requests.RequestException) -> bool:
    """Whether the last of several attempts ended because nothing came."""
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    return isinstance(reason, ReadTimeoutError)


def expect_ok(answer: requests.Response) -> None:
    """Nothing for an answer 200. Raises SourceAnsweredError."""
    if answer.status_code != 200:
        raise SourceAnsweredError(
            f"The source answered {answer.status_code} {answer.reason or ''}".rstrip()
            + _said(answer)
            + ".",
            status=answer.status_code,
            retry_after_s=retry_after_s(answer.headers.get("Retry-After", "")),
        )


def _said(answer: requests.Response) -> str:
    """The code in the body of an error, as S3's and OGC's servers write it; empty for others."""
    try:
        head = answer.raw.read1(_ERROR_BYTES, decode_content=True)
    except (HTTPError, OSError, ValueError):
        return ""
    found = _ERROR_CODE.search(head)
    return "" if found is None else f": {(found[1] or found[2]).decode()}"
