"""What shapes the bytes of an answer shapes its tag; and who may keep the answer."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.utils import timezone, translation
from pytest_django import Settings
from rest_framework import renderers
from rest_framework.authentication import BasicAuthentication, SessionAuthentication
from rest_framework.generics import RetrieveAPIView
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import CharField, ModelSerializer, Serializer
from rest_framework.test import APIRequestFactory, force_authenticate
from rest_framework.versioning import AcceptHeaderVersioning

from drf_apikit.conditional import (
    BodyHash,
    ConditionalGetMixin,
    ConditionalMixin,
    PageDigest,
    VersionField,
)
from drf_apikit.conditional.get import ConditionalGetLayer
from drf_apikit.conditional.variants import schema_of
from drf_apikit.handlers import Call
from tests.app.models import Author, Document

pytestmark = pytest.mark.django_db
FACTORY = APIRequestFactory()
LOCALE = "django.middleware.locale.LocaleMiddleware"


class AuthorSerializer(ModelSerializer[Author]):
    class Meta:
        model = Author
        fields = "__all__"


class DocumentSerializer(ModelSerializer[Document]):
    author = AuthorSerializer(read_only=True)

    class Meta:
        model = Document
        fields = ("id", "title", "author")
        extra_kwargs: dict[str, Any] = {"title": {"required": False}}


class ShortSerializer(ModelSerializer[Document]):
    class Meta:
        model = Document
        exclude = ("tags",)


class NodeSerializer(Serializer[Any]):
    name = CharField(source="title", write_only=True)
    others = DocumentSerializer(many=True)


class Versions(AcceptHeaderVersioning):
    default_version = "1"


class View(ConditionalGetMixin, RetrieveAPIView[Document]):
    queryset = Document.objects.all()
    serializer_class: Any = DocumentSerializer
    authentication_classes: Any = (SessionAuthentication,)
    permission_classes = (AllowAny,)
    renderer_classes: Any = (renderers.JSONRenderer, renderers.BrowsableAPIRenderer)
    versioning_class = Versions
    validator = VersionField()


@pytest.fixture
def document() -> Document:
    return Document.objects.create(slug="a", title="t")


@pytest.fixture(autouse=True)
def no_locale(settings: Settings) -> None:
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if name != LOCALE]


def make(**own: Any) -> Any:
    return type("Made", (View,), own)


def ask(
    view: Any = View,
    path: str = "/",
    *,
    user: Any = None,
    token: Any = None,
    method: str = "get",
    **headers: str,
) -> Any:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = getattr(FACTORY, method)(path, headers=named)
    if user is not None:
        force_authenticate(request, user, token)
    response = view.as_view()(request, pk=Document.objects.get().pk)
    return response.render() if hasattr(response, "render") else response


def variant(*given: Any, **options: Any) -> str:
    response = ask(*given, **options)
    assert response.status_code == 200
    tag: str = response["ETag"]
    return tag.partition(".")[2]


ADA, BOB = User(pk=1, username="ada"), User(pk=2, username="bob")


class Scoped:
    def __init__(self, *scopes: str) -> None:
        self.scopes = frozenset(scopes)


def machine(name: str) -> dict[str, Any]:
    token = SimpleNamespace(issuer="https://a.test", client_id=name, scopes=())
    return {"user": SimpleNamespace(pk=None, is_authenticated=True), "token": token}


#: Ways to ask of which no two get one tag.
WAYS: dict[str, Callable[[], str]] = {
    "plain": lambda: variant(user=ADA),
    "query": lambda: variant(path="/?a=1", user=ADA),
    "version": lambda: variant(user=ADA, Accept="application/json; version=2"),
    "another": lambda: variant(user=BOB),
    "nobody": lambda: variant(user=AnonymousUser()),
    "staff": lambda: variant(user=User(pk=1, is_staff=True)),
    "superuser": lambda: variant(user=User(pk=1, is_superuser=True)),
    "scope": lambda: variant(user=ADA, token=Scoped("read")),
    "scopes": lambda: variant(user=ADA, token=Scoped("read", "write")),
    "machine": lambda: variant(**machine("one")),
    "another machine": lambda: variant(**machine("two")),
    "serializer": lambda: variant(make(serializer_class=ShortSerializer), user=ADA),
    "header": lambda: variant(make(variant_headers=("X-Unit",)), user=ADA, X_Unit="m"),
    "no header": lambda: variant(make(variant_headers=("X-Unit",)), user=ADA),
    "own": lambda: variant(make(get_variant=lambda _: ["flag"]), user=ADA),
}


@pytest.mark.compliance("RFC 9110", "8.8.1")
@pytest.mark.usefixtures("document")
def test_what_shapes_the_bytes_shapes_the_tag(settings: Settings) -> None:
    found = {name: way() for name, way in WAYS.items()}
    with translation.override("de"):
        found["language"] = variant(user=ADA)
    with translation.override(None):
        found["no language"] = variant(user=ADA)
    with timezone.override("Asia/Tokyo"):
        found["zone"] = variant(user=ADA)
    settings.DRF_APIKIT = {"CONDITIONAL": {"REVISION": "2"}}
    found["revision"] = variant(user=ADA)
    settings.DRF_APIKIT = {}
    settings.SECRET_KEY = "another key that only the tests know"
    found["key"] = variant(user=ADA)
    settings.SECRET_KEY = b"another key that only the tests know"
    assert variant(user=ADA) == found["key"]
    assert len(set(found.values())) == len(found)


@pytest.mark.usefixtures("document")
def test_scopes_in_any_order_are_the_same() -> None:
    one, two = Scoped("a", "b"), SimpleNamespace(scopes=["b", "a"])
    assert variant(user=ADA, token=one) == variant(user=ADA, token=two)


@pytest.mark.usefixtures("document")
def test_all_callers_share_a_tag_that_is_for_all() -> None:
    public = make(per_user=False)
    shared = {variant(public, user=user) for user in (ADA, BOB, AnonymousUser())}
    assert len(shared) == 1


def test_a_schema_is_what_is_declared() -> None:
    def described(**own: Any) -> str:
        name = {"__qualname__": "S", "__module__": "m"}
        return schema_of(type("S", (Serializer,), {**name, **own}))

    class Meta:
        fields = ("a",)

    class Excluding:
        model = Author
        exclude = ("name",)

    found = [
        described(),
        described(a=CharField()),
        described(b=CharField()),
        described(a=CharField(source="b")),
        described(a=CharField(write_only=True)),
        described(a=DocumentSerializer()),
        described(a=DocumentSerializer(many=True), b=CharField()),
        described(a=AuthorSerializer()),
        described(Meta=Meta),
        described(Meta=Excluding),
        schema_of(DocumentSerializer),
        schema_of(NodeSerializer),
    ]
    assert len(set(found)) == len(found)
    assert described() == found[0]
    assert "title:CharField" in found[-2]


def test_a_schema_that_has_itself_in_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    class Endless(Serializer[Any]):
        name = CharField()

    fields = vars(Endless)["_declared_fields"]
    monkeypatch.setitem(fields, "parent", Endless())
    assert schema_of(Endless).count("name:") == 1


class Bare(ConditionalGetMixin, RetrieveAPIView[Document]):
    """Without rows or a serializer."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    def get(self, request: Request, *_: Any, **__: Any) -> Response:
        assert not request.data
        return Response({"time": 1})


@pytest.mark.usefixtures("document")
def test_a_view_without_rows_or_serializer_is_judged_by_its_bytes() -> None:
    tag = ask(Bare)["ETag"]
    assert ask(Bare, If_None_Match=tag).status_code == 304
    assert ask(Bare, If_Match='"other"').status_code == 412


class Choosing(View):
    serializer_class = None

    def get_serializer_class(self) -> Any:
        staff = self.request.user.is_staff
        return ShortSerializer if staff else DocumentSerializer


@pytest.mark.usefixtures("document")
def test_a_serializer_that_is_chosen() -> None:
    staff = User(pk=3, is_staff=True)
    assert variant(Choosing, user=ADA) == variant(user=ADA)
    assert variant(Choosing, user=staff) != variant(user=staff)


@pytest.mark.compliance("RFC 9110", "12.5.5")
@pytest.mark.usefixtures("document")
@pytest.mark.parametrize(
    ("own", "locale", "expected"),
    [
        ({}, False, "Accept, Cookie"),
        ({}, True, "Accept, Accept-Language, Cookie"),
        ({"per_user": False}, False, "Accept"),
        ({"variant_headers": ("Prefer",)}, False, "Accept, Cookie, Prefer"),
        (
            {"authentication_classes": (BasicAuthentication,)},
            False,
            "Accept, Authorization",
        ),
        (
            {"authentication_classes": (SessionAuthentication, BasicAuthentication)},
            False,
            "Accept, Authorization, Cookie",
        ),
        ({"authentication_classes": ()}, False, "Accept"),
    ],
)
def test_vary_names_what_the_variant_is_made_of(
    own: dict[str, Any], locale: bool, expected: str, settings: Settings
) -> None:
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, *([LOCALE] * locale)]
    view = make(**own)
    full = ask(view)
    same = ask(view, If_None_Match=full["ETag"])
    assert same.status_code == 304
    for response in (full, same):
        assert ", ".join(sorted(response["Vary"].split(", "))) == expected


@pytest.mark.compliance("RFC 9111", "5.2.2")
@pytest.mark.usefixtures("document")
def test_who_may_keep_an_answer() -> None:
    tag = ask(user=ADA)["ETag"]
    for response in (
        ask(user=ADA),
        ask(user=ADA, If_None_Match=tag),
        ask(**machine("one")),
        ask(user=AnonymousUser(), token=Scoped()),
    ):
        assert response["Cache-Control"] == "private, no-cache"
    assert "Cache-Control" not in ask()
    assert "Cache-Control" not in ask(make(cache_control=None), user=ADA)
    assert ask(make(cache_control="no-store"), user=ADA)["Cache-Control"] == "no-store"


class Controlled(View):
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        response = super().retrieve(request, *args, **kwargs)
        response["Cache-Control"] = "max-age=60"
        response["ETag"] = '"own"'
        return response


@pytest.mark.usefixtures("document")
def test_what_the_view_says_itself_stays() -> None:
    response = ask(make(__module__=__name__), user=ADA)
    assert response["ETag"].startswith('"2-1-')
    own = ask(type("Own", (Controlled,), {"validator": BodyHash()}), user=ADA)
    assert own["ETag"] == '"own"'
    assert own["Cache-Control"] == "max-age=60"
    same = ask(Controlled, user=ADA, If_None_Match='"own"')
    assert (same.status_code, same["ETag"]) == (304, '"own"')


class TitlePage(renderers.BrowsableAPIRenderer):
    """A page that has more in it than the data."""

    def render(self, data: Any, *_: Any, **__: Any) -> str:
        return f"<html>{data['title']} of {Author.objects.count()}"


@pytest.mark.usefixtures("document")
def test_html_pages_are_judged_by_their_bytes() -> None:
    view = make(renderer_classes=(renderers.JSONRenderer, TitlePage))
    data, page = ask(view)["ETag"], ask(view, Accept="text/html")["ETag"]
    assert ask(view, Accept="text/html", If_None_Match=data).status_code == 200
    assert ask(view, Accept="text/html", If_None_Match=page).status_code == 304
    Author.objects.create(name="new")
    assert ask(view, Accept="text/html", If_None_Match=page).status_code == 200
    assert ask(view, If_None_Match=data).status_code == 304


@pytest.mark.usefixtures("document")
def test_a_browsable_page_has_a_tag() -> None:
    page = ask(Accept="text/html")
    assert b"<html" in page.content
    # It has a token against forged requests in it, another one each time.
    assert ask(Accept="text/html", If_None_Match=page["ETag"]).status_code == 200


@pytest.mark.compliance("RFC 9110", "13.1.2")
@pytest.mark.usefixtures("document")
def test_head_is_as_get() -> None:
    tag = ask(user=ADA)["ETag"]
    assert ask(user=ADA, method="head")["ETag"] == tag
    assert ask(user=ADA, method="head", If_None_Match=tag).status_code == 304


@pytest.mark.compliance("RFC 9110", "13.1.1")
@pytest.mark.usefixtures("document")
def test_if_match_of_a_get_asks_for_the_state_alone() -> None:
    tag = ask(path="/?a=1")["ETag"]
    assert ask(If_Match=tag).status_code == 200
    Document.objects.update(title="x")
    refused = ask(If_Match=tag)
    assert refused.status_code == 412
    assert refused["ETag"] == ask()["ETag"]


def test_the_layer_is_for_its_mixin() -> None:
    plain: Any = RetrieveAPIView()
    call = Call(plain, Request(FACTORY.get("/")))
    with pytest.raises(TypeError, match="is no ConditionalGetMixin"):
        ConditionalGetLayer()(call, Response)


@pytest.mark.usefixtures("document")
def test_a_read_mixin_leaves_writes_alone() -> None:
    class Writing(View):
        def patch(self, _request: Request, **_: Any) -> Response:
            return Response({})

    response = ask(Writing, method="patch", If_Match='"stale"')
    assert response.status_code == 200
    assert "ETag" not in response
    assert issubclass(ConditionalMixin, ConditionalGetMixin)
    assert PageDigest.records_rows
