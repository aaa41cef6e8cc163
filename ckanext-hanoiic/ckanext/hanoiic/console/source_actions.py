"""Actions on sources."""

from __future__ import annotations

from typing import Any

from ckan import model
from ckan.plugins import toolkit as tk
from ckan.plugins.toolkit import _
from ckan.types import Context

from . import claims, schedule
from .auth import is_harvester, officer_organisations, source_of
from .errors import SOURCE_DELETED, SourceChanged
from .hold_model import decisions
from .model import Run, Source, conflicts, last_runs, now
from .paging import page
from .refusals import refused
from .runs import open_the_door, request_run
from .source_values import flush_unique, validated
from .states import DELETED, HEALTH, OPEN, SOURCE_STATES
from .upload_model import attach


def dictize(source: Source, last_run: Run | None) -> dict[str, Any]:
    organisation = model.Group.get(source.owner_org)
    shown = {key: getattr(organisation, key, "") for key in ("id", "name", "title")}
    return {
        **source.as_dict(),
        "organization": shown,
        "last_run": last_run.summary() if last_run else None,
        "health": HEALTH[last_run.state if last_run else None],
    }


def dictize_one(source: Source) -> dict[str, Any]:
    return {
        **dictize(source, last_runs([source.id]).get(source.id)),
        "decisions": decisions([source.id]).get(source.id, []),
        "conflicts": conflicts(source.id),
        "every_nth": claims.every_nth(source),
        "revision": source.revision,
    }


def reschedule(source: Source) -> None:
    """Count the next due time from now: a new, changed or resumed schedule has no arrears."""
    active = source.state == "active"
    source.next_due_at = schedule.next_due(source.schedule, now()) if active else None


def hanoiic_source_create(context: Context, data_dict: dict[str, Any]) -> dict[str, Any]:
    """Register a source of a department.

    The harvest worker's user becomes an editor of the organisation and a member of the dataset's
    topics. Nothing is harvested yet: the schedule or ``hanoiic_source_run`` does that.

    :param name: slug, unique among the sources that are not deleted
    :param title: what officers call it
    :param owner_org: id or name of the owning organisation
    :param kind: a kind of the table of kinds, such as ``csv``, ``excel`` or ``ckan``
    :param url: http or https address without credentials, or ``upload:<id>``
    :param schedule: cron expression of five fields, UTC; empty: never by itself (optional)
    :param state: ``active`` or ``paused``: its schedule rests (optional)
    :param options: JSON object or its text: what is pinned instead of found out (optional)
    :param dataset: JSON object or its text: fields of the dataset to register, and ``table``, the
        lake name or its prefix; default ``<organisation>_<name>`` (optional)
    :returns: the source, as ``hanoiic_source_show``
    :raises ValidationError: one complaint a field; a key inside an object is ``dataset.table``;
        ``code`` is ``licence_missing`` for a dataset of the tier ``open`` without ``license_id``,
        which only a catalogue may leave to its datasets
    """
    tk.check_access("hanoiic_source_create", context, data_dict)
    values = validated(data_dict)
    user = context.get("auth_user_obj") or model.User.get(context.get("user"))
    source = Source(**values, created_by=user.id if user else None)
    reschedule(source)
    open_the_door(source)
    model.Session.add(source)
    flush_unique()
    attach(source)
    model.Session.commit()
    return dictize_one(source)


@tk.side_effect_free
def hanoiic_source_show(context: Context, data_dict: dict[str, Any]) -> dict[str, Any]:
    """A source with its organisation, its last run and its health.

    :param id: id or name; a deleted source is found by its id only, its ``state`` is ``deleted``
    :returns: the fields of ``hanoiic_source_create`` and ``id``, ``created_by``, ``created_at``,
        ``updated_at``, ``next_due_at``, ``organization``, ``last_run`` (summary or null),
        ``health`` (``never_run``, ``in_progress``, ``healthy``, ``held``, ``refused``, ``failed``),
        ``decisions`` on held versions (``kind``, ``table``, ``fingerprint``, ``decision``) and
        ``conflicts``: the sources whose last run wanted a table or dataset of this one;
        ``every_nth``: at every how many times of its schedule it is asked, since nothing changed;
        ``revision``: says whether it was changed meanwhile, see ``hanoiic_source_update``
    """
    tk.check_access("hanoiic_source_show", context, data_dict)
    return dictize_one(source_of(data_dict))


@tk.side_effect_free
def hanoiic_source_list(context: Context, data_dict: dict[str, Any]) -> list[dict[str, Any]]:
    """The sources that the caller manages, by title; the harvest worker sees all.

    :param owner_org: only of this organisation, id or name (optional)
    :param kind: only of this kind (optional)
    :param state: only in this state (optional); deleted ones only when asked for
    :param limit: at most so many, 1000 at most (optional, default 100)
    :param offset: leave out so many first (optional)
    :returns: list of sources, each as ``hanoiic_source_show`` without ``decisions`` and
        ``conflicts``
    """
    tk.check_access("hanoiic_source_list", context, data_dict)
    query = model.Session.query(Source)
    if not (is_harvester(context) or context.get("ignore_auth")):
        mine = [organisation["id"] for organisation in officer_organisations(context["user"])]
        query = query.filter(Source.owner_org.in_(mine))
    if data_dict.get("owner_org"):
        organisation = model.Group.get(data_dict["owner_org"])
        query = query.filter(Source.owner_org == (organisation.id if organisation else None))
    if data_dict.get("kind"):
        query = query.filter(Source.kind == data_dict["kind"])
    wanted = [data_dict["state"]] if data_dict.get("state") else SOURCE_STATES
    query = query.filter(Source.state.in_(wanted)).order_by(Source.title, Source.id)
    sources = page(query, data_dict).all()
    runs = last_runs([source.id for source in sources])
    return [dictize(source, runs.get(source.id)) for source in sources]


def hanoiic_source_update(context: Context, data_dict: dict[str, Any]) -> dict[str, Any]:
    """Change a source; what is not said stays as it is.

    :param id: id or name
    :param revision: of the source as the caller saw it (optional)
    :param others: the fields of ``hanoiic_source_create``; ``options`` and ``dataset`` are replaced
        whole
    :returns: the source, as ``hanoiic_source_show``
    :raises ValidationError: one complaint a field, as ``hanoiic_source_create``; a licence is asked
        for when ``dataset`` is said; ``source_changed`` when it has another ``revision`` by now
    """
    tk.check_access("hanoiic_source_update", context, data_dict)
    source = source_of(data_dict).lock()
    if source.state == DELETED:
        raise tk.ObjectNotFound("Source not found")
    if data_dict.get("revision") not in (None, "", source.revision):
        raise refused(SourceChanged(_("The source was changed meanwhile: open it again.")))
    values = validated(data_dict, source)
    timing = (source.schedule, source.state)
    for key, value in values.items():
        setattr(source, key, value)
    if timing != (source.schedule, source.state):
        reschedule(source)
    open_the_door(source)
    flush_unique()
    attach(source)
    model.Session.commit()
    return dictize_one(source)


def hanoiic_source_delete(context: Context, data_dict: dict[str, Any]) -> None:
    """Delete a source softly: it is no longer harvested, its runs and its datasets stay.

    A run that is not finished fails with ``source_deleted``. Its name is free again, and its tables
    are for other sources of the organisation.

    :param id: id or name
    """
    tk.check_access("hanoiic_source_delete", context, data_dict)
    source = source_of(data_dict).lock()
    run = source.open_run()
    if run:
        model.Session.refresh(run, with_for_update={"of": Run})
    if run and run.state in OPEN:
        detail = "The source was deleted before the run ended."
        run.finish("failed", {"code": SOURCE_DELETED, "detail": detail})
    source.state = DELETED
    source.next_due_at = None
    model.Session.commit()


def hanoiic_source_run(context: Context, data_dict: dict[str, Any]) -> dict[str, Any]:
    """Ask for a harvest of a source now, paused or not.

    A source has one unfinished run at most: where there is one, no other is made and that one is
    returned.

    :param id: id or name
    :returns: the run, as ``hanoiic_run_show``, and ``created``: whether it is a new one
    """
    tk.check_access("hanoiic_source_run", context, data_dict)
    source = source_of(data_dict).lock()
    if source.state == DELETED:
        raise tk.ObjectNotFound("Source not found")
    created = source.open_run() is None
    user = context.get("auth_user_obj") or model.User.get(context.get("user"))
    run = request_run(source, "manual", user.id if user else None)
    model.Session.commit()
    return {**run.as_dict(), "created": created}


SOURCE_ACTIONS = {
    action.__name__: action
    for action in (
        hanoiic_source_create,
        hanoiic_source_show,
        hanoiic_source_list,
        hanoiic_source_update,
        hanoiic_source_delete,
        hanoiic_source_run,
    )
}
