"""Small XML answers of servers, gathered element by element."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from harvesters import xml_stream


class Elements:
    """What is gathered on a walk: `path` are the open elements, from the root on."""

    def __init__(self) -> None:
        self.path: list[str] = []
        self.root = ""
        self._text = ""

    @property
    def written(self) -> str:
        """That text as it is written."""
        return self._text

    def begin(self, name: str, attributes: Mapping[str, str]) -> None:
        self.root = self.root or name
        self.path.append(name)
        self._text = ""
        self.on_begin(name, attributes)

    def end(self, name: str) -> None:
        self.on_end(name, self.text)
        self._text = ""
        self.path.pop()

    @property
    def text(self) -> str:
        """The text of the element that ends, its white space made single."""
        return " ".join(self._text.split())

    def letters(self, letters: str) -> None:
        self._text += letters

    def on_begin(self, name: str, attributes: Mapping[str, str]) -> None: ...

    def on_end(self, name: str, text: str) -> None: ...


def walk(path: Path, reading: Elements) -> None:
    """Pass over a document. Raises the errors of `xml_stream`."""
    passing = xml_stream.Walk(reading.begin, reading.end, reading.letters)
    for _ in passing.pass_over(xml_stream.text(path)):
        passing.forget()
