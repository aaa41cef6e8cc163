"""Web pages where data was expected: what a source gives when its address has moved, asks for a
password, or is the page about the data instead of the data."""

from __future__ import annotations

import codecs
import re

from harvesters.errors import HtmlInsteadOfData

_HTML = re.compile(
    # Atomic and possessive: what was passed over once is not tried in other ways.
    rb"\s*+(?>(?>(?><\?xml[^>]*+>)\s*+)?)(?>(?><!--.*?-->)\s*+)*+<(?:!doctype\s+html|html|head|body)\b",
    re.I | re.S,
)
_PASSWORD_FIELD = re.compile(rb"type\s*=\s*[\"']?password\b", re.I)
_LOGIN_TITLE = re.compile(r"log[ -]?in|sign[ -]?in|đăng nhập|dang nhap")
_TITLE = re.compile(rb"<title[^>]{0,99}>([^<]{1,200})</title>", re.I)
_SHOWN_LETTERS = 80


def is_web_page(head: bytes) -> bool:
    """Whether the first bytes of a file are those of an HTML page."""
    return _HTML.match(head.removeprefix(codecs.BOM_UTF8)) is not None


def refuse(head: bytes) -> None:
    """Raise HtmlInsteadOfData when the first bytes are a page's; it tells a login page by name."""
    if not is_web_page(head):
        return
    found = _TITLE.search(head)
    title = " ".join(found[1].decode("utf-8", errors="replace").split()) if found else ""
    if _PASSWORD_FIELD.search(head) or _LOGIN_TITLE.search(title.lower()):
        raise HtmlInsteadOfData(
            "The source answered with a login page instead of data: the address can only be read "
            "by people who signed in. Ask for a public address of the file.",
            looks_like="login",
        )
    named = f" (“{title[:_SHOWN_LETTERS]}”)" if title else ""
    raise HtmlInsteadOfData(
        f"The source answered with a web page{named} instead of data: a login, an error, or the "
        "page about the data. Open the address in a browser and copy the link of the file itself.",
        looks_like="page",
    )
