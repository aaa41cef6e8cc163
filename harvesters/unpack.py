"""The files in an archive, one after the other: zip, gzip and tar, also in each other.

Every file is on disk only while it is looked at. Sizes, ratios, counts and depth are bounded over
all nested archives together, so that many small bombs count as one.
"""

from __future__ import annotations

import gzip
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO

from harvesters import archive
from harvesters.archive import ArchiveLimits
from harvesters.errors import (
    ArchiveBroken,
    ArchivePathUnsafe,
    ArchiveTooLarge,
    NestedTooDeep,
)

MAX_DEPTH = 3
CHUNK_BYTES = 1 << 20
_GZIP = b"\x1f\x8b"
_TAR = (257, b"ustar")


@dataclass(frozen=True)
class Unpacked:
    """A file that lay in the archive: its path there, and where it lies now."""

    name: str
    path: Path


@dataclass
class Unpacking:
    """One archive being unpacked into `folder`. `wanted` tells by its path which file is to be
    unpacked; `skipped` collects the paths of the others.

    `is_archive` says of an unpacked file whether it is opened too.
    """

    folder: Path
    wanted: Callable[[str], bool]
    is_archive: Callable[[Unpacked], bool]
    limits: ArchiveLimits = field(default_factory=ArchiveLimits)
    skipped: list[str] = field(default_factory=list)
    _files: int = 0
    _bytes: int = 0

    def files(self, packed: Path, name: str = "", depth: int = 1) -> Iterator[Unpacked]:
        """The files of an archive; each is gone when the next one is asked for.

        Raises ArchiveBroken, ArchiveTooLarge, ArchivePathUnsafe, ArchiveEncrypted, NestedTooDeep.
        """
        if depth > MAX_DEPTH:
            raise NestedTooDeep(f"Archives lie more than {MAX_DEPTH} levels deep in each other.")
        with packed.open("rb") as file:
            head = file.read(512)
        opener = self._zip
        if head.startswith(_GZIP):
            opener = self._gzip
        elif head.startswith(_TAR[1], _TAR[0]):
            opener = self._tar
        for one in opener(packed, name):
            try:
                if self.is_archive(one):
                    yield from self.files(one.path, one.name, depth + 1)
                else:
                    yield one
            finally:
                one.path.unlink(missing_ok=True)

    def _zip(self, packed: Path, outer: str) -> Iterator[Unpacked]:
        with archive.opened(packed, self.limits) as opened:
            for member in opened.infolist():
                name = _joined(outer, _name(member))
                if member.is_dir() or not self._takes(name):
                    continue
                target = self._target(member.file_size)
                archive.extract(opened, member, target)
                yield Unpacked(name, target)

    def _gzip(self, packed: Path, outer: str) -> Iterator[Unpacked]:
        target = self._target(0)
        try:
            with packed.open("rb") as file, gzip.GzipFile(fileobj=file) as stream:
                self._copy(stream, target, packed.stat().st_size)  # type: ignore[arg-type]
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise ArchiveBroken("The gzip file is truncated or damaged.") from error
        name = outer.removesuffix(".gz")
        yield Unpacked(
            f"{name.removesuffix('.tgz')}.tar" if name.endswith(".tgz") else name, target
        )

    def _tar(self, packed: Path, outer: str) -> Iterator[Unpacked]:
        try:
            with (
                archive.SmallReads(packed) as file,
                tarfile.open(fileobj=file, mode="r:") as opened,
            ):
                for member in opened:
                    if not archive.is_inside(member.name):
                        raise ArchivePathUnsafe("The tar has a member whose path leads out of it.")
                    name = _joined(outer.removesuffix(".tar"), member.name)
                    self._count()
                    if not member.isreg():
                        continue
                    if not self._takes(name):
                        continue
                    target = self._target(member.size)
                    stream = opened.extractfile(member)
                    assert stream is not None  # noqa: S101  (it is a regular file)
                    with stream:
                        self._copy(stream, target)
                    if target.stat().st_size != member.size:
                        raise ArchiveBroken("The tar archive is truncated.")
                    yield Unpacked(name, target)
                # tarfile ends silently at a header that it can't read; a whole one ends in zeros.
                file.seek(opened.offset)
                if file.read(512) != bytes(512):
                    raise ArchiveBroken("The tar archive is truncated or damaged.")
        except tarfile.TarError as error:
            raise ArchiveBroken("The tar archive is truncated or damaged.") from error

    def _takes(self, name: str) -> bool:
        if "__MACOSX" in name or PurePosixPath(name).name.startswith("."):
            return False
        if self.wanted(name):
            return True
        self.skipped.append(name)
        return False

    def _count(self) -> None:
        self._files += 1
        if self._files > self.limits.entries:
            raise ArchiveTooLarge(
                f"The archive has more than {self.limits.entries} members, with what lies in them."
            )

    def _target(self, announced: int) -> Path:
        self._count()
        self._weigh(announced)
        return self.folder / f"unpacked-{self._files}"

    def _weigh(self, size: int) -> None:
        self._bytes += size
        if self._bytes > self.limits.unpacked_bytes:
            raise ArchiveTooLarge(
                f"The archive unpacks to more than {self.limits.unpacked_bytes >> 20} MiB."
            )

    def _copy(self, stream: IO[bytes], target: Path, packed_bytes: int | None = None) -> None:
        """With `packed_bytes` the stream is compressed: its bytes count, and their ratio."""
        written = 0
        with target.open("wb") as unpacked:
            while chunk := stream.read(CHUNK_BYTES):
                written += len(chunk)
                if packed_bytes is not None:
                    self._weigh(len(chunk))
                    if (
                        written > self.limits.ratio_counts_from_bytes
                        and written > packed_bytes * self.limits.ratio
                    ):
                        raise ArchiveTooLarge(
                            f"The gzip unpacks to over {self.limits.ratio} times its size."
                        )
                unpacked.write(chunk)


def _joined(outer: str, name: str) -> str:
    return f"{PurePosixPath(outer).with_suffix('')}/{name}" if outer else name


def _name(member: zipfile.ZipInfo) -> str:
    """Names without the sign of UTF-8 are often UTF-8 all the same."""
    if member.flag_bits & 0x800:
        return member.filename
    try:
        return member.filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return member.filename
