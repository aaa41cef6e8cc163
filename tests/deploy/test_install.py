"""The first `make up` on a machine that lacks something: one clear sentence and exit code 1."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "deploy/install.sh"


def install(tmp_path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", str(SCRIPT), str(tmp_path / "venv"), "."],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHON": sys.executable}
        | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


def assert_one_sentence(done: subprocess.CompletedProcess[str], code: str) -> None:
    assert done.returncode == 1
    assert f"[{code}]" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr


def test_without_python(tmp_path):
    assert_one_sentence(install(tmp_path, PYTHON="python-that-is-not-here"), "python_missing")


def test_with_an_old_python(tmp_path):
    old = tmp_path / "old-python"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.9.2" && exit 0\nexit 1\n')
    old.chmod(0o755)
    done = install(tmp_path, PYTHON=str(old))
    assert_one_sentence(done, "python_too_old")
    assert "Python 3.9.2" in done.stderr


def test_where_no_virtual_environment_can_be_made(tmp_path):
    (tmp_path / "venv").write_text("a file where the folder should be")
    assert_one_sentence(install(tmp_path), "venv_failed")


def test_without_network_the_first_time_and_again(tmp_path):
    (tmp_path / "pyproject.toml").write_text('[build-system]\nrequires = ["setuptools>=77"]\n')
    unreachable = {
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
        "PIP_NO_CACHE_DIR": "1",
        "PIP_RETRIES": "0",
    }
    for _attempt in range(2):
        assert_one_sentence(install(tmp_path, **unreachable), "packages_unreachable")
