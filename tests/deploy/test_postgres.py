"""The embedded PostgreSQL under a root account whose folders nobody else may enter."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from deploy.errors import DatabaseFailed
from deploy.home import Home
from deploy.postgres import EmbeddedPostgres
from deploy.system_user import SYSTEM_STATE
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


@pytest.fixture
def closed():
    """A folder that only root enters; what lies elsewhere for its homes is removed with it."""
    folder = Path(tempfile.mkdtemp(prefix="hanoiic-test-"))
    yield folder
    for link in folder.glob("*/postgres"):
        if link.is_symlink() and link.exists():
            shutil.rmtree(link.resolve().parent)
    shutil.rmtree(folder)


def answers_with(home, statement):
    with postgres(home) as server, server.superuser() as connection:
        done = connection.execute(statement)
        return done.fetchall() if done.description else None


root_only = pytest.mark.skipif(os.getuid() != 0, reason="only root needs another user")


@root_only
def test_a_home_that_is_moved_keeps_its_database(closed):
    home = Home(closed / "home")
    home.create()
    answers_with(home, "CREATE TABLE kept AS SELECT 1 AS one")
    home.root.rename(closed / "moved")
    assert answers_with(Home(closed / "moved"), "SELECT one FROM kept") == [(1,)]


@root_only
def test_a_backup_in_a_closed_folder_goes_on_with_its_database(closed, tmp_path):
    tmp_path.chmod(0o711)
    before = Home(tmp_path / "home")
    before.create()
    answers_with(before, "CREATE TABLE kept AS SELECT 1 AS one")
    # Copied by root, and the number of PostgreSQL's user is another one on the new machine.
    shutil.copytree(before.root, closed / "home", symlinks=True)
    assert answers_with(Home(closed / "home"), "SELECT one FROM kept") == [(1,)]


@root_only
def test_a_copy_without_its_database_is_refused_and_not_made_empty(closed):
    home = Home(closed / "home")
    home.create()
    home.postgres.symlink_to(SYSTEM_STATE / "nowhere" / "postgres")
    with pytest.raises(DatabaseFailed, match="nowhere/postgres, which is not here"):
        EmbeddedPostgres.at(home, free_port()).prepare(home)
    assert not (SYSTEM_STATE / "nowhere").exists()


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
