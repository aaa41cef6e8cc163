"""Folders of a real SFTP server (asyncssh's) on loopback, into the lake."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from harvesters.credentials import Credential
from harvesters.fetch import Client
from tests import servers
from tests.harvesters.conftest import QUICK, rows, small_disk
from tests.harvesters.raw_server import answering, saying
from tests.harvesters.taking import Taken, Taking

USER, PASSWORD = "doc", "mật-khẩu"
KEY = asyncssh.generate_private_key("ssh-ed25519")
USERS_KEY = asyncssh.generate_private_key("ssh-ed25519", comment="doc")
FINGERPRINT = KEY.get_fingerprint()


class Served:
    """An SFTP server whose root is `folder`. `break_after`: reads that it answers before it hangs
    up, once for each number; `reads` are the offsets that were asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = servers.free_port()
        self.break_after: list[int] = []
        self.reads: list[int] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(20)

    async def _listen(self) -> Any:
        served = self

        class Login(asyncssh.SSHServer):
            def password_auth_supported(self) -> bool:
                return True

            def validate_password(self, username: str, password: str) -> bool:
                return (username, password) == (USER, PASSWORD)

        class Files(asyncssh.SFTPServer):
            def __init__(self, channel: Any) -> None:
                super().__init__(channel, chroot=bytes(served.folder))
                self._connection = channel.get_connection()

            def read(self, file: Any, offset: int, size: int) -> Any:
                served.reads.append(offset)
                if served.break_after and len(served.reads) > served.break_after[0]:
                    served.break_after.pop(0)
                    self._connection.abort()
                return super().read(file, offset, size)

        return await asyncssh.create_server(
            Login, "127.0.0.1", self.port, server_host_keys=[KEY], sftp_factory=Files,
            authorized_client_keys=asyncssh.import_authorized_keys(
                USERS_KEY.export_public_key().decode()
            ),
        )  # fmt: skip

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._server.close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    @property
    def url(self) -> str:
        return f"sftp://localhost:{self.port}"


@pytest.fixture
def served(tmp_path) -> Iterator[Served]:
    folder = tmp_path / "served"
    folder.mkdir()
    served = Served(folder)
    yield served
    served.close()


@pytest.fixture
def remote(tmp_path) -> Iterator[Client]:
    client = Client(tmp_path / "raw", ["localhost"], QUICK)
    yield client
    client.close()


@pytest.fixture
def got(remote, lake, serve, served) -> Callable[..., Taken]:
    def got(
        path: str = "/", secret: tuple[str, str] = ("basic", f"{USER}:{PASSWORD}"), **options: Any
    ) -> Taken:
        url = path if "://" in path else served.url + path
        remote.carry(Credential(secret[0], "localhost", secret[1]), url)
        asked = {"host_key": FINGERPRINT, **options}
        return Taking(remote, serve, lake)("sftp", url=url, **asked)

    return got


def test_files_of_a_folder_are_tables_at_any_depth(got, served, lake):
    (served.folder / "2026" / "sâu").mkdir(parents=True)
    (served.folder / "2026" / "trạm 1.csv").write_text("mã\n001\n")
    (served.folder / "2026" / "sâu" / "tuyến.json").write_text('[{"a": 1}]')
    (served.folder / "2026" / ".ẩn.csv").write_text("mã\n1\n")
    (served.folder / "2026" / "lối.csv").symlink_to("/etc/passwd")
    (served.folder / "khác.csv").write_text("mã\n1\n")
    assert got("/2026").error is None
    assert sorted(lake.tables()) == ["t_sau_tuyen", "t_tram_1"]
    assert rows(lake, "t_tram_1") == [{"mã": "001"}]
    assert got("/", parts="kh*").error is None
    assert "t_khac" in lake.tables()


def test_a_key_logs_in_however_its_lines_were_broken(got, served, lake):
    (served.folder / "a.csv").write_text("b\n1\n")
    key = USERS_KEY.export_private_key().decode()
    assert got(secret=("ssh_key", f"{USER}:{' '.join(key.split())}")).error is None
    other = asyncssh.generate_private_key("ssh-ed25519").export_private_key().decode()
    assert got(secret=("ssh_key", f"{USER}:{other}")).code == "login_refused"
    assert got(secret=("ssh_key", f"{USER}:không có")).code == "secret_unfit"


def test_a_same_size_edit_with_the_same_time_is_seen(got, served, lake):
    file = served.folder / "a.csv"
    file.write_text("b\n1\n")
    state = file.stat()
    assert got().error is None
    file.write_text("b\n2\n")
    os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert got().error is None
    assert rows(lake, "t_a") == [{"b": 2}]


def test_a_download_that_breaks_off_goes_on(got, served, lake):
    lines = "".join(f"{number},{'x' * 90}\n" for number in range(30_000))
    (served.folder / "a.csv").write_text(f"a,b\n{lines}")
    served.break_after = [30]
    assert got().error is None
    assert len(rows(lake, "t_a")) == 30_000
    after = served.reads[31:]
    assert min(after) > 0


def test_one_that_breaks_off_again_and_again_is_given_up(got, served, lake):
    (served.folder / "a.csv").write_text("a,b\n" + "1,2\n" * 500_000)
    served.break_after = [0] * 10_000
    ran = got()
    assert ran.code == "source_interrupted"
    assert ran.error.passing
    assert not lake.tables()


def test_the_servers_key_is_pinned(got, served, lake):
    (served.folder / "a.csv").write_text("b\n1\n")
    first = got(host_key=None)
    assert first.code == "host_key_mismatch"
    assert FINGERPRINT in first.error.detail
    assert got(host_key="SHA256:AAAA").code == "host_key_mismatch"
    assert not lake.tables()
    assert got(host_key=KEY.export_public_key().decode()).error is None


@pytest.mark.parametrize(
    ("path", "secret", "code"),
    [
        ("/", ("basic", f"{USER}:sai"), "login_refused"),
        ("/", ("bearer", "x"), "secret_unfit"),
        ("/không-có", ("basic", f"{USER}:{PASSWORD}"), "source_answered_error"),
        ("sftp://localhost:1/", ("basic", "a:b"), "source_unreachable"),
        ("sftp://localhost:1/?x=1", ("basic", "a:b"), "url_refused"),
    ],
)
def test_what_does_not_fit_is_named(got, lake, path, secret, code):
    ran = got(path, secret)
    assert ran.code == code, ran.error
    assert not lake.tables()


@pytest.mark.parametrize(
    ("answer", "codes"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n<html>login</html>", ("source_unreachable",)),
        (b"SSH-2.0-x\r\n" + b"\xff" * 100, ("source_unreachable", "source_interrupted")),
        (b"SSH-2.0-x\r\n\x00\xff\xff\xfc\x04" + b"\x00" * (3 << 20), ("source_too_large",)),
    ],
)
def test_what_is_no_server_of_files_is_named(got, answer, codes):
    with answering(saying(answer, hold_s=0.5)) as place:
        assert got(f"sftp://localhost:{place.rpartition(':')[2]}/").code in codes


def test_a_full_disk_is_no_fault_of_the_server(got, served):
    (served.folder / "a.csv").write_text("a,b\n" + "1,2\n" * 100_000)
    with small_disk():
        ran = got()
    assert (ran.code, ran.error.passing) == ("lake_failed", True)


def test_more_than_the_cap_is_refused(got, served, lake):
    (served.folder / "a.csv").write_bytes(b"a\n" + b"1\n" * (QUICK.max_bytes // 2))
    assert got().code == "source_too_large"
    assert not lake.tables()


def test_a_private_host_needs_the_operators_word(tmp_path, serve, lake):
    client = Client(tmp_path / "raw", [], QUICK)
    client.carry(Credential("basic", "localhost", "a:b"), "sftp://localhost:1/")
    ran = Taking(client, serve, lake)("sftp", url="sftp://localhost:1/", host_key="x")
    assert ran.code == "address_forbidden"
