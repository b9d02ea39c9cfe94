"""`HasScopes` in DRF's combinations: who gets in, and what the others are told."""

from types import SimpleNamespace
from typing import Any

import pytest
from rest_framework.permissions import (
    AND,
    BasePermission,
    IsAdminUser,
    IsAuthenticated,
)
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory, force_authenticate
from rest_framework.views import APIView

from drf_apikit.authentication import HasScopes
from drf_apikit.authentication.operators import asked_in, needed_in
from drf_apikit.testing import assert_problem

SCOPED = SimpleNamespace(scopes={"notes:read"})
UNSCOPED = SimpleNamespace(scopes={"x"})
CHALLENGE = 'Bearer realm="api", error="insufficient_scope", scope="notes:read"'


class Even(BasePermission):
    """Asks for objects alone."""

    def has_object_permission(
        self, _request: Request, _view: APIView, obj: Any
    ) -> bool:
        return bool(obj % 2 == 0)


class Nobody(BasePermission):
    def has_permission(self, _request: Request, _view: APIView) -> bool:
        return False


class View(APIView):
    required_scopes = ("notes:read",)
    number: int | None = None

    def get(self, request: Request) -> Response:
        if self.number is not None:
            self.check_object_permissions(request, self.number)
        return Response({})


def ask(permission: Any, auth: Any = None, *, staff: bool = False, **given: Any) -> Any:
    request = APIRequestFactory().get("/")
    user: Any = SimpleNamespace(is_authenticated=True, is_staff=staff, pk=1)
    force_authenticate(request, user, auth)
    view = View.as_view(permission_classes=[permission], **given)
    return view(request)


#: The permission, and who gets in: a token with the scope, one without it, staff
#: with a token without the scope, staff in a session.
COMBINED = [
    pytest.param(HasScopes & IsAuthenticated, "1000", id="and"),
    pytest.param(IsAuthenticated & HasScopes, "1000", id="and-behind"),
    pytest.param(HasScopes & IsAdminUser, "0000", id="and-staff"),
    pytest.param(HasScopes | IsAdminUser, "1011", id="or"),
    pytest.param(IsAdminUser | HasScopes, "1011", id="or-behind"),
    pytest.param(HasScopes | Nobody | IsAdminUser, "1011", id="or-or"),
    pytest.param(IsAuthenticated & HasScopes | IsAdminUser, "1011", id="and-or"),
    pytest.param(IsAdminUser & IsAuthenticated | HasScopes, "1011", id="holder-or"),
    pytest.param(HasScopes & (IsAdminUser | Nobody), "0000", id="and-holder"),
    pytest.param((IsAdminUser & Nobody) & HasScopes, "0000", id="holder-and"),
    pytest.param(Nobody & Nobody | (HasScopes | Nobody), "1000", id="holder-or-ours"),
    pytest.param(HasScopes | Nobody & Nobody | IsAdminUser, "1011", id="or-holder-or"),
    # DRF's own `|` passes the refusal on: fewer get in, as the guide says.
    pytest.param(
        IsAdminUser & Nobody | HasScopes | IsAdminUser, "1000", id="holder-or-or"
    ),
    pytest.param(~HasScopes, "0111", id="not"),
    pytest.param(~~HasScopes, "1000", id="not-not"),
    pytest.param(~HasScopes & IsAdminUser, "0011", id="not-and"),
    pytest.param(~(HasScopes | Nobody), "0111", id="not-or"),
]


@pytest.mark.parametrize(("permission", "expected"), COMBINED)
def test_who_gets_in(permission: Any, expected: str) -> None:
    answers = (
        ask(permission, SCOPED),
        ask(permission, UNSCOPED),
        ask(permission, UNSCOPED, staff=True),
        ask(permission, staff=True),
    )
    found = [response.status_code for response in answers]
    assert found == [200 if digit == "1" else 403 for digit in expected]


@pytest.mark.compliance("RFC 6750", "3.1")
@pytest.mark.parametrize(
    "permission",
    [
        HasScopes & IsAuthenticated,
        IsAuthenticated & HasScopes,
        HasScopes | IsAdminUser,
        IsAdminUser | HasScopes,
        HasScopes & Even | Nobody,
        IsAuthenticated & Even & HasScopes,
        IsAdminUser & IsAuthenticated | HasScopes,
    ],
)
def test_who_does_not_is_told_the_scope(permission: Any) -> None:
    response = ask(permission, UNSCOPED)
    assert_problem(response, 403, "insufficient-scope", scope="notes:read")
    assert response.headers["WWW-Authenticate"] == CHALLENGE


@pytest.mark.parametrize("permission", [HasScopes & Nobody, Nobody | Nobody])
def test_a_refusal_for_another_reason_names_no_scope(permission: Any) -> None:
    response = ask(permission, SCOPED)
    assert_problem(response, 403, "permission-denied")
    assert "WWW-Authenticate" not in response.headers


@pytest.mark.parametrize("permission", [HasScopes & Even, HasScopes | Nobody])
def test_without_credentials_the_answer_is_401(permission: Any) -> None:
    view = View.as_view(permission_classes=[permission])
    response = view(APIRequestFactory().get("/"))
    assert_problem(response, 401, "not-authenticated")
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="api"'


#: The permission, and whether a token with the scope, one without, and staff
#: without get at the objects 2 and 3.
OBJECTS = [
    pytest.param(HasScopes & Even, "10 00 00", id="and"),
    pytest.param(HasScopes | IsAdminUser, "11 00 11", id="or"),
    pytest.param(IsAdminUser & Even | HasScopes, "11 00 10", id="and-or"),
    pytest.param(Even | HasScopes, "11 10 10", id="object-or"),
    pytest.param(HasScopes & Even | IsAdminUser, "10 00 11", id="or-staff"),
    # As DRF's: what asks for no objects grants them all, and `~` turns that.
    pytest.param(~HasScopes, "00 00 00", id="not"),
    pytest.param(~(HasScopes & Even), "00 01 01", id="not-and"),
    pytest.param(~(HasScopes | Nobody), "00 11 11", id="not-or"),
]


@pytest.mark.parametrize(("permission", "expected"), OBJECTS)
def test_who_gets_at_an_object(permission: Any, expected: str) -> None:
    callers: list[tuple[Any, bool]] = [
        (SCOPED, False),
        (UNSCOPED, False),
        (UNSCOPED, True),
    ]
    found = " ".join(
        "".join(
            str(int(ask(permission, auth, staff=staff, number=n).status_code == 200))
            for n in (2, 3)
        )
        for auth, staff in callers
    )
    assert found == expected


@pytest.mark.parametrize(
    ("permission", "asked", "needed"),
    [
        (HasScopes, True, True),
        (type("Heir", (HasScopes,), {}), True, True),
        (IsAuthenticated, False, False),
        (HasScopes & IsAuthenticated, True, True),
        (IsAuthenticated & (Even & HasScopes), True, True),
        (IsAuthenticated & IsAdminUser, False, False),
        (IsAuthenticated & Even & HasScopes, True, True),
        (HasScopes | IsAdminUser, True, False),
        (IsAdminUser & Even | HasScopes, True, False),
        (~HasScopes, True, False),
        (HasScopes & ~HasScopes, True, True),
    ],
)
def test_where_scopes_are_asked_for(permission: Any, asked: bool, needed: bool) -> None:
    for one in (permission, permission()):
        assert asked_in(one, HasScopes) is asked
        assert needed_in(one, HasScopes) is needed


def test_an_and_is_one_of_drfs() -> None:
    assert type((HasScopes & IsAuthenticated)()) is AND
    assert HasScopes & Even == HasScopes & Even
    assert len({HasScopes & Even, HasScopes & Even, HasScopes | Even}) == 2
