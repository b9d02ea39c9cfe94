import logging
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.signals import got_request_exception
from django.db import connection, transaction
from django.dispatch import Signal
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseRedirect,
)
from django.test import RequestFactory
from django.urls import clear_url_caches
from django.views import View
from rest_framework import exceptions
from rest_framework.decorators import api_view
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from drf_apikit import signals
from drf_apikit.idempotency import idempotent
from drf_apikit.models import IdempotencyRecord
from drf_apikit.testing import assert_problem
from tests.app.models import Article
from tests.idempotency.calls import Call, caller, outcome, person
from tests.idempotency.views import Optional, Script, created

DRAFT = "draft-ietf-httpapi-idempotency-key-header"
SIGNALS = {
    "executed": signals.idempotency_executed,
    "replayed": signals.idempotency_replayed,
    "conflicted": signals.idempotency_conflicted,
    "mismatched": signals.idempotency_mismatched,
}
Answer = Callable[[Request], HttpResponseBase]

pytestmark = pytest.mark.urls("tests.idempotency.urls")
committing = pytest.mark.django_db(transaction=True)


def effects() -> int:
    return Article.objects.filter(title="effect").count()


@pytest.fixture
def heard(request: pytest.FixtureRequest) -> list[tuple[str, dict[str, Any]]]:
    """Note the signals: name and arguments."""
    heard: list[tuple[str, dict[str, Any]]] = []

    def listen(name: str, signal: Signal) -> None:
        def note(**arguments: Any) -> None:
            heard.append((name, arguments))

        signal.connect(note, weak=False)
        request.addfinalizer(lambda: signal.disconnect(note))

    for name, signal in SIGNALS.items():
        listen(name, signal)
    return heard


@pytest.mark.compliance(DRAFT, "2.6")
@committing
@pytest.mark.usefixtures("everywhere")
def test_a_retry_gets_the_first_answer_and_runs_nothing(post: Call) -> None:
    first = post()
    assert first.status_code == 201
    assert "Idempotent-Replayed" not in first
    second = post()
    assert outcome(second) == outcome(first)
    assert second["Idempotent-Replayed"] == "true"
    assert second["Cache-Control"] == "no-store"
    assert second["Allow"] == first["Allow"]
    assert "X-Unkept" not in second
    assert effects() == 1
    assert post(key="key-2").json()["articles"] == 2


ANSWERS: dict[str, Answer] = {
    "json": created,
    "no-content": lambda _: Response(status=204),
    "binary": lambda _: HttpResponse(bytes(range(256)), content_type="image/png"),
    "redirect": lambda _: HttpResponseRedirect("/elsewhere/"),
    "conflict": lambda _: Response({"reason": "poor"}, status=402),
    "headers": lambda _: HttpResponse(
        b"x",
        headers={
            "Link": '</next>; rel="next"',
            "ETag": '"7"',
            "Content-Type": "text/csv",
            "Content-Disposition": 'attachment; filename="a.csv"',
            "Location": "/a",
        },
    ),
}


@pytest.mark.django_db
@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_an_answer_is_repeated_octet_for_octet(
    answer: Answer, post: Call, script: type[Script]
) -> None:
    script.answer = staticmethod(answer)
    first, second = post(), post()
    assert outcome(second) == outcome(first)
    assert second["Idempotent-Replayed"] == "true"
    assert len(script.entered) == 1


@pytest.mark.django_db
def test_a_cookie_belongs_to_the_first_answer_alone(
    post: Call, script: type[Script]
) -> None:
    def with_cookie(_request: Request) -> HttpResponseBase:
        response = HttpResponse(b"x")
        response.set_cookie("session", "secret")
        return response

    script.answer = staticmethod(with_cookie)
    assert "session" in post().cookies
    assert not post().cookies


@pytest.mark.compliance(DRAFT, "2.7")
@pytest.mark.django_db
def test_a_key_is_needed_where_it_is_required(post: Call) -> None:
    assert_problem(post(key=None), 400, "idempotency-key-missing")
    assert not effects()


@pytest.mark.django_db
@pytest.mark.parametrize("required", [False, True])
def test_the_setting_says_whether_a_key_is_required(
    required: bool, post: Call, settings: Any
) -> None:
    settings.DRF_APIKIT = {"IDEMPOTENCY": {"REQUIRED": required}}
    response = post("/optional/", None)
    assert response.status_code == (400 if required else 200)
    assert effects() == (0 if required else 1)
    assert not IdempotencyRecord.objects.exists()


@pytest.mark.compliance("RFC 9110", "9.2.1")
@pytest.mark.django_db
def test_a_safe_method_needs_no_key() -> None:
    get = caller(person("eve"), method="get")
    assert get("/optional/", None).status_code == 200
    assert get("/optional/", "key").status_code == 200
    assert not IdempotencyRecord.objects.exists()


@pytest.mark.compliance(DRAFT, "2.7")
@committing
@pytest.mark.usefixtures("everywhere")
def test_a_key_with_another_payload_is_refused(post: Call) -> None:
    assert post(data={"amount": 1}).status_code == 201
    assert_problem(post(data={"amount": 2}), 422, "idempotency-key-reused")
    assert effects() == 1
    assert post(data={"amount": 1})["Idempotent-Replayed"] == "true"


@pytest.mark.django_db
def test_the_query_string_is_payload(post: Call) -> None:
    assert post("/effects/?dry=1").status_code == 201
    assert_problem(post("/effects/"), 422, "idempotency-key-reused")


@pytest.mark.django_db
def test_member_order_and_white_space_are_no_payload(post: Call) -> None:
    kind = {"format": None, "content_type": "application/json"}
    first = post(data=b'{"a": 1, "b": [1, 2]}', **kind)
    second = post(data=b'{ "b" :[1,2],\n"a":1 }', **kind)
    assert first.status_code == 201
    assert second["Idempotent-Replayed"] == "true"


@pytest.mark.django_db
def test_anonymous_callers_are_refused() -> None:
    post = caller(AnonymousUser())
    assert_problem(post("/optional/"), 400, "idempotency-key-anonymous")
    assert post("/optional/", None).status_code == 200
    assert not IdempotencyRecord.objects.exists()


@pytest.mark.django_db
def test_anonymous_callers_pass_unprotected_where_the_setting_says_so(
    settings: Any,
) -> None:
    settings.DRF_APIKIT = {"IDEMPOTENCY": {"ANONYMOUS": "pass"}}
    post = caller(None)
    assert [post("/optional/").json()["articles"] for _ in range(2)] == [1, 2]
    assert not IdempotencyRecord.objects.exists()


def refuse(error: Exception) -> Answer:
    def answer(_request: Request) -> HttpResponseBase:
        raise error

    return answer


def spoil(_request: Request) -> HttpResponseBase:
    transaction.set_rollback(True)
    return Response({"spoilt": True})


FAILURES: dict[str, tuple[Answer, int]] = {
    "raised-400": (refuse(exceptions.ValidationError({"amount": ["no"]})), 400),
    "raised-404": (refuse(exceptions.NotFound()), 404),
    "raised-503": (refuse(exceptions.APIException("down")), 500),
    "exception": (refuse(LookupError("in the view")), 500),
    "returned-503": (lambda _: Response(status=503), 503),
    "rolled-back": (spoil, 200),
    "renderer": (lambda _: Response({"what": object()}), 500),
}


@committing
@pytest.mark.usefixtures("everywhere")
@pytest.mark.parametrize(("answer", "status"), FAILURES.values(), ids=FAILURES)
def test_a_failure_leaves_nothing_and_the_key_usable(
    answer: Answer, status: int, post: Call, script: type[Script], heard: list[Any]
) -> None:
    script.answer = staticmethod(answer)
    assert post().status_code == status
    assert not effects()
    assert not IdempotencyRecord.objects.exists()
    assert not heard
    script.answer = staticmethod(created)
    again = post()
    assert again.status_code == 201
    assert "Idempotent-Replayed" not in again
    assert effects() == 1


@committing
@pytest.mark.usefixtures("everywhere")
def test_a_returned_refusal_is_an_answer(post: Call, script: type[Script]) -> None:
    script.answer = staticmethod(lambda _: Response({"reason": "poor"}, status=402))
    assert post().status_code == 402
    script.answer = staticmethod(created)
    assert outcome(post())[:2] == (402, b'{"reason":"poor"}')
    assert effects() == 1


@committing
@pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)
def test_a_commit_that_fails_leaves_nothing(
    everywhere: str, post: Call, script: type[Script], heard: list[Any]
) -> None:
    def break_at_commit(_request: Request) -> HttpResponseBase:
        # The foreign key is checked when the transaction ends.
        Article.objects.create(title="effect", author_id=404)
        return Response(status=201)

    script.answer = staticmethod(break_at_commit)
    assert post().status_code == 500
    assert not effects(), everywhere
    assert not IdempotencyRecord.objects.exists()
    assert not heard
    script.answer = staticmethod(created)
    assert post().status_code == 201
    assert [name for name, _ in heard] == ["executed"]


@committing
@pytest.mark.usefixtures("everywhere")
def test_hooks_on_commit_fire_once(post: Call, script: type[Script]) -> None:
    fired: list[int] = []

    def hook(request: Request) -> HttpResponseBase:
        transaction.on_commit(lambda: fired.append(IdempotencyRecord.objects.count()))
        return created(request)

    script.answer = staticmethod(hook)
    assert outcome(post()) == outcome(post())
    assert fired == [1]


@committing
@pytest.mark.usefixtures("everywhere")
def test_signals_tell_what_has_happened(
    post: Call, script: type[Script], heard: list[tuple[str, dict[str, Any]]]
) -> None:
    def silent(request: Request) -> HttpResponseBase:
        assert not heard
        transaction.on_commit(lambda: heard.append(("committed", {})))
        return created(request)

    script.answer = staticmethod(silent)
    post()
    post()
    post(data={"amount": 2})
    names = [name for name, _ in heard]
    # Before the hooks of the view: one of them that fails leaves out the others.
    assert names == ["executed", "committed", "replayed", "mismatched"]
    record = IdempotencyRecord.objects.get()
    for _, arguments in (heard[0], *heard[2:]):
        assert arguments["scope"] == record.scope
        assert arguments["request"].user.username == "ada"
        assert issubclass(arguments["sender"], APIView)
        assert set(arguments) == {"scope", "request", "sender", "signal"}


@committing
def test_a_listener_that_fails_decides_nothing(
    post: Call, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(**_: Any) -> None:
        raise LookupError("in a listener")

    for signal in SIGNALS.values():
        signal.connect(fail)
    try:
        answers = [post(), post()]
    finally:
        for signal in SIGNALS.values():
            signal.disconnect(fail)
    assert [answer.status_code for answer in answers] == [201, 201]
    assert effects() == 1
    assert "in a listener" in caplog.text


@pytest.mark.django_db
def test_an_unhandled_exception_is_signalled_once(
    post: Call, script: type[Script]
) -> None:
    seen: list[Any] = []

    def note(**arguments: Any) -> None:
        seen.append(arguments["request"])

    script.answer = staticmethod(refuse(LookupError("in the view")))
    got_request_exception.connect(note)
    try:
        assert post().status_code == 500
    finally:
        got_request_exception.disconnect(note)
    assert len(seen) == 1


@committing
@pytest.mark.usefixtures("database")
def test_only_digests_are_kept(
    post: Call, caplog: pytest.LogCaptureFixture, script: type[Script]
) -> None:
    key, secret = "raw-key-abcdef", "payload-secret"
    caplog.set_level(logging.DEBUG)
    script.answer = staticmethod(lambda _: Response({"done": True}))
    for data in ({"card": secret}, {"card": secret}, {"card": "other"}):
        post("/effects/name-in-the-path/", key, data)
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM drf_apikit_idempotency")
        row = cursor.fetchall()
    assert len(row) == 1
    assert secret not in repr(row) + caplog.text
    assert "name-in-the-path" not in repr(row)
    assert key not in repr(row) + caplog.text
    record = IdempotencyRecord.objects.get()
    assert (record.method, record.route) == ("POST", "effects/<str:name>/")
    assert len(record.scope) == len(record.fingerprint) == 64


@committing
@pytest.mark.usefixtures("everywhere")
def test_an_expired_answer_is_forgotten(post: Call, heard: list[Any]) -> None:
    first = post(data={"amount": 1})
    record = IdempotencyRecord.objects.get()
    assert (record.expires_at - record.created_at).total_seconds() == 24 * 60 * 60
    IdempotencyRecord.objects.update(expires_at=record.created_at)
    second = post(data={"amount": 2})
    assert (first.status_code, second.status_code) == (201, 201)
    assert effects() == 2
    assert outcome(post(data={"amount": 2})) == outcome(second)
    assert [name for name, _ in heard] == ["executed", "executed", "replayed"]
    assert IdempotencyRecord.objects.get().expires_at > record.expires_at


@pytest.mark.django_db
def test_an_expired_row_of_another_key_is_left_alone(post: Call) -> None:
    post(key="old")
    old = IdempotencyRecord.objects.get()
    IdempotencyRecord.objects.update(expires_at=old.created_at)
    post(key="new")
    kept = IdempotencyRecord.objects.get(pk=old.pk)
    assert (kept.expires_at, kept.status_code) == (old.created_at, 201)


def lifetime() -> float:
    record = IdempotencyRecord.objects.latest("created_at")
    return (record.expires_at - record.created_at).total_seconds()


@pytest.mark.django_db
def test_lifetime_by_setting_and_by_decorator(
    post: Call, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.DRF_APIKIT = {"IDEMPOTENCY": {"TTL": 90}}
    assert post("/optional/").status_code == 200
    assert lifetime() == 90

    @idempotent(ttl=120, using="default")
    def short(_view: APIView, _request: Request) -> Response:
        return Response({})

    monkeypatch.setattr(Optional, "post", short)
    clear_url_caches()
    assert post("/optional/", "key-2").status_code == 200
    assert lifetime() == 120


@pytest.mark.django_db
def test_an_answer_of_another_format_is_not_misread(
    post: Call, script: type[Script]
) -> None:
    post()
    IdempotencyRecord.objects.update(format_version=99)
    assert_problem(post(), 409, "idempotency-response-not-kept")
    assert len(script.entered) == 1


@pytest.mark.django_db
def test_function_views_are_protected(post: Call) -> None:
    assert outcome(post("/function/")) == outcome(post("/function/"))
    assert effects() == 1


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["publish", "retract"])
def test_actions_are_protected_in_either_order_of_decorators(
    name: str, post: Call
) -> None:
    article = Article.objects.create(title="draft")
    url = f"/articles/{article.pk}/{name}/"
    assert post(url, None).status_code == 400
    assert outcome(post(url)) == outcome(post(url))
    assert effects() == 1


@pytest.mark.django_db
def test_the_mixin_protects_the_actions_that_it_names() -> None:
    ada = person("ada")
    post, patch, put = (caller(ada, method=name) for name in ("post", "patch", "put"))
    body = {"title": "new"}
    first, second = (post("/articles/", data=body) for _ in range(2))
    assert outcome(first) == outcome(second)
    assert Article.objects.count() == 1
    url = f"/articles/{Article.objects.get().pk}/"
    assert "Idempotent-Replayed" not in patch(url, data=body)
    assert "Idempotent-Replayed" in patch(url, data=body)
    assert "Idempotent-Replayed" not in put(url, data=body)
    assert "Idempotent-Replayed" not in put(url, data=body)
    get = caller(ada, method="get")
    assert get("/articles/").status_code == 200


class Plain(View):
    @idempotent
    def post(self, _request: HttpRequest) -> HttpResponse:
        raise AssertionError


@idempotent
def plain(_request: HttpRequest) -> HttpResponse:
    raise AssertionError


@api_view(["POST"])
def finished(_request: Request) -> Response:
    raise AssertionError


async def waits(_view: APIView, _request: Request) -> Response:
    raise AssertionError


async def waits_and_goes_on(_view: APIView, _request: Request) -> Any:
    yield Response()


def method(*_: Any) -> Any:
    raise AssertionError


NO_HANDLERS: dict[str, Any] = {
    "coroutine": waits,
    "asynchronous generator": waits_and_goes_on,
    "staticmethod": staticmethod(method),
    "classmethod": classmethod(method),
    "class": Optional,
    "result of as_view": Optional.as_view(),
    "result of api_view": finished,
    "property": property(method),
    "text": "post",
}


@pytest.mark.parametrize("thing", NO_HANDLERS.values(), ids=NO_HANDLERS)
def test_what_is_no_handler_is_refused_at_once(thing: Any) -> None:
    with pytest.raises(TypeError, match="goes on a view method"):
        idempotent(thing)
    with pytest.raises(TypeError, match="goes on a view method"):
        idempotent(required=True)(thing)


@pytest.mark.parametrize("view", [Plain.as_view(), plain], ids=["class", "function"])
def test_a_view_of_django_is_refused_when_it_is_called(
    view: Callable[[HttpRequest], HttpResponse],
) -> None:
    request = RequestFactory().post("/", headers={"Idempotency-Key": "key"})
    with pytest.raises(TypeError, match="only a handler of a DRF view"):
        view(request)
