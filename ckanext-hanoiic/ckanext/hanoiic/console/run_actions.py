"""Actions on runs."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from ckan import model
from ckan.plugins import toolkit as tk
from ckan.plugins.toolkit import _
from ckan.types import Context
from werkzeug.datastructures import FileStorage

from . import claims, hold_model, notices, rejected_store, report, runs, states
from .auth import is_harvester, officer_organisations, run_of, source_of
from .errors import ConsoleError, RunFinished, RunOpen, UploadTooLarge
from .model import WITHOUT_REPORT, Run, Source, now
from .paging import page
from .refusals import refused
from .report import cut
from .source_fields import TABLE_NAME, TABLE_NAME_RULE
from .states import DELETED, FINISHED, HELD, REQUESTED, RUNNING, TRIGGERS

CLAIM_MOST = 50
# Reported lists, and how what is said joins what is kept.
MERGES: dict[str, Callable[[list[dict[str, Any]], Any], list[dict[str, Any]]]] = {
    "stages": report.merge_stages,
    "tables": report.merge_tables,
    "datasets": report.merge_datasets,
    "rejected": report.merge_rejected,
}


@tk.side_effect_free
def hanoiic_run_show(context: Context, data_dict: dict[str, Any]) -> dict[str, Any]:
    """A run with its whole report.

    :param id: the run's id
    :returns: ``id``, ``source_id``, ``state``, ``trigger``, ``requested_by``, ``requested_at``,
        ``started_at``, ``finished_at``, ``updated_at``, ``stages``, ``tables``, ``datasets``,
        ``rejected`` (the first 100), ``error``, ``worker``, ``lease_until`` and ``losses``
    """
    tk.check_access("hanoiic_run_show", context, data_dict)
    return run_of(data_dict).as_dict()


@tk.side_effect_free
def hanoiic_run_list(context: Context, data_dict: dict[str, Any]) -> list[dict[str, Any]]:
    """Runs of a source, or of all sources that the caller manages; the newest first.

    :param source_id: id or name of a source (optional)
    :param state: only in this state (optional)
    :param limit: at most so many, 1000 at most (optional, default 100)
    :param offset: leave out so many first (optional)
    :returns: list of summaries: ``id``, ``source_id``, ``state``, ``trigger``, the three times,
        ``row_count``, ``rejected_count``, ``error``
    """
    tk.check_access("hanoiic_run_list", context, data_dict)
    query = model.Session.query(Run).options(*WITHOUT_REPORT)
    if data_dict.get("source_id"):
        query = query.filter(Run.source_id == source_of(data_dict, "source_id").id)
    elif not (is_harvester(context) or context.get("ignore_auth")):
        mine = [organisation["id"] for organisation in officer_organisations(context["user"])]
        query = query.join(Source).filter(Source.owner_org.in_(mine))
    if data_dict.get("state"):
        query = query.filter(Run.state == data_dict["state"])
    query = query.order_by(Run.requested_at.desc(), Run.id)
    return [run.summary() for run in page(query, data_dict)]


def hanoiic_run_create(context: Context, data_dict: dict[str, Any]) -> dict[str, Any]:
    """Make a run of a source; the harvest worker only.

    A run made ``running`` belongs to its maker and is not handed out before its lease ends. With an
    ``id`` of the caller's own the call may be repeated: the second one returns the first one's run.

    :param source_id: id or name of the source
    :param id: the run's id (optional)
    :param trigger: ``manual``, ``schedule`` or ``retry`` (optional, default ``retry``)
    :param state: ``requested`` or ``running`` (optional, default ``requested``)
    :param worker: name of the worker (optional)
    :returns: the run, as ``hanoiic_run_show``
    :raises ValidationError: ``run_open`` when the source has an unfinished run; ``run_id`` names it
    """
    tk.check_access("hanoiic_run_create", context, data_dict)
    source = source_of(data_dict, "source_id").lock()
    if source.state == DELETED:
        raise tk.ObjectNotFound(_("Source not found"))
    choices = {"trigger": (TRIGGERS, "retry"), "state": ((REQUESTED, RUNNING), REQUESTED)}
    chosen = {}
    for key, (allowed, default) in choices.items():
        chosen[key] = data_dict.get(key) or default
        if chosen[key] not in allowed:
            message = _("Must be one of: {choices}").format(choices=", ".join(allowed))
            raise tk.ValidationError({key: [message]})
    known = model.Session.get(Run, str(data_dict["id"])) if data_dict.get("id") else None
    if known and known.source_id == source.id:
        return known.as_dict()
    unfinished = source.open_run()
    if unfinished:
        error = RunOpen(f"The source has a run that is {unfinished.state}.")
        raise refused(error, run_id=unfinished.id)
    run = Run(source_id=source.id, **chosen, worker=cut(data_dict.get("worker")))
    if data_dict.get("id"):
        run.id = cut(str(data_dict["id"]), 100)
    if run.state == RUNNING:
        run.started_at = now()
        run.lease_until = claims.lease_end(run.started_at)
    model.Session.add(run)
    model.Session.commit()
    return run.as_dict()


def hanoiic_run_update(context: Context, data_dict: dict[str, Any]) -> dict[str, Any]:
    """Report on a run; the harvest worker only. Every report renews the run's lease.

    Sending the same report twice changes nothing. ``stages`` and ``tables`` join what is kept by
    ``stage`` and ``table``, ``rejected`` by its whole content (the first 100 stay); long texts are
    cut.

    :param id: the run's id
    :param state: ``running``, ``published``, ``unchanged``, ``held``, ``refused`` or ``failed``
        (optional)
    :param started_at: ISO 8601 (optional, default the first report that it runs)
    :param finished_at: ISO 8601 (optional, default the report of its end)
    :param stages: list of stages (optional)
    :param tables: list of tables (optional)
    :param datasets: list of what became of the datasets of a catalogue (optional)
    :param holds: with the end of the run: list of what an officer must see (optional)
    :param rejected: list of rejected values (optional)
    :param error: ``{"code", "detail"}`` or null (optional)
    :returns: the run, as ``hanoiic_run_show``
    :raises ValidationError: ``run_finished`` when the run has ended otherwise, for instance because
        its source was deleted: stop working on it; ``run_state_conflict`` for any other wrong state
    """
    tk.check_access("hanoiic_run_update", context, data_dict)
    run = run_of(data_dict)
    if data_dict.get("state") in FINISHED:
        # Before the run, as everywhere: what ends a run may make the source's next one.
        run.source.lock()
    model.Session.refresh(run, with_for_update={"of": Run})
    if run.state in FINISHED and data_dict.get("state") == run.state:
        return run.as_dict()
    # A report without a state says that the run goes on.
    state = str(data_dict.get("state") or (REQUESTED if run.state == REQUESTED else RUNNING))
    try:
        states.move(run.state, state)
    except ConsoleError as error:
        raise refused(error, state=run.state) from error
    values = reported(run, data_dict)
    found = values.pop("holds", [])
    for key, value in values.items():
        setattr(run, key, value)
    moment = now()
    holds: list[hold_model.Hold] = []
    if state in FINISHED:
        run.finish(state)
        holds = settle(run, found)
        claims.reschedule(run, moment)
    else:
        run.state = state
        run.lease_until = claims.lease_end(moment)
    if state == RUNNING:
        run.started_at = run.started_at or moment
    model.Session.commit()
    notices.after_run(run, holds)
    return run.as_dict()


def settle(run: Run, found: list[dict[str, Any]]) -> list[hold_model.Hold]:
    """Keep what a run that ended holds back, and forget what it found no more; what it holds."""
    source = run.source
    holds = hold_model.keep(source, run.id, found)
    held = {hold.table for hold in holds}
    passed = {table["table"] for table in run.tables} - held
    went_through = run.state in ("published", "unchanged")
    hold_model.settle(source, run.id, passed, complete=went_through and not holds)
    model.Session.flush()
    if run.state == HELD:
        runs.release_what_was_approved_meanwhile(source, run, holds)
    return holds


def reported(run: Run, data: dict[str, Any]) -> dict[str, Any]:
    """The checked values of a report; raises ValidationError with one complaint a field."""
    readers: dict[str, Callable[[Any], Any]] = {
        "error": report.error,
        "started_at": report.moment,
        "finished_at": report.moment,
        "holds": report.holds,
        **{key: lambda said, key=key: MERGES[key](getattr(run, key), said) for key in MERGES},
    }
    unknown = sorted(set(data) - set(readers) - {"id", "state", "worker"})
    errors: dict[str, Any] = {}
    if unknown:
        known = ", ".join(sorted([*readers, "state"]))
        message = _("Unknown: {unknown}. Known: {known}")
        errors["message"] = [message.format(unknown=", ".join(unknown), known=known)]
    values = {}
    for key in readers.keys() & data.keys():
        try:
            values[key] = readers[key](data[key])
        except tk.Invalid as error:
            errors[key] = [error.error]
    if errors:
        raise tk.ValidationError(errors)
    return values


def hanoiic_run_claim(context: Context, data_dict: dict[str, Any]) -> list[dict[str, Any]]:
    """Take runs to harvest: requested ones, due ones and those that a lost worker left.

    No two calls get the same run. A claimed run keeps its state until it is reported on; a run
    without a report for ``hanoiic.run_lease_minutes`` is handed out again.

    :param worker: name of the worker, kept with the run
    :param limit: at most so many, 50 at most (optional, default 10)
    :returns: list of runs, each as ``hanoiic_run_show`` with its ``source``
    """
    tk.check_access("hanoiic_run_claim", context, data_dict)
    limit = data_dict.get("limit", 10)
    if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= CLAIM_MOST:
        message = _("Must be a whole number from {least} to {most}")
        raise tk.ValidationError({"limit": [message.format(least=1, most=CLAIM_MOST)]})
    worker = cut(str(data_dict.get("worker") or "harvest"), 100)
    taken = claims.claim(worker, limit, now())
    decided = hold_model.decisions([run.source_id for run in taken])
    claimed = [
        {
            **run.as_dict(),
            "source": {**run.source.as_dict(), "decisions": decided.get(run.source_id, [])},
        }
        for run in taken
    ]
    model.Session.commit()
    return claimed


def hanoiic_rejected_put(context: Context, data_dict: dict[str, Any]) -> None:
    """Keep all rejected rows of a table for the run's officers; the harvest worker only.

    :param run_id: id of a run that is not finished
    :param table: name of the lake table
    :param upload: gzipped JSON lines of ``table``, ``row``, ``column``, ``value``,
        ``reason_code`` and ``reason``; it replaces the file of an attempt before
    """
    tk.check_access("hanoiic_rejected_put", context, data_dict)
    run = run_of({"id": tk.get_or_bust(data_dict, "run_id")})
    table, file = str(tk.get_or_bust(data_dict, "table")), data_dict.get("upload")
    if not re.fullmatch(TABLE_NAME, table):
        raise tk.ValidationError({"table": [_(TABLE_NAME_RULE)]})
    if not isinstance(file, FileStorage):
        raise tk.ValidationError({"upload": [_("Choose a file")]})
    if run.state in FINISHED:
        raise refused(RunFinished(f"The run has ended ({run.state})."), state=run.state)
    try:
        rejected_store.put(run.id, table, file.stream)
    except UploadTooLarge as error:
        raise refused(error) from error
    rejected_store.forget_old()


RUN_ACTIONS = {
    action.__name__: action
    for action in (
        hanoiic_run_show,
        hanoiic_run_list,
        hanoiic_run_create,
        hanoiic_run_update,
        hanoiic_run_claim,
        hanoiic_rejected_put,
    )
}
