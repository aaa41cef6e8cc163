"""The embedded PostgreSQL under a root account whose folders nobody else may enter."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from deploy.errors import DatabaseFailed
from deploy.home import Home
from deploy.postgres import SYSTEM_STATE, EmbeddedPostgres
from tests.servers import free_port, postgres


@pytest.mark.skipif(os.getuid() != 0, reason="only root needs another user for PostgreSQL")
def test_data_lies_elsewhere_when_the_system_user_cannot_enter_the_home():
    closed = Path(tempfile.mkdtemp(prefix="hanoiic-test-"))  # mode 0700
    home = Home(closed / "home")
    home.create()
    try:
        with postgres(home) as server:
            assert server.answers()
            assert server.data.is_relative_to("/var/lib/hanoiic")
            assert home.postgres.resolve() == server.data
        shutil.rmtree(server.data.parent)
    finally:
        shutil.rmtree(closed)


def test_a_folder_of_other_files_is_never_overwritten(tmp_path):
    tmp_path.chmod(0o711)
    home = Home(tmp_path / "home")
    home.create()
    server = EmbeddedPostgres.at(home, free_port())
    server.data.mkdir(parents=True, exist_ok=True)
    (server.data / "notes.txt").write_text("mine")
    with pytest.raises(DatabaseFailed, match="no PostgreSQL data"):
        server.prepare(home)
    assert (server.data / "notes.txt").read_text() == "mine"
    shutil.rmtree(server.data.parent if server.data.is_relative_to(SYSTEM_STATE) else server.data)
