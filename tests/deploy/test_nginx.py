"""The proxy of deploy/nginx: what nginx itself makes of it."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.servers import free_port, wait_for

NGINX = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
EXAMPLE = Path(__file__).parents[2] / "deploy/nginx/hanoiic.conf"
MAIN = """
pid {folder}/pid; error_log {folder}/error.log; daemon off; master_process off;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
    uwsgi_temp_path {folder}; scgi_temp_path {folder};
    include {folder}/hanoiic.conf;
}}
"""
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/csv\r\nHanoiic-Columns: " + b"x" * 6000
# What a gateway sends before it dies, by the version of HTTP that it is asked in.
HALF = {
    b"HTTP/1.0": HEAD + b"\r\n\r\na\n1\n",
    b"HTTP/1.1": HEAD + b"\r\nTransfer-Encoding: chunked\r\n\r\n4\r\na\n1\n\r\n",
}

pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed")


def certificate(folder: Path) -> None:
    key = generate_private_key(SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "api.data.example.vn")])
    here = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([here]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "data.example.vn.key").write_bytes(pem)
    (folder / "data.example.vn.pem").write_bytes(signed.public_bytes(Encoding.PEM))


@contextlib.contextmanager
def half_an_answer() -> Iterator[int]:
    """The port of a gateway whose process ends in the middle of an answer."""

    def answer(listening: socket.socket) -> None:
        with listening, listening.accept()[0] as caller:
            caller.sendall(HALF[caller.recv(65536).splitlines()[0][-8:]])

    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    threading.Thread(target=answer, args=(listening,), daemon=True).start()
    yield port


@contextlib.contextmanager
def nginx(folder: Path, gateway_port: int) -> Iterator[str]:
    """nginx with the example before a gateway at that port; its address."""
    certificate(folder)
    port = free_port()
    text = EXAMPLE.read_text()
    for said, here in (
        ("/etc/ssl/certs", str(folder)),
        ("/etc/ssl/private", str(folder)),
        ("listen 443", f"listen 127.0.0.1:{port}"),
        ("127.0.0.1:8000", f"127.0.0.1:{gateway_port}"),
    ):
        assert said in text
        text = text.replace(said, here)
    (folder / "hanoiic.conf").write_text(text)
    (folder / "nginx.conf").write_text(MAIN.format(folder=folder))
    assert NGINX
    child = subprocess.Popen(
        [NGINX, "-c", str(folder / "nginx.conf")], stderr=subprocess.PIPE, text=True
    )
    try:
        wait_for(
            lambda: child.poll() is not None or answers(port), "nginx, or the reason it has not to"
        )
        assert child.poll() is None, child.stderr and child.stderr.read()
        yield f"https://127.0.0.1:{port}"
    finally:
        child.terminate()
        child.wait(10)


def answers(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


def test_an_answer_that_breaks_off_behind_the_proxy_is_no_whole_one(tmp_path):
    with half_an_answer() as gateway_port, nginx(tmp_path, gateway_port) as url:
        headers = {"Host": "api.data.example.vn"}
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            requests.get(url, headers=headers, verify=tmp_path / "data.example.vn.pem", timeout=10)
