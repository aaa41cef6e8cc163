"""The parts of a workbook's package (xlsx): which one is a sheet's, and what is in it.

Source: ECMA-376-1, 12.3.23 (workbook).
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from posixpath import join, normpath
from xml.parsers import expat

from harvesters.connectors.sheets import CHUNK_BYTES

Begin = Callable[[str, dict[str, str]], None]


def part_of(package: zipfile.ZipFile, sheet: str) -> str | None:
    """The part of a package that has a sheet's cells; None where it is no xlsx."""
    ids: dict[str, str] = {}
    targets: dict[str, str] = {}

    def named(name: str, attributes: dict[str, str]) -> None:
        if name == "sheet":
            # `r:id`: the name of its namespace differs between the two forms of the standard.
            found = (value for key, value in attributes.items() if key.endswith(" id"))
            ids[attributes.get("name", "")] = next(found, "")

    def related(name: str, attributes: dict[str, str]) -> None:
        if name == "Relationship":
            targets[attributes.get("Id", "")] = attributes.get("Target", "")

    try:
        walk(package, "xl/workbook.xml", named)
        walk(package, "xl/_rels/workbook.xml.rels", related)
    except KeyError:
        return None
    target = targets.get(ids.get(sheet, ""))
    return normpath(join("/xl", target))[1:] if target else None


def walk(package: zipfile.ZipFile, part: str, begin: Begin) -> None:
    """Tell `begin` every element of a part, without its namespace. Raises KeyError."""
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler = lambda name, attributes: begin(name.rpartition(" ")[2], attributes)
    with package.open(part) as file:
        while chunk := file.read(CHUNK_BYTES):
            parser.Parse(chunk, False)
