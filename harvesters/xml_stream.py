"""XML on its way past, event by event: nothing is kept, and nothing outside of it is called.

A document type may be there; an entity of its own, or one from elsewhere, refuses the document.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from xml.parsers import expat

from harvesters import decode as decoding
from harvesters.decode import Text
from harvesters.errors import LineTooLong, NestedTooDeep, XmlBroken, XmlUnsafe

MAX_DEPTH = 64
# The texts of one row, or of one element.
LONGEST_LETTERS = 16 << 20
_PIECE_BYTES = 1 << 16
# The parser begins anew with a tag for every piece of it.
_LONGEST_TAG_BYTES = 1 << 20
_DECLARED = re.compile(rb"<\?xml[^>]*?\bencoding\s*=\s*[\"']([A-Za-z0-9._-]{1,40})[\"']")
# A declaration that is not true of what was decoded already would only mislead.
_UTF8 = "utf-8"

Begin = Callable[[str, Mapping[str, str]], None]
End = Callable[[str], None]
Letters = Callable[[str], None]


def text(path: Path, pinned: str | None = None) -> Text:
    """The document's text: as pinned, as it declares, or as is found out.

    Raises the errors of `decode.text`.
    """
    with path.open("rb") as file:
        head = file.read(4096)
    decoding.refuse_other_formats(head)
    declared = _DECLARED.match(head.removeprefix(codecs.BOM_UTF8))
    if pinned or declared is None:
        return decoding.text(path, pinned)
    name = declared[1].decode("ascii")
    try:
        # UTF-16 declares itself in UTF-16: what can be read as ASCII here is not it.
        codec = codecs.lookup(name).name
    except LookupError:
        return decoding.text(path)
    return decoding.text(path) if codec.startswith(("utf-16", "utf-32")) else Text(path, codec)


class Walk:
    """One pass over a document. Names come without their namespaces.

    `pass_over` yields after each piece of the document, so that its caller can hand on the rows
    that the callbacks gathered.
    """

    def __init__(self, begin: Begin, end: End, letters: Letters) -> None:
        self._begin, self._end, self._letters = begin, end, letters
        self._depth = 0
        self._held = 0
        self._parser = expat.ParserCreate(_UTF8, namespace_separator=" ")
        self._parser.buffer_text = True
        self._parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
        self._parser.StartElementHandler = self._on_begin
        self._parser.EndElementHandler = self._on_end
        self._parser.CharacterDataHandler = self._on_letters
        self._parser.EntityDeclHandler = self._on_entity
        self._parser.ExternalEntityRefHandler = self._on_entity
        self._parser.SkippedEntityHandler = self._on_entity

    def pass_over(self, document: Text) -> Iterator[None]:
        """Raises XmlBroken, XmlUnsafe, NestedTooDeep, LineTooLong and the errors of `Text`."""
        fed = 0
        try:
            for chunk in document.iter_utf8():
                for start in range(0, len(chunk), _PIECE_BYTES):
                    piece = chunk[start : start + _PIECE_BYTES]
                    self._parser.Parse(piece, False)
                    fed += len(piece)
                    # A tag that does not end is kept whole by the parser.
                    if fed - self._parser.CurrentByteIndex > _LONGEST_TAG_BYTES:
                        raise LineTooLong(f"A tag does not end, line {self.line}.")
                    yield
            self._parser.Parse(b"", True)
            yield
        except expat.ExpatError as error:
            if "entit" in str(error) or "amplification" in str(error):
                raise XmlUnsafe(
                    f"The XML calls an entity that it has no right to, line {error.lineno}."
                ) from error
            raise XmlBroken(
                f"The file is no valid XML: {expat.errors.messages[error.code]}, line "
                f"{error.lineno}."
            ) from error

    def forget(self) -> None:
        """The texts so far were taken: what follows may be as long again."""
        self._held = 0

    @property
    def line(self) -> int:
        return self._parser.CurrentLineNumber

    def _on_begin(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise NestedTooDeep(
                f"Elements lie more than {MAX_DEPTH} levels deep in each other, line {self.line}."
            )
        plain = {_local(key): value for key, value in attributes.items()}
        self._hold(sum(map(len, plain.values())))
        self._begin(_local(name), plain)

    def _on_end(self, name: str) -> None:
        self._depth -= 1
        self._end(_local(name))

    def _on_letters(self, letters: str) -> None:
        self._hold(len(letters))
        self._letters(letters)

    def _hold(self, count: int) -> None:
        self._held += count
        if self._held > LONGEST_LETTERS:
            raise LineTooLong(
                f"An element has more than {LONGEST_LETTERS >> 20} Mi letters, line {self.line}."
            )

    def _on_entity(self, *_: object) -> int:
        raise XmlUnsafe(
            f"The XML defines or calls entities, line {self.line}: have it exported without a "
            "document type."
        )


def _local(name: str) -> str:
    return name.rpartition(" ")[2]
