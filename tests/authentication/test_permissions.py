import logging
from typing import Any

import pytest
from rest_framework.test import APIClient

from drf_apikit.authentication import any_of
from drf_apikit.authentication.permissions import AnyOf, scopes_for
from drf_apikit.testing import assert_problem
from tests.authentication.conftest import SignIn

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.authentication.urls")]


def ask(client: APIClient, line: str) -> Any:
    method, url = line.split(" ")
    return getattr(client, method.lower())(url)


def missing(response: Any, scope: str) -> None:
    """Assert the 403 of RFC 6750 section 3.1 that names these scopes."""
    if response.request["REQUEST_METHOD"] == "HEAD":
        assert response.status_code == 403
    else:
        assert_problem(response, 403, "insufficient-scope", scope=scope)
    parameter = f', scope="{scope}"' if scope else ""
    assert response.headers["WWW-Authenticate"] == (
        f'Bearer realm="api", error="insufficient_scope"{parameter}'
    )


@pytest.mark.compliance("RFC 6750", "3.1")
@pytest.mark.parametrize(
    ("line", "scope", "needed"),
    [
        pytest.param("GET /scoped/", "", "notes:list notes:read", id="none"),
        pytest.param("GET /scoped/", "notes:read", "notes:list notes:read", id="one"),
        pytest.param("GET /scoped/", "notes:read notes:list", None, id="all"),
        pytest.param("GET /scoped/", "x notes:list notes:read", None, id="and-more"),
        pytest.param("POST /scoped/", "notes:list notes:read", None, id="every-method"),
        pytest.param("GET /scoped/", "NOTES:READ notes:list", "notes:list notes:read"),
        pytest.param("GET /scoped/", "notes", "notes:list notes:read", id="prefix"),
        pytest.param("GET /mapped/", "notes:read", None, id="get"),
        pytest.param("GET /mapped/", "notes:write", "notes:read", id="get-other"),
        pytest.param("POST /mapped/", "notes:write", None, id="any-of-first"),
        pytest.param("POST /mapped/", "notes:create", None, id="any-of-second"),
        pytest.param("POST /mapped/", "x", "notes:create notes:write", id="any-of"),
        pytest.param("PUT /mapped/", "notes:write", None, id="bare-string"),
        pytest.param("PUT /mapped/", "n o t e s", "notes:write", id="no-letters"),
        pytest.param("DELETE /mapped/", "", None, id="authenticated-is-enough"),
        pytest.param("HEAD /mapped/", "notes:read", None, id="head-as-get"),
        pytest.param("HEAD /mapped/", "notes:write", "notes:read", id="head-other"),
        pytest.param("OPTIONS /mapped/", "notes:read", None, id="options-as-get"),
        pytest.param("OPTIONS /mapped/", "x", "notes:read", id="options-other"),
        pytest.param("HEAD /options/", "notes:head", None, id="own-head"),
        pytest.param("HEAD /options/", "notes:read", "notes:head", id="own-head-no"),
        pytest.param("OPTIONS /options/", "notes:options", None, id="own-options"),
        pytest.param("GET /notes/", "notes:list", None, id="action-before-method"),
        pytest.param("GET /notes/", "notes:read", "notes:list", id="action-only"),
        pytest.param("GET /notes/1/", "notes:read", None, id="method-of-an-action"),
        pytest.param("POST /notes/", "notes:write", None, id="create"),
        pytest.param("POST /notes/1/archive/", "notes:archive", None, id="extra"),
        pytest.param("POST /notes/1/archive/", "notes:write", "notes:archive"),
        pytest.param("POST /notes/1/publish/", "notes:write", None, id="extra-method"),
    ],
)
def test_scopes_open_what_they_name(
    sign_in: SignIn, line: str, scope: str, needed: str | None
) -> None:
    response = ask(sign_in(scope=scope), line)
    if needed is None:
        assert response.status_code == 200
    else:
        missing(response, needed)


@pytest.mark.parametrize(
    "line",
    ["GET /undeclared/", "HEAD /undeclared/", "OPTIONS /undeclared/", "PATCH /mapped/"],
)
def test_what_is_not_declared_refuses_everybody_and_says_so(
    sign_in: SignIn, caplog: pytest.LogCaptureFixture, line: str
) -> None:
    client = sign_in(scope="notes:read notes:write notes:list")
    response = ask(client, line)
    assert response.status_code == 403
    assert "WWW-Authenticate" not in response.headers
    told = [r for r in caplog.records if r.name.startswith("drf_apikit")]
    assert [record.levelno for record in told] == [logging.ERROR]
    assert "names no required_scopes" in told[0].getMessage()


@pytest.mark.compliance("RFC 9110", "15.5.6")
@pytest.mark.parametrize("line", ["PUT /notes/", "DELETE /notes/1/", "TRACE /mapped/"])
def test_a_method_that_is_not_there_is_no_matter_of_scopes(
    sign_in: SignIn, caplog: pytest.LogCaptureFixture, line: str
) -> None:
    response = ask(sign_in(scope="notes:read"), line)
    assert_problem(response, 405, "method-not-allowed")
    assert "GET" in response.headers["Allow"]
    assert not [r for r in caplog.records if r.name.startswith("drf_apikit")]


@pytest.mark.parametrize("line", ["GET /scoped/", "GET /undeclared/", "GET /me/"])
def test_without_a_token_the_answer_is_401(line: str) -> None:
    response = ask(APIClient(), line)
    assert_problem(response, 401, "not-authenticated")
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="api"'


def test_a_session_has_no_scopes(sign_in: SignIn) -> None:
    """A user without an access token gets in only where no scope is needed."""
    client = APIClient()
    client.force_authenticate(user=_user())
    missing(client.get("/scoped/"), "notes:list notes:read")
    assert ask(client, "DELETE /mapped/").status_code == 200
    assert sign_in().get("/me/").status_code == 200


def _user() -> Any:
    return type("User", (), {"is_authenticated": True, "pk": 1})()


@pytest.mark.parametrize(
    ("declared", "method", "action", "expected"),
    [
        (["a"], "GET", None, frozenset({"a"})),
        (("a", "b"), "POST", None, frozenset({"a", "b"})),
        ({"a"}, "GET", None, frozenset({"a"})),
        ("abc", "GET", None, frozenset({"abc"})),
        ([], "GET", None, frozenset()),
        ("", "GET", None, frozenset({""})),
        (any_of("a", "b"), "GET", None, AnyOf(frozenset({"a", "b"}))),
        (None, "GET", None, None),
        ({}, "GET", None, None),
        ({"GET": ["a"]}, "POST", None, None),
        ({"GET": ["a"]}, "TRACE", None, None),
        ({"get": ["a"]}, "GET", None, None),
        ({"GET": None}, "GET", None, None),
        ({"GET": ["a"], "list": ["b"]}, "GET", "list", frozenset({"b"})),
        ({"GET": ["a"], "list": ["b"]}, "HEAD", "list", frozenset({"b"})),
        ({"GET": ["a"], "list": ["b"]}, "GET", "retrieve", frozenset({"a"})),
        ({"GET": ["a"]}, "OPTIONS", "metadata", frozenset({"a"})),
        ({"list": ["b"]}, "GET", None, None),
    ],
    ids=repr,
)
def test_the_declaration_is_read(
    declared: Any, method: str, action: str | None, expected: Any
) -> None:
    view: Any = type("View", (), {"required_scopes": declared, "action": action})()
    assert scopes_for(view, method) == expected


def test_a_view_without_the_attribute_declares_nothing() -> None:
    view: Any = object()
    assert scopes_for(view, "GET") is None


def test_one_of_nothing_is_never_there(sign_in: SignIn) -> None:
    """`any_of()` is a mistake, which must not open the view."""
    missing(ask(sign_in(scope="notes:read"), "PATCH /options/"), "")
