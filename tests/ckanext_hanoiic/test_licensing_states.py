"""The state machines and the rules of the decision, as pure tables."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import pytest
from ckanext.hanoiic.licensing import decision, errors, states, words
from ckanext.hanoiic.licensing.errors import NotAllowedNow
from ckanext.hanoiic.licensing.logic import refusal
from hypothesis import given
from hypothesis import strategies as st

DOCUMENTED = Path(__file__).resolve().parents[2] / "docs/errors.d/licensing.md"
MACHINES = {
    "request": (states.REQUEST, states.REQUEST_STATES, "submitted"),
    "agreement": (states.AGREEMENT, states.AGREEMENT_STATES, "active"),
}
EVENTS = sorted({e for table, *_ in MACHINES.values() for row in table.values() for e in row})
ALLOWED = {
    ("submitted", "approve", "approved"),
    ("submitted", "reject", "rejected"),
    ("submitted", "withdraw", "withdrawn"),
    ("submitted", "expire", "expired"),
    ("submitted", "ask", "info_needed"),
    ("info_needed", "answer", "submitted"),
    ("info_needed", "reject", "rejected"),
    ("info_needed", "withdraw", "withdrawn"),
    ("info_needed", "expire", "expired"),
    ("active", "suspend", "suspended"),
    ("active", "expire", "expired"),
    ("active", "revoke", "revoked"),
    ("active", "supersede", "superseded"),
    ("suspended", "resume", "active"),
    ("suspended", "expire", "expired"),
    ("suspended", "revoke", "revoked"),
}


@pytest.mark.parametrize("machine", MACHINES)
@given(data=st.data())
def test_random_events_never_leave_the_allowed_transitions(machine, data):
    table, names, state = MACHINES[machine]
    ended = False
    for event in data.draw(st.lists(st.sampled_from(EVENTS), max_size=30)):
        try:
            following = states.after(table, state, event)
        except NotAllowedNow:
            assert event not in table.get(state, {})
            continue
        assert not ended, "a terminal state reopened"
        assert (state, event, following) in ALLOWED
        assert following in names
        state, ended = following, following not in table


def test_the_tables_allow_exactly_the_documented_transitions():
    assert {
        (state, event, following)
        for table, *_ in MACHINES.values()
        for state, row in table.items()
        for event, following in row.items()
    } == ALLOWED


AGREEMENTS = (None, "active", "outdated", "suspended", "expired", "revoked", "superseded")
REQUESTS = (None, "submitted", "info_needed", "rejected", "approved", "expired")
EVERY_FACT = [
    decision.Facts(*facts)
    for facts in product(
        ("open", "click", "request", "of tomorrow"),
        *[(True, False)] * 6,
        AGREEMENTS,
        REQUESTS,
    )
]


def test_every_combination_of_facts_is_decided_and_permits_are_only_the_intended_ones():
    for facts in EVERY_FACT:
        visible = facts.public or facts.owner or facts.operator
        with_right = facts.owner or facts.operator or facts.agreement == "active"
        token_ok = facts.audience_ok and facts.scope_ok
        is_open = facts.public and facts.tier == "open"
        may = is_open or (facts.signed_in and token_ok and with_right)
        verdict = decision.decide(facts)
        assert verdict.permits == (visible and may), facts
        assert (verdict.decision == "unknown") == (not visible), facts
        assert verdict.decision != "deny" or verdict.reason in decision.REASONS


def test_of_several_parties_a_permit_wins():
    permit = decision.decide(decision.Facts("click", signed_in=True, agreement="active"))
    revoked = decision.decide(decision.Facts("click", signed_in=True, agreement="revoked"))
    fresh = decision.decide(decision.Facts("click", signed_in=True))
    assert decision.best([(revoked, 1), (fresh, 2), (permit, 3)])[1] == 3
    assert decision.best([(fresh, 2), (revoked, 1)])[1] == 1


def test_every_refusal_has_a_sentence_and_a_row_in_the_documentation():
    def codes(tree: type[errors.LicensingError]) -> set[str]:
        return {tree.code}.union(*(codes(child) for child in tree.__subclasses__()))

    documented = set(re.findall(r"^\| `([a-z_]+)` \|", DOCUMENTED.read_text("utf-8"), re.MULTILINE))
    assert codes(errors.LicensingError) == documented
    # Those say which of several things is wrong.
    several = {errors.OfferInvalid.code, errors.LicenceInvalid.code, errors.AnswerInvalid.code}
    assert set(refusal.SENTENCES) == documented - several - {errors.LicensingError.code}


def test_every_reason_and_state_has_words():
    told = {reason for _, _, reason in decision.RULES}
    assert set(words.REASONS) == told
    assert set(words.STATES) == {*states.REQUEST_STATES, *states.AGREEMENT_STATES, "retired"}
