"""Problems in the caller's language."""

from __future__ import annotations

import pytest

from api_gateway import errors
from api_gateway.titles import VIETNAMESE


def kinds(tree: type[errors.GatewayError]) -> set[str]:
    return {tree.code, *(code for kind in tree.__subclasses__() for code in kinds(kind))}


def test_every_problem_has_a_vietnamese_title():
    assert VIETNAMESE.keys() == kinds(errors.GatewayError)


@pytest.mark.parametrize(
    ("accepted", "language", "title"),
    [
        ("vi", "vi", "Không có bảng này"),
        ("vi-VN,vi;q=0.9,en;q=0.5", "vi", "Không có bảng này"),
        ("en-US,en;q=0.9,vi;q=0.5", "en", "No such table"),
        ("fr", "en", "No such table"),
        (None, "en", "No such table"),
    ],
)
def test_a_title_is_in_the_language_that_is_preferred(gateway, accepted, language, title):
    headers = {"Accept-Language": accepted} if accepted else {}
    answer = gateway.get("/v1/sql?q=FROM nowhere", headers=headers)
    assert (answer.json()["code"], answer.json()["title"]) == ("table_not_found", title)
    assert answer.headers["Content-Language"] == language
    assert "Accept-Language" in answer.headers["Vary"]
    assert "GET /v1/tables" in answer.json()["detail"]
