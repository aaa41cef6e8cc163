"""Where the portal keeps its state: one folder, and what lies where in it."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import secrets
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from deploy.errors import DiskFull, HomeNotWritable
from deploy.settings import Settings

FREE_BYTES_NEEDED = 1 << 30
# sockaddr_un.sun_path holds 108 bytes with its NUL; supervisord adds ".<pid>" while it binds.
SOCKET_PATH_LIMIT = 90
ADDRESSES = "addresses.json"


@dataclass(frozen=True)
class Home:
    """The state folder (``HANOIIC_HOME``) and the paths below it."""

    root: Path

    @property
    def demo(self) -> Path:
        return self.root / "demo.json"

    def addresses(self, settings: Settings) -> dict[str, str]:
        """Where portal and gateway are, publicly and for this machine: as the last start said,
        whatever this shell has set; before the first by the settings."""
        file = self.etc / ADDRESSES
        return json.loads(file.read_text(encoding="utf-8")) if file.exists() else settings.addresses

    def keep_addresses(self, settings: Settings) -> None:
        write_private(self.etc / ADDRESSES, json.dumps(settings.addresses, indent=2) + "\n")

    def gateway_url(self, settings: Settings) -> str:
        """Where the gateway of this portal is: by setting, else as the last start said."""
        return settings.gateway_url or self.addresses(settings)["gateway_url"]

    @property
    def etc(self) -> Path:
        return self.root / "etc"

    @property
    def secrets(self) -> Path:
        return self.root / "secrets"

    @property
    def postgres(self) -> Path:
        return self.root / "postgres"

    @property
    def valkey(self) -> Path:
        return self.root / "valkey"

    @property
    def storage(self) -> Path:
        return self.root / "storage"

    @property
    def lake(self) -> Path:
        return self.root / "lake"

    @property
    def raw(self) -> Path:
        return self.root / "raw"

    @property
    def spill(self) -> Path:
        return self.root / "spill"

    @property
    def cache(self) -> Path:
        return self.root / "cache"

    @property
    def exports(self) -> Path:
        return self.root / "exports"

    @property
    def events(self) -> Path:
        return self.root / "events"

    @property
    def departments(self) -> Path:
        return self.root / "departments"

    @property
    def audit(self) -> Path:
        return self.root / "audit"

    @property
    def checkpoints(self) -> Path:
        return self.audit / "checkpoints.jws"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def run(self) -> Path:
        return self.root / "run"

    @property
    def ckan_ini(self) -> Path:
        return self.etc / "ckan.ini"

    @property
    def supervisord_conf(self) -> Path:
        return self.etc / "supervisord.conf"

    @property
    def supervisor_socket(self) -> Path:
        """The control socket; a deep home gets one in a private folder with a shorter path."""
        inside = self.run / "supervisor.sock"
        if len(os.fsencode(inside)) <= SOCKET_PATH_LIMIT:
            return inside
        name = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"hanoiic-{os.getuid()}-{name}" / "supervisor.sock"

    def create(self) -> None:
        """Make the folder and everything below it, private to the user who runs the portal.

        Raises:
            HomeNotWritable: the folder can't be made or written.
            DiskFull: less than 1 GiB is free there.
        """
        folders = (
            *(self.root, self.etc, self.secrets, self.valkey, self.storage, self.lake, self.raw),
            *(
                self.spill,
                self.cache,
                self.events,
                self.exports,
                self.departments,
                self.audit,
                self.logs,
                self.run,
            ),
            self.supervisor_socket.parent,
        )
        try:
            for folder in folders:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for folder in folders:
                self._refuse_anothers(folder)
                # 0711: the database's own system user passes through, and lists nothing.
                folder.chmod(0o711 if folder == self.root else 0o700)
            with tempfile.TemporaryFile(dir=self.root):
                pass
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise DiskFull(
                    f"The disk of {self.root} is full; free some space or set HANOIIC_HOME to a "
                    "folder on another disk."
                ) from error
            raise HomeNotWritable(
                f"{self.root} can't be written ({error.strerror}); make it writable or set "
                "HANOIIC_HOME to a folder that is."
            ) from error
        free = shutil.disk_usage(self.root).free
        if free < FREE_BYTES_NEEDED:
            raise DiskFull(
                f"Only {free // (1 << 20)} MiB are free on the disk of {self.root} and the portal "
                f"needs {FREE_BYTES_NEEDED // (1 << 20)} MiB; free some space or set HANOIIC_HOME "
                "to a folder on another disk."
            )

    def _refuse_anothers(self, folder: Path) -> None:
        """Whoever owns a folder can read and exchange what lies in it, with a link for instance."""
        if folder.stat().st_uid != os.getuid():
            raise HomeNotWritable(
                f"{folder} must belong to you alone (mode 0700); remove it and start again, or "
                "set HANOIIC_HOME to a folder of your own."
            )

    def secret(self, name: str, value: str | None = None, bytes_of_chance: int = 32) -> str:
        """The secret called ``name``: kept in a file of mode 0600, made once at random.

        With ``value`` the file is written (again) with it.
        """
        path = self.secret_file(name)
        if value is None:
            with contextlib.suppress(FileNotFoundError):
                return path.read_text(encoding="utf-8").strip()
            value = secrets.token_urlsafe(bytes_of_chance)
        write_private(path, value + "\n")
        return value

    def password(self, role: str) -> str:
        """A person's first password: 96 random bits in sixteen characters that can be typed."""
        return self.secret(f"{role}_password", bytes_of_chance=12)

    def signing_key(self, name: str) -> Path:
        """The file of an Ed25519 key (PEM), made once; its public half lies beside it in .pub."""
        path = self.secret_file(name)
        if not path.exists():
            key = Ed25519PrivateKey.generate()
            private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
            write_private(path.with_suffix(".pub"), public.decode())
            write_private(path, private.decode())
        return path

    def secret_file(self, name: str) -> Path:
        return self.secrets / name


def write_private(path: Path, text: str) -> None:
    """Write a file whole or not at all, readable by its owner only."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
