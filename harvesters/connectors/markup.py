"""Descriptions that other portals keep as HTML, as the plain text that this one shows."""

from __future__ import annotations

import re
from html.parser import HTMLParser

_BLOCKS = """
    address article blockquote br dd div dl dt h1 h2 h3 h4 h5 h6 hr li ol p pre table tr ul
""".split()  # noqa: SIM905
_HIDDEN = frozenset(("script", "style", "head", "title"))
_IS_MARKUP = re.compile(r"</?[a-zA-Z][^<>]*>|&[a-zA-Z]{2,8};|&#\d{1,6};")
LONGEST = 20_000


def plain(text: object) -> str:
    """A description without its markup: paragraphs and lines of lists stay lines."""
    written = str(text or "")[:LONGEST].strip()
    if not _IS_MARKUP.search(written):
        return written
    reader = _Reader()
    reader.feed(written)
    reader.close()
    lines = (" ".join(line.split()) for line in "".join(reader.texts).split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.texts: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden += tag in _HIDDEN
        if tag in _BLOCKS:
            self.texts.append("\n\n" if tag == "p" else "\n")
        if tag == "li":
            self.texts.append("- ")

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in _HIDDEN and self._hidden > 0
        if tag in _BLOCKS and tag != "br":
            self.texts.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            # Lines of the markup are no lines of the text.
            self.texts.append(data.replace("\n", " "))
