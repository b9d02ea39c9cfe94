import logging
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest
from django.db import DEFAULT_DB_ALIAS, connections
from django.urls import clear_url_caches, include, path
from django.utils.decorators import method_decorator
from rest_framework.decorators import action, api_view
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter
from rest_framework.serializers import ModelSerializer
from rest_framework.views import APIView
from rest_framework.viewsets import ModelViewSet, ViewSet

from drf_apikit.checks import check_idempotency
from drf_apikit.conditional import ConditionalMixin
from drf_apikit.idempotency import IdempotencyMixin, idempotent
from tests.app.models import Article

Checking = Callable[..., list[Any]]
POST: Any = {"post": "create"}


@pytest.fixture
def routed(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Iterator[Checking]:
    """Give a function that checks a URL configuration with these patterns."""

    def checking(*patterns: Any) -> list[Any]:
        module = ModuleType("operations_of_this_test")
        vars(module)["urlpatterns"] = [path("api/", include(list(patterns)))]
        monkeypatch.setitem(sys.modules, module.__name__, module)
        settings.ROOT_URLCONF = module.__name__
        clear_url_caches()
        return check_idempotency()

    yield checking
    clear_url_caches()


@pytest.fixture
def other(monkeypatch: pytest.MonkeyPatch) -> str:
    """Have a second database."""
    default = connections.settings[DEFAULT_DB_ALIAS]
    monkeypatch.setitem(connections.settings, "other", default)
    return "other"


def ids(messages: list[Any]) -> list[str]:
    assert all(message.hint for message in messages)
    return [message.id.removeprefix("drf_apikit.") for message in messages]


def sets(*names: str, base: Any = ModelViewSet, **own: Any) -> Any:
    """Make a view set that names what it protects."""
    given = {"queryset": Article.objects.all(), "idempotent_actions": names, **own}
    namespace = {"__module__": __name__, "__qualname__": "Rows", **given}
    return type("Rows", (IdempotencyMixin, base), namespace)


def rows(view: Any) -> list[Any]:
    router = SimpleRouter()
    router.register("rows", view, "rows")
    return list(router.urls)


def answer(*_args: Any, **_kwargs: Any) -> Response:
    return Response({})


class Extra(IdempotencyMixin, ModelViewSet[Article]):
    queryset = Article.objects.all()
    idempotent_actions = ("create", "publish", "withdraw")

    @action(detail=True, methods=["post"])
    def publish(self, _request: Request, **_kwargs: Any) -> Response:
        return Response({})

    @publish.mapping.delete
    def withdraw(self, _request: Request, **_kwargs: Any) -> Response:
        return Response({})

    @action(detail=True, methods=["get", "post"])
    @idempotent
    def both(self, _request: Request, **_kwargs: Any) -> Response:
        return Response({})


class Methods(IdempotencyMixin, APIView):
    idempotent_actions = ("post",)

    def post(self, _request: Request) -> Response:
        return Response({})

    @idempotent
    def put(self, _request: Request) -> Response:
        return Response({})

    patch = put


@api_view(["GET", "POST"])
@idempotent
def function(_request: Request) -> Response:
    return Response({})


class Peeking(ViewSet):
    @action(detail=False)
    @idempotent
    def peek(self, _request: Request) -> Response:
        return Response({})


def test_what_is_declared_well(routed: Checking) -> None:
    assert (
        routed(
            *rows(Extra),
            *rows(sets("create", "update", "partial_update", "destroy")),
            path("methods/", Methods.as_view()),
            path("function/", function),
            path("one/", Extra.as_view(POST)),
            path("plain/", ModelViewSet.as_view(POST, queryset=Article.objects.all())),
            path("no-view/", answer),
        )
        == []
    )


@pytest.mark.parametrize(
    ("view", "problem", "hint"),
    [
        pytest.param(
            sets("create", "creat"),
            "idempotent_actions names 'creat', which is none of its actions.",
            "It has create, destroy, list, partial_update, retrieve, update.",
            id="misspelt",
        ),
        pytest.param(
            sets("get_queryset"),
            "idempotent_actions names 'get_queryset', which is none of its actions.",
            "It has create, destroy, list, partial_update, retrieve, update.",
            id="no-action",
        ),
        pytest.param(
            sets("post"),
            "idempotent_actions names 'post', which is none of its actions.",
            "It has create, destroy, list, partial_update, retrieve, update.",
            id="method-of-a-view-set",
        ),
        pytest.param(
            sets("list"),
            "list only answers GET, so that nothing is protected.",
            "Protect what has an effect, on POST, PUT, PATCH or DELETE.",
            id="safe",
        ),
        pytest.param(
            sets(base=Peeking),
            "peek only answers GET, so that nothing is protected.",
            "Protect what has an effect, on POST, PUT, PATCH or DELETE.",
            id="safe-action",
        ),
    ],
)
def test_declarations_of_view_sets(
    view: Any, problem: str, hint: str, routed: Checking
) -> None:
    (error,) = routed(*rows(view))
    assert (ids([error]), error.level) == (["E011"], logging.ERROR)
    assert error.msg == f"{__name__}.Rows: {problem}"
    assert error.hint == hint


class Safe(IdempotencyMixin, APIView):
    @idempotent
    def get(self, _request: Request) -> Response:
        return Response({})

    def post(self, _request: Request) -> Response:
        return Response({})


@api_view(["GET"])
@idempotent
def reading(_request: Request) -> Response:
    return Response({})


@pytest.mark.parametrize(
    ("view", "problem"),
    [
        pytest.param(
            Safe.as_view(),
            "Safe: get only answers GET, so that nothing is protected.",
            id="method",
        ),
        pytest.param(
            reading,
            "reading: get only answers GET, so that nothing is protected.",
            id="function",
        ),
        pytest.param(
            Methods.as_view(idempotent_actions=["POST"]),
            "Methods: idempotent_actions names 'POST', which is none of its methods.",
            id="capitals",
        ),
        pytest.param(
            Methods.as_view(idempotent_actions=["post"], http_method_names=["put"]),
            "Methods: idempotent_actions names 'post', which is none of its methods.",
            id="not-answered",
        ),
        pytest.param(
            Methods.as_view(idempotent_actions="post"),
            "Methods: idempotent_actions cannot be used: idempotent_actions is 'post',"
            " not a list of names.",
            id="text",
        ),
        pytest.param(
            Methods.as_view(idempotent_actions={"post": {"ttl": 0}}),
            "Methods: idempotent_actions cannot be used: ttl must be a whole number,"
            " 60 to 31622400.",
            id="option",
        ),
    ],
)
def test_declarations_of_other_views(view: Any, problem: str, routed: Checking) -> None:
    (error,) = routed(path("here/", view))
    assert ids([error]) == ["E011"]
    assert error.msg.partition(f"{__name__}.")[2] == problem


def test_a_view_without_methods(routed: Checking) -> None:
    class Nothing(IdempotencyMixin, APIView):
        idempotent_actions = ("post",)
        http_method_names = ["patch"]

    (error,) = routed(path("here/", Nothing.as_view()))
    assert error.hint == "It has none."


def test_methods_of_several_routes_are_seen_together(routed: Checking) -> None:
    view = sets("work", base=ViewSet, work=answer)
    reads, writes = (
        path(f"{method}/", view.as_view({method: "work"})) for method in ("get", "post")
    )
    assert routed(reads, writes) == []
    assert ids(routed(reads, reads)) == ["E011"]


def test_decorated_from_outside(routed: Checking) -> None:
    decorate: Any = method_decorator(idempotent, name="list")
    assert ids(routed(*rows(decorate(sets())))) == ["E011"]


def test_a_database_that_does_not_exist(routed: Checking) -> None:
    view = sets(idempotent_actions={"create": {"using": "ledgr"}})
    (error,) = routed(path("rows/", view.as_view(POST)))
    assert (ids([error]), error.level) == (["E012"], logging.ERROR)
    assert error.msg == (
        f"{__name__}.Rows: create keeps its answers in 'ledgr', which is no database."
    )
    assert error.hint == "Give `using` one of default."


class Router:
    """Sends articles to the second database."""

    def db_for_write(self, model: Any, **_hints: Any) -> str | None:
        return "other" if model is Article else None


class Failing:
    def db_for_write(self, _model: Any, **_hints: Any) -> str | None:
        raise LookupError


class ArticleSerializer(ModelSerializer[Article]):
    class Meta:
        model = Article
        fields = ("id",)


class BySerializer(GenericAPIView[Article]):
    serializer_class = ArticleSerializer

    @idempotent
    def post(self, _request: Request) -> Response:
        return Response({})


@pytest.mark.usefixtures("other")
def test_effects_elsewhere_than_the_record(routed: Checking, settings: Any) -> None:
    settings.DATABASE_ROUTERS = [f"{__name__}.Router"]
    (warning,) = routed(path("rows/", sets("create").as_view(POST)))
    assert (ids([warning]), warning.level) == (["W011"], logging.WARNING)
    assert warning.msg == (
        f"{__name__}.Rows: create keeps its answers in the database 'default', and"
        " writes its rows to 'other': a crash in between commits one of the two alone."
    )
    assert warning.hint == "Declare it with using='other'."
    assert ids(routed(path("rows/", BySerializer.as_view()))) == ["W011"]
    good = sets(idempotent_actions={"create": {"using": "other"}})
    without_rows = path("methods/", Methods.as_view())
    assert routed(path("rows/", good.as_view(POST)), without_rows) == []


def test_a_router_that_fails(
    routed: Checking, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.DATABASE_ROUTERS = [f"{__name__}.Failing"]
    assert routed(path("rows/", sets("create").as_view(POST))) == []
    assert "Rows could not be checked" in caplog.text


@pytest.fixture
def deferred(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have SQLite begin its transactions as a reader, in each request."""
    own = connections[DEFAULT_DB_ALIAS].settings_dict
    monkeypatch.setitem(own, "ATOMIC_REQUESTS", True)
    monkeypatch.setitem(own, "OPTIONS", {})


@pytest.mark.usefixtures("deferred")
def test_sqlite_begins_as_a_reader(
    routed: Checking, monkeypatch: pytest.MonkeyPatch
) -> None:
    protected = path("rows/", sets("create").as_view(POST))
    (warning,) = routed(protected, path("methods/", Methods.as_view()))
    assert (ids([warning]), warning.level) == (["W012"], logging.WARNING)
    assert "in a DEFERRED transaction of the database 'default'" in warning.msg
    assert warning.hint == (
        "Set 'transaction_mode': 'IMMEDIATE' in DATABASES['default']['OPTIONS'], or"
        " ATOMIC_REQUESTS to False."
    )
    unprotected = path("rows/", sets().as_view(POST))
    assert routed(unprotected) == []
    own = connections[DEFAULT_DB_ALIAS].settings_dict
    monkeypatch.setitem(own, "OPTIONS", {"transaction_mode": "immediate"})
    assert routed(protected) == []
    monkeypatch.setitem(own, "OPTIONS", {})
    monkeypatch.setitem(own, "ATOMIC_REQUESTS", False)
    assert routed(protected) == []


class Both(ConditionalMixin, IdempotencyMixin, ModelViewSet[Article]):
    queryset = Article.objects.all()
    idempotent_actions = ("update",)


@pytest.mark.usefixtures("deferred")
def test_it_is_not_said_twice(routed: Checking) -> None:
    assert routed(path("<pk>/", Both.as_view({"put": "update"}))) == []


@pytest.mark.parametrize(
    ("backend", "found"),
    [
        ("django.core.cache.backends.locmem.LocMemCache", ["W013"]),
        ("django.core.cache.backends.dummy.DummyCache", ["W013"]),
        ("django.core.cache.backends.db.DatabaseCache", []),
        ("no.such.Cache", []),
    ],
)
def test_a_cache_that_is_not_shared(
    backend: str, found: list[str], settings: Any
) -> None:
    settings.CACHES = {"default": {"BACKEND": backend}}
    assert check_idempotency() == []
    settings.DRF_APIKIT = {"IDEMPOTENCY": {"CACHE": "default"}}
    assert ids(check_idempotency()) == found
    # E005 tells of that.
    settings.DRF_APIKIT = {"IDEMPOTENCY": {"CACHE": "nowhere"}}
    assert check_idempotency() == []


def test_nothing_is_looked_at(routed: Checking, settings: Any) -> None:
    wrong = path("rows/", sets("nothing").as_view(POST))
    assert ids(routed(wrong)) == ["E011"]
    settings.DRF_APIKIT = {"IDEMPOTENCY": {"TTL": "long"}}
    assert check_idempotency() == []
    settings.DRF_APIKIT = {}
    settings.ROOT_URLCONF = None
    assert check_idempotency() == []
