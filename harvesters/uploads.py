"""Files that an officer uploaded: the portal keeps them and gives them to the harvester only."""

from __future__ import annotations

import re

from harvesters.errors import UploadGone
from harvesters.fetch import Client, Fetched
from harvesters.portal import NotThere, Portal

SCHEME = "upload:"
_ID = re.compile(r"[A-Za-z0-9_-]{1,100}")


def is_upload(url: str) -> bool:
    return url.startswith(SCHEME)


def fetch(url: str, portal: Portal, client: Client) -> Fetched:
    """An uploaded file in the raw store, under the same caps as any other.

    Raises UploadGone, the errors of Portal, and those of `Client.store`.
    """
    identifier = url.removeprefix(SCHEME)
    if not _ID.fullmatch(identifier):
        raise UploadGone("The source's address names no uploaded file.")
    try:
        with portal.download(f"/hanoiic/uploads/{identifier}") as answer:
            sha256, size = client.store(answer)
    except NotThere as error:
        raise UploadGone("The uploaded file is no longer there; upload it again.") from error
    return Fetched(url, client.raw_path(sha256), sha256, size, None, None)
