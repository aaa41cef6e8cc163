"""The fields of CKAN's shipped ``schema.xml``: types, dynamic names, stored flags and copies."""

from __future__ import annotations

import functools
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import ckan.config

SCHEMA_FILE = Path(ckan.config.__file__).with_name("solr") / "schema.xml"

# How a value of a Solr type is compared and searched.
KINDS = {
    "solr.StrField": "string",
    "solr.BoolField": "boolean",
    "solr.IntPointField": "integer",
    "solr.LongPointField": "integer",
    "solr.FloatPointField": "number",
    "solr.DoublePointField": "number",
    "solr.DatePointField": "date",
    "solr.BinaryField": "binary",
}
# Text types: words; of which `text` also finds English inflections, and `text_ngram` any part.
TEXT_KINDS = {"text": "stemmed", "text_general": "words", "text_ngram": "infix"}
# The fields of that last kind, in the order in which a row keeps them.
INFIX = ("name_ngram", "title_ngram")


@dataclass(frozen=True)
class Field:
    """One field: ``kind`` is a value of ``KINDS`` or ``TEXT_KINDS``."""

    name: str
    kind: str
    multivalued: bool
    indexed: bool
    stored: bool
    default: str | None = None

    @property
    def is_words(self) -> bool:
        return self.kind in ("stemmed", "words")


class SolrSchema:
    """A Solr schema: look a field up by name, dynamic names included."""

    def __init__(self, file: Path = SCHEMA_FILE) -> None:
        # The file comes with CKAN's wheel, not from a user.
        root = ElementTree.parse(file).getroot()  # noqa: S314
        kinds = {}
        for element in root.iter():
            if element.tag.lower() == "fieldtype":
                name = element.attrib["name"]
                kinds[name] = KINDS.get(element.attrib["class"]) or TEXT_KINDS[name]
        self.fields = {
            element.attrib["name"]: _field(element, kinds) for element in root.iter("field")
        }
        # Solr prefers the longest pattern.
        self.dynamic = sorted(
            (_field(element, kinds) for element in root.iter("dynamicField")),
            key=lambda field: -len(field.name),
        )
        self.copies = [
            (element.attrib["source"], element.attrib["dest"]) for element in root.iter("copyField")
        ]

    @functools.lru_cache(maxsize=4096)  # noqa: B019 (one schema lives as long as the process)
    def field(self, name: str) -> Field | None:
        """The field called ``name``, or None where the schema has no such field."""
        if name in self.fields:
            return self.fields[name]
        for pattern in self.dynamic:
            if fnmatchcase(name, pattern.name):
                return Field(
                    name,
                    pattern.kind,
                    pattern.multivalued,
                    pattern.indexed,
                    pattern.stored,
                    pattern.default,
                )
        return None

    @functools.lru_cache(maxsize=4096)  # noqa: B019
    def copied_to(self, name: str) -> tuple[str, ...]:
        """The fields that get a copy of ``name``'s values."""
        return tuple(
            target
            for source, target in self.copies
            if source != target and fnmatchcase(name, source)
        )


def _field(element: ElementTree.Element, kinds: dict[str, str]) -> Field:
    def flag(name: str, default: bool) -> bool:
        return element.attrib.get(name, str(default)).lower() == "true"

    return Field(
        element.attrib["name"],
        kinds[element.attrib["type"]],
        flag("multiValued", False),
        flag("indexed", True),
        flag("stored", True),
        element.attrib.get("default"),
    )


@functools.cache
def ckan_schema() -> SolrSchema:
    return SolrSchema()
