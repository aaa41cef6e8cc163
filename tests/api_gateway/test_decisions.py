"""The memory of decisions, with a clock that the test moves."""

from __future__ import annotations

from dataclasses import replace

import pytest

from api_gateway.decisions import RENEWED_S, RESTING_S, Decisions
from api_gateway.errors import AccessDenied, DecisionUnavailable, SandboxMissing
from api_gateway.introspection import Decision, TableDecision, parse
from api_gateway.portal import Unreachable
from api_gateway.sandbox import Locks
from api_gateway.verdicts import require_locks, require_network
from tests.servers import wait_for

OPEN = TableDecision("permit", "open", "open", open_to=("describe", "query"))
CLICK = TableDecision("permit", tier="click")


class Scene:
    """A portal, an epoch and a clock in one."""

    def __init__(self):
        self.seconds, self.epoch, self.asked, self.refused = 1000.0, 1, 0, 0
        self.now = lambda: None
        self.portal_away = self.valkey_away = False
        self.exp = self.valid_until = None
        self.open = OPEN
        self.during_introspection = lambda: None
        self.decisions = Decisions(self, self, lambda: self.seconds, lambda: self.seconds)

    def read(self):
        if self.valkey_away:
            raise Unreachable
        return self.epoch

    def introspect(self, token, tables, action):
        if self.portal_away:
            self.refused += 1
            raise Unreachable
        self.asked += 1
        self.during_introspection()
        known = {"open": self.open, "click": replace(CLICK, valid_until=self.valid_until)}
        told = {name: known[name] for name in tables or known}
        return Decision(True, told, exp=self.exp, now=self.now())

    def decide(self, *tables, **caller):
        return self.decisions.decide(caller.get("token", "hic_x"), tables, "query")


@pytest.fixture
def scene():
    return Scene()


def test_an_answer_is_remembered_until_the_epoch_changes(scene):
    for _ in range(3):
        assert scene.decide("click").of("click").permitted
    assert scene.asked == 1
    scene.epoch = 2
    scene.decide("click")
    assert scene.asked == 2


def test_an_epoch_that_went_back_forgets_too(scene):
    scene.decide("click")
    scene.epoch = 0
    scene.decide("click")
    scene.epoch = 1
    scene.decide("click")
    assert scene.asked == 3


def test_a_decision_in_use_is_renewed_before_its_time_is_over(scene):
    scene.decide("click")
    scene.seconds += RENEWED_S[1]
    scene.decide("click")
    wait_for(lambda: scene.asked == 2 and not scene.decisions._renewing, "a renewal")
    # Eight seconds after the first answer, four after the second.
    scene.seconds, scene.portal_away = scene.seconds + 4, True
    assert scene.decide("click").of("click").permitted
    scene.seconds += 1.1
    with pytest.raises(DecisionUnavailable):
        scene.decide("click")


def test_answers_do_not_outlive_five_seconds_or_their_token(scene):
    scene.decide("click")
    scene.seconds += 5.1
    scene.decide("click")
    assert scene.asked == 2
    scene.epoch, scene.exp = 2, scene.seconds + 1
    scene.decide("click")
    scene.seconds += 1.1
    scene.decide("click")
    assert scene.asked == 4


def test_an_answer_does_not_outlive_its_agreement(scene):
    scene.valid_until = scene.seconds + 1
    scene.decide("click")
    scene.seconds += 0.9
    scene.decide("click")
    assert scene.asked == 1
    scene.seconds += 0.1
    scene.decide("click")
    assert scene.asked == 2


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("10.1.2.3", True),
        ("2001:db8::5", True),
        ("::ffff:10.1.2.3", True),
        ("10.2.0.1", False),
        ("::ffff:10.2.0.1", False),
        (None, False),
        ("x", False),
    ],
)
def test_a_token_serves_its_networks_only(address, allowed):
    decision = Decision(True, {}, networks=("10.1.0.0/16", "2001:db8::/32"))
    require_network(Decision(True, {}), address)
    if allowed:
        require_network(decision, address)
    else:
        with pytest.raises(AccessDenied, match="network"):
            require_network(decision, address)


def test_a_change_during_the_question_is_not_missed(scene):
    def change():
        scene.epoch = 2
        scene.decisions.epoch()

    scene.during_introspection = change
    scene.decide("click")
    scene.during_introspection = lambda: None
    scene.decide("click")
    assert scene.asked == 2


def test_callers_do_not_share_answers(scene):
    scene.decide("click", token="hic_a")
    scene.decide("click", token="hic_b")
    scene.decide("click", token=None)
    assert scene.asked == 3


def test_an_epoch_unread_for_five_seconds_leaves_open_tables_only(scene):
    scene.decide("click")
    scene.decide("open")
    scene.valkey_away = True
    scene.seconds += 4.9
    assert scene.decide("click").of("click").permitted
    scene.seconds += 0.2
    with pytest.raises(DecisionUnavailable):
        scene.decide("click")
    assert scene.decide("open").of("open").open
    assert scene.decisions.epoch() is None


CLOSED = TableDecision("deny", "licence_not_accepted", "click")


@pytest.mark.parametrize(
    "after", [CLOSED, replace(OPEN, edition="e1"), replace(OPEN, reason="owner", open_to=())]
)
def test_what_was_closed_is_not_served_while_the_portal_is_away(scene, after):
    scene.decide("open")
    # Whether or not this process has asked about it since.
    scene.open, scene.epoch = after, 2
    scene.decide("click")
    scene.portal_away = True
    with pytest.raises(DecisionUnavailable):
        scene.decide("open")
    scene.portal_away, scene.seconds = False, scene.seconds + RESTING_S
    scene.decisions.confirm_open()
    scene.portal_away = True
    with pytest.raises(DecisionUnavailable):
        scene.decide("open")


def test_what_stayed_open_is_served_while_the_portal_is_away(scene):
    scene.decide("open")
    scene.epoch = 2
    scene.decisions.confirm_open()
    asked = scene.asked
    scene.decisions.confirm_open()
    assert scene.asked == asked
    scene.portal_away = True
    assert scene.decide("open").of("open").open
    # What is open to query is not therefore open to download.
    with pytest.raises(DecisionUnavailable):
        scene.decisions.decide(None, ("open",), "download")
    assert scene.decisions.decide(None, ("open",), "describe").of("open").open


def test_an_open_table_is_not_served_beyond_its_end_while_the_portal_is_away(scene):
    scene.open = replace(OPEN, valid_until=scene.seconds + 60)
    scene.decide("open")
    scene.portal_away, scene.seconds = True, scene.seconds + 59
    assert scene.decide("open").of("open").open
    scene.seconds += 1
    with pytest.raises(DecisionUnavailable):
        scene.decide("open")


def test_a_portal_that_is_away_at_the_start_serves_nothing(scene):
    scene.portal_away = True
    with pytest.raises(DecisionUnavailable):
        scene.decide("open")


@pytest.mark.parametrize(
    "said",
    [{}, {"decision": None}, {"decision": "PERMIT"}, {"decision": "maybe"}, {"decision": True}],
)
def test_what_does_not_say_permit_is_no_permit(said):
    decision = parse({"active": True, "tables": {"t": said}}, asked_token=True)
    assert not decision.of("t").permitted
    assert not decision.of("other").permitted


def test_an_edition_is_not_open_to_anyone():
    assert OPEN.open
    assert not replace(OPEN, edition="e1").open
    # As its owner is told once the offer ended for everyone else.
    assert not replace(OPEN, reason="owner", open_to=()).open


@pytest.mark.parametrize("missing", ["landlock", "seccomp"])
def test_licensed_tables_need_every_lock(missing):
    locks = Locks(**{"landlock": True, "seccomp": True, "unprivileged": False, missing: False})
    decision = Decision(True, {"open": OPEN, "click": CLICK})
    require_locks(decision, ("open",), locks)
    with pytest.raises(SandboxMissing) as refusal:
        require_locks(decision, ("open", "click"), locks)
    assert refusal.value.facts == {"missing": [missing]}
    require_locks(decision, ("click",), Locks(True, True, False))


@pytest.mark.parametrize("skew_s", [-600, 600])
def test_a_right_ends_by_the_portals_clock_whatever_this_machines_says(scene, skew_s):
    """The gateway's clock is wrong by ten minutes; the portal's moves on as it should."""
    scene.now = lambda: scene.seconds - skew_s
    scene.valid_until = scene.now() + 2
    scene.decide("click")
    scene.seconds += 1.9
    scene.decide("click")
    assert scene.asked == 1
    scene.seconds += 0.2
    scene.decide("click")
    assert scene.asked == 2


def test_a_portal_that_does_not_answer_is_not_waited_for_by_every_request(scene):
    scene.decide("open")
    scene.seconds += 5.1
    scene.portal_away = True
    for _ in range(5):
        assert scene.decide("open").of("open").permitted
        with pytest.raises(DecisionUnavailable):
            scene.decide("click")
    assert scene.refused == 1
    scene.seconds += 2.1
    scene.decide("open")
    assert scene.refused == 2
    # Its return is told by the epoch, or found after a moment.
    scene.portal_away, scene.epoch = False, 2
    assert scene.decide("click").of("click").permitted
