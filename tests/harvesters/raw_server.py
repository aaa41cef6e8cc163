"""A server that speaks no better HTTP than it is told to: exact bytes, in pieces, or broken off."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Answer = Callable[[socket.socket, bytes, threading.Event], None]


@contextmanager
def answering(answer: Answer, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """Every caller in a thread of its own: `answer(socket, request, stop)`; the host and port."""
    listener = socket.create_server(("127.0.0.1", 0))
    stop = threading.Event()
    threads: list[threading.Thread] = []

    def speak(caller: socket.socket) -> None:
        with caller:
            try:
                with tls.wrap_socket(caller, server_side=True) if tls else caller as spoken:
                    answer(spoken, spoken.recv(65536), stop)
            except OSError:
                # The client has gone, as it should.
                return

    def serve() -> None:
        while not stop.is_set():
            try:
                caller, _ = listener.accept()
            except OSError:
                return
            threads.append(threading.Thread(target=speak, args=(caller,)))
            threads[-1].start()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        stop.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for each in (thread, *threads):
            each.join()


def saying(*pieces: bytes, hold_s: float = 0.0) -> Answer:
    """These bytes to every caller; then it holds and closes."""

    def answer(caller: socket.socket, _request: bytes, stop: threading.Event) -> None:
        for piece in pieces:
            caller.sendall(piece)
        stop.wait(hold_s)

    return answer


def dripping(head: bytes, drop: bytes, every_s: float) -> Answer:
    """A head at once, then a drop now and then, for ever."""

    def answer(caller: socket.socket, _request: bytes, stop: threading.Event) -> None:
        caller.sendall(head)
        while not stop.wait(every_s):
            caller.sendall(drop)

    return answer
