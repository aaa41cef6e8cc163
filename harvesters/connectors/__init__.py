"""The kinds of source: one file a kind, one registry."""

from __future__ import annotations

from harvesters.connectors import (
    arcgis,
    archive,
    ckan,
    csv,
    dcat,
    excel,
    geojson,
    geopackage,
    gtfs,
    gtfs_rt,
    json,
    jsonstat,
    kml,
    ndjson,
    ogcapi,
    opendatasoft,
    parquet,
    px,
    pxweb,
    rest,
    s3,
    sensorthings,
    sftp,
    shapefile,
    socrata,
    sql,
    wfs,
    xml,
)
from harvesters.connectors.base import Connector, File, Link, Offer
from harvesters.errors import SourceInvalid

CONNECTORS: dict[str, Connector] = {
    connector.kind: connector
    for connector in (
        csv.CONNECTOR,
        excel.CONNECTOR,
        json.CONNECTOR,
        ndjson.CONNECTOR,
        xml.CONNECTOR,
        geojson.CONNECTOR,
        kml.CONNECTOR,
        parquet.CONNECTOR,
        shapefile.CONNECTOR,
        geopackage.CONNECTOR,
        archive.CONNECTOR,
        gtfs.CONNECTOR,
        gtfs_rt.CONNECTOR,
        ckan.CONNECTOR,
        dcat.CONNECTOR,
        rest.CONNECTOR,
        arcgis.CONNECTOR,
        ogcapi.CONNECTOR,
        wfs.CONNECTOR,
        sensorthings.CONNECTOR,
        opendatasoft.CONNECTOR,
        socrata.CONNECTOR,
        pxweb.CONNECTOR,
        px.CONNECTOR,
        jsonstat.CONNECTOR,
        sql.CONNECTOR,
        s3.CONNECTOR,
        sftp.CONNECTOR,
    )
}


def of(kind: str) -> Connector:
    """The connector of a kind. Raises SourceInvalid."""
    try:
        return CONNECTORS[kind]
    except KeyError:
        raise SourceInvalid(
            f"There is no connector for {kind!r}; there are: {', '.join(CONNECTORS)}."
        ) from None


__all__ = ["CONNECTORS", "Connector", "File", "Link", "Offer", "of"]
