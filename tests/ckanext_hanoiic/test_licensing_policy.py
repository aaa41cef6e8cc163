"""The ODRL profile: what it knows, and what a policy permits where facts hold."""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta

import jsonschema
import pytest
from ckanext.hanoiic.licensing import (
    licence_desk,
    licences,
    policy,
    policy_constraints,
    policy_profile,
)
from ckanext.hanoiic.licensing.policy import evaluate
from ckanext.hanoiic.licensing.policy_constraints import Facts
from hypothesis import given, settings
from hypothesis import strategies as st

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
BEGAN = NOW - timedelta(days=10)
ENVELOPE = {
    **copy.deepcopy(policy_profile.ENVELOPE),
    "uid": "urn:hanoiic:licence:test:1",
}


def written(*constraints: dict, action=("hic:query",), **more) -> dict:
    permission = {"action": list(action), "constraint": list(constraints)}
    return ENVELOPE | {"permission": [permission]} | more


def constraint(left: str, operator: str, right, **more) -> dict:
    return {"leftOperand": left, "operator": operator, "rightOperand": right, **more}


def conforms(said: dict) -> bool:
    return jsonschema.Draft202012Validator(licence_desk.profile()).is_valid(said)


def test_every_shipped_policy_conforms_and_is_known():
    for text in licences.shipped().values():
        assert conforms(text.policy), text.id
        assert list(policy_profile.unknown_terms(text.policy)) == []
        assert text.policy["conflict"] == "prohibit"


def test_what_the_shipped_texts_open():
    """Door by door, for a holder of an approved agreement that began ten days ago."""
    facts = Facts(NOW, began_at=BEGAN, purposes=frozenset({policy_profile.AGREED}))
    for text in licences.shipped().values():
        verdict = evaluate(text.policy, facts)
        assert [verdict.refusal(use) for use in policy.NEEDS] == [None] * 4, text.id
    for closed, reason in (
        ("restricted-research", "policy_unmet"),
        ("sandbox-trial", "policy_unmet"),
    ):
        assert evaluate(licences.shipped()[closed].policy, Facts(NOW)).refusal("query") == reason
    sandbox = evaluate(licences.shipped()["sandbox-trial"].policy, facts)
    assert sandbox.prohibited == {"distribute", "cc:CommercialUse"}
    assert sandbox.of("query").valid_until == BEGAN + timedelta(days=90)
    assert sandbox.of("query").obligations == ("cc:Attribution", "inform", "delete")
    assert sandbox.of("download").limits == {
        "queries_per_day": 1000, "rows_per_month": 1_000_000, "bytes_per_month": 1_000_000_000,
    }  # fmt: skip


HOLDS = [
    (constraint("dateTime", "lt", "2026-06-01T19:00:01+07:00"), {}, True),
    (constraint("dateTime", "lt", "2026-06-01T12:00:00Z"), {}, False),
    (constraint("dateTime", "lteq", "2026-06-01T12:00:00Z"), {}, True),
    (constraint("dateTime", "gteq", "2026-06-01T12:00:00Z"), {}, True),
    (constraint("dateTime", "gt", "2026-06-01T12:00:00Z"), {}, False),
    (constraint("elapsedTime", "lteq", "P11D"), {"began_at": BEGAN}, True),
    (constraint("elapsedTime", "lteq", "P10D"), {"began_at": BEGAN}, False),
    (constraint("elapsedTime", "lteq", "P90D"), {}, False),
    (constraint("count", "lteq", 5, unit="hic:queriesPerDay"), {"began_at": BEGAN}, True),
    (
        constraint("count", "lteq", 5, unit="hic:queriesPerDay"),
        {"began_at": BEGAN, "used": {"queries_per_day": 5}},
        False,
    ),
    (constraint("count", "lteq", 5, unit="hic:rowsPerMonth"), {}, False),
    (
        constraint("absoluteSize", "lteq", 5, unit="hic:bytesPerMonth"),
        {"began_at": BEGAN, "used": {"bytes_per_month": 4}},
        True,
    ),
    (constraint("purpose", "eq", "research"), {"purposes": {"research", "hic:agreed"}}, True),
    (constraint("purpose", "isAnyOf", ["trial", "product"]), {"purposes": {"research"}}, False),
    (constraint("purpose", "isNoneOf", ["product"]), {"purposes": {"research"}}, True),
    (constraint("purpose", "neq", "product"), {}, False),
    (constraint("recipient", "eq", "so-y-te"), {"recipients": {"so-y-te", "hic:department"}}, True),
    (constraint("recipient", "eq", "hic:company"), {"recipients": {"hic:department"}}, False),
    (constraint("recipient", "isNoneOf", ["acme"]), {}, False),
    (constraint("spatial", "eq", "VN"), {"places": {"VN", "VN-HN"}}, True),
    (constraint("spatial", "eq", "VN-HN"), {"places": {"VN"}}, False),
    (constraint("spatial", "eq", "VN"), {}, False),
]


@pytest.mark.parametrize(("one", "known", "holds"), HOLDS)
def test_each_constraint_is_evaluated_and_one_that_cannot_be_decided_denies(one, known, holds):
    facts = Facts(NOW, **{k: frozenset(v) if isinstance(v, set) else v for k, v in known.items()})
    said = written(one)
    assert conforms(said)
    verdict = evaluate(said, facts)
    assert ("hic:query" in verdict.granted) is holds
    assert verdict.refusal("query") == (None if holds else "policy_unmet")
    assert verdict.refusal("download") == "policy_not_permitted"
    # As a prohibition's, it keeps the prohibition up unless it is known not to hold.
    turned = written(prohibition=[{"action": ["hic:query"], "constraint": [one]}])
    known_not_to_hold = policy_constraints.holds(one, facts) is False
    assert ("hic:query" in evaluate(turned, facts).granted) is known_not_to_hold


UNKNOWN = [
    (ENVELOPE | {"permission": []}, "permission"),
    (written(action=("use",)), "action:use"),
    (written(action=("play",)), "action:play"),
    (written(constraint("weather", "eq", "fine")), "constraint:weather"),
    (written(constraint("purpose", "hasPart", "x")), "operator:hasPart"),
    (written(constraint("dateTime", "lt", "tomorrow")), "rightOperand:dateTime"),
    (written(constraint("dateTime", "lt", "2026-06-01T12:00:00")), "rightOperand:dateTime"),
    (written(constraint("elapsedTime", "lteq", "P3M")), "rightOperand:elapsedTime"),
    (written(constraint("count", "lteq", 5, unit="hic:perYear")), "rightOperand:count"),
    (written(constraint("count", "lteq", 5)), "rightOperand:count"),
    (written(constraint("count", "lteq", "5", unit="hic:rowsPerMonth")), "rightOperand:count"),
    (written(constraint("purpose", "eq", 5)), "rightOperand:purpose"),
    (written(constraint("purpose", "eq", "x", refinement=[])), "constraint:purpose"),
    (written(conflict="perm"), "conflict"),
    (written(profile="urn:other"), "profile"),
    (written(obligation=[]), "policy:obligation"),
    (written(prohibition=[{"action": ["read"], "remedy": []}]), "prohibition:remedy"),
    (
        ENVELOPE | {"permission": [{"action": ["read"], "duty": [{"action": "cc:ShareAlike"}]}]},
        "duty:cc:ShareAlike",
    ),
    (ENVELOPE | {"permission": [{"action": ["read"], "assignee": "x"}]}, "permission:assignee"),
]


@pytest.mark.parametrize(("said", "term"), UNKNOWN)
def test_an_unknown_term_permits_nothing(said, term):
    verdict = evaluate(said, Facts(NOW, began_at=BEGAN, purposes=frozenset({"x"})))
    assert term in verdict.unknown
    assert not verdict.granted
    assert all(verdict.refusal(use) == "policy_unknown_term" for use in policy.NEEDS)
    assert not conforms(said)


def test_a_prohibition_wins_and_what_nobody_mentions_is_not_permitted():
    said = written(action=("hic:query", "reproduce"), prohibition=[{"action": ["reproduce"]}])
    verdict = evaluate(said, Facts(NOW))
    assert verdict.refusal("query") is None
    assert verdict.refusal("download") == verdict.refusal("share") == "policy_not_permitted"
    assert verdict.refusal("fly") == "policy_not_permitted"


def test_two_permissions_of_one_action_grant_the_looser_limits_and_both_duties():
    first = {
        "action": ["hic:query"],
        "constraint": [constraint("count", "lteq", 5, unit="hic:queriesPerDay")],
        "duty": [{"action": "cc:Attribution"}],
    }
    second = {
        "action": ["hic:query"],
        "constraint": [constraint("count", "lteq", 9, unit="hic:queriesPerDay")],
        "duty": [{"action": "inform"}],
    }
    both = ENVELOPE | {"permission": [first, second]}
    granted = evaluate(both, Facts(NOW, began_at=BEGAN)).of("query")
    assert granted.limits == {"queries_per_day": 9}
    assert granted.obligations == ("cc:Attribution", "inform")


def test_a_trial_asks_nothing_that_binds_an_agreement_but_keeps_prohibitions():
    sandbox = licences.shipped()["sandbox-trial"].policy
    assert evaluate(sandbox, Facts(NOW, trial=True)).refusal("query") is None
    closed = sandbox | {"prohibition": [{"action": ["hic:query"]}]}
    assert evaluate(closed, Facts(NOW, trial=True)).refusal("query") == "policy_not_permitted"


words = st.text(max_size=8)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)
keys = st.sampled_from([*policy_profile.POLICY_TERMS, "target", "obligation", "odrl:x"])


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(keys, json_values, max_size=4), st.sampled_from(sorted(policy.NEEDS)))
def test_whatever_else_a_policy_says_it_permits_nothing(noise, use):
    said = licences.shipped()["CC-BY-4.0"].policy | noise
    verdict = evaluate(said, Facts(NOW))
    if not conforms(said):
        assert verdict.refusal(use) == "policy_unknown_term"


ODD = [
    None, True, 1, 1.5, -1, 10**30, "", "P0D", "P10000D", "P9999999D", "P99999999999D", "P١D",
    "P5D\n", [], [1], {}, {"@value": "P5D"}, float("nan"), "0001-01-01T00:00:00+14:00",
]  # fmt: skip


@pytest.mark.parametrize("right", ODD, ids=str)
@pytest.mark.parametrize("left", policy_constraints.OPERANDS)
def test_an_odd_right_side_denies_and_never_fails(left, right):
    for operator in policy_constraints.OPERANDS[left].operators:
        said = written(constraint(left, operator, right, unit="hic:queriesPerDay"))
        for facts in (Facts(NOW), Facts(NOW, began_at=BEGAN)):
            refused = evaluate(said, facts).refusal("query")
            assert refused or conforms(said) or left == "dateTime"


def test_a_prohibition_that_begins_is_the_end_of_what_was_permitted():
    begins = NOW + timedelta(days=1)
    ban = {
        "action": ["hic:query"],
        "constraint": [constraint("dateTime", "gteq", begins.isoformat())],
    }
    said = written(prohibition=[ban])
    assert evaluate(said, Facts(NOW)).of("query").valid_until == begins
    assert evaluate(said, Facts(begins)).refusal("query") == "policy_not_permitted"
