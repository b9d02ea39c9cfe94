from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.permissions import DjangoModelPermissions, IsAdminUser

from drf_apikit.authentication import AccessToken, ClientPrincipal
from tests.app.models import Article

CLAIMS = {"iss": "https://id.example", "sub": "alice", "client_id": "shop"}
ROBOT = ClientPrincipal("https://id.example", "robot")


@pytest.mark.compliance("RFC 8693", "4.2")
@pytest.mark.compliance("RFC 9068", "2.2")
@pytest.mark.parametrize(
    ("claims", "scopes"),
    [
        pytest.param({}, set(), id="none"),
        pytest.param({"scope": ""}, set(), id="empty"),
        pytest.param({"scope": " "}, set(), id="space"),
        pytest.param({"scope": "a"}, {"a"}, id="one"),
        pytest.param({"scope": "b  a b "}, {"a", "b"}, id="several"),
        pytest.param({"scope": "a\tb"}, {"a\tb"}, id="tab"),
        pytest.param({"scope": "a,b"}, {"a,b"}, id="comma"),
        pytest.param({"scope": None}, set(), id="null"),
        pytest.param({"scope": ["a", "b"]}, set(), id="list"),
        pytest.param({"scope": {"a": 1}}, set(), id="object"),
        pytest.param({"scope": 7}, set(), id="number"),
        pytest.param({"scp": "a", "scopes": "b"}, set(), id="other-names"),
    ],
)
def test_scopes_are_the_words_of_the_claim(
    claims: dict[str, Any], scopes: set[str]
) -> None:
    assert AccessToken({**CLAIMS, **claims}).scopes == frozenset(scopes)


@given(st.lists(st.text("abc:.", min_size=1)))
def test_scopes_are_a_set(words: list[str]) -> None:
    token = AccessToken({**CLAIMS, "scope": " ".join(words)})
    assert token.scopes == frozenset(words)


def test_an_access_token_gives_its_claims_and_hides_them() -> None:
    token = AccessToken({**CLAIMS, "email": "alice@id.example"})
    assert (token.issuer, token.subject) == ("https://id.example", "alice")
    assert token.client_id == "shop"
    assert token.claims["email"] == "alice@id.example"
    assert repr(token) == "AccessToken()"


def test_a_client_is_authenticated_and_has_no_rights() -> None:
    assert str(ROBOT) == ROBOT.get_username() == "robot"
    assert ROBOT.issuer == "https://id.example"
    assert (ROBOT.pk, ROBOT.id) == (None, None)
    assert (ROBOT.is_authenticated, ROBOT.is_active) == (True, True)
    assert not any((ROBOT.is_anonymous, ROBOT.is_staff, ROBOT.is_superuser))
    assert not ROBOT.has_perm("tests_app.view_article")
    assert not ROBOT.has_perms(["tests_app.view_article"])
    assert not ROBOT.has_module_perms("tests_app")


def test_a_client_is_told_from_others_by_issuer_and_name() -> None:
    assert ClientPrincipal("https://id.example", "robot") == ROBOT
    assert ClientPrincipal("https://other.example", "robot") != ROBOT
    assert ClientPrincipal("https://id.example", "other") != ROBOT
    assert len({ROBOT, ClientPrincipal("https://id.example", "robot")}) == 1


def test_permissions_of_django_refuse_a_client() -> None:
    class Asking:
        user = ROBOT
        method = "POST"

    asking: Any = Asking()
    view: Any = None
    assert not IsAdminUser().has_permission(asking, view)
    needed = DjangoModelPermissions().get_required_permissions("POST", Article)
    assert needed
    assert not ROBOT.has_perms(needed)
