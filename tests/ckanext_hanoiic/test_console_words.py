"""Every kind, error and sentence that an officer can meet has words, in Vietnamese too."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import polib
from ckanext.hanoiic.console import error_sentences, kinds, plugin, problems, reading, sentences

ROOT = Path(__file__).resolve().parents[2]


def test_every_error_an_officer_can_meet_has_words():
    documented = (ROOT / "docs/errors.d/harvest.md").read_text(encoding="utf-8")
    codes = set(re.findall(r"^\| `([^`]+)` \|", documented, re.MULTILINE))
    assert len(codes) > 40
    assert codes <= problems.PROBLEMS.keys()
    [reasons] = re.findall(r"Reasons of rejected rows: (.+)", documented, re.DOTALL)
    assert set(re.findall(r"`(\w+)`", reasons)) <= problems.REASONS.keys()


def test_every_kind_that_is_harvested_has_words():
    from harvesters.connectors import CONNECTORS

    assert set(CONNECTORS) <= set(kinds.KINDS)
    assert all(set(kind.reading) <= set(reading.READING) for kind in kinds.KINDS.values())


def test_every_text_is_in_vietnamese_and_keeps_its_facts():
    folder = Path(plugin.__file__).with_name("i18n")
    entries = polib.pofile(str(folder / "vi/LC_MESSAGES/ckanext-hanoiic-console.po"))
    known = {entry.msgid: entry for entry in entries}
    wanted = {*sentences.SENTENCES.values(), *error_sentences.ERRORS.values()}
    wanted |= {*problems.REASONS.values()}
    wanted |= {said for pair in problems.PROBLEMS.values() for said in pair}
    assert wanted <= known.keys()
    for entry in entries:
        said = entry.msgstr or entry.msgstr_plural.get(0)
        assert said, entry.msgid
        facts = set(re.findall(r"\{\w+\}", entry.msgid))
        assert facts == set(re.findall(r"\{\w+\}", said)), entry.msgid


def test_where_a_header_is_and_what_was_seen_of_a_form_are_known_sentences():
    assert sentences.known("sheet 'S' of 1, header rows 3 to 4")
    assert sentences.known("above the table: ĐVT : 1000 đồng")
    assert sentences.known("sheet 'S' of 2, cells A1:C7, header row 2")
    seen = (
        "No table was found in the sheet 'S' (2 rows × 3 columns, 2 filled cells): no row names "
        "columns that the rows below it fill. Is it a form? What was seen:\n■ · ·\n· · ■"
    )
    assert sentences.known(seen)
    assert sentences.say(seen).endswith(":\n■ · ·\n· · ■")


def workers_words():
    """Every text of the harvesters' code as the worker would say it, its facts being 7."""
    for file in (ROOT / "harvesters").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value
            elif isinstance(node, ast.JoinedStr):
                yield "".join(said_of(part) for part in node.values)


def said_of(part):
    if isinstance(part, ast.Constant):
        return part.value
    return "'7'" if part.conversion == ord("r") else "7"


def test_every_error_that_is_translated_is_one_that_the_worker_says():
    words = {*workers_words()}
    # What follows on another line of the code.
    words |= {f"{said}The account sees 7." for said in words if said.endswith("SELECT. ")}
    said_by_nobody = [
        pattern
        for pattern in error_sentences.ERRORS
        if not any(re.fullmatch(pattern, said) for said in words)
    ]
    assert said_by_nobody == ["The account sees (?P<names>.+) and (?P<count>\\d+) more\\."]
    assert sentences.known("The account sees a, b and 3 more.")
