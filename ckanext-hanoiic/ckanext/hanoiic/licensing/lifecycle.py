"""The life of a licence version, as a table; the trigger of the database holds to the same one.

``draft → published → superseded | withdrawn``. A superseded version stays in force for those who
hold an agreement under it; a withdrawn one for nobody. What is published never becomes a draft
again: a change is a new version.
"""

from __future__ import annotations

STATES = ("draft", "published", "superseded", "withdrawn")
LICENCE = {
    "draft": {"publish": "published"},
    "published": {"supersede": "superseded", "withdraw": "withdrawn"},
    "superseded": {"withdraw": "withdrawn"},
}
