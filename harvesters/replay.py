"""A file read again as it was last fetched, from the raw store, without asking its source."""

from __future__ import annotations

from harvesters.connectors import File
from harvesters.errors import RawNotKept
from harvesters.fetch import Client, Fetched
from harvesters.receipts import Receipt


def kept(file: File, receipt: Receipt | None, client: Client) -> Fetched:
    """The bytes of the file's last harvest. Raises RawNotKept."""
    if receipt is None:
        raise RawNotKept(f"{file.name or file.table} was never harvested to its end.")
    path = client.raw_path(receipt.sha256)
    if not path.exists():
        raise RawNotKept(f"The bytes of {file.name or file.table} are kept no longer.")
    return Fetched(
        *(file.url, path, receipt.sha256, path.stat().st_size),
        *(receipt.etag, receipt.last_modified),
    )
