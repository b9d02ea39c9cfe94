"""Whose object a replay asks for, and what a view makes of its answers."""

from typing import Any, ClassVar, Final

import pytest
from django.db import connection
from django.http import HttpResponseBase
from django.urls import include, path
from pytest_django import Settings
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied
from rest_framework.generics import CreateAPIView, GenericAPIView
from rest_framework.mixins import (
    CreateModelMixin,
    ListModelMixin,
    RetrieveModelMixin,
    UpdateModelMixin,
)
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter
from rest_framework.views import APIView
from rest_framework.viewsets import ModelViewSet

from drf_apikit.idempotency import IdempotencyMixin, idempotent
from drf_apikit.idempotency.replay import finds_objects
from drf_apikit.models import IdempotencyRecord
from drf_apikit.testing import assert_problem
from tests.app.models import Article
from tests.idempotency.calls import Call, outcome
from tests.idempotency.matrix_world import effects, told
from tests.idempotency.test_traps import MEMORY
from tests.idempotency.views import ArticleSerializer, Script, created


class Orders(IdempotencyMixin, CreateAPIView[Article]):
    """Creates below a parent, whose key is in the path."""

    idempotent_actions: ClassVar[Any] = ("post",)
    permission_classes = [AllowAny]
    queryset = Article.objects.all()
    serializer_class = ArticleSerializer

    def get_success_headers(self, data: Any) -> dict[str, str]:
        return {"Location": f"/orders/{data['pk']}/"}


class OrderViewSet(IdempotencyMixin, ModelViewSet[Article]):
    """Has details, and routes without any below a parent."""

    idempotent_actions: ClassVar[Any] = ("create",)
    permission_classes = [AllowAny]
    queryset = Article.objects.exclude(title="hidden")
    serializer_class = ArticleSerializer

    @action(detail=False, methods=["post"])
    @idempotent(required=True)
    def close(self, request: Request, **_kwargs: Any) -> HttpResponseBase:
        return Script.play(request)

    @action(detail=True, methods=["post"])
    @idempotent(required=True)
    def ship(self, request: Request, **_kwargs: Any) -> HttpResponseBase:
        return Script.play(request)


class Bare(GenericAPIView[Article]):
    """Says by no class what it does."""

    permission_classes = [AllowAny]
    queryset = Article.objects.exclude(title="hidden")

    @idempotent(required=True)
    def post(self, request: Request, **_kwargs: Any) -> HttpResponseBase:
        return Script.play(request)


class Retrieving(RetrieveModelMixin, Bare):
    pass


class Updating(CreateModelMixin, UpdateModelMixin, Bare):
    pass


class Listing(ListModelMixin, Bare):
    pass


class Asked:
    """What a view says to a replay, for the test to say."""

    seen: list[str] = []
    refuses = False

    def authorize_replay(self) -> None:
        Asked.seen.append(type(self).__name__)
        if Asked.refuses:
            raise PermissionDenied


class AskedBare(Asked, Bare):
    pass


class AskedPlain(Asked, APIView):
    permission_classes = [AllowAny]

    @idempotent(required=True)
    def post(self, request: Request, **_kwargs: Any) -> HttpResponseBase:
        return Script.play(request)


class Envelope(APIView):
    """Puts what it answers into something, and counts who has called."""

    permission_classes = [AllowAny]

    @idempotent(required=True)
    def post(self, request: Request) -> HttpResponseBase:
        return Script.play(request)

    def finalize_response(
        self, request: Request, response: Any, *args: Any, **kwargs: Any
    ) -> Any:
        if response.status_code < 300:
            response.data = {"data": response.data}
            Article.objects.create(title="billed")
        return super().finalize_response(request, response, *args, **kwargs)


router = SimpleRouter()
router.register("orders", OrderViewSet, basename="order")
urlpatterns = [
    path("shops/<int:pk>/orders/", Orders.as_view()),
    path("malls/<int:pk>/", include(router.urls)),
    path("", include(router.urls)),
    path("bare/<int:pk>/", Bare.as_view()),
    path("retrieving/<int:pk>/", Retrieving.as_view()),
    path("updating/<int:pk>/", Updating.as_view()),
    path("listing/<int:pk>/", Listing.as_view()),
    path("asked-bare/<int:pk>/", AskedBare.as_view()),
    path("asked-plain/<int:pk>/", AskedPlain.as_view()),
    path("envelope/", Envelope.as_view()),
]
#: There is no row with that key.
NONE: Final = 987

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.urls(__name__)]


@pytest.fixture(params=["database", "cache"])
def source(request: pytest.FixtureRequest, settings: Settings) -> str:
    """Replay from the database, then from a cache."""
    source: str = request.param
    settings.CACHES = {"default": {**MEMORY, "LOCATION": __name__}}
    used = "default" if source == "cache" else None
    settings.DRF_APIKIT = {"IDEMPOTENCY": {"CACHE": used}}
    return source


@pytest.fixture
def article() -> Article:
    return Article.objects.create(title="draft")


@pytest.mark.usefixtures("source")
@pytest.mark.parametrize(
    "url", [f"/shops/{NONE}/orders/", f"/malls/{NONE}/orders/"], ids=["view", "viewset"]
)
def test_what_is_created_below_a_parent_is_replayed_whole(url: str, post: Call) -> None:
    body = {"title": "effect"}
    first, second = post(url, data=body), post(url, data=body)
    assert (told(first), told(second)) == ("201", "201 replayed")
    assert first.json()["title"] == "effect"
    assert outcome(second) == outcome(first)
    assert ("Location" in second) is url.startswith("/shops")
    assert effects() == 1


@pytest.mark.usefixtures("source")
@pytest.mark.parametrize(
    "url", [f"/malls/{NONE}/orders/close/", f"/listing/{NONE}/"], ids=["route", "list"]
)
def test_what_is_no_detail_asks_for_no_object(url: str, post: Call) -> None:
    first, second = post(url), post(url)
    assert (told(first), told(second)) == ("201", "201 replayed")
    assert second["Location"] == first["Location"]
    assert outcome(second) == outcome(first)


@pytest.mark.usefixtures("source")
@pytest.mark.parametrize(
    "url",
    ["/bare/{}/", "/retrieving/{}/", "/updating/{}/", "/orders/{}/ship/"],
    ids=["bare", "retrieving", "updating", "viewset"],
)
def test_a_detail_asks_for_its_object_still(
    url: str, post: Call, article: Article
) -> None:
    url, rows = url.format(article.pk), Article.objects.filter(pk=article.pk)
    first = post(url)
    assert told(first) == "201"
    rows.update(title="hidden")
    assert_problem(post(url), 404, "not-found")
    rows.update(title="draft")
    assert outcome(post(url)) == outcome(first)


@pytest.mark.usefixtures("source")
@pytest.mark.parametrize("url", ["/asked-bare/{}/", "/asked-plain/{}/"])
def test_a_view_that_finds_its_objects_in_its_own_way_is_asked(
    url: str, post: Call, article: Article, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Asked, "seen", [])
    url = url.format(article.pk)
    first = post(url)
    assert told(first) == "201"
    assert not Asked.seen
    # Its queryset has no say any more.
    Article.objects.filter(pk=article.pk).update(title="hidden")
    assert outcome(post(url)) == outcome(first)
    monkeypatch.setattr(Asked, "refuses", True)
    assert_problem(post(url), 403, "permission-denied")
    assert_problem(post(url, data={"amount": 2}), 403, "permission-denied")
    assert len(Asked.seen) == 3
    assert len(Script.entered) == 1


@pytest.mark.parametrize(
    ("detail", "found"), [(True, True), (False, False), (None, True)]
)
def test_a_router_has_the_last_word(detail: bool | None, found: bool) -> None:
    view = OrderViewSet(detail=detail)
    view.action, view.kwargs = "ship", {"pk": 1}
    assert finds_objects(view) is found
    assert not finds_objects(APIView())


@pytest.mark.usefixtures("source")
def test_an_answer_goes_through_the_view_s_own_hands_once(
    post: Call, script: type[Script]
) -> None:
    script.answer = staticmethod(lambda _: Response({"ok": 1}, status=201))
    first, second, third = post("/envelope/"), post("/envelope/"), post("/envelope/")
    assert first.content == b'{"data":{"ok":1}}'
    assert outcome(first) == outcome(second) == outcome(third)
    assert told(third) == "201 replayed"
    # What else a replay gets of DRF is there.
    assert third["Allow"] == first["Allow"]
    assert Article.objects.filter(title="billed").count() == 1
    # Refusals are made anew, by the view.
    script.answer = staticmethod(created)
    assert_problem(
        post("/envelope/", data={"amount": 2}), 422, "idempotency-key-reused"
    )
    assert IdempotencyRecord.objects.count() == effects() == 1


@pytest.mark.usefixtures("source")
def test_a_view_that_is_asked_may_lock_what_it_reads(
    post: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lock(_view: APIView) -> None:
        assert connection.in_atomic_block

    monkeypatch.setattr(AskedPlain, "authorize_replay", lock)
    url = f"/asked-plain/{NONE}/"
    assert [told(post(url)) for _ in range(2)] == ["201", "201 replayed"]
