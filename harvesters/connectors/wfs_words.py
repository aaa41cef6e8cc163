"""What a WFS server says of itself, and how it says no (OGC 09-025r2 for 2.0, 04-094 for 1.1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from harvesters.errors import ApiRefused
from harvesters.fetch import Fetched
from harvesters.xml_elements import Elements, walk

# Best first. What a browser runs, or what is packed, is none of them.
_JSON = (
    "application/json",
    "application/geo+json",
    "application/vnd.geo+json",
    "application/json; subtype=geojson",
    "geojson",
    "json",
)
REPORTS = ("ExceptionReport", "ServiceExceptionReport")
# Longitude and latitude, however it is written.
_CRS84 = ("EPSG:4326", "EPSG::4326", "CRS84", "EPSG/0/4326", "EPSG.XML#4326")
_SHOWN_LETTERS = 200


@dataclass(frozen=True)
class FeatureType:
    """A layer of the server. `systems` are the coordinate systems that it is given in."""

    name: str
    title: str = ""
    abstract: str = ""
    keywords: tuple[str, ...] = ()
    systems: tuple[str, ...] = ()
    formats: tuple[str, ...] = ()

    @property
    def json(self) -> str | None:
        """The name of an output format that is GeoJSON in longitude and latitude, if it has one."""
        if self.systems and not any(each.upper().endswith(_CRS84) for each in self.systems):
            return None
        plain = {" ".join(each.lower().split()): each for each in self.formats}
        return next((plain[each] for each in _JSON if each in plain), None)


@dataclass(frozen=True)
class Capabilities:
    """`has_pages`: it says that it gives a result in pages (2.0: ImplementsResultPaging)."""

    version: str
    has_pages: bool
    types: Mapping[str, FeatureType]


def capabilities(fetched: Fetched) -> Capabilities:
    """The answer to GetCapabilities. Raises ApiRefused, and the errors of `xml_stream`."""
    reading = _Reading()
    walk(fetched.path, reading)
    if reading.root in REPORTS:
        raise said_no(reading.words)
    if not reading.root.endswith("WFS_Capabilities"):
        raise ApiRefused("The address is of no WFS: it does not say what it can (GetCapabilities).")
    version = reading.version
    if version not in ("2.0.0", "2.0.2", "1.1.0"):
        raise ApiRefused(f"The server speaks WFS {version[:20] or '?'}; 2.0 or 1.1 is needed.")
    types = {each.name: each for each in reading.types if each.name}
    own = {
        name: replace(each, formats=(*each.formats, *reading.formats))
        for name, each in types.items()
    }
    return Capabilities(version, reading.has_pages, own)


def said_no(words: str) -> ApiRefused:
    """The error of a server that answered with a report of an exception."""
    shown = " ".join(words.split())[:_SHOWN_LETTERS] or "it says nothing more"
    return ApiRefused(f"The WFS answered with an error: {shown}.")


class Report(Elements):
    """An answer that may be a report of what went wrong; then `words` say it."""

    def __init__(self) -> None:
        super().__init__()
        self.words = ""

    def end(self, name: str) -> None:
        if name in ("ExceptionText", "ServiceException"):
            self.words = f"{self.words} {self.text}".strip()
        super().end(name)


@dataclass
class _Reading(Report):
    version: str = ""
    has_pages: bool = False
    types: list[FeatureType] = field(default_factory=list)
    formats: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self._names: list[str] = []

    def on_begin(self, name: str, attributes: Mapping[str, str]) -> None:
        self._names.append(attributes.get("name", ""))
        if len(self.path) == 1:
            self.version = attributes.get("version", "")
        elif name == "FeatureType":
            self.types.append(FeatureType(""))

    def on_end(self, name: str, text: str) -> None:
        self._names.pop()
        if "FeatureType" in self.path[:-1]:
            self._of_type(name, text)
        elif text and "Operation" in self.path and "outputFormat" in self._names:
            if self._names[self.path.index("Operation")] == "GetFeature":
                self.formats.append(text)
        elif text and "Constraint" in self.path and "ImplementsResultPaging" in self._names:
            self.has_pages = text.upper() == "TRUE"

    def _of_type(self, name: str, text: str) -> None:
        inside = self.path[self.path.index("FeatureType") + 1 :]
        now = self.types[-1]
        if inside == ["Name"]:
            now = replace(now, name=text)
        elif inside == ["Title"]:
            now = replace(now, title=now.title or text)
        elif inside == ["Abstract"]:
            now = replace(now, abstract=now.abstract or text)
        elif inside == ["Keywords", "Keyword"] and text:
            now = replace(now, keywords=(*now.keywords, text))
        elif name in ("DefaultCRS", "DefaultSRS", "OtherCRS", "OtherSRS") and text:
            now = replace(now, systems=(*now.systems, text))
        elif inside == ["OutputFormats", "Format"] and text:
            now = replace(now, formats=(*now.formats, text))
        self.types[-1] = now
