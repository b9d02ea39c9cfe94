from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.test.utils import isolate_apps
from django.utils.functional import SimpleLazyObject

from drf_apikit.authentication import AccessToken, ClientPrincipal
from drf_apikit.callers import principal_of

ISSUER = "https://issuer.test"
ADA = User(pk=1, username="ada")


def asked_by(user: Any, auth: Any = None) -> tuple[str, ...] | None:
    request: Any = SimpleNamespace(user=user, auth=auth)
    return principal_of(request)


class Customer:
    pk = 1


class Employee(Customer):
    pass


def test_a_user_is_told_by_model_and_key() -> None:
    assert asked_by(ADA) == ("user", "auth.user", "1")
    assert asked_by(ADA) == asked_by(User(pk=1, username="renamed"))
    assert asked_by(ADA) != asked_by(User(pk=2, username="ada"))


def test_a_lazy_user_is_the_user() -> None:
    assert asked_by(SimpleLazyObject(lambda: ADA)) == asked_by(ADA)


@isolate_apps("tests.app")
def test_a_proxy_of_the_user_is_the_user() -> None:
    class Staff(User):
        class Meta:
            app_label = "app"
            proxy = True

    assert asked_by(Staff(pk=1)) == asked_by(ADA)
    assert asked_by(SimpleLazyObject(lambda: Staff(pk=1))) == asked_by(ADA)


def test_users_that_are_no_models_are_told_by_their_class() -> None:
    kinds = [Customer(), Employee(), ADA]
    assert len({asked_by(user) for user in kinds}) == len(kinds)
    assert asked_by(Customer()) == asked_by(Customer())


def test_lazy_users_of_two_classes_are_two() -> None:
    customer, employee = SimpleLazyObject(Customer), SimpleLazyObject(Employee)
    assert asked_by(customer) != asked_by(employee)
    assert asked_by(customer) == asked_by(Customer())
    assert asked_by(employee) == asked_by(Employee())


def test_a_client_of_a_token() -> None:
    token = AccessToken({"iss": ISSUER, "sub": "robot", "client_id": "robot"})
    client = ClientPrincipal(ISSUER, "robot")
    assert asked_by(client, token) == ("client", ISSUER, "robot")
    # Whatever way it came by, and whatever stands for it.
    assert asked_by(client) == asked_by(SimpleLazyObject(lambda: client))
    assert (
        asked_by(client) == asked_by(AnonymousUser(), token) == asked_by(client, token)
    )
    assert asked_by(ClientPrincipal("https://other.test", "robot")) != asked_by(client)
    assert asked_by(ClientPrincipal(ISSUER, "Robot")) != asked_by(client)
    # A user who comes by way of a client is the user.
    assert asked_by(ADA, token) == asked_by(ADA)


@pytest.mark.parametrize(
    "auth",
    [
        None,
        SimpleNamespace(issuer=ISSUER, client_id=None),
        SimpleNamespace(client_id="robot"),
    ],
    ids=["nothing", "no client", "no issuer"],
)
def test_nobody(auth: Any) -> None:
    assert asked_by(AnonymousUser(), auth) is None
    assert asked_by(None, auth) is None
