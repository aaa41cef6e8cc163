"""Descriptions in Markdown, as much of them as a page can bear.

A catalogue may describe a dataset by a book. Making HTML of it kept its page waiting for minutes.
"""

from __future__ import annotations

from typing import Any

from ckan.lib import helpers

MOST_LETTERS = 20_000  # some ten printed pages
MOST_SUMMARY = 5_000  # what search engines read of a description


def is_long(text: str | None) -> bool:
    """Whether pages show the beginning of ``text`` only."""
    return len(text or "") > MOST_LETTERS


def beginning(text: str | None, most: int = MOST_LETTERS) -> str:
    """``text``, or its first ``most`` letters to the end of a word."""
    if len(text or "") <= most:
        return text or ""
    return f"{str(text)[:most].rsplit(maxsplit=1)[0]} …"


def render_markdown(data: str | None, *options: Any, **named: Any) -> Any:
    """As CKAN's, of the beginning of a long text."""
    return helpers.render_markdown(beginning(data), *options, **named)


def markdown_extract(text: str | None, extract_length: int = 190) -> Any:
    """As CKAN's, of the beginning of a long text."""
    return helpers.markdown_extract(beginning(text), extract_length)
