import logging
import re
from types import SimpleNamespace
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
    method = line.partition(" ")[0]
    assert f"names no required_scopes for {method}" in told[0].getMessage()


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


@pytest.mark.compliance("RFC 6750", "3")
def test_a_session_has_no_scopes(sign_in: SignIn) -> None:
    """A user without an access token gets in only where no scope is needed."""
    response = signed_in_otherwise().get("/scoped/")
    assert_problem(
        response,
        403,
        "insufficient-scope",
        scope="notes:list notes:read",
        detail="An access token with a scope is needed here. This request came in"
        " without one.",
    )
    # No token was sent, so there is no error code.
    assert response.headers["WWW-Authenticate"] == (
        'Bearer realm="api", scope="notes:list notes:read"'
    )
    assert ask(signed_in_otherwise(), "DELETE /mapped/").status_code == 200
    assert sign_in().get("/me/").status_code == 200


def test_a_view_may_let_sessions_in(sign_in: SignIn) -> None:
    assert ask(signed_in_otherwise(), "GET /sessions/").status_code == 200
    assert ask(signed_in_otherwise(), "POST /sessions/").status_code == 403
    missing(ask(sign_in(scope="x"), "GET /sessions/"), "notes:list notes:read")
    assert_problem(ask(APIClient(), "GET /sessions/"), 401, "not-authenticated")


@pytest.mark.parametrize(
    ("auth", "status"),
    [
        (SimpleNamespace(scopes={"notes:read": "Read", "notes:list": "List"}), 200),
        (SimpleNamespace(scopes="notes:list notes:read"), 200),
        (SimpleNamespace(scopes=None), 403),
        (SimpleNamespace(), 403),
        ("a token of another kind", 403),
    ],
    ids=["dict", "text", "none", "no-scopes", "no-token"],
)
def test_a_token_of_another_class_is_asked_for_its_scopes(
    auth: Any, status: int
) -> None:
    client = APIClient()
    client.force_authenticate(_user(), auth)
    # Who has brought a token is not like a session.
    assert ask(client, "GET /scoped/").status_code == status
    assert ask(client, "GET /sessions/").status_code == status


def signed_in_otherwise() -> APIClient:
    client = APIClient()
    client.force_authenticate(user=_user())
    return client


def _user() -> Any:
    return type("User", (), {"is_authenticated": True, "pk": 1})()


@pytest.mark.parametrize(
    ("declared", "method", "action", "expected"),
    [
        (["a"], "GET", None, frozenset({"a"})),
        pytest.param(("a", "b"), "POST", None, frozenset({"a", "b"}), id="tuple"),
        ({"a"}, "GET", None, frozenset({"a"})),
        ("abc", "GET", None, frozenset({"abc"})),
        ([], "GET", None, frozenset()),
        pytest.param(
            any_of("a", "b"), "GET", None, AnyOf(frozenset({"a", "b"})), id="any_of"
        ),
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
        ({"metadata": ["b"], "GET": ["a"]}, "OPTIONS", "metadata", frozenset({"b"})),
        # DRF tells with OPTIONS what PUT takes, and asks as if it were one.
        ({"metadata": ["b"], "PUT": ["a"]}, "PUT", "metadata", frozenset({"a"})),
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


@pytest.mark.parametrize(
    ("declared", "problem"),
    [
        (any_of(), "any_of() of no scopes lets nobody in"),
        pytest.param(any_of("a", ""), "'' is no scope", id="any_of"),
        ("", "'' is no scope"),
        ("a b", "'a b' is no scope"),
        (["a", 7], "7 is no scope"),
        ([None], "None is no scope"),
        ([any_of("a")], "is no scope"),
        (['a"b'], "is no scope"),
        (["a\\b"], "is no scope"),
        (["ä"], "is no scope"),
        (["a\n"], "is no scope"),
        (7, "neither a list of scopes nor any_of"),
        pytest.param(iter(["a"]), "neither a list of scopes nor any_of", id="iterator"),
        ({"GET": {"a": "b"}}, "neither a list of scopes nor any_of"),
    ],
    ids=repr,
)
def test_what_cannot_be_used_is_an_error(declared: Any, problem: str) -> None:
    view: Any = SimpleNamespace(required_scopes=declared)
    with pytest.raises(ValueError, match=re.escape(problem)):
        scopes_for(view, "GET")


def test_one_of_nothing_is_never_there(
    sign_in: SignIn, caplog: pytest.LogCaptureFixture
) -> None:
    """`any_of()` is a mistake, which must not open the view."""
    response = ask(sign_in(scope="notes:read"), "PATCH /options/")
    assert_problem(response, 403, "permission-denied")
    (told,) = [r for r in caplog.records if r.name.startswith("drf_apikit")]
    assert told.getMessage() == (
        "OptionsView has required_scopes that cannot be used: any_of() of no scopes"
        " lets nobody in"
    )


# Extra actions, heirs, objects.


@pytest.mark.parametrize(
    ("line", "needed"),
    [
        # `@action(required_scopes=...)` is for that action alone.
        ("POST /notes/1/own/", "notes:own"),
        # What an heir says itself, and what it has from its base.
        ("POST /heirs/1/archive/", "heirs:archive"),
        ("POST /heirs/1/publish/", "notes:write"),
        # Who replaces the whole has it replaced.
        ("POST /others/", "others"),
    ],
)
def test_heirs_and_extra_actions(sign_in: SignIn, line: str, needed: str) -> None:
    assert ask(sign_in(scope=needed), line).status_code == 200
    missing(ask(sign_in(scope="x"), line), needed)


def test_options_tell_what_the_scopes_open(sign_in: SignIn) -> None:
    """The metadata of a view set names PUT to whom may PUT."""
    reader = ask(sign_in(scope="notes:read"), "OPTIONS /things/1/").json()
    writer = ask(sign_in(scope="notes:read notes:write"), "OPTIONS /things/1/").json()
    assert "actions" not in reader
    assert "PUT" in writer["actions"]


def test_permissions_of_objects_stay_what_they_are(sign_in: SignIn) -> None:
    client = sign_in(scope="notes:read notes:write")
    assert ask(client, "GET /things/1/").status_code == 200
    response = ask(client, "GET /things/2/")
    assert_problem(response, 403, "permission-denied")
    assert "WWW-Authenticate" not in response.headers
