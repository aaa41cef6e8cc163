"""The operator's settings for notices: how e-mail leaves the portal, which webhook is called."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.errors import NoticesUnreadable

if TYPE_CHECKING:
    from pathlib import Path

# CKAN's and the console's; nothing else of CKAN's configuration is the operator's to change here.
NAMES = frozenset(
    {
        *(f"smtp.{name}" for name in ("server", "starttls", "user", "password")),
        *("smtp.mail_from", "smtp.reply_to"),
        *(f"hanoiic.webhook_{name}" for name in ("url", "key_file", "allow_private")),
    }
)


def read(file: Path | None) -> dict[str, str]:
    """``name = value`` lines; empty ones and those that begin with ``#`` are left out.

    Raises:
        NoticesUnreadable: no such file, a line without ``=``, or a name that is none of NAMES.
    """
    if file is None:
        return {}
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise NoticesUnreadable(f"{file} can't be read; correct HANOIIC_NOTICES_FILE.") from error
    said = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, equals, value = (part.strip() for part in line.partition("="))
        if not equals or name not in NAMES:
            # The line itself may be a password.
            raise NoticesUnreadable(
                f"Line {number} of {file} is none of: {', '.join(sorted(NAMES))}, each with "
                "`= value`; correct it."
            )
        said[name] = value
    return said
