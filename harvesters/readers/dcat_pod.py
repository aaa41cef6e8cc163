"""A data.json of Project Open Data: a JSON of fixed names, read as such and not as linked data.

https://resources.data.gov/resources/dcat-us/ names the fields.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def is_data_json(document: Any) -> bool:
    """Whether a document has the names of data.json: whatever context it claims, they are fixed."""
    listed = document.get("dataset") if isinstance(document, dict) else None
    return isinstance(listed, list) and all(
        isinstance(one, dict) and isinstance(one.get("title"), str) for one in listed
    )


def datasets(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The datasets in the words that `readers.dcat` explains."""
    for one in document["dataset"]:
        start, _, end = _text(one.get("temporal")).partition("/")
        language = (_texts(one.get("language")) or [""])[0].partition("-")[0]
        yield {
            "iri": _text(one.get("@id")),
            "identifier": _text(one.get("identifier")),
            "titles": {language: _text(one.get("title"))},
            "descriptions": {language: _text(one.get("description"))},
            "keywords": [["", word] for word in _texts(one.get("keyword"))],
            "publisher": _name(one.get("publisher")),
            "contact": _contact(one.get("contactPoint")),
            "licences": _texts(one.get("license")),
            "rights": _texts(one.get("accessLevel")),
            "frequency": _text(one.get("accrualPeriodicity")),
            "start": start,
            "end": end,
            "pages": _texts(one.get("landingPage")),
            "distributions": [
                _distribution(each, language)
                for each in one.get("distribution") or ()
                if isinstance(each, dict)
            ],
        }


def _distribution(one: Mapping[str, Any], language: str) -> dict[str, Any]:
    return {
        "titles": {language: _text(one.get("title"))},
        "descriptions": {language: _text(one.get("description"))},
        "download": _text(one.get("downloadURL")),
        "access": _text(one.get("accessURL")),
        "formats": [*_texts(one.get("format")), *_texts(one.get("mediaType"))],
        "licences": _texts(one.get("license")),
    }


def _contact(value: Any) -> dict[str, str]:
    """Only an organisation's: a person's name and address are their own."""
    if not isinstance(value, dict) or "Organization" not in _text(value.get("@type")):
        return {}
    email = _text(value.get("hasEmail")).removeprefix("mailto:")
    return {"name": _text(value.get("fn")), "email": email}


def _name(value: Any) -> str:
    return _text(value.get("name")) if isinstance(value, dict) else _text(value)


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""


def _texts(value: Any) -> list[str]:
    listed = value if isinstance(value, list) else [value]
    return [text for text in map(_text, listed) if text]
