"""Versions that offers and agreements pin: kept, and written for editions."""

from __future__ import annotations

import pytest
from ckan.plugins import toolkit as tk
from licensing_scene import Scene, act
from offers_scene import dataset, lake_version, offer

pytestmark = pytest.mark.usefixtures("empty")


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_versions_that_an_offer_pins_are_kept_as_long_as_anybody_holds_them(scene):
    of = dataset(scene, "click")
    lake_version(of, 4)
    offer(scene, of, "click", pinned_versions={"t": [3, 1, 3]})
    # Before the first agreement begins as well: what is offered must be there.
    assert act("hanoiic_pins_list", scene.harvester) == {"t": [1, 3]}
    agreement = act("hanoiic_agreement_accept", scene.founder, dataset=of["id"])
    assert agreement["pinned_versions"] == {"t": [1, 3]}
    offer(scene, of, "click", pinned_versions={"t": [4]})
    assert act("hanoiic_pins_list", scene.harvester) == {"t": [1, 3, 4]}
    act("hanoiic_agreement_revoke", scene.officer, id=agreement["id"], reason="Hết")
    assert act("hanoiic_pins_list", scene.harvester) == {"t": [4]}
    act("hanoiic_offer_withdraw", scene.officer, dataset=of["id"], reason="Hết")
    assert act("hanoiic_pins_list", scene.harvester) == {}


def test_a_masked_edition_is_wanted_for_the_pinned_versions_too(scene):
    of = dataset(scene, "open")
    lake_version(of, 4)
    offer(scene, of, "open", columns=["mã"], pinned_versions={"t": [2]})
    (wanted,) = act("hanoiic_edition_list", scene.harvester)
    assert wanted["pinned_versions"] == [2]


@pytest.mark.parametrize(
    ("pins", "problem"),
    [
        ({"t": [5]}, "pinned_version"),
        ({"t": [0]}, "pinned_version"),
        ({"t": ["1"]}, "pinned_list"),
        ({"t": 1}, "pinned_list"),
        ({"other": [1]}, "pinned_table"),
    ],
)
def test_pins_that_the_catalogue_does_not_know_are_refused(scene, pins, problem):
    of = dataset(scene, "click")
    lake_version(of, 4)
    with pytest.raises(tk.ValidationError) as refused:
        offer(scene, of, "click", pinned_versions=pins)
    assert refused.value.error_dict["problem"] == [problem]
    assert refused.value.error_dict["field"] == ["pinned_versions"]
    assert refused.value.error_dict["message"][0]
