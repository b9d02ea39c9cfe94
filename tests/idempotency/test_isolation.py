"""Whose answer it is: a model of the rules against many requests that resemble.

Each request is one that came before, or differs from one in a single respect, so
that a scope that lacks something is found at once. Between them people lose and
regain their rights, and rows disappear and come back.
"""

import json
import logging
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Final

import pytest
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.test import Client
from django.urls import include, path
from pytest_django import Settings
from rest_framework.decorators import action
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from drf_apikit.idempotency import idempotent, keys, layer, operation
from drf_apikit.models import ExternalIdentity, IdempotencyRecord
from drf_apikit.testing import InMemoryIssuer
from tests.app.models import Article

ISSUERS: Final = ("https://one.test", "https://two.test")
#: Callers by name: which issuer signs for which subject and client.
CALLERS: Final = {
    "ada": (0, "ada", "app"),
    "ada elsewhere": (1, "ada", "app"),
    "eve": (0, "eve", "app"),
    "robot": (0, "robot", "robot"),
    "robot elsewhere": (1, "robot", "robot"),
    "other robot": (0, "other", "other"),
    "number": (0, "1", "1"),
}
#: Two ways to be the same user.
SAME: Final = {"ada elsewhere": "ada"}
NOBODY: Final = ("anonymous", "rejected")
PATHS: Final = ("/a/", "/b/", "/a/x/", "/a/y/", "/shared/")
#: What a request can differ in.
CHOICES: Final[dict[str, tuple[str, ...]]] = {
    "who": (*CALLERS, *NOBODY),
    "tenant": ("north", "south"),
    "method": ("POST", "PATCH"),
    "path": (*PATHS, "/rows/{0}/publish/", "/rows/{1}/publish/", "/rows/{0}/retract/"),
    "key": ("key", "Key", '"key"', "key "),
    "query": ("", "?dry=1"),
    "account": ("", "1", "2"),
}
TITLES: Final = ("seen", "hidden", "locked")


class Allowed(BasePermission):
    revoked: ClassVar[set[str]] = set()

    def has_permission(self, request: Request, _view: APIView) -> bool:
        return name_of(request) not in self.revoked

    def has_object_permission(
        self, _request: Request, _view: APIView, obj: Article
    ) -> bool:
        return obj.title != "locked"


def name_of(request: Request) -> str:
    """Name a caller without the help of what is tested."""
    user: Any = request.user
    token: Any = request.auth
    if isinstance(user, User):
        return f"user {user.pk}"
    return "nobody" if token is None else f"{token.claims['iss']} {token.claims['sub']}"


def echo(request: Request) -> Response:
    """Run: tell who has asked for what, and a number that no other run has."""
    serial = Article.objects.create(title="effect").pk
    told = [name_of(request), request.headers["Tenant"], request.method]
    return Response({"serial": serial, "told": [*told, request.path]}, status=201)


def tenant_of(request: Request) -> str:
    return str(request.headers["Tenant"])


class Echo(APIView):
    permission_classes = [Allowed]

    @idempotent(required=True)
    def post(self, request: Request, **_kwargs: Any) -> Response:
        return echo(request)

    patch = post


class Shared(APIView):
    permission_classes = [Allowed]

    @idempotent(required=True, key_scope=lambda request: request.headers["Account"])
    def post(self, request: Request) -> Response:
        return echo(request)

    patch = post


class Rows(GenericViewSet[Article]):
    permission_classes = [Allowed]

    def get_queryset(self) -> QuerySet[Article]:
        return Article.objects.exclude(title="hidden")

    @action(detail=True, methods=["post", "patch"])
    @idempotent(required=True)
    def publish(self, request: Request, **_kwargs: Any) -> Response:
        self.get_object()
        return echo(request)

    @action(detail=True, methods=["post", "patch"])
    @idempotent(required=True)
    def retract(self, request: Request, **_kwargs: Any) -> Response:
        self.get_object()
        return echo(request)


router = SimpleRouter()
router.register("rows", Rows, basename="row")
urlpatterns = [
    path("a/", Echo.as_view()),
    path("b/", Echo.as_view()),
    path("a/<str:name>/", Echo.as_view()),
    path("shared/", Shared.as_view()),
    path("", include(router.urls)),
]
pytestmark = pytest.mark.urls(__name__)


@dataclass(frozen=True, slots=True)
class Ask:
    """One request."""

    who: str
    tenant: str
    method: str
    path: str
    key: str
    query: str
    account: str

    @property
    def slot(self) -> tuple[str, ...]:
        """Whose answer it is, to what: what a record has to be the only one of."""
        own = SAME.get(self.who, self.who)
        owner = f"account {self.account}" if self.path == "/shared/" else own
        return owner, self.tenant, self.method, self.path, self.key.strip('" ')


@dataclass(slots=True)
class Model:
    """The rules, as somebody would tell them, and what has been done by them."""

    anonymous: str
    users: dict[str, User]
    rows: list[Article]
    tokens: dict[str, str]
    done: dict[tuple[str, ...], tuple[str, int]] = field(default_factory=dict)
    wrong: "Counter[tuple[str, str]]" = field(default_factory=Counter)
    seen: "Counter[str]" = field(default_factory=Counter)

    def expected(self, ask: Ask) -> str:
        """Say what must come out: a status, `new`, `replayed`, or `unkept`."""
        if (refused := self._refused(ask)) is not None:
            return refused
        owned = bool(ask.account) if ask.path == "/shared/" else ask.who != "anonymous"
        if not owned:
            unprotected = {"seen": "unkept", "hidden": "404", "locked": "401"}
            kept = self.anonymous == "refuse"
            return "400" if kept else unprotected[self._title(ask)]
        if (title := self._title(ask)) != "seen":
            return "404" if title == "hidden" else "403"
        if ask.slot not in self.done:
            return "new"
        return "replayed" if self.done[ask.slot][0] == ask.query else "422"

    def _refused(self, ask: Ask) -> str | None:
        user = self.users.get(SAME.get(ask.who, ask.who))
        if ask.who == "rejected" or (user is not None and not user.is_active):
            return "401"
        # Without credentials, DRF asks for some.
        refusal = "401" if ask.who == "anonymous" else "403"
        return refusal if self.name(ask.who) in Allowed.revoked else None

    def _title(self, ask: Ask) -> str:
        for number, row in enumerate(self.rows):
            if f"{{{number}}}" in ask.path:
                return row.title
        return "seen"

    def name(self, who: str) -> str:
        if who in NOBODY:
            return "nobody"
        if (user := self.users.get(SAME.get(who, who))) is not None:
            return f"user {user.pk}"
        issuer, subject, _ = CALLERS[who]
        return f"{ISSUERS[issuer]} {subject}"

    def judge(self, ask: Ask) -> None:
        """Send it; note what came out, and what should have."""
        expected, response = self.expected(ask), self.send(ask)
        got = str(response.status_code)
        serial = json.loads(response.content).get("serial")
        if "Idempotent-Replayed" in response:
            mine = self.done.get(ask.slot, ("", None))[1] == serial
            got = "replayed" if mine else "foreign"
        elif got == "201":
            got = "unkept" if expected == "unkept" else "new"
            if got == "new":
                self.done[ask.slot] = (ask.query, serial)
        self.seen[got] += 1
        if got != expected:
            self.wrong[expected, got] += 1

    def send(self, ask: Ask) -> Any:
        headers = {"Idempotency-Key": ask.key, "Tenant": ask.tenant}
        headers["Account"] = ask.account
        if ask.who in self.tokens:
            headers["Authorization"] = self.tokens[ask.who]
        url = ask.path.format(*(row.pk for row in self.rows)) + ask.query
        kind = "application/json"
        return Client().generic(ask.method, url, b"{}", kind, headers=headers)

    def shake(self, chance: random.Random) -> None:
        """Take or give back a right."""
        lost = chance.random() < 0.3
        match chance.randrange(3):
            case 0:
                user = chance.choice(list(self.users.values()))
                user.is_active = not lost
                user.save(update_fields=["is_active"])
            case 1:
                name = self.name(chance.choice(CHOICES["who"]))
                Allowed.revoked = Allowed.revoked | {name} if lost else set()
            case _:
                row = chance.choice(self.rows)
                row.title = chance.choice(TITLES[1:]) if lost else "seen"
                row.save(update_fields=["title"])


def asks(chance: random.Random, count: int) -> Iterator[Ask]:
    """Give requests, each of which resembles one before it."""
    past: list[Ask] = []
    for _ in range(count):
        if not past or chance.random() < 0.25:
            ask = Ask(**{name: chance.choice(some) for name, some in CHOICES.items()})
        else:
            ask = chance.choice(past[-60:])
            if chance.random() < 0.6:
                name = chance.choice(list(CHOICES))
                ask = replace(ask, **{name: chance.choice(CHOICES[name])})
        past.append(ask)
        yield ask


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Do not log each of the many refusals."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture(params=["refuse", "pass"])
def anonymous(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def model(
    anonymous: str, db: None, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> Model:
    del db
    issuers = [InMemoryIssuer(url) for url in ISSUERS]
    settings.MIDDLEWARE = []
    settings.DRF_APIKIT = {
        "AUTHENTICATION": {"ISSUERS": {it.issuer: it.settings for it in issuers}},
        "IDEMPOTENCY": {"ANONYMOUS": anonymous, "TENANT": f"{__name__}.tenant_of"},
    }
    monkeypatch.setattr(Allowed, "revoked", set())
    users = {"ada": User.objects.create(pk=1, username="ada")}
    users["eve"] = User.objects.create(pk=2, username="eve")
    for issuer, subject, _ in CALLERS.values():
        if subject in users:
            ExternalIdentity.objects.create(
                issuer=ISSUERS[issuer], subject=subject, user=users[subject]
            )
    tokens = {
        who: issuers[issuer].authorization(subject, client_id=client, lifetime=3600)
        for who, (issuer, subject, client) in CALLERS.items()
    }
    tokens["rejected"] = tokens["ada"][:-6]
    rows = [Article.objects.create(title="seen") for _ in range(2)]
    return Model(anonymous, users, rows, tokens)


def play(model: Model, count: int, seed: int, until: str = "") -> None:
    """Send requests; `until` what should not come out has come out."""
    chance = random.Random(seed)
    for ask in asks(chance, count):
        if chance.random() < 0.05:
            model.shake(chance)
        model.judge(ask)
        if until in {got for _, got in model.wrong}:
            break


@pytest.mark.compliance("draft-ietf-httpapi-idempotency-key-header", "5")
def test_nobody_gets_the_answer_of_somebody_else(model: Model) -> None:
    play(model, 1200, seed=6)
    assert not model.wrong
    # It has seen all that there is to be seen, and often.
    assert min(model.seen[name] for name in ("replayed", "new")) > 150
    assert min(model.seen[name] for name in ("401", "403", "404", "422")) > 10
    assert model.seen["400" if model.anonymous == "refuse" else "unkept"] > 20
    assert IdempotencyRecord.objects.count() == len(model.done) == model.seen["new"]
    kept = Article.objects.filter(title="effect").count()
    assert kept == model.seen["new"] + model.seen["unkept"]


def scope_without(*left_out: str) -> Callable[..., str]:
    """Give a scope that lacks something."""

    def resolve(request: Request, principal: str, key: str) -> str:
        parts = {
            "tenant": tenant_of(request),
            "principal": principal,
            "method": request.method,
            "path": request.path_info,
            "key": key,
        }
        return keys.digest(parts[name] for name in parts if name not in left_out)

    return resolve


def user_or_client(request: Request, *_: Any) -> str:
    """Tell principals apart as one would at first."""
    user: Any = request.user
    is_user = isinstance(user, User)
    return keys.digest([user.pk if is_user else getattr(request.auth, "client_id", "")])


BROKEN: Final[dict[str, tuple[str, Any, str]]] = {
    "no tenant": ("resolve_scope", scope_without("tenant"), "foreign"),
    "no principal": ("resolve_scope", scope_without("principal"), "foreign"),
    "no method": ("resolve_scope", scope_without("method"), "foreign"),
    "no path": ("resolve_scope", scope_without("path"), "foreign"),
    # The payload's digest has the key as well, so nothing is given away.
    "no key": ("resolve_scope", scope_without("key"), "422"),
    "key alone": (
        "resolve_scope",
        scope_without("tenant", "principal", "method", "path"),
        "foreign",
    ),
    "one name, one principal": ("resolve_principal", user_or_client, "foreign"),
    "keys in quotes": ("read_key", lambda it: it.headers["Idempotency-Key"], "new"),
    "no payload": ("fingerprint", lambda *_: "same", "replayed"),
    "no permission": ("authorize_replay", lambda *_, **__: True, "replayed"),
}


@pytest.mark.parametrize("anonymous", ["refuse"], indirect=True)
@pytest.mark.parametrize(("name", "broken", "seen"), BROKEN.values(), ids=BROKEN)
def test_the_judge_finds_what_is_broken(
    name: str, broken: Any, seen: str, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = operation if hasattr(operation, name) else layer
    monkeypatch.setattr(place, name, broken)
    play(model, 500, seed=8, until=seen)
    assert seen in {got for _, got in model.wrong}
