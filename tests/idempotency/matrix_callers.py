"""Rows of the matrix: whose answer it is, and who may have it."""

from typing import Any

from django.contrib.auth.models import AnonymousUser
from rest_framework.exceptions import NotAuthenticated, PermissionDenied, Throttled
from rest_framework.request import Request

from tests.app.models import Article
from tests.idempotency.calls import caller, machine
from tests.idempotency.matrix_world import World, row
from tests.idempotency.views import created

TWO: dict[str, Any] = {"effects": 2, "records": 2}


@row("201, 201, 201 replayed", peers="the answer of somebody else", **TWO)
def other_user(world: World) -> list[Any]:
    return [world.call(name)("/effects/") for name in ("ada", "eve", "ada")]


def tenant_of(request: Request) -> str:
    return str(request.headers["Tenant"])


@row("201, 201, 201 replayed", peers="the answer of another tenant", **TWO)
def other_tenant(world: World) -> list[Any]:
    world.configure(TENANT=f"{__name__}.{tenant_of.__name__}")
    return [world.post(headers={"Tenant": name}) for name in ("north", "south")] + [
        world.post(headers={"Tenant": "north"})
    ]


@row("201, 201, 201 replayed", peers="one scope for all without a user", **TWO)
def other_machine_client(world: World) -> list[Any]:
    del world
    one, two = machine("client-1"), machine("client-2")
    return [one("/effects/"), two("/effects/"), one("/effects/")]


@row("201, 201", peers="clients of two issuers with one name are one", **TWO)
def machine_client_of_another_issuer(world: World) -> list[Any]:
    del world
    issuers = ("https://one.test", "https://two.test")
    return [machine("client", issuer)("/effects/") for issuer in issuers]


@row("201, 201", peers="a client whose name is a user's number is that user", **TWO)
def machine_client_named_like_a_user(world: World) -> list[Any]:
    user = world.user()
    return [world.post(), machine(str(user.pk))("/effects/")]


@row(
    "201, 201, 201, 201, 201 replayed",
    peers="one key for all routes: the answer of another operation",
    effects=4,
    records=4,
)
def other_route_argument_or_method(world: World) -> list[Any]:
    patch = world.call(method="patch")
    urls = ["/effects/", "/others/", "/effects/a/", "/effects/"]
    first, second, third, last = (world.post(url) for url in urls[:3] + urls[:1])
    return [first, second, third, patch("/effects/"), last]


@row("201, 201 replayed", peers="another operation than the one that runs")
def method_override_is_no_method(world: World) -> list[Any]:
    header = {"X-HTTP-Method-Override": "PATCH"}
    return [world.post(), world.post(headers=header)]


@row(
    "400 idempotency-key-anonymous, 200",
    peers="the answer of somebody else, without login",
    records=0,
)
def anonymous_refused(world: World) -> list[Any]:
    del world
    post = caller(AnonymousUser())
    return [post("/optional/"), post("/optional/", None)]


@row("200, 200", peers="the answer of somebody else", effects=2, records=0)
def anonymous_passed(world: World) -> list[Any]:
    world.configure(ANONYMOUS="pass")
    post = caller(None)
    return [post("/optional/"), post("/optional/")]


@row(
    "201, 401 not-authenticated, 401 invalid-token, 201 replayed",
    peers="the body to whoever has the key, without login",
)
def stored_answer_without_login(world: World) -> list[Any]:
    token = world.known()
    return [
        world.with_token(token, "/function/") for token in (token, "", "Bearer x")
    ] + [world.with_token(token, "/function/")]


@row("401 invalid-token, 201, 201 replayed", peers="401 for 24 hours")
def rejected_token_then_login(world: World) -> list[Any]:
    token = world.known()
    return [world.with_token(sent, "/function/") for sent in (token[:-4], token, token)]


@row("201, 201 replayed", peers="a new token is a new caller: run again")
def refreshed_token(world: World) -> list[Any]:
    world.known()
    tokens = [world.issuer.authorization("ada") for _ in range(2)]
    assert tokens[0] != tokens[1]
    return [world.with_token(token, "/function/") for token in tokens]


@row(
    "401 not-authenticated, 403 permission-denied, 429 throttled, 201",
    peers="the refusal is stored, and answers for 24 hours",
    entered=1,
)
def refused_before_the_layer(world: World) -> list[Any]:
    def raising(error: Exception) -> bool:
        raise error

    errors = [NotAuthenticated(), PermissionDenied(), Throttled()]
    answers = []
    for error in errors:
        world.script.gate = staticmethod(lambda error=error: raising(error))
        answers.append(world.post())
    world.script.gate = staticmethod(lambda: True)
    return [*answers, world.post()]


@row("201, 403 permission-denied, 201 replayed", peers="replayed to the revoked")
def permission_lost(world: World) -> list[Any]:
    first = world.post()
    world.script.gate = staticmethod(lambda: False)
    second = world.post()
    world.script.gate = staticmethod(lambda: True)
    return [first, second, world.post()]


@row("201, 401 invalid-token", peers="a token that is revoked is still replayed to")
def user_deactivated(world: World) -> list[Any]:
    token, user = world.known(), world.user()
    first = world.with_token(token, "/function/")
    user.is_active = False
    user.save()
    return [first, world.with_token(token, "/function/")]


def retitled(world: World, title: str) -> list[Any]:
    article = Article.objects.create(title="draft")
    url = f"/articles/{article.pk}/publish/"
    first = world.post(url)
    rows = Article.objects.filter(pk=article.pk)
    rows.update(title=title)
    second = world.post(url)
    rows.update(title="draft")
    return [first, second, world.post(url)]


@row("201, 404 not-found, 201 replayed", peers="replayed to who cannot see it")
def object_hidden(world: World) -> list[Any]:
    return retitled(world, "hidden")


@row("201, 403 permission-denied, 201 replayed", peers="replayed to who may not")
def object_forbidden(world: World) -> list[Any]:
    return retitled(world, "locked")


@row("204, 204 replayed", peers="404: the client thinks that it has failed", effects=0)
def delete_then_retry(world: World) -> list[Any]:
    article = Article.objects.create(title="draft")
    delete = world.call(method="delete")
    return [delete(f"/articles/{article.pk}/") for _ in range(2)]


@row("201, 201 replayed", peers="the whole body of what is gone")
def row_gone_before_the_retry(world: World) -> list[Any]:
    article = Article.objects.create(title="draft")
    url = f"/articles/{article.pk}/publish/"
    first = world.post(url)
    article.delete()
    second = world.post(url)
    assert not second.content
    assert "Location" not in second
    # What the judge compares is the status alone.
    first.content = b""
    for name in ("Content-Type", "Location"):
        del first[name]
    return [first, second]


@row(
    "201, 201 replayed, 400 idempotency-key-anonymous, 201",
    peers="a scope can only be a credential",
    effects=0,
    records=2,
)
def account_of_several_users(world: World) -> list[Any]:
    body = {"title": "shared"}

    def create(name: str, **headers: str) -> Any:
        return world.call(name)("/shared/", data=body, headers=headers)

    return [
        create("ada", Account="1"),
        create("eve", Account="1"),
        create("eve"),
        create("eve", Account="2"),
    ]


@row(
    "204, 404 not-found, 204 replayed",
    peers="who was there before is told",
    effects=0,
)
def row_gone_and_another_user_of_the_account(world: World) -> list[Any]:
    article = Article.objects.create(title="draft")
    url = f"/shared/{article.pk}/"
    return [
        world.call(name, "delete")(url, headers={"Account": "1"})
        for name in ("ada", "eve", "ada")
    ]


@row("201, 403 permission-denied, 201", peers="the key is taken by the refusal", **TWO)
def key_cannot_be_taken_from_another(world: World) -> list[Any]:
    eve, ada = world.call("eve"), world.call()
    first = eve("/effects/")
    world.script.gate = staticmethod(lambda: False)
    second = eve("/effects/", data={"amount": 2})
    world.script.gate = staticmethod(lambda: True)
    world.answer(created)
    return [first, second, ada("/effects/")]
