"""One page of a DCAT catalogue, read apart (`harvesters.apart`): RDF/XML, Turtle, N-Triples,
JSON-LD or data.json.

Its table has one JSON object a row. The first row is the page: `next` (addresses of the next page),
`dataset_count`, and `total` (how many the whole catalogue has, where it says so). Every other one
is a dataset: `iri` (empty for one without), `identifier`, `titles` and `descriptions` (by language,
`""` without), `keywords` (pairs of language and word), `publisher`, `contact` (of an organisation:
`name`, `email`), `licences`, `rights`, `frequency`, `start`, `end`, `pages` and `distributions`
(`titles`, `descriptions`, `download`, `access`, `formats`, `licences`).

Nothing is asked of the network: not by the libraries, since what calls for it is refused before,
and not by anything else, since the process has none.
"""

from __future__ import annotations

import codecs
import json
import xml.sax
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import rdflib
from rdflib.plugins.parsers import jsonld, notation3, ntriples, rdfxml  # noqa: F401  (before the lock)

from harvesters import xml_stream
from harvesters.errors import CatalogueBroken, CatalogueUnsafe, FormatMismatch, NestedTooDeep
from harvesters.rawtable import ROW, RawColumn, text_schema
from harvesters.readers import dcat_graph, dcat_pod
from harvesters.readers.process import REJECTED, Table

# rdflib takes about fifty times a page's size while it reads.
MOST_RDF_BYTES = 12 << 20
MOST_JSON_BYTES = 64 << 20
BATCH_ROWS = 500
MAX_DEPTH = 64
_RDFLIB = {"xml": "xml", "turtle": "turtle", "n-triples": "nt", "json-ld": "json-ld"}
# Catalogues name this context everywhere, and JSON-LD has no other way of saying it.
_KNOWN_CONTEXTS = {
    "https://www.w3.org/ns/dcat.jsonld": dcat_graph.CONTEXT,
    "http://www.w3.org/ns/dcat.jsonld": dcat_graph.CONTEXT,
}


def read(path: Path, arguments: Mapping[str, Any]) -> Iterator[Table]:
    """The page as one table. `arguments`: `serialisation` (see `_RDFLIB`, or `data.json`) and
    `base`, the page's address.

    Raises CatalogueBroken, CatalogueUnsafe, XmlBroken, XmlUnsafe, NestedTooDeep, FormatMismatch.
    """
    try:
        page, datasets = _page(path, arguments["serialisation"], arguments["base"])
    except RecursionError as error:
        raise NestedTooDeep("The catalogue's parts lie too deep in each other.") from error
    texts = [json.dumps(one, ensure_ascii=False) for one in (page, *datasets)]
    schema = pa.schema([*text_schema(1), pa.field(REJECTED, pa.string())])
    batches = (
        pa.RecordBatch.from_arrays(
            [
                pa.array(range(start, start + len(some)), pa.int64()),
                pa.array(some, pa.string()),
                pa.nulls(len(some), pa.string()),
            ],
            schema=schema,
        )
        for start in range(0, len(texts), BATCH_ROWS)
        for some in (texts[start : start + BATCH_ROWS],)
    )
    assert schema.names[0] == ROW  # noqa: S101
    yield Table(schema, batches, [RawColumn("c0", "dataset")])


def _page(path: Path, serialisation: str, base: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    is_json = serialisation in ("json-ld", "data.json")
    size, most = path.stat().st_size, MOST_JSON_BYTES if is_json else MOST_RDF_BYTES
    if size > most:
        raise CatalogueBroken(
            f"A page of the catalogue is larger than {most >> 20} MiB; have it split into pages."
        )
    if not is_json:
        return _of_graph(_graph(path, serialisation, base), base)
    document = _json(path)
    if dcat_pod.is_data_json(document):
        datasets = list(dcat_pod.datasets(document))
        return {"next": [], "dataset_count": len(datasets), "total": None}, datasets
    if serialisation == "data.json":
        raise CatalogueBroken("The document has no list `dataset` as a data.json has.")
    if size > MOST_RDF_BYTES:
        raise CatalogueBroken(
            f"A page of the catalogue is larger than {MOST_RDF_BYTES >> 20} MiB; have it split."
        )
    graph, at_home = rdflib.Graph(), json.dumps(_at_home(document))
    try:
        graph.parse(data=at_home, format="json-ld", publicID=base)
    except RecursionError:
        raise
    except Exception as error:
        raise CatalogueBroken("The JSON-LD of the catalogue can't be understood.") from error
    return _of_graph(graph, base)


def _of_graph(graph: rdflib.Graph, base: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    datasets = list(dcat_graph.datasets(graph))
    following = dcat_graph.next_pages(graph, base)
    if not datasets and not following and not dcat_graph.is_catalogue(graph):
        raise CatalogueBroken("There is no dcat:Catalog and no dcat:Dataset in the document.")
    about = {"next": following, "dataset_count": len(datasets)}
    return {**about, "total": dcat_graph.total(graph)}, datasets


def _graph(path: Path, serialisation: str, base: str) -> rdflib.Graph:
    if serialisation == "xml":
        # Entities, endless tags and deep nesting are refused before rdflib sees them.
        walk = xml_stream.Walk(lambda *_: None, lambda *_: None, lambda _: walk.forget())
        for _ in walk.pass_over(xml_stream.text(path)):
            continue
    graph = rdflib.Graph()
    try:
        graph.parse(data=path.read_bytes(), format=_RDFLIB[serialisation], publicID=base)
    except notation3.BadSyntax as error:
        raise _broken("Turtle", error.lines + 1) from error
    except xml.sax.SAXParseException as error:
        raise _broken("RDF/XML", error.getLineNumber()) from error
    except (RecursionError, MemoryError):
        raise
    except Exception as error:
        # rdflib has errors of many kinds for what it does not understand.
        raise CatalogueBroken(f"The catalogue is no valid {serialisation}.") from error
    return graph


def _broken(what: str, line: int | None) -> CatalogueBroken:
    return CatalogueBroken(f"The {what} of the catalogue is not valid, line {line}.", line=line)


def _json(path: Path) -> Any:
    content = path.read_bytes().removeprefix(codecs.BOM_UTF8)
    try:
        document = json.loads(content)
    except json.JSONDecodeError as error:
        raise CatalogueBroken(
            f"The catalogue is no valid JSON, line {error.lineno}.", line=error.lineno
        ) from error
    except ValueError as error:
        raise CatalogueBroken("The catalogue is no JSON in UTF-8.") from error
    if not isinstance(document, dict | list):
        raise FormatMismatch("The JSON is a single value, and no catalogue.")
    return document


def _at_home(value: Any, depth: int = 0) -> Any:
    """The document with known contexts put in and without any that would have to be fetched."""
    if depth > MAX_DEPTH:
        raise NestedTooDeep(f"The JSON lies more than {MAX_DEPTH} levels deep.")
    if isinstance(value, list):
        return [_at_home(one, depth + 1) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        key: _context(one) if key == "@context" else _at_home(one, depth + 1)
        for key, one in value.items()
    }


def _context(value: Any, depth: int = 0) -> Any:
    if depth > MAX_DEPTH:
        raise NestedTooDeep(f"The JSON-LD context lies more than {MAX_DEPTH} levels deep.")
    if isinstance(value, list):
        return [_context(one, depth + 1) for one in value]
    if isinstance(value, str):
        if value in _KNOWN_CONTEXTS:
            return _KNOWN_CONTEXTS[value]
        raise CatalogueUnsafe(
            "The JSON-LD calls for a @context from elsewhere, which is not fetched: have it "
            "written into the document."
        )
    if not isinstance(value, dict):
        return value
    if "@import" in value:
        raise CatalogueUnsafe("The JSON-LD imports a @context from elsewhere; it is not fetched.")
    # Terms may have contexts of their own.
    return {
        key: (
            {
                part: _context(inner, depth + 1) if part == "@context" else inner
                for part, inner in one.items()
            }
            if isinstance(one, dict)
            else one
        )
        for key, one in value.items()
    }
