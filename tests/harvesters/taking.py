"""A file from a real server through a connector into a lake: what every connector's tests do.

The stages of a run without its catalogue and queue, so that a test needs no database.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from harvesters import connectors
from harvesters.connectors import File
from harvesters.errors import HarvestError
from harvesters.fetch import Client
from harvesters.normalise import normalise
from harvesters.prepare import fetch
from harvesters.publish import publish
from harvesters.source import Options, Source
from harvesters.validate import refuse_unfit, validate
from harvesters.workbench import Workbench
from lake import names
from lake.rejected import Rejected
from lake.store import Lake

TABLE = "t"


@dataclass
class Taken:
    """What became of a file: the error that refused it, or nothing, and what was told."""

    error: HarvestError | None = None
    messages: list[str] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)

    @property
    def code(self) -> str | None:
        return self.error.code if self.error else None


class Taking:
    """Call it with a kind, a file's content (or its URL) and options; tables are `t` or `t_…`."""

    def __init__(self, client: Client, serve: Callable[..., str], lake: Lake) -> None:
        self._client, self._serve, self._lake = client, serve, lake
        self._numbers = count()

    def __call__(
        self, kind: str, content: bytes | str = b"", *, url: str | None = None, **options: Any
    ) -> Taken:
        taken = Taken()
        try:
            address = url or self._serve(content, f"/taken-{next(self._numbers)}")
            for file in self._files(kind, address, options):
                self._publish(file, Options.of(options), taken)
        except HarvestError as error:
            taken.error = error
        return taken

    def _files(self, kind: str, url: str, options: dict[str, Any]) -> list[File]:
        asked = {"id": "s", "name": TABLE, "kind": kind, "url": url, "options": options}
        source = Source.of({**asked, "dataset": {"table": TABLE}})
        offers = connectors.of(kind).discover(source, self._client)
        return [file for offer in offers for file in offer.files]

    def _publish(self, file: File, options: Options, taken: Taken) -> None:
        fetched = fetch(file, self._client, None)
        decode = connectors.of(file.kind).decode
        assert decode is not None
        with Workbench() as bench:
            raws = decode(fetched.path, options, bench)
            taken.messages += [text for raw in raws for text in raw.messages]
            typed = [normalise(raw, options, bench) for raw in raws]
            checked = [validate(table, options, bench) for table in typed]
            for table in checked:
                taken.rejected += table.shown()
            for table in checked:
                refuse_unfit(table, options)
            for table in checked:
                part = table.typed.raw.part
                name = names.table_name(file.table, part) if part else file.table
                publish(table, self._lake, name, run_id="run", source_url=file.url, source_hash="")
