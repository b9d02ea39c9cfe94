import copy
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.generics import ListAPIView
from rest_framework.permissions import (
    DjangoModelPermissions,
    DjangoObjectPermissions,
    IsAdminUser,
    IsAuthenticated,
)
from rest_framework.throttling import UserRateThrottle

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
        pytest.param({"scope": ["a", "b"]}, {"a", "b"}, id="list"),
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
    assert str(ROBOT) == ROBOT.get_username() == ROBOT.username == "robot"
    assert ROBOT.drf_apikit_caller == ("client", "https://id.example", "robot")
    assert (ROBOT.is_authenticated, ROBOT.is_active) == (True, True)
    assert not any((ROBOT.is_anonymous, ROBOT.is_staff, ROBOT.is_superuser))
    assert not ROBOT.has_perm("app.view_article")
    assert not ROBOT.has_perm("app.view_article", Article())
    assert not ROBOT.has_perms(["app.view_article"], Article())
    assert not ROBOT.has_module_perms("app")
    # As for a user: nothing is missing where nothing is asked for.
    assert ROBOT.has_perms([])


def test_a_client_has_no_groups_and_asks_no_database() -> None:
    assert not ROBOT.groups.exists()
    assert list(ROBOT.user_permissions.all()) == []
    assert ROBOT.get_all_permissions() == set()
    assert ROBOT.get_group_permissions(Article()) == ROBOT.get_user_permissions()


def test_a_client_is_told_from_others_by_issuer_and_name() -> None:
    same = ClientPrincipal("https://id.example", "robot")
    others = [
        ClientPrincipal("https://other.example", "robot"),
        ClientPrincipal("https://id.example", "Robot"),
        ClientPrincipal("https://id.exampler", "obot"),
    ]
    assert same == ROBOT
    assert len({ROBOT, same}) == 1
    assert ROBOT not in others
    assert len({each.pk for each in (ROBOT, same, *others)}) == 4
    assert copy.copy(ROBOT) == ROBOT


def test_a_key_stays_and_is_fit_for_caches() -> None:
    robot = "802f1b76255f2268de31cea534b40a7e568538669591b69deeb1520a3b50d434"
    assert ROBOT.pk == ROBOT.id == f"client-{robot}"


class Asking:
    """A request, as far as permissions and throttles look at it."""

    META: ClassVar[dict[str, str]] = {"REMOTE_ADDR": "127.0.0.1"}

    def __init__(self, user: Any, method: str = "POST") -> None:
        self.user, self.method = user, method


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_permissions_of_django_refuse_a_client(method: str) -> None:
    view = ListAPIView[Article](queryset=Article.objects.all())
    asking: Any = Asking(ROBOT, method)
    assert not IsAdminUser().has_permission(asking, view)
    assert not DjangoModelPermissions().has_permission(asking, view)
    assert IsAuthenticated().has_permission(asking, view)
    objects = DjangoObjectPermissions()
    assert not objects.has_object_permission(asking, view, Article())


def test_permissions_of_django_let_a_client_read() -> None:
    view = ListAPIView[Article](queryset=Article.objects.all())
    asking: Any = Asking(ROBOT, "GET")
    assert DjangoModelPermissions().has_permission(asking, view)


def test_a_throttle_counts_each_client_by_itself() -> None:
    class Throttle(UserRateThrottle):
        rate = "1/day"

    def is_let_in(client: str, issuer: str = "https://id.example") -> bool:
        asking: Any = Asking(ClientPrincipal(issuer, client))
        view: Any = None
        return bool(Throttle().allow_request(asking, view))

    assert is_let_in("throttled")
    assert is_let_in("other")
    assert is_let_in("throttled", "https://other.example")
    assert not is_let_in("throttled")
