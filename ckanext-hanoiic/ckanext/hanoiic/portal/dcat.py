"""The catalogue as DCAT-AP 3: ckanext-dcat's European profile plus the fields of this portal."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from ckan.plugins import toolkit as tk
from ckanext.dcat.profiles import EuropeanDCATAP3Profile
from ckanext.dcat.utils import resource_uri
from ckanext.hanoiic.search.wards import wards
from rdflib import BNode, Literal, Namespace, URIRef
from rdflib.namespace import DCAT, DCTERMS, FOAF, RDF, RDFS, SKOS, XSD

from .catalogue import entities
from .neighbours import licence_page

EU = "http://publications.europa.eu/resource/authority/"
FREQUENCY = Namespace(EU + "frequency/")
ACCESS_RIGHT = Namespace(EU + "access-right/")
LANGUAGE = Namespace(EU + "language/")
FILE_TYPE = Namespace(EU + "file-type/")

ACCESS = {
    "open": ACCESS_RIGHT.PUBLIC,
    "registered": ACCESS_RIGHT.RESTRICTED,
    "click": ACCESS_RIGHT.RESTRICTED,
    "request": ACCESS_RIGHT.RESTRICTED,
}
# Other words for a format stay literals: one broken address would break the whole catalogue.
FILE_TYPE_CODE = re.compile(r"[A-Za-z0-9_]+")
# What DCAT-AP asks of a catalogue; its description only where the operator gave none.
PUBLISHER = ("Trung tâm Đổi mới sáng tạo Hà Nội", "Hanoi Innovation Center")
DESCRIPTION = (
    "Dữ liệu mở của các sở ngành Hà Nội: tìm kiếm, xem điều khoản, truy vấn và tải về.",
    "Open data of Hanoi's departments: to find, with its terms, to query and to download.",
)
MOMENTS = (DCTERMS.issued, DCTERMS.modified)
TEXTS = (("title", DCTERMS.title), ("notes", DCTERMS.description))


class HanoiicProfile(EuropeanDCATAP3Profile):
    """Vietnamese and English texts, frequency, wards, publisher, access and licence."""

    def graph_from_dataset(self, dataset_dict: dict[str, Any], dataset_ref: URIRef) -> None:
        super().graph_from_dataset(dataset_dict, dataset_ref)
        self._texts(dataset_dict, dataset_ref)
        self._frequency(dataset_dict, dataset_ref)
        self._wards(dataset_dict, dataset_ref)
        self._topics(dataset_dict, dataset_ref)
        self._publisher(dataset_dict)
        self._access(dataset_dict, dataset_ref)
        for resource in dataset_dict.get("resources", []):
            self._distribution(dataset_dict, resource)
            self._in_utc(URIRef(resource_uri(resource)))
        self._in_utc(dataset_ref)

    def graph_from_catalog(self, catalog_dict: dict[str, Any] | None, catalog_ref: URIRef) -> None:
        super().graph_from_catalog(catalog_dict, catalog_ref)
        self.g.remove((catalog_ref, DCTERMS.language, None))
        for code in ("VIE", "ENG"):
            self.g.add((catalog_ref, DCTERMS.language, LANGUAGE[code]))
            self.g.add((LANGUAGE[code], RDF.type, DCTERMS.LinguisticSystem))
        if (catalog_ref, DCTERMS.description, None) not in self.g:
            self._in_two_languages(catalog_ref, DCTERMS.description, *DESCRIPTION)
        # One address on every page of the catalogue, whose pages are read together.
        publisher = URIRef(f"{catalog_ref}/about#publisher")
        self.g.add((catalog_ref, DCTERMS.publisher, publisher))
        self.g.add((publisher, RDF.type, FOAF.Agent))
        self._in_two_languages(publisher, FOAF.name, *PUBLISHER)
        self._in_utc(catalog_ref)

    def _in_utc(self, ref: URIRef) -> None:
        """CKAN's times are UTC and do not say so: a reader took them for its own clock's."""
        for predicate in MOMENTS:
            said = self.g.value(ref, predicate)
            moment = said.toPython() if said is not None else None
            if isinstance(moment, datetime) and moment.tzinfo is None:
                self.g.set((ref, predicate, Literal(moment.replace(tzinfo=UTC))))

    def _texts(self, dataset: dict[str, Any], ref: URIRef) -> None:
        for field, predicate in TEXTS:
            self._in_two_languages(ref, predicate, dataset.get(field), dataset.get(f"{field}_en"))

    def _in_two_languages(
        self, ref: URIRef, predicate: URIRef, vietnamese: str | None, english: str | None
    ) -> None:
        if vietnamese:
            self.g.set((ref, predicate, Literal(vietnamese, lang="vi")))
        if english:
            self.g.add((ref, predicate, Literal(english, lang="en")))

    def _frequency(self, dataset: dict[str, Any], ref: URIRef) -> None:
        code = dataset.get("update_frequency")  # a code of this very vocabulary
        if code:
            self.g.set((ref, DCTERMS.accrualPeriodicity, FREQUENCY[code]))
            self.g.add((FREQUENCY[code], RDF.type, DCTERMS.Frequency))

    def _wards(self, dataset: dict[str, Any], ref: URIRef) -> None:
        for code in dataset.get("spatial_wards") or []:
            place = BNode()
            self.g.add((ref, DCTERMS.spatial, place))
            self.g.add((place, RDF.type, DCTERMS.Location))
            self.g.add((place, DCTERMS.identifier, Literal(code)))
            if ward := wards().get(code):
                self.g.add((place, SKOS.prefLabel, Literal(ward.name, lang="vi")))

    def _topics(self, dataset: dict[str, Any], ref: URIRef) -> None:
        for group in dataset.get("groups", []):
            # The same in every language: the address is what the topic is called.
            address = tk.url_for("group.read", id=group["name"], locale="default", _external=True)
            topic = URIRef(address)
            known = entities().get(group["name"], {})
            self.g.add((ref, DCAT.theme, topic))
            self.g.add((topic, RDF.type, SKOS.Concept))
            self._in_two_languages(topic, SKOS.prefLabel, known.get("title"), known.get("title_en"))

    def _publisher(self, dataset: dict[str, Any]) -> None:
        owner = entities().get((dataset.get("organization") or {}).get("name", ""))
        if owner:
            for publisher in set(self.g.subjects(RDF.type, FOAF.Agent)):
                if (publisher, FOAF.name, Literal(owner["title"])) in self.g:
                    self._in_two_languages(publisher, FOAF.name, owner["title"], owner["title_en"])

    def _access(self, dataset: dict[str, Any], ref: URIRef) -> None:
        right = ACCESS.get(dataset.get("access_tier", ""), ACCESS_RIGHT.RESTRICTED)
        self.g.set((ref, DCTERMS.accessRights, right))
        self.g.add((right, RDF.type, DCTERMS.RightsStatement))

    def _distribution(self, dataset: dict[str, Any], resource: dict[str, Any]) -> None:
        ref = URIRef(resource_uri(resource))
        licence = dataset.get("license_url") or licence_page(dataset.get("license_id") or "")
        if licence:
            self.g.set((ref, DCTERMS.license, URIRef(licence)))
            self.g.add((URIRef(licence), RDF.type, DCTERMS.LicenseDocument))
            self.g.add((URIRef(licence), RDFS.label, Literal(dataset["license_title"])))
        if FILE_TYPE_CODE.fullmatch(resource.get("format") or ""):
            file_type = FILE_TYPE[resource["format"].upper()]
            self.g.set((ref, DCTERMS["format"], file_type))
            self.g.add((file_type, RDF.type, DCTERMS.MediaTypeOrExtent))
        if resource.get("lake_table"):
            self.g.add((ref, DCTERMS.identifier, Literal(resource["lake_table"])))
            self.g.add((ref, DCAT.downloadURL, URIRef(resource["url"])))
        if resource.get("lake_version") is not None:
            self.g.add((ref, DCAT.version, Literal(str(resource["lake_version"]))))
        if resource.get("byte_count") is not None:
            size = Literal(resource["byte_count"], datatype=XSD.nonNegativeInteger)
            self.g.set((ref, DCAT.byteSize, size))
