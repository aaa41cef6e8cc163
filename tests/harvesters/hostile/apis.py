"""Hostile APIs: what a server answers to whatever it is asked, and the error each must end in."""

from __future__ import annotations

import re
from collections.abc import Callable

from pytest_httpserver import HTTPServer

from tests.harvesters.hostile.case import Case
from tests.harvesters.hostile.files import LAUGHING, LOGIN

S3_KEY = (
    "<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>{}</Key><ETag>1</ETag>"
    "</Contents></ListBucketResult>"
)


# What is said whatever is asked, and its media type.
ANSWERS = {
    "login_page": (LOGIN, "text/html"),
    "nesting": ("[" * 100_000, "application/json"),
    "laughing_xml": (f"{LAUGHING}<x>&i;</x>", "application/xml"),
    "number_without_end": (f'{{"count": {"9" * 9_000}}}', "application/json"),
}
# For each kind an address, and the error of each answer.
KINDS = {
    "ckan": ("/", ("catalogue_broken",) * 4),
    "wfs": ("/", ("html_instead_of_data", "xml_broken", "xml_unsafe", "xml_broken")),
    "s3": ("/bucket/", ("html_instead_of_data", "xml_broken", "xml_unsafe", "xml_broken")),
    "sensorthings": (
        "/v1.1/",
        ("html_instead_of_data", "nested_too_deep", "json_broken", "json_broken"),
    ),
    "socrata": ("/", ("api_refused",) * 4),
    "opendatasoft": ("/", ("api_refused",) * 4),
    "pxweb": ("/", ("api_refused",) * 4),
    "ogcapi": ("/", ("api_refused",) * 4),
    "arcgis": ("/arcgis/rest/services/x/FeatureServer/0", ("api_refused",) * 4),
}


def always(body: str, said: str, path: str) -> Callable[[HTTPServer], str]:
    """The same answer at every address."""

    def served(server: HTTPServer) -> str:
        server.expect_request(re.compile(".*")).respond_with_data(body, content_type=said)
        return server.url_for(path)

    return served


APIS = [
    Case(f"{kind}_of_{name}", kind, code, served=always(body, said, path))
    for kind, (path, codes) in KINDS.items()
    for (name, (body, said)), code in zip(ANSWERS.items(), codes, strict=True)
] + [
    Case("s3_key_that_leads_out", "s3", "catalogue_broken",
         served=always(S3_KEY.format("../so.csv"), "application/xml", "/bucket/")),
]  # fmt: skip
