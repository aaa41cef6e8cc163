"""The gateway's questions over HTTP: its own user alone is answered by the short way."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
import sqlalchemy as sa
from ckan import model
from ckan.tests.helpers import call_action
from ckanext.hanoiic.licensing import gateway_calls
from licensing_scene import Scene

INTROSPECT = "/api/3/action/hanoiic_introspect"


@pytest.fixture
def within(bare):
    """A request of nobody, to prepare something in: what is asked over HTTP stands outside."""
    return bare.flask_app.test_request_context


@pytest.fixture
def scene(bare, within, monkeypatch) -> Scene:
    monkeypatch.setattr(gateway_calls, "_known", None)
    with within():
        return Scene()


@pytest.fixture
def credential(scene, within) -> str:
    with within():
        return call_action("api_token_create", user=scene.gateway, name="gateway")["token"]


@pytest.fixture
def ask(bare):
    """Ask as the bearer of a credential; the answer and the number of SQL statements."""

    def asked(credential: str | None, **body):
        statements: list[str] = []

        def count(_connection, _cursor, statement, *_rest) -> None:
            statements.append(statement)

        headers = {"Authorization": credential} if credential else {}
        sa.event.listen(model.meta.engine, "before_cursor_execute", count)
        try:
            given = {"token": None, "tables": ["t"], "action": "query", **body}
            answer = bare.flask_app.test_client().post(INTROSPECT, json=given, headers=headers)
        finally:
            sa.event.remove(model.meta.engine, "before_cursor_execute", count)
        return answer, len(statements)

    return asked


def test_a_cold_decision_takes_three_statements(scene, credential, ask, within):
    with within():
        scene.dataset("click", "t")
        token = scene.token(scene.founder)
    ask(credential, token=token)
    answer, statements = ask(credential, token=token)
    assert answer.json["success"] is True
    told = answer.json["result"]["tables"]["t"]
    assert (told["decision"], told["reason"]) == ("deny", "licence_not_accepted")
    # Token with user and memberships, table with dataset and offer, agreements, requests.
    assert statements <= 4
    assert answer.headers["X-Request-Id"]


def test_what_is_wrong_is_told_as_by_ckan(scene, credential, ask):
    answer, _ = ask(credential, action="steal")
    assert (answer.status_code, answer.json["error"]["__type"]) == (409, "Validation Error")


def test_anyone_else_is_refused(scene, credential, ask, within):
    with within():
        scene.dataset("open", "t")
        sysadmin = call_action("api_token_create", user=scene.sysadmin, name="x")["token"]
    for other in (None, sysadmin, "nonsense", credential[:-2]):
        assert ask(other)[0].status_code == 403
    assert ask(credential)[0].status_code == 200
    for other in (None, sysadmin, "nonsense", credential[:-2]):
        assert ask(other)[0].status_code == 403


def test_a_revoked_credential_lives_on_for_seconds_at_most(
    scene, credential, ask, within, monkeypatch
):
    assert ask(credential)[0].status_code == 200
    with within():
        call_action("api_token_revoke", token=credential)
    known = gateway_calls._known
    assert known.until - time.monotonic() <= gateway_calls.KNOWN_S == 5
    monkeypatch.setattr(gateway_calls, "_known", replace(known, until=time.monotonic()))
    assert ask(credential)[0].status_code == 403
