"""Everything a run reaches: the Internet, the lake, the portal, and the memory of past runs."""

from __future__ import annotations

from dataclasses import dataclass, field

from harvesters.allowance import RunCaps
from harvesters.contract import References
from harvesters.departures import Patience
from harvesters.fetch import Client
from harvesters.portal import Portal
from harvesters.presence import Presence
from harvesters.receipts import Receipts
from lake.store import Lake


@dataclass(frozen=True)
class Room:
    """The connections of one run. `mask_secret` is the key for columns that are hashed,
    `references` are the tables that columns may refer to. With `replay`, files are read from the
    raw store."""

    client: Client
    lake: Lake
    portal: Portal
    receipts: Receipts
    presence: Presence
    gateway_url: str
    mask_secret: str | None = None
    references: References | None = None
    patience: Patience = field(default_factory=Patience)
    replay: bool = False
    caps: RunCaps = field(default_factory=RunCaps)
