"""The state folder is its owner's alone, also where somebody else was there first."""

from __future__ import annotations

import os
import stat

import pytest

from deploy.errors import HomeNotWritable
from deploy.home import Home


def test_folders_that_were_open_are_closed_again(tmp_path):
    home = Home(tmp_path / "home")
    for folder in (home.root, home.secrets, home.lake):
        folder.mkdir()
        folder.chmod(0o777)
    home.create()
    modes = {folder: stat.S_IMODE(folder.stat().st_mode) for folder in home.root.iterdir()}
    assert set(modes.values()) == {0o700}
    assert stat.S_IMODE(home.root.stat().st_mode) == 0o711


@pytest.mark.parametrize("place", ["root", "secrets", "run"])
def test_a_folder_of_somebody_else_is_refused(tmp_path, monkeypatch, place):
    home = Home(tmp_path / "home")
    home.create()
    foreign = getattr(home, place)
    real = os.stat

    def stat_of(path, **options):
        found = real(path, **options)
        if os.fspath(path) != str(foreign):
            return found
        return os.stat_result((*found[:4], found.st_uid + 1, *found[5:10]))

    monkeypatch.setattr("os.stat", stat_of)
    with pytest.raises(HomeNotWritable, match=f"{foreign} must belong to you alone"):
        home.create()


def test_a_link_planted_for_the_secrets_is_refused(tmp_path):
    if os.getuid() != 0:
        pytest.skip("only root can make a folder of somebody else")
    home, planted = Home(tmp_path / "home"), tmp_path / "planted"
    home.root.mkdir()
    planted.mkdir()
    os.chown(planted, 65534, 65534)
    home.secrets.symlink_to(planted)
    with pytest.raises(HomeNotWritable):
        home.create()
    assert list(planted.iterdir()) == []
