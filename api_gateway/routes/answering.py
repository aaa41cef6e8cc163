"""An answer as an HTTP response: its bytes as they come, and what its headers say."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Response

from api_gateway.formats import FORMATS
from api_gateway.query import Answer
from api_gateway.shelf import Shelved


def streamed(answer: Answer) -> Response:
    """The response of an answer; its process is given back when the response is closed."""
    response = Response(answer.chunks, content_type=FORMATS[answer.asked.format].media_type)
    # A generator that never began runs no `finally`: begun or not, the answer knows how to end.
    response.call_on_close(answer.end)
    response.headers["Cache-Control"] = "private, no-store"
    response.headers["Vary"] = "Accept, Authorization"
    # Proxies that collect an answer before passing it on would hide that it streams.
    response.headers["X-Accel-Buffering"] = "no"
    if answer.asked.limit is not None:
        response.headers["Hanoiic-Row-Limit"] = str(answer.asked.limit)
        response.headers["Hanoiic-Truncated"] = "true" if answer.truncated else "false"
    describe(response, answer.shelved)
    if answer.receipt:
        response.headers["Hanoiic-Receipt"] = answer.receipt
    return response


def describe(response: Response, shelved: tuple[Shelved, ...]) -> None:
    """Say in headers which versions an answer is made of, and under which licences."""
    if shelved:
        response.headers["Hanoiic-Table-Versions"] = ", ".join(
            f"{each.table}={each.version.number}" for each in shelved
        )
    for url in dict.fromkeys(str(each.decision.licence.get("url") or "") for each in shelved):
        if _is_web_address(url):
            response.headers.add("Link", f'<{url}>; rel="license"')


def _is_web_address(url: str) -> bool:
    return (
        urlsplit(url).scheme in ("http", "https")
        and url.isascii()
        and not any(letter in '<>"\\' or letter <= " " for letter in url)
    )
