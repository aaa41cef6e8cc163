"""Zip archives, opened only after their directory has been found harmless."""

from __future__ import annotations

import io
import lzma
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from harvesters.errors import (
    ArchiveBroken,
    ArchiveEncrypted,
    ArchivePathUnsafe,
    ArchiveTooLarge,
)

# The names of 5,000 members take less.
LARGEST_READ_BYTES = 4 << 20


@dataclass(frozen=True)
class ArchiveLimits:
    entries: int = 5_000
    unpacked_bytes: int = 2 << 30
    # Deflate reaches 1,032; text tables stay below 100. Small members may be as dense as they like.
    ratio: int = 300
    ratio_counts_from_bytes: int = 32 << 20


class SmallReads(io.BufferedReader):
    """A file that is not read in pieces so large that only a header's lie asks for them: a zip's
    directory of a gigabyte would be read at once."""

    def __init__(self, path: Path) -> None:
        super().__init__(io.FileIO(path))

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > LARGEST_READ_BYTES:
            raise ArchiveTooLarge("A header of the archive is larger than any archive needs.")
        return super().read(size)


@contextmanager
def opened(path: Path, limits: ArchiveLimits = ArchiveLimits()) -> Iterator[zipfile.ZipFile]:
    """A zip whose names, sizes and ratios were checked.

    Raises ArchiveBroken, ArchiveTooLarge, ArchivePathUnsafe, ArchiveEncrypted.
    """
    with SmallReads(path) as file:
        try:
            archive = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            raise ArchiveBroken("The zip archive is truncated or damaged.") from error
        with archive:
            _check(archive, limits)
            try:
                yield archive
            except (zipfile.BadZipFile, EOFError, NotImplementedError, zlib.error) as error:
                raise ArchiveBroken("A member of the zip archive is damaged.") from error


def extract(archive: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path) -> None:
    """Unpack one member to `target`; never more bytes than its directory entry announces."""
    left = member.file_size
    try:
        with archive.open(member) as packed, target.open("wb") as unpacked:
            while chunk := packed.read(1 << 20):
                left -= len(chunk)
                if left < 0:
                    raise ArchiveTooLarge("A member of the zip is larger than it says.")
                unpacked.write(chunk)
    except (
        *(zipfile.BadZipFile, EOFError, OSError, NotImplementedError),
        *(zlib.error, lzma.LZMAError),
    ) as error:
        raise ArchiveBroken(f"The member {member.filename!r} of the zip is damaged.") from error
    except RuntimeError as error:
        raise ArchiveEncrypted("The zip archive is encrypted.") from error


def _check(archive: zipfile.ZipFile, limits: ArchiveLimits) -> None:
    members = archive.infolist()
    if len(members) > limits.entries:
        raise ArchiveTooLarge(f"The zip has {len(members)} members; {limits.entries} are allowed.")
    if sum(member.file_size for member in members) > limits.unpacked_bytes:
        raise ArchiveTooLarge(f"The zip unpacks to more than {limits.unpacked_bytes >> 20} MiB.")
    for member in members:
        is_link = stat.S_ISLNK(member.external_attr >> 16)
        if is_link or not is_inside(member.filename):
            raise ArchivePathUnsafe("The zip has a member whose path leads out of it.")
        if member.flag_bits & 0x1:
            raise ArchiveEncrypted("The zip archive is encrypted.")
        packed = max(member.compress_size, 1)
        if (
            member.file_size > limits.ratio_counts_from_bytes
            and member.file_size > packed * limits.ratio
        ):
            raise ArchiveTooLarge(
                f"A member of the zip unpacks to {member.file_size // packed} times its size."
            )


def is_inside(name: str) -> bool:
    """Whether a member's path stays in the folder that an archive is unpacked to."""
    path = PurePosixPath(name.replace("\\", "/"))
    return not (path.is_absolute() or ".." in path.parts or ":" in path.parts[:1])
