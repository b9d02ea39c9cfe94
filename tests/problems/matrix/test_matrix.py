"""Every failure, over WSGI and ASGI, is one strict problem document."""

import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn
from uuid import UUID

import pytest
from django.db import transaction
from rest_framework.exceptions import APIException
from rest_framework.views import exception_handler as drf_handler

from drf_apikit.testing import assert_problem
from tests.app.models import Author
from tests.problems.matrix.planted import KINDS, MARK, PLANTED
from tests.problems.matrix.scenarios import BY_NAME, SCENARIOS, Scenario
from tests.problems.matrix.wire import PROTOCOLS, Answer, Call

if TYPE_CHECKING:
    from pytest_django import Settings

pytestmark = pytest.mark.django_db

Send = Callable[[Call], Answer]


def test_the_matrix_is_as_large_as_promised() -> None:
    assert len(SCENARIOS) >= 60
    assert len(BY_NAME) == len(SCENARIOS)


@pytest.mark.compliance("RFC 9457", "3.1")
@pytest.mark.parametrize("name", BY_NAME)
def test_a_failure_is_a_strict_document(
    name: str, send: Send, settings: "Settings"
) -> None:
    scenario = BY_NAME[name]
    for setting, value in scenario.settings.items():
        setattr(settings, setting, value)
    answer = send(scenario.call)
    document = assert_problem(
        answer, scenario.status, scenario.slug, **scenario.members
    )
    assert_strict(answer, document)
    for header, value in scenario.headers.items():
        assert answer.headers[header] == value
    if scenario.errors is not None:
        found = [(error.get("pointer"), error["code"]) for error in document["errors"]]
        assert found == scenario.errors
        assert document["errors_total"] == len(found)


@pytest.mark.compliance("RFC 9457", "3.1.5")
def test_each_occurrence_has_an_id_of_its_own(send: Send) -> None:
    call = Call("/nowhere")
    instances = [json.loads(send(call).content)["instance"] for _ in range(20)]
    assert len(set(instances)) == 20


@pytest.mark.parametrize("kind", PROTOCOLS)
def test_no_secret_leaks(kind: str, settings: "Settings") -> None:
    leaks = {
        scenario.name: answer
        for scenario in SCENARIOS
        if MARK in text_of(answer := sent(scenario, PROTOCOLS[kind], settings))
    }
    assert leaks == {}
    assert len(KINDS) >= 30
    assert PLANTED == KINDS


def test_with_less_care_they_do_leak(settings: "Settings") -> None:
    """The proof that the test above can fail."""
    settings.REST_FRAMEWORK = {
        **settings.REST_FRAMEWORK,
        "EXCEPTION_HANDLER": careless,
    }
    leaking = {
        scenario.name
        for scenario in SCENARIOS
        if MARK in text_of(sent(scenario, PROTOCOLS["wsgi"], settings))
    }
    assert {"http404", "permission-denied", "restricted", "sql"} <= leaking


@pytest.mark.usefixtures("atomic_requests")
@pytest.mark.parametrize(
    "name", [each.name for each in SCENARIOS if each.call.target.startswith("/raise/")]
)
def test_a_failed_request_leaves_no_row(
    name: str, send: Send, settings: "Settings"
) -> None:
    with transaction.atomic():
        answer = sent(BY_NAME[name], send, settings)
    assert answer.status_code == BY_NAME[name].status
    assert not Author.objects.exists()


def test_without_atomic_requests_the_row_stays(send: Send) -> None:
    send(Call("/raise/not-found"))
    assert Author.objects.count() == 1


def sent(scenario: Scenario, send: Send, settings: "Settings") -> Answer:
    before = {name: getattr(settings, name) for name in scenario.settings}
    for name, value in scenario.settings.items():
        setattr(settings, name, value)
    try:
        # What a statement breaks on the way is mended.
        with transaction.atomic():
            return send(scenario.call)
    finally:
        for name, value in before.items():
            setattr(settings, name, value)


def careless(error: Exception, context: dict[str, Any]) -> Any:
    """Show the text of whatever was raised."""
    return drf_handler(APIException(str(error)), context)


def assert_strict(answer: Answer, document: dict[str, Any]) -> None:
    text = answer.content.decode("utf-8")
    assert json.loads(text, parse_constant=refuse, object_pairs_hook=once) == document
    json.dumps(document, ensure_ascii=False).encode("utf-8")
    assert set(document) >= {"type", "title", "status", "detail", "instance"}
    assert document["type"] == "about:blank" or document["type"].startswith("/")
    scheme, _, value = document["instance"].rpartition(":")
    assert scheme == "urn:uuid"
    assert str(UUID(value)) == value
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Language"] in {"en", "de"}
    # A server adds it where Django has not.
    length = answer.headers.get("Content-Length", str(len(answer.content)))
    assert length == str(len(answer.content))
    assert all(re.fullmatch(r"[^\r\n\0]*", value) for value in answer.headers.values())
    assert not re.search(r"Traceback|File \"|\.py\b|<html|SELECT ", text)


def refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


def text_of(answer: Answer) -> str:
    return f"{dict(answer.headers)}{answer.content!r}".lower()
