"""The lake: a folder, or an S3 prefix, of tables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pyarrow.fs
from deltalake.fs import DeltaStorageHandler

from lake.history import Histories
from lake.table import Table


class Lake:
    """`root` is a folder or a URI (`s3://bucket/prefix`); `storage_options` are delta-rs's.

    Under it: `tables/<table>`, `editions/<table>/<edition>`, `rejected/<table>/<run>.parquet`;
    `fs` is the file system rooted there.
    """

    def __init__(self, root: str | Path, storage_options: Mapping[str, str] | None = None) -> None:
        self.storage_options = dict(storage_options or {})
        self._histories = Histories()
        if "://" in str(root):
            self.root = str(root).rstrip("/")
            handler = DeltaStorageHandler(self.root, self.storage_options)
            self.fs: pyarrow.fs.FileSystem = pyarrow.fs.PyFileSystem(handler)
        else:
            self.root = str(Path(root).absolute())
            local = pyarrow.fs.LocalFileSystem()
            self.fs = pyarrow.fs.SubTreeFileSystem(self.root, local)

    def table(self, name: str) -> Table:
        """The table of that name, published or not yet. Raises InvalidName."""
        return Table(name, self.root, self.fs, self.storage_options, self._histories)

    def tables(self) -> list[str]:
        """The names with at least one version, in order."""
        selector = pyarrow.fs.FileSelector("tables", allow_not_found=True)
        listed = sorted(
            info.base_name
            for info in self.fs.get_file_info(selector)
            if info.type == pyarrow.fs.FileType.Directory
        )
        return [name for name in listed if self.table(name).exists()]
