"""Files that officers upload: rows in the database, bytes below CKAN's storage path.

The bytes are content-addressed by SHA-256, written to a temporary file first, and lie where no
route of CKAN serves from; only the harvest worker gets them.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any, BinaryIO

import sqlalchemy as sa
from ckan import model
from ckan.model.types import make_uuid
from ckan.plugins import toolkit as tk

from .errors import UploadTooLarge
from .model import Source, iso, now
from .states import DELETED

# What the URL of a source with an uploaded file begins with.
UPLOAD = "upload:"
CHUNK_BYTES = 1 << 20
# A file that no source took is forgotten.
UNUSED_KEPT = timedelta(days=1)


class Upload(tk.BaseModel):
    """One uploaded file. ``source_id``: the source that it is, or was, the file of."""

    __tablename__ = "hanoiic_upload"

    id = sa.Column(sa.Text, primary_key=True, default=make_uuid)
    owner_org = sa.Column(sa.Text, nullable=False)
    source_id = sa.Column(sa.Text, sa.ForeignKey("hanoiic_source.id"))
    filename = sa.Column(sa.Text, nullable=False)
    sha256 = sa.Column(sa.Text, nullable=False)
    byte_count = sa.Column(sa.BigInteger, nullable=False)
    created_by = sa.Column(sa.Text)
    created_at = sa.Column(sa.DateTime(timezone=True), nullable=False, default=now)

    @property
    def url(self) -> str:
        return f"{UPLOAD}{self.id}"

    @property
    def path(self) -> Path:
        return file_of(self.sha256)

    def as_dict(self) -> dict[str, Any]:
        values = {column.name: getattr(self, column.name) for column in self.__table__.columns}
        return {**values, "created_at": iso(self.created_at), "url": self.url}


def upload_of_organisation(id: str, organisation: str) -> Upload | None:
    """The upload with this id if it belongs to the organisation."""
    upload = model.Session.get(Upload, id)
    return upload if upload and upload.owner_org == organisation else None


def upload_of_url(url: str) -> str | None:
    """The id in ``upload:<id>``; None for any other address."""
    return url.removeprefix(UPLOAD) if url.startswith(UPLOAD) else None


def attach(source: Source) -> None:
    """An uploaded file that a source names is that source's, and moves with it."""
    upload = upload_of_url(source.url)
    if upload:
        kept = model.Session.get(Upload, upload)
        kept.source_id, kept.owner_org = source.id, source.owner_org


def folder() -> Path:
    return Path(tk.config["ckan.storage_path"]) / "hanoiic_uploads"


def file_of(sha256: str) -> Path:
    return folder() / sha256[:2] / sha256


def store(stream: BinaryIO, limit_bytes: int) -> tuple[str, int]:
    """Write a stream whole or not at all; its SHA-256 and how many bytes. Raises UploadTooLarge."""
    folder().mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=folder(), prefix=".part-")
    temporary = Path(name)
    try:
        digest, count = hashlib.sha256(), 0
        with os.fdopen(handle, "wb") as file:
            while chunk := stream.read(CHUNK_BYTES):
                count += len(chunk)
                if count > limit_bytes:
                    raise UploadTooLarge(f"The file is larger than {limit_bytes // (1 << 20)} MiB.")
                digest.update(chunk)
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        target = file_of(digest.hexdigest())
        target.parent.mkdir(mode=0o700, exist_ok=True)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return digest.hexdigest(), count


def forget_unused() -> None:
    """Delete files that no source took within a day, and those that a source had before.

    The caller commits. Bytes go last, and only when no row has them.
    """
    in_use = sa.exists().where(
        Source.id == Upload.source_id,
        Source.url == UPLOAD + Upload.id,
        Source.state != DELETED,
    )
    old = Upload.created_at < now() - UNUSED_KEPT
    stale = model.Session.query(Upload).filter(~in_use, old).with_for_update(skip_locked=True).all()
    digests = {upload.sha256 for upload in stale}
    for upload in stale:
        model.Session.delete(upload)
    model.Session.flush()
    kept = {
        digest
        for (digest,) in model.Session.query(Upload.sha256).filter(Upload.sha256.in_(digests))
    }
    oldest = (now() - UNUSED_KEPT).timestamp()
    for digest in digests - kept:
        with contextlib.suppress(FileNotFoundError):
            # The same bytes may have come again a moment ago, their row not yet committed.
            if file_of(digest).stat().st_mtime < oldest:
                file_of(digest).unlink()
