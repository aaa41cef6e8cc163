"""A lake table belongs to one source: the form says so, and the harvester asks before it writes."""

from __future__ import annotations

import threading

import pytest
from ckan import model
from ckan.plugins import toolkit as tk
from ckan.tests import factories
from ckan.tests.helpers import call_action
from ckanext.hanoiic.console import tables
from ckanext.hanoiic.console.errors import TableTaken
from ckanext.hanoiic.console.model import Reservation, Source

HARVESTER = "hanoiic-harvester"


@pytest.fixture
def departments(stage, clean_db):
    factories.User(name=HARVESTER)
    return [factories.Organization(name=name) for name in ("so-giao-thong", "so-y-te")]


@pytest.fixture
def create(departments):
    numbers = iter(range(100))

    def create(owner, table, kind="csv"):
        return call_action(
            "hanoiic_source_create",
            name=f"nguon-{next(numbers)}",
            title="Nguồn",
            owner_org=departments[owner]["id"],
            kind=kind,
            url="https://example.vn/x",
            dataset={"table": table},
        )

    return create


def reserve(source, *names, identifier="d"):
    context = {"user": HARVESTER, "ignore_auth": False}
    return call_action(
        "hanoiic_tables_reserve", context,
        source_id=source["id"], identifier=identifier, tables=list(names),
    )  # fmt: skip


def refused(source, *names, **more):
    """The table for which a reservation is refused."""
    with pytest.raises(tk.ValidationError) as error:
        reserve(source, *names, **more)
    assert error.value.error_dict["code"] == ["table_taken"]
    return error.value.error_dict["table"][0]


def register(source, table, identifier="d", **more):
    return factories.Dataset(
        owner_org=source["owner_org"],
        harvest_source=source["id"],
        harvest_identifier=identifier,
        resources=[{"url": "http://gateway.test/t.csv", "lake_table": table}],
        **more,
    )


def may_not_be_created(create, *what):
    with pytest.raises(tk.ValidationError) as error:
        create(*what)
    assert list(error.value.error_dict) == ["dataset.table"]


def test_a_table_is_reserved_once_and_again_for_the_same_source_only(create):
    bus, health = create(0, "bus", "gtfs"), create(1, "beds")
    assert reserve(bus, "bus_stops", "bus_trips") == {"tables": ["bus_stops", "bus_trips"]}
    reserve(bus, "bus_stops")
    assert refused(health, "beds", "bus_stops") == "bus_stops"
    # All or none.
    assert {row.table for row in model.Session.query(Reservation)} == {"bus_stops", "bus_trips"}


def test_the_source_that_has_the_table_is_named_and_shows_the_other_one(create):
    bus, health = create(0, "bus", "gtfs"), create(1, "beds")
    reserve(bus, "bus_stops")
    with pytest.raises(tk.ValidationError) as error:
        reserve(health, "bus_stops")
    assert error.value.error_dict["source_id"] == [bus["id"]]
    user = {"user": HARVESTER, "ignore_auth": False}
    run = call_action("hanoiic_run_create", dict(user), source_id=health["id"])
    problem = {"code": "table_taken", "detail": "taken", "source_id": bus["id"]}
    # A catalogue says it of one of its datasets, and goes on with the others.
    part = {"identifier": "d", "dataset": "d", "state": "refused", "error": problem}
    call_action("hanoiic_run_update", dict(user), id=run["id"], state="published", datasets=[part])
    (conflict,) = call_action("hanoiic_source_show", id=bus["id"])["conflicts"]
    assert (conflict["source_id"], conflict["code"]) == (health["id"], "table_taken")


def test_a_table_stays_its_organisations_after_source_and_dataset_are_gone(create):
    first = create(0, "bus_stops")
    reserve(first, "bus_stops")
    dataset = register(first, "bus_stops")
    call_action("hanoiic_source_delete", id=first["id"])
    call_action("package_delete", id=dataset["id"])
    may_not_be_created(create, 1, "bus_stops")
    stranger = create(1, "beds")
    assert refused(stranger, "bus_stops") == "bus_stops"
    heir = create(0, "bus_stops")
    reserve(heir, "bus_stops")


def test_a_source_that_is_registered_anew_goes_on_with_its_dataset(create):
    first = create(0, "bus_stops")
    reserve(first, "bus_stops")
    dataset = register(first, "bus_stops")
    call_action("hanoiic_source_delete", id=first["id"])
    heir = create(0, "bus_stops")
    reserve(heir, "bus_stops", identifier="new")
    known = call_action("package_show", id=dataset["id"])
    assert (known["harvest_source"], known["harvest_identifier"]) == (heir["id"], "new")
    assert known["resources"][0]["lake_table"] == "bus_stops"
    found = call_action("package_search", fq=f'harvest_source:"{heir["id"]}"')
    assert [one["id"] for one in found["results"]] == [dataset["id"]]
    reserve(heir, "bus_stops", identifier="new")


def test_a_source_that_has_its_dataset_inherits_none(create):
    first, second = create(0, "bus_stops"), create(0, "bus_lines")
    for source, table in ((first, "bus_stops"), (second, "bus_lines")):
        reserve(source, table)
        register(source, table)
    call_action("hanoiic_source_delete", id=first["id"])
    assert refused(second, "bus_stops") == "bus_stops"


def test_a_table_whose_resource_was_taken_out_of_its_dataset_is_not_free(create):
    first = create(0, "bus_stops")
    reserve(first, "bus_stops")
    dataset = register(first, "bus_stops")
    call_action("package_patch", id=dataset["id"], resources=[])
    assert refused(create(1, "beds"), "bus_stops") == "bus_stops"


def test_what_was_registered_without_a_reservation_counts_too(create):
    first = create(0, "bus_stops")
    register(first, "bus_stops", "stops")
    stranger = create(1, "beds")
    assert refused(stranger, "bus_stops") == "bus_stops"
    assert refused(create(0, "bus_routes"), "bus_stops") == "bus_stops"
    # Nor may two datasets of a catalogue come to one name.
    assert refused(first, "bus_stops", identifier="routes") == "bus_stops"
    reserve(first, "bus_stops", identifier="stops")
    assert model.Session.get(Reservation, "bus_stops").organization_id == first["owner_org"]


def test_a_stranger_cannot_make_a_dataset_of_others_look_like_its_own(create):
    first, stranger = create(0, "bus_stops"), create(1, "beds")
    # The victim's dataset names the stranger's source, by whatever trick.
    owner = first["owner_org"]
    register({**stranger, "owner_org": owner}, "bus_stops")
    assert refused(stranger, "bus_stops") == "bus_stops"


def test_a_source_that_moves_takes_its_tables_along(create, departments):
    bus = create(0, "bus_stops")
    reserve(bus, "bus_stops")
    register(bus, "bus_stops")
    call_action("hanoiic_source_update", id=bus["id"], owner_org=departments[1]["id"])
    for _ in range(2):
        reserve(bus, "bus_stops")
    assert model.Session.get(Reservation, "bus_stops").organization_id == departments[1]["id"]


def test_a_living_source_keeps_the_tables_it_fills_and_gives_up_others(create):
    bus, heir = create(0, "bus", "gtfs"), create(0, "stops")
    reserve(bus, "bus_stops")
    assert refused(heir, "bus_stops") == "bus_stops"
    call_action("hanoiic_source_update", id=bus["id"], dataset={"table": "tram"})
    reserve(heir, "bus_stops")


@pytest.mark.parametrize(
    ("there", "wanted"),
    [
        (("bus", "gtfs"), ("bus_stops", "csv")),
        (("bus_stops", "csv"), ("bus", "gtfs")),
        (("bus", "gtfs"), ("bus_night", "ckan")),
        (("bus_stops", "csv"), ("bus_stops", "csv")),
    ],
)
def test_the_form_refuses_a_table_or_prefix_of_another_department(create, there, wanted):
    create(0, *there)
    may_not_be_created(create, 1, *wanted)
    other = create(1, "beds")
    change = {"dataset": {"table": wanted[0]}, "kind": wanted[1]}
    with pytest.raises(tk.ValidationError):
        call_action("hanoiic_source_update", id=other["id"], **change)
    # No wildcard, and no more than whole words.
    create(1, "busy", "gtfs")
    create(1, "buses")


def test_the_form_refuses_a_prefix_of_registered_tables(create):
    first = create(0, "bus_stops")
    register(first, "bus_stops")
    call_action("hanoiic_source_delete", id=first["id"])
    may_not_be_created(create, 1, "bus", "gtfs")
    may_not_be_created(create, 1, "bus_stops")


def test_of_two_sources_at_the_same_moment_one_gets_the_table(create):
    ids = [create(owner, f"t{owner}")["id"] for owner in (0, 1)]
    both, outcomes = threading.Barrier(2), []

    def ask(source_id):
        source = model.Session.get(Source, source_id)
        both.wait(10)
        try:
            tables.reserve(source, "d", ["bus_a", "bus_b"])
            model.Session.commit()
            outcomes.append("kept")
        except TableTaken:
            model.Session.rollback()
            outcomes.append("refused")
        finally:
            model.Session.remove()

    threads = [threading.Thread(target=ask, args=[one]) for one in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(outcomes) == ["kept", "refused"]
    owners = {row.source_id for row in model.Session.query(Reservation)}
    assert len(owners) == 1


@pytest.mark.parametrize("names", [None, "bus", ["../bus"], ["Bus"], [1], ["a"] * 2001])
def test_only_names_of_tables_are_reserved(create, names):
    source = create(0, "bus")
    with pytest.raises(tk.ValidationError) as error:
        call_action("hanoiic_tables_reserve", source_id=source["id"], identifier="d", tables=names)
    assert list(error.value.error_dict) == ["tables"]
