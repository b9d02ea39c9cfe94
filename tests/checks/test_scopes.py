import logging
from typing import Any, Final

import pytest
from django.conf import settings as django_settings
from django.test import override_settings
from rest_framework.decorators import action, api_view, permission_classes
from rest_framework.permissions import (
    AllowAny,
    BasePermission,
    IsAdminUser,
    IsAuthenticated,
)
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import APIRootView, DefaultRouter
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from drf_apikit.authentication import HasScopes, any_of
from drf_apikit.checks import check_scopes
from tests.checks.conftest import Route


class Scoped(APIView):
    permission_classes: Any = [HasScopes]
    required_scopes: Any = None

    def get(self, _request: Request) -> Response:
        return Response({})

    post = get


class Notes(GenericViewSet[Any]):
    permission_classes: Any = [HasScopes]
    required_scopes: Any = None

    def list(self, _request: Request) -> Response:
        return Response([])

    def create(self, _request: Request) -> Response:
        return Response({})

    @action(detail=False)
    def count(self, _request: Request) -> Response:
        return Response(0)

    @count.mapping.delete
    def uncount(self, _request: Request) -> Response:
        return Response(0)

    def unrouted(self) -> None:
        """Be no action."""


ROUTES: Final[Any] = {"get": "list", "post": "create"}


def told(code: str) -> list[tuple[str, str]]:
    found = check_scopes()
    assert {message.id for message in found} <= {f"drf_apikit.{code}"}
    return [(message.msg, str(message.hint)) for message in found]


# E014: what cannot be used.


@pytest.mark.parametrize(
    ("declared", "where", "problem"),
    [
        (any_of(), "required_scopes", "any_of() of no scopes lets nobody in"),
        ({""}, "required_scopes", "'' is no scope (RFC 6749 section 3.3)"),
        ("a b", "required_scopes", "'a b' is no scope (RFC 6749 section 3.3)"),
        ([7], "required_scopes", "7 is no scope (RFC 6749 section 3.3)"),
        (7, "required_scopes", "it is neither a list of scopes nor any_of(...)"),
        (
            {"GET": ["a"], "POST": any_of()},
            "required_scopes['POST']",
            "any_of() of no scopes lets nobody in",
        ),
        # Told although there is no such method.
        (
            {"GET": ["a"], "POST": ["b"], "DELETE": [" "]},
            "required_scopes['DELETE']",
            "' ' is no scope (RFC 6749 section 3.3)",
        ),
    ],
    ids=repr,
)
def test_what_cannot_be_used_is_told(
    route: Route, declared: Any, where: str, problem: str
) -> None:
    route(Scoped.as_view(required_scopes=declared))
    assert told("E014") == [
        (
            f"tests.checks.test_scopes.Scoped: {where} cannot be used: {problem}.",
            "Name a list of scopes, which are all needed, or any_of(...).",
        )
    ]


@pytest.mark.parametrize("name", ["get", "list", "GETS", None, 7])
def test_a_view_has_methods_alone(route: Route, name: Any) -> None:
    scopes = {"GET": ["a"], "POST": ["a"], name: ["a"]}
    route(Scoped.as_view(required_scopes=scopes))
    hint = "Methods are named in capitals; it has no actions."
    ((message, found),) = told("E014")
    assert found == hint
    if name is not None:
        assert f"required_scopes[{name!r}] is for an action or method that" in message


@pytest.mark.parametrize("name", ["get", "lists", "unrouted", "as_view", ""])
def test_a_view_set_has_methods_and_actions(route: Route, name: str) -> None:
    scopes = {"GET": ["a"], "POST": ["a"], name: ["a"]}
    route(Notes.as_view(ROUTES, required_scopes=scopes))
    ((message, hint),) = told("E014")
    assert message == (
        f"tests.checks.test_scopes.Notes: required_scopes[{name!r}] is for an action or"
        " method that it does not have."
    )
    assert hint == (
        "Methods are named in capitals, actions are count, create, destroy, list,"
        " metadata, partial_update, retrieve, uncount, update."
    )


@pytest.mark.parametrize(
    "name", ["count", "uncount", "special", "destroy", "metadata", "PATCH", "TRACE"]
)
def test_names_of_what_is_there_are_fine(route: Route, name: str) -> None:
    class Special(Notes):
        required_scopes: Any = {"GET": ["a"], "POST": ["a"], name: ["a"]}

        def special(self, _request: Request) -> Response:
            return Response({})

    route(Special.as_view(ROUTES), Special.as_view({"get": "special"}))
    assert told("") == []


# E015: what is not declared.


@pytest.mark.parametrize(
    ("declared", "missing"),
    [
        (None, ["GET", "POST"]),
        ({}, ["GET", "POST"]),
        ({"GET": None}, ["GET", "POST"]),
        ({"GET": ["a"]}, ["POST"]),
        ({"OPTIONS": ["a"], "HEAD": ["a"], "POST": ["a"]}, ["GET"]),
        pytest.param({"GET": [], "POST": any_of("a", "b")}, [], id="any_of"),
        ([], []),
        ("a", []),
        (any_of("a"), []),
    ],
    ids=repr,
)
def test_a_method_without_scopes_is_told(
    route: Route, declared: Any, missing: list[str]
) -> None:
    route(Scoped.as_view(required_scopes=declared))
    assert [message for message, _hint in told("E015")] == [
        f"tests.checks.test_scopes.Scoped: HasScopes refuses everybody {method}, since"
        " required_scopes names nothing for it."
        for method in missing
    ]


@pytest.mark.parametrize(
    ("declared", "missing"),
    [
        (None, ["GET (list)", "POST (create)"]),
        ({"list": ["a"]}, ["POST (create)"]),
        ({"create": ["a"], "count": ["a"]}, ["GET (list)"]),
        ({"POST": ["a"], "list": ["a"]}, []),
    ],
    ids=repr,
)
def test_an_action_without_scopes_is_told(
    route: Route, declared: Any, missing: list[str]
) -> None:
    route(Notes.as_view(ROUTES, required_scopes=declared))
    found = [message for message, _hint in told("E015")]
    assert found == [
        f"tests.checks.test_scopes.Notes: HasScopes refuses everybody {what}, since"
        " required_scopes names nothing for it."
        for what in missing
    ]


def test_a_method_that_is_switched_off_needs_none(route: Route) -> None:
    route(
        Scoped.as_view(http_method_names=["get"], required_scopes={"GET": ["a"]}),
        Notes.as_view(ROUTES, http_method_names=["get"], required_scopes={"GET": []}),
        Notes.as_view({"get": "list", "put": "gone"}, required_scopes={"GET": []}),
    )
    assert told("") == []


@pytest.mark.parametrize(
    "permission",
    [HasScopes & IsAuthenticated, IsAdminUser | HasScopes, ~HasScopes],
)
def test_combinations_are_looked_into(route: Route, permission: Any) -> None:
    route(Scoped.as_view(permission_classes=[IsAuthenticated, permission]))
    assert len(told("E015")) == 2


def test_a_function_is_told_where_to_name_them(route: Route) -> None:
    @api_view(["GET"])
    @permission_classes([HasScopes])
    def function(_request: Request) -> Response:
        return Response({})

    route(function)
    ((message, hint),) = told("E015")
    assert message.startswith("tests.checks.test_scopes.function: HasScopes refuses")
    assert "on the attribute `cls` of the function" in hint
    view: Any = function
    view.cls.required_scopes = ["a"]
    assert told("") == []


def test_the_root_of_a_router_stops_no_command(
    route: Route, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Rooted(DefaultRouter):
        APIRootView = type("Root", (APIRootView,), {"required_scopes": []})

    monkeypatch.setattr(APIRootView, "permission_classes", [HasScopes])
    route(DefaultRouter().get_api_root_view())
    ((message, hint),) = told("W021")
    assert message == (
        "rest_framework.routers.APIRootView: HasScopes refuses everybody GET, since"
        " required_scopes names nothing for it."
    )
    assert "SimpleRouter has no root" in hint
    route(Rooted().get_api_root_view())
    assert told("") == []


def test_a_view_is_told_once(route: Route) -> None:
    route(Scoped.as_view(), Scoped.as_view())
    assert len(told("E015")) == 2


# W015: what nobody asks for.


class Own(BasePermission):
    """May ask for whatever it wants."""


@pytest.mark.parametrize(
    ("permissions", "declared", "silent"),
    [
        ([IsAuthenticated], ["a"], False),
        ([IsAuthenticated, IsAdminUser], {"GET": ["a"]}, False),
        ([AllowAny], any_of("a"), False),
        ([], ["a"], False),
        ([IsAuthenticated], [], True),
        ([IsAuthenticated], None, True),
        ([IsAuthenticated, Own], ["a"], True),
        ([IsAuthenticated & Own], ["a"], True),
        ([IsAuthenticated, HasScopes], ["a"], True),
        ([IsAuthenticated & HasScopes], ["a"], True),
    ],
)
def test_scopes_that_nobody_asks_for(
    route: Route, permissions: Any, declared: Any, silent: bool
) -> None:
    route(Scoped.as_view(permission_classes=permissions, required_scopes=declared))
    found = told("W015")
    assert len(found) == (not silent)
    for message, hint in found:
        assert message == (
            "tests.checks.test_scopes.Scoped names required_scopes, and has no"
            " permission that asks for them."
        )
        assert hint.startswith("Add HasScopes to its permission_classes")


# What cannot be known.


class ByProperty(Scoped):
    required_scopes: Any = property(lambda _view: [])


class ByMethod(Scoped):
    def get_permissions(self) -> Any:
        return [HasScopes()]


class Permissions(Scoped):
    permission_classes: Any = property(lambda _view: [HasScopes])


@pytest.mark.parametrize("view", [ByProperty, ByMethod, Permissions])
def test_what_depends_on_the_request_is_left_alone(route: Route, view: Any) -> None:
    route(view.as_view())
    assert told("") == []


def test_a_project_without_routes() -> None:
    with override_settings():
        del django_settings.ROOT_URLCONF
        assert check_scopes() == []


def test_a_view_that_raises_hides_no_other(
    route: Route, caplog: pytest.LogCaptureFixture
) -> None:
    class Raising(Notes):
        required_scopes: Any = {"GET": ["a"]}

        @classmethod
        def get_extra_actions(cls) -> Any:
            raise LookupError

    route(Raising.as_view(ROUTES), Scoped.as_view())
    with caplog.at_level(logging.ERROR):
        assert len(told("E015")) == 2
    assert "could not be checked" in caplog.text
