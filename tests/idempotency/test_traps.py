"""What a view does to its transaction, and what its clients are told of it."""

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Final

import pytest
from django.core.cache import caches
from django.core.signals import got_request_exception
from django.db import IntegrityError, connection, transaction
from django.db.transaction import TransactionManagementError
from django.http import HttpResponseBase
from django.urls import path
from pytest_django import Settings
from rest_framework.exceptions import ValidationError
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from drf_apikit.idempotency import idempotent, replay_cache
from drf_apikit.models import IdempotencyRecord
from drf_apikit.signals import idempotency_executed
from drf_apikit.testing import assert_problem
from tests.app.models import Article, Document
from tests.counting import of_block, recorded
from tests.idempotency.calls import Call, outcome
from tests.idempotency.matrix_world import effects, told
from tests.idempotency.views import Script, created

MEMORY: Final = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
STAGED: Final = "drf_apikit_staged"

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.urls(__name__)]


class Receiving(APIView):
    """Does what the test says."""

    permission_classes = [AllowAny]

    @idempotent(required=True)
    def post(self, request: Request) -> HttpResponseBase:
        return Script.play(request)


class Forwarding(APIView):
    """Hands its request on to the handler of the other view."""

    permission_classes = [AllowAny]

    @idempotent(required=True)
    def post(self, request: Request) -> HttpResponseBase:
        view = Receiving()
        view.setup(request._request)
        view.request = request
        return view.post(request)


class Insisting(Receiving):
    """Tries again when it has failed, in the same request."""

    def post(self, request: Request) -> HttpResponseBase:
        with suppress(ValidationError):
            super().post(request)
        Script.answer = staticmethod(created)
        return super().post(request)


urlpatterns = [
    path("insisting/", Insisting.as_view()),
    path("receiving/", Receiving.as_view()),
    path("forwarding/", Forwarding.as_view()),
]
URL: Final = "/receiving/"


def paid() -> Response:
    return Response({"paid": True}, status=201)


def catching(request: Request) -> HttpResponseBase:
    """Take a receipt that is there already for a good sign."""
    del request
    try:
        Document.objects.create(slug="receipt")
    except IntegrityError:
        return paid()
    raise AssertionError


def catching_well(request: Request) -> HttpResponseBase:
    del request
    try:
        with transaction.atomic():
            Document.objects.create(slug="receipt")
    except IntegrityError:
        return paid()
    raise AssertionError


def spoiling(_request: Request) -> HttpResponseBase:
    transaction.set_rollback(True)
    return paid()


@pytest.fixture
def receipt() -> Document:
    return Document.objects.create(slug="receipt")


@pytest.fixture
def unhandled() -> Iterator[list[BaseException | None]]:
    """Note what Django is told of as unhandled."""
    seen: list[BaseException | None] = []

    def note(**_: Any) -> None:
        seen.append(sys.exc_info()[1])

    got_request_exception.connect(note)
    yield seen
    got_request_exception.disconnect(note)


@pytest.mark.usefixtures("everywhere", "receipt")
def test_a_database_error_that_the_view_has_caught_is_told(
    post: Call, script: type[Script], unhandled: list[BaseException | None]
) -> None:
    script.answer = staticmethod(catching)
    assert post(URL).status_code == 500
    (error,) = unhandled
    assert isinstance(error, TransactionManagementError)
    assert "transaction.atomic()" in str(error)
    assert isinstance(error.__cause__, IntegrityError)
    assert effects() == IdempotencyRecord.objects.count() == 0
    # What another request has caught is nothing to one that rolls back on purpose.
    script.answer = staticmethod(spoiling)
    assert told(post(URL)) == "201"
    assert effects() == IdempotencyRecord.objects.count() == 0
    assert len(unhandled) == 1


@pytest.mark.usefixtures("everywhere", "receipt")
def test_a_database_error_that_cost_a_savepoint_alone_is_no_trouble(
    post: Call, script: type[Script]
) -> None:
    script.answer = staticmethod(catching_well)
    first = post(URL)
    assert told(first) == "201"
    assert outcome(post(URL)) == outcome(first)
    assert effects() == IdempotencyRecord.objects.count() == 1


@pytest.mark.usefixtures("everywhere")
def test_an_operation_whose_end_nobody_knows_is_not_run_again(
    post: Call, script: type[Script], caplog: pytest.LogCaptureFixture
) -> None:
    post(URL)
    IdempotencyRecord.objects.update(status_code=None, codec=None, answer=None)
    caplog.set_level(logging.ERROR, "drf_apikit.idempotency")
    retry = post(URL)
    assert_problem(retry, 409, "idempotency-response-not-kept")
    assert "how it ended is not known" in retry.json()["detail"]
    assert IdempotencyRecord.objects.get().scope in caplog.text
    assert_problem(post(URL, data={"amount": 2}), 422, "idempotency-key-reused")
    assert len(script.entered) == effects() == 1


def staging(_request: Request) -> HttpResponseBase:
    """Change the schema, with which MySQL and MariaDB commit, then fail."""
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE {STAGED} (number int)")
    raise ValidationError({"amount": ["no"]})


@pytest.fixture
def dropped(database: str) -> Iterator[str]:
    yield database
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE {STAGED}")


@pytest.mark.parametrize("database", ["mariadb"], indirect=True)
@pytest.mark.usefixtures("dropped", "everywhere")
def test_mariadb_a_table_that_the_view_has_made_commits_the_claim(
    post: Call, script: type[Script], caplog: pytest.LogCaptureFixture
) -> None:
    script.answer = staticmethod(staging)
    assert post(URL).status_code == 400
    assert IdempotencyRecord.objects.get().status_code is None
    assert_problem(post(URL), 409, "idempotency-response-not-kept")
    assert "how it ended is not known" in caplog.text
    assert len(script.entered) == effects() == 1


@pytest.mark.usefixtures("everywhere")
def test_a_view_that_hands_its_request_on_is_one_operation(
    post: Call, script: type[Script]
) -> None:
    first = post("/forwarding/")
    assert told(first) == "201"
    second = post("/forwarding/")
    assert told(second) == "201 replayed"
    assert outcome(second) == outcome(first)
    assert len(script.entered) == effects() == IdempotencyRecord.objects.count() == 1


@pytest.mark.usefixtures("database")
def test_an_operation_that_has_failed_is_protected_in_the_same_request(
    post: Call, script: type[Script]
) -> None:
    script.answer = staticmethod(refusing)
    assert [told(post("/insisting/")) for _ in range(2)] == ["201", "201 replayed"]
    assert script.entered == ["key-1"] * 2
    assert effects() == IdempotencyRecord.objects.count() == 1


def refusing(_request: Request) -> HttpResponseBase:
    raise ValidationError({"amount": ["no"]})


def failing_after(call: Callable[[], Any]) -> Callable[[Request], HttpResponseBase]:
    """Make a view whose hook fails once all is committed."""

    def fail() -> None:
        call()
        raise LookupError("in a hook")

    def view(_request: Request) -> HttpResponseBase:
        transaction.on_commit(fail)
        return paid()

    return view


@pytest.mark.usefixtures("database")
def test_a_hook_of_the_view_that_fails_leaves_none_of_ours_out(
    post: Call, script: type[Script], settings: Settings
) -> None:
    settings.CACHES = {"default": MEMORY}
    caches["default"].clear()
    counted = recorded(settings, IDEMPOTENCY={"CACHE": "default"})
    ran: list[str] = []

    def note(**arguments: Any) -> None:
        ran.append(arguments["scope"])

    script.answer = staticmethod(failing_after(lambda: ran.append("hook")))
    idempotency_executed.connect(note)
    try:
        assert post(URL).status_code == 500
    finally:
        idempotency_executed.disconnect(note)
    scope = IdempotencyRecord.objects.get().scope
    assert ran == [scope, "hook"]
    assert replay_cache.find(scope, "default") is not None
    assert told(post(URL)) == "201 replayed"
    assert of_block("idempotency", counted) == [
        ("idempotency.executed", {}),
        ("idempotency.replayed", {"source": "cache"}),
    ]
    assert Article.objects.count() == 1
