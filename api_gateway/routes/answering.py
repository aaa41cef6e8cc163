"""An answer as an HTTP response: its bytes as they come, and what its headers say."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable, Iterator
from functools import lru_cache

from flask import Response, request

from api_gateway import attribution
from api_gateway.exchange import Answer
from api_gateway.formats import media_type
from api_gateway.routes import caller, public_url, query_id
from api_gateway.shelf import Shelved

# A `struct linger` for the kernel: closing drops what is not sent yet, and resets the connection.
_RESET = struct.pack("@ii", 1, 0)


def streamed(answer: Answer) -> Response:
    """The response of an answer; its process is given back when the response is closed."""
    response = Response(content_type=media_type(answer.asked.format))
    # A generator that never began runs no `finally`: begun or not, the answer knows how to end.
    response.call_on_close(answer.end)
    response.headers["Cache-Control"] = "private, no-cache" if answer.tag else "private, no-store"
    response.headers["Vary"] = "Accept, Accept-Encoding, Authorization"
    if answer.tag:
        response.set_etag(answer.tag, weak=True)
    describe(response, answer.shelved)
    if answer.held:
        response.status_code = 304
        return response
    response.response = _sent(answer)
    if answer.byte_count is not None:
        response.content_length = answer.byte_count
    if answer.encoding:
        response.headers["Content-Encoding"] = answer.encoding
    # Ask proxies not to collect the answer before they pass it on: it would no longer stream.
    response.headers["X-Accel-Buffering"] = "no"
    response.headers["Hanoiic-Query-Id"] = query_id()
    if header := attribution.columns_header(answer.columns):
        response.headers["Hanoiic-Columns"] = header
    limited(response, answer.asked.row_limit, truncated=answer.truncated)
    if answer.receipt:
        response.headers["Hanoiic-Receipt"] = answer.receipt
    return response


def _sent(answer: Answer) -> Iterable[bytes]:
    if request.method == "HEAD":
        # No sequence, of whose length the server would make a Content-Length: what a GET sends is
        # not known (RFC 9110, 8.6).
        return iter(answer.chunks)
    if answer.onto and (connection := _chunked_connection()):
        return answer.onto(connection)
    if answer.byte_count is None and not caller().framed:
        return _whole_or_reset(answer.chunks, request.environ.get("gunicorn.socket"))
    return answer.chunks


def _whole_or_reset(chunks: Iterable[bytes], connection: socket.socket | None) -> Iterator[bytes]:
    """For HTTP/1.0, where the connection's end is the answer's: reset the connection if the answer
    breaks off."""
    try:
        yield from chunks
    except BaseException:
        if connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            connection.close()
        raise


def _chunked_connection() -> socket.socket | None:
    """The caller's connection, where the server writes an answer of unknown length in chunks."""
    connection = request.environ.get("gunicorn.socket")
    # A connection with TLS is another class, and encrypts.
    plain = type(connection) is socket.socket
    is_chunked = plain and request.environ.get("SERVER_PROTOCOL") == "HTTP/1.1"
    return connection if is_chunked and request.method != "HEAD" else None


def describe(response: Response, shelved: tuple[Shelved, ...]) -> None:
    """Say in headers which versions an answer is made of, and under which licences."""
    if not shelved:
        return
    response.headers["Hanoiic-Table-Versions"] = ", ".join(
        f"{each.table}={each.version.number}" for each in shelved
    )
    if header := attribution.text_header(shelved):
        response.headers["Hanoiic-Attribution"] = header
    for url in dict.fromkeys(str(each.decision.licence.get("url") or "") for each in shelved):
        if _is_web_address(url):
            response.headers.add("Link", f'<{url}>; rel="license"')
    for each in shelved:
        response.headers.add("Link", f'<{public_url()}/v1/tables/{each.table}>; rel="describedby"')


def limited(response: Response, limit: int | None, *, truncated: bool) -> None:
    """Say in headers whether the caller's limit cut rows off; without one an answer is whole."""
    if limit is not None:
        response.headers["Hanoiic-Row-Limit"] = str(limit)
        response.headers["Hanoiic-Truncated"] = "true" if truncated else "false"


@lru_cache(maxsize=1024)
def _is_web_address(url: str) -> bool:
    return (
        url.startswith(("http://", "https://"))
        and url.isascii()
        and not any(letter in '<>"\\' or letter <= " " for letter in url)
    )
