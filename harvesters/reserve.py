"""Tables are kept for a source before anything is written: nobody publishes over another's data."""

from __future__ import annotations

from collections.abc import Iterable

from harvesters.connectors import Offer
from harvesters.errors import PortalRefused, TableTaken
from harvesters.portal import Portal
from harvesters.source import Source


def reserve(tables: Iterable[str], offer: Offer, source: Source, portal: Portal) -> None:
    """Make all of `tables` the source's, for the offer's dataset. Again is harmless.

    Raises TableTaken for the first that is another's (then none is kept), and the errors of Portal.
    """
    try:
        portal.call(
            "hanoiic_tables_reserve",
            source_id=source.id,
            identifier=offer.identifier,
            tables=sorted(set(tables)),
        )
    except PortalRefused as refused:
        fields = refused.facts.get("fields") or {}
        if fields.get("code") != [TableTaken.code]:
            raise
        (table,) = fields["table"]
        other = fields.get("source_id") or [None]
        raise TableTaken(
            f"The table {table} belongs to another source, dataset or department; nothing was "
            "published. Choose another `table` for the source.",
            table=table,
            source_id=other[0],
        ) from refused
