"""Every error of search is one that CKAN handles, and is documented."""

from __future__ import annotations

import re
from pathlib import Path

import pysolr
from ckanext.hanoiic.search.errors import SearchFailed

TABLE = Path(__file__).resolve().parents[2] / "docs/errors.d/search.md"


def tree(error):
    yield error
    for child in error.__subclasses__():
        yield from tree(child)


def test_every_error_code_has_a_row():
    documented = re.findall(r"^\| `([^`]+)` \|", TABLE.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(documented) == sorted(error.code for error in tree(SearchFailed))


def test_ckan_sees_a_solr_error_with_a_text():
    for error in tree(SearchFailed):
        raised = error("the reason")
        assert isinstance(raised, pysolr.SolrError)
        assert isinstance(raised.args[0], str)
        assert raised.args[0].endswith("the reason")
