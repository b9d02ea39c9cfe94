import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.core.signals import request_finished
from django.db import connection, connections, transaction
from django.db.models import Model
from django.db.utils import ConnectionHandler
from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from pytest_django import Settings
from rest_framework.parsers import JSONParser
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory, force_authenticate
from rest_framework.views import APIView
from rest_framework.viewsets import ViewSet

from drf_apikit.idempotency import IdempotencyMixin, idempotent
from drf_apikit.models import IdempotencyRecord
from drf_apikit.signals import idempotency_conflicted
from drf_apikit.testing import assert_problem
from tests.app.models import Article, Author
from tests.counting import of_block, recorded
from tests.databases import in_threads
from tests.idempotency.calls import Call
from tests.idempotency.views import Script

ADA = User(pk=1, username="ada")

pytestmark = pytest.mark.urls("tests.idempotency.urls")


def protected(**options: Any) -> type[APIView]:
    """Make a view whose POST, protected with these options, is one more article."""

    class View(APIView):
        permission_classes = [AllowAny]

        @idempotent(**options)
        def post(self, _request: Request, **_kwargs: Any) -> HttpResponseBase:
            return effect()

    return View


def effect(using: str = "default", **options: Any) -> Response:
    Article.objects.using(using).create(title="effect")
    return Response("done", status=201, **options)


def ask(
    view: type[APIView],
    key: str | None = "key-1",
    *,
    method: str = "post",
    user: Any = ADA,
    data: Any = None,
    **headers: str,
) -> Any:
    """Send a request to that view, without a route."""
    sent = dict(headers) if key is None else {**headers, "Idempotency-Key": key}
    send = getattr(APIRequestFactory(), method)
    request = send("/here/", data or {}, format="json", headers=sent)
    force_authenticate(request, user)
    response: Any = view.as_view()(request)
    # It is rendered by who serves it, if no layer has.
    return response.render() if isinstance(response, Response) else response


def replayed(response: Any) -> bool:
    return "Idempotent-Replayed" in response


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("setting", "option", "status"),
    [
        (False, None, 201),
        (True, None, 400),
        (True, False, 201),
        (False, True, 400),
    ],
)
def test_the_option_says_more_than_the_setting(
    setting: bool, option: bool | None, status: int, settings: Settings
) -> None:
    settings.DRF_APIKIT = {"IDEMPOTENCY": {"REQUIRED": setting}}
    response = ask(protected(required=option), None)
    assert response.status_code == status
    assert not IdempotencyRecord.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("setting", "option", "kept"),
    [(6, None, True), (5, None, False), (5, 6, True), (6, 5, False), (6, 0, False)],
)
def test_the_longest_answer_by_option_and_setting(
    setting: int, option: int | None, kept: bool, settings: Settings
) -> None:
    settings.DRF_APIKIT = {"IDEMPOTENCY": {"MAX_BODY": setting}}
    view = protected(max_body=option)
    assert ask(view).content == b'"done"'
    assert ask(view).status_code == (201 if kept else 409)
    assert IdempotencyRecord.objects.get().has_body is kept


@pytest.mark.django_db
def test_an_answer_without_a_body_is_kept_whatever_the_cap() -> None:
    class View(APIView):
        permission_classes = [AllowAny]

        @idempotent(max_body=0)
        def post(self, _request: Request) -> Response:
            return Response(status=204)

    assert [replayed(ask(View)) for _ in range(2)] == [False, True]


@pytest.mark.django_db
@pytest.mark.parametrize("nobody", [None, ""])
def test_keys_of_nobody_are_refused(nobody: str | None, settings: Settings) -> None:
    view = protected(key_scope=lambda _: nobody)
    assert_problem(ask(view), 400, "idempotency-key-anonymous")
    settings.DRF_APIKIT = {"IDEMPOTENCY": {"ANONYMOUS": "pass"}}
    assert [replayed(ask(view)) for _ in range(2)] == [False, False]
    assert not IdempotencyRecord.objects.exists()


@pytest.mark.django_db
def test_a_guest_may_have_keys_of_its_own() -> None:
    view = protected(key_scope=lambda request: request.headers.get("Session"))
    guest = AnonymousUser()
    answers = [ask(view, user=guest, Session=name) for name in ("a", "b", "a")]
    assert [replayed(answer) for answer in answers] == [False, False, True]
    # Once logged in, it is the same session.
    assert replayed(ask(view, Session="a"))
    assert_problem(ask(view, user=guest), 400, "idempotency-key-anonymous")


@pytest.mark.django_db
def test_an_account_is_no_user_of_that_name() -> None:
    mine, shared = protected(), protected(key_scope=lambda _: str(ADA.pk))
    ask(mine)
    assert not replayed(ask(shared))


@pytest.mark.django_db
def test_a_safe_method_does_not_look_at_the_key() -> None:
    class View(APIView):
        permission_classes = [AllowAny]

        @idempotent(required=True)
        def get(self, _request: Request) -> Response:
            return Response("read")

    for key in (None, "key", "not,a,key"):
        assert ask(View, key, method="get").status_code == 200
    assert not IdempotencyRecord.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_all_other_methods_are_protected(method: str) -> None:
    class View(APIView):
        permission_classes = [AllowAny]

        @idempotent(required=True)
        def change(self, _request: Request) -> Response:
            return effect()

    setattr(View, method, View.change)
    assert ask(View, None, method=method).status_code == 400
    assert [replayed(ask(View, method=method)) for _ in range(2)] == [False, True]
    assert Article.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_the_body_is_read_before_the_claim(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []
    parse = JSONParser.parse

    def note(self: JSONParser, *args: Any, **kwargs: Any) -> Any:
        seen.append(connection.in_atomic_block)
        return parse(self, *args, **kwargs)

    monkeypatch.setattr(JSONParser, "parse", note)
    view = protected()
    # Who uploads slowly holds no lock.
    assert [ask(view, data={"a": 1}).status_code for _ in range(2)] == [201, 201]
    assert seen == [False, False]


@pytest.mark.django_db
def test_another_format_is_said_before_another_payload() -> None:
    view = protected()
    ask(view, data={"amount": 1})
    IdempotencyRecord.objects.update(format_version=99)
    refused = ask(view, data={"amount": 2})
    assert_problem(refused, 409, "idempotency-response-not-kept")


@pytest.mark.django_db
def test_an_answer_that_cannot_be_read_is_logged_without_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    view = protected()
    ask(view, "secret-key")
    record = IdempotencyRecord.objects.get()
    record.answer = b"\0\0\0\4secret-body"
    record.save()
    document = assert_problem(
        ask(view, "secret-key"), 409, "idempotency-response-not-kept"
    )
    assert "cannot be read any more" in document["detail"]
    assert record.scope in caplog.text
    assert "secret" not in caplog.text
    assert Article.objects.count() == 1


@pytest.mark.django_db
def test_a_key_that_comes_with_another_payload_is_logged_without_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    view = protected()
    ask(view, "secret-key", data={"card": "secret-card"})
    ask(view, "secret-key", data={"card": "secret-cord"})
    assert IdempotencyRecord.objects.get().scope in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.django_db(transaction=True)
def test_what_happens_is_counted_once(settings: Settings) -> None:
    counted = recorded(settings, IDEMPOTENCY={"MAX_BODY": 7})
    view, long = protected(), protected(max_body=0)
    ask(view)
    ask(view)
    ask(view, data={"amount": 2})
    ask(long, "key-2")
    ask(long, "key-2")
    IdempotencyRecord.objects.update(answer=b"")
    ask(view)
    assert of_block("idempotency", counted) == [
        ("idempotency.executed", {}),
        ("idempotency.replayed", {"source": "database"}),
        ("idempotency.mismatched", {}),
        ("idempotency.executed", {}),
        ("idempotency.not_kept", {}),
        ("idempotency.not_kept", {}),
    ]


@pytest.mark.django_db(transaction=True)
def test_what_is_rolled_back_is_not_counted(settings: Settings) -> None:
    counted = recorded(settings)
    view = protected(rollback_on=lambda _: True)
    assert [ask(view).status_code for _ in range(2)] == [201, 201]
    assert not of_block("idempotency", counted)
    assert not Article.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("user", [ADA, None], ids=["known", "anonymous"])
def test_rollback_on_sees_the_finished_answer(user: User | None) -> None:
    seen: list[bytes] = []

    def note(response: HttpResponse) -> bool:
        seen.append(response.content)
        return False

    ask(protected(rollback_on=note, key_scope=lambda _: "all"), user=user)
    assert seen == [b'"done"']
    assert IdempotencyRecord.objects.count() == 1


@pytest.mark.django_db
def test_rollback_on_that_fails_leaves_nothing() -> None:
    def fail(_response: HttpResponseBase) -> bool:
        raise LookupError

    with pytest.raises(LookupError):
        ask(protected(rollback_on=fail))
    assert not Article.objects.exists()
    assert not IdempotencyRecord.objects.exists()


@pytest.mark.django_db
def test_a_stream_that_breaks_does_not_end_the_request(
    post: Call, script: type[Script]
) -> None:
    ended: list[Any] = []

    def broken() -> Iterator[bytes]:
        yield b"x"
        raise LookupError

    def note(**_: Any) -> None:
        ended.append(connection.in_atomic_block)

    script.answer = staticmethod(lambda _: StreamingHttpResponse(broken()))
    request_finished.connect(note)
    try:
        assert post().status_code == 500
    finally:
        request_finished.disconnect(note)
    # The transaction of this test is the one around it.
    assert len(ended) == 1
    assert not Article.objects.exists()
    assert not IdempotencyRecord.objects.exists()


class Mixed(IdempotencyMixin, ViewSet):
    permission_classes = [AllowAny]
    idempotent_actions = {
        "create": {"required": True},
        "update": {"required": False, "max_body": 0},
    }

    def create(self, _request: Request) -> Response:
        return effect()

    update = partial_update = create


def as_viewset(**actions: Any) -> Any:
    """Give what `ask` takes for a class."""
    view = Mixed.as_view(actions)
    return type("View", (), {"as_view": staticmethod(lambda: view)})


@pytest.mark.django_db
def test_the_mixin_takes_options_for_each_action() -> None:
    view = as_viewset(post="create", put="update", patch="partial_update")
    assert ask(view, None).status_code == 400
    assert ask(view, None, method="put").status_code == 201
    assert ask(view, None, method="patch").status_code == 201
    assert [ask(view).status_code for _ in range(2)] == [201, 201]
    answers = [ask(view, method="put").status_code for _ in range(2)]
    assert answers == [201, 409]
    assert [replayed(ask(view, method="patch")) for _ in range(2)] == [False, False]


@pytest.mark.django_db
def test_the_mixin_takes_methods_where_there_are_no_actions() -> None:
    class View(IdempotencyMixin, APIView):
        permission_classes = [AllowAny]
        idempotent_actions = ["post"]

        def post(self, _request: Request) -> Response:
            return effect()

        put = post

    assert [replayed(ask(View)) for _ in range(2)] == [False, True]
    assert [replayed(ask(View, method="put")) for _ in range(2)] == [False, False]


@pytest.mark.django_db
def test_the_decorator_is_nearer_than_the_mixin() -> None:
    class View(IdempotencyMixin, APIView):
        permission_classes = [AllowAny]
        idempotent_actions = {"post": {"required": True}}

        @idempotent(required=False)
        def post(self, _request: Request) -> Response:
            return effect()

    assert ask(View, None).status_code == 201
    assert [replayed(ask(View)) for _ in range(2)] == [False, True]


class ToOther:
    """Sends the records to the second database."""

    def db_for_write(self, model: type[Model], **_hints: Any) -> str | None:
        return "other" if model is IdempotencyRecord else None


@pytest.fixture
def other(transactional_db: None, tmp_path: Path) -> Iterator[str]:
    """Give a second database, on SQLite without any options."""
    del transactional_db
    own = {"ENGINE": "django.db.backends.sqlite3", "NAME": tmp_path / "other.sqlite3"}
    made = ConnectionHandler({"default": {}, "other": own})["other"]
    # What a test has connected before its alias is known is not forbidden.
    made.ensure_connection()
    connections.settings["other"], connections["other"] = made.settings_dict, made
    with made.schema_editor() as editor:
        for model in (IdempotencyRecord, Author, Article):
            editor.create_model(model)
    yield "other"
    made.close()
    del connections["other"], connections.settings["other"]


def elsewhere(fail: Callable[[], Any] = int, **options: Any) -> type[APIView]:
    class View(APIView):
        permission_classes = [AllowAny]

        @idempotent(**options)
        def post(self, _request: Request) -> Response:
            assert connections["other"].in_atomic_block
            assert not connection.in_atomic_block
            response = effect("other")
            fail()
            return response

    return View


@pytest.mark.parametrize("by", ["option", "router"])
def test_record_and_effect_in_another_database(
    by: str, other: str, settings: Settings
) -> None:
    if by == "router":
        settings.DATABASE_ROUTERS = [f"{__name__}.ToOther"]
    view = elsewhere(using=other if by == "option" else None)
    assert [replayed(ask(view)) for _ in range(2)] == [False, True]
    assert IdempotencyRecord.objects.using(other).count() == 1
    assert Article.objects.using(other).count() == 1
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM drf_apikit_idempotency")
        assert cursor.fetchone() == (0,)


def rolled_back() -> None:
    transaction.set_rollback(True, using="other")


def raised() -> None:
    raise LookupError


def test_what_fails_is_rolled_back_in_that_database(other: str) -> None:
    with pytest.raises(LookupError):
        ask(elsewhere(raised, using=other))
    assert ask(elsewhere(rolled_back, using=other)).status_code == 201
    assert ask(elsewhere(using=other, rollback_on=bool)).status_code == 201
    assert not Article.objects.using(other).exists()
    assert not IdempotencyRecord.objects.using(other).exists()


@pytest.mark.django_db(transaction=True)
def test_while_the_first_request_runs(settings: Settings) -> None:
    counted, heard, view = recorded(settings), [], protected()

    def note(**arguments: Any) -> None:
        heard.append((arguments["sender"], arguments["scope"]))

    def impatient() -> Any:
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA busy_timeout = 0")
        return ask(view)

    idempotency_conflicted.connect(note)
    try:
        with transaction.atomic():
            (refused,) = in_threads(impatient)
    finally:
        idempotency_conflicted.disconnect(note)
    assert_problem(refused, 409, "idempotency-in-progress")
    assert refused["Retry-After"] == "1"
    assert of_block("idempotency", counted) == [("idempotency.conflicted", {})]
    assert not Article.objects.exists()
    assert ask(view).status_code == 201
    assert heard == [(view, IdempotencyRecord.objects.get().scope)]
