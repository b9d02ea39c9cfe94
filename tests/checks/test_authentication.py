import re
from pathlib import Path
from typing import Any, Final

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import Group
from django.core.checks import run_checks
from django.db import connection
from django.test import override_settings
from mozilla_django_oidc.contrib.drf import OIDCAuthentication
from rest_framework.authentication import (
    BaseAuthentication,
    BasicAuthentication,
    SessionAuthentication,
    TokenAuthentication,
)
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework_simplejwt.authentication import JWTAuthentication

from drf_apikit.authentication import JWTBearerAuthentication
from drf_apikit.checks import (
    check_authentication,
    check_deployed_authentication,
    check_groups,
    register,
)
from drf_apikit.checks.deployment import SECTIONS
from drf_apikit.testing import InMemoryIssuer
from tests.checks.conftest import Route

ROOT: Final = Path(__file__).resolve().parents[2]
ISSUER: Final = "https://id.example"
DRF: Final = "rest_framework.views.exception_handler"


class Ours(JWTBearerAuthentication):
    """What a project makes of ours."""


class Keyword(TokenAuthentication):
    keyword = "bearer"


class Legacy(JWTAuthentication):
    """What a project makes of simplejwt's."""


class View(APIView):
    authentication_classes: Any = [JWTBearerAuthentication]

    def get(self, _request: Request) -> Response:
        return Response({})


class Deciding(View):
    def get_authenticators(self) -> Any:
        return []


NAMED: Final = f"{View.__module__}.View"


@pytest.fixture(autouse=True)
def _no_defaults(settings: Any) -> None:
    settings.REST_FRAMEWORK = {"DEFAULT_AUTHENTICATION_CLASSES": []}


def trusting(entry: dict[str, Any] | None = None, **others: Any) -> Any:
    issuers = {} if entry is None else {ISSUER: {"AUDIENCE": "api", **entry}}
    return {"AUTHENTICATION": {"ISSUERS": issuers, **others}}


def told(code: str, check: Any) -> list[str]:
    found = check()
    assert {message.id for message in found} <= {f"drf_apikit.{code}"}
    assert all(message.hint for message in found)
    return [message.msg for message in found]


# W014: 403 rather than 401.


@pytest.mark.parametrize(
    ("classes", "silent"),
    [
        ([SessionAuthentication, JWTBearerAuthentication], False),
        ([SessionAuthentication, BasicAuthentication, Ours], False),
        ([JWTBearerAuthentication, SessionAuthentication], True),
        ([BasicAuthentication, SessionAuthentication, JWTBearerAuthentication], True),
        ([SessionAuthentication], True),
        ([], True),
    ],
)
def test_a_class_without_a_challenge_in_front(
    route: Route, settings: Any, classes: Any, silent: bool
) -> None:
    settings.REST_FRAMEWORK = {"EXCEPTION_HANDLER": DRF}
    route(View.as_view(authentication_classes=classes))
    expected = (
        f"{NAMED} has JWTBearerAuthentication behind SessionAuthentication, which has"
        " no challenge: DRF answers with 403 where a token is missing or refused."
    )
    assert told("W014", check_authentication) == ([] if silent else [expected])


def test_our_handler_offers_the_challenges_of_all(route: Route, settings: Any) -> None:
    ours = "drf_apikit.problems.exception_handler"
    settings.REST_FRAMEWORK = {"EXCEPTION_HANDLER": ours}
    classes = [SessionAuthentication, JWTBearerAuthentication]
    route(View.as_view(authentication_classes=classes))
    assert told("", check_authentication) == []


def test_the_defaults_are_told_by_their_setting(route: Route, settings: Any) -> None:
    session = "rest_framework.authentication.SessionAuthentication"
    own = f"{Ours.__module__}.Ours"
    settings.REST_FRAMEWORK = {"DEFAULT_AUTHENTICATION_CLASSES": [session, own]}
    # A view with the same classes is not told of again.
    route(View.as_view(authentication_classes=[SessionAuthentication, Ours]))
    (message,) = told("W014", check_authentication)
    assert message.startswith("REST_FRAMEWORK['DEFAULT_AUTHENTICATION_CLASSES'] has")


# W020: two that take the same header.


@pytest.mark.parametrize(
    ("other", "remedy"),
    [
        (JWTAuthentication, "TOKEN_PROFILE 'simplejwt'"),
        (Legacy, "TOKEN_PROFILE 'simplejwt'"),
        (OIDCAuthentication, "Name the provider in ISSUERS"),
        (Keyword, "another `keyword`"),
    ],
)
@pytest.mark.parametrize("first", [True, False], ids=["first", "second"])
def test_another_class_for_bearer_tokens(
    route: Route, other: Any, remedy: str, first: bool
) -> None:
    classes = [other, Ours] if first else [Ours, other]
    route(View.as_view(authentication_classes=classes))
    (message,) = check_authentication()
    assert message.id == "drf_apikit.W020"
    assert message.msg == (
        f"{NAMED} has both JWTBearerAuthentication and {other.__name__}, and both take"
        " `Bearer`: the first of them refuses the tokens of the other."
    )
    assert remedy in str(message.hint)


class Foreign(BaseAuthentication):
    """Takes whatever it takes."""


@pytest.mark.parametrize(
    ("classes", "types"),
    [
        ([JWTBearerAuthentication, TokenAuthentication], None),
        ([JWTBearerAuthentication, Foreign, BasicAuthentication], None),
        ([JWTAuthentication, OIDCAuthentication], None),
        ([JWTBearerAuthentication, JWTAuthentication], "JWT"),
        ([JWTBearerAuthentication, JWTAuthentication], ["JWT", "Local"]),
    ],
)
def test_other_schemes_do_not_disturb(
    route: Route, settings: Any, classes: Any, types: Any
) -> None:
    settings.SIMPLE_JWT = {} if types is None else {"AUTH_HEADER_TYPES": types}
    route(View.as_view(authentication_classes=classes))
    assert told("", check_authentication) == []


@pytest.mark.parametrize("types", ["Bearer", ("JWT", "bearer")])
def test_the_scheme_of_simplejwt_is_a_setting(
    route: Route, settings: Any, types: Any
) -> None:
    settings.SIMPLE_JWT = {"AUTH_HEADER_TYPES": types}
    classes = [JWTBearerAuthentication, JWTAuthentication]
    route(View.as_view(authentication_classes=classes))
    assert len(told("W020", check_authentication)) == 1


def test_what_a_view_decides_by_itself_is_not_known(route: Route) -> None:
    classes = [JWTBearerAuthentication, JWTAuthentication]
    route(Deciding.as_view(authentication_classes=classes))
    assert told("", check_authentication) == []


def test_a_project_without_routes() -> None:
    with override_settings():
        del django_settings.ROOT_URLCONF
        assert check_authentication() == []


# With `--deploy`.


def test_a_deployment_without_issuers(route: Route, settings: Any) -> None:
    settings.DRF_APIKIT = trusting()
    route(View.as_view())
    (message,) = told("E013", check_deployed_authentication)
    assert message == (
        f"DRF_APIKIT['AUTHENTICATION']['ISSUERS'] is empty, and {NAMED} has"
        " JWTBearerAuthentication: every token is refused."
    )
    route(View.as_view(authentication_classes=[BasicAuthentication]))
    assert told("", check_deployed_authentication) == []
    # A faulty setting has an error of its own.
    settings.DRF_APIKIT = {"AUTHENTICATION": []}
    route(View.as_view())
    assert told("", check_deployed_authentication) == []


@pytest.mark.parametrize(
    ("key", "code", "why"),
    [
        ("INSECURE_LOOPBACK_HTTP", "W016", "can hand out keys"),
        ("INSECURE_IGNORE_CONFIRMATION", "W017", "whoever has stolen them"),
    ],
)
def test_what_is_insecure_is_told(
    route: Route, settings: Any, key: str, code: str, why: str
) -> None:
    keys = InMemoryIssuer().jwks
    settings.DRF_APIKIT = trusting({key: True, "JWKS": keys})
    route(View.as_view())
    (message,) = told(code, check_deployed_authentication)
    where = f"DRF_APIKIT['AUTHENTICATION']['ISSUERS'][{ISSUER!r}][{key!r}] is True"
    assert message.startswith(where)
    assert why in message


BACKENDS: Final = "django.core.cache.backends"


@pytest.mark.parametrize(
    ("backend", "entry", "silent"),
    [
        (f"{BACKENDS}.locmem.LocMemCache", {}, False),
        (f"{BACKENDS}.dummy.DummyCache", {}, False),
        (f"{BACKENDS}.db.DatabaseCache", {}, True),
        ("django_redis.cache.RedisCache", {}, True),
        # Nothing is fetched that could be shared.
        (f"{BACKENDS}.locmem.LocMemCache", {"JWKS": InMemoryIssuer().jwks}, True),
        ("nowhere.at_all", {}, True),
    ],
)
def test_a_cache_that_is_not_shared(
    route: Route, settings: Any, backend: str, entry: Any, silent: bool
) -> None:
    settings.CACHES = {"default": {"BACKEND": backend}}
    settings.DRF_APIKIT = trusting(entry)
    route(View.as_view())
    expected = (
        "DRF_APIKIT['AUTHENTICATION']['CACHE'] is 'default', which is not shared: each"
        f" process fetches the keys of {ISSUER} by itself."
    )
    found = told("W018", check_deployed_authentication)
    assert found == ([] if silent else [expected])


def test_keys_of_this_project_are_not_fetched(route: Route, settings: Any) -> None:
    source = "drf_apikit.tokens.keyring.local_keys"
    settings.DRF_APIKIT = trusting({"KEY_SOURCE": source})
    route(View.as_view())
    assert told("W018", check_deployed_authentication) == []


def test_an_alias_of_no_cache_has_an_error_of_its_own(
    route: Route, settings: Any
) -> None:
    settings.DRF_APIKIT = trusting({}, CACHE="nowhere")
    route(View.as_view())
    assert told("", check_deployed_authentication) == []


def test_e_mail_addresses_are_no_matter_of_warnings(
    route: Route, settings: Any
) -> None:
    """Whoever sets it has decided; it asks for an address that is verified."""
    keys = InMemoryIssuer().jwks
    settings.DRF_APIKIT = trusting({"MATCH_VERIFIED_EMAIL": True, "JWKS": keys})
    route(View.as_view())
    assert told("", check_deployed_authentication) == []


# With `--database`.

MAPPED: Final = {"GROUPS_CLAIM": "roles", "GROUPS": {"a": "readers", "b": "writers"}}


@pytest.mark.django_db
def test_groups_that_are_not_there(settings: Any) -> None:
    settings.DRF_APIKIT = trusting(MAPPED)
    Group.objects.create(name="writers")
    (message,) = told("W019", lambda: check_groups(databases=["default"]))
    assert message == (
        f"DRF_APIKIT['AUTHENTICATION']['ISSUERS'][{ISSUER!r}]['GROUPS'] names the group"
        " 'readers', which is not there: nobody is put into it."
    )
    Group.objects.create(name="readers")
    assert told("", lambda: check_groups(databases=["default"])) == []


@pytest.mark.django_db
def test_groups_of_the_login_that_are_not_there(settings: Any) -> None:
    groups = {"GROUPS_CLAIM": "groups", "GROUPS": {"staff": "tellers"}}
    settings.DRF_APIKIT = {"LOGIN": {"ISSUER": ISSUER, **groups}}
    (message,) = told("W019", lambda: check_groups(databases=["default"]))
    assert message == (
        "DRF_APIKIT['LOGIN']['GROUPS'] names the group 'tellers', which is not there:"
        " nobody is put into it."
    )
    Group.objects.create(name="tellers")
    assert told("", lambda: check_groups(databases=["default"])) == []


def test_groups_are_asked_for_with_a_database_alone(settings: Any) -> None:
    """There is none here: a query would be an error."""
    settings.DRF_APIKIT = trusting(MAPPED)
    for databases in (None, [], ["replica"]):
        assert check_groups(databases=databases) == []
    settings.DRF_APIKIT = {"AUTHENTICATION": []}
    assert check_groups(databases=["default"]) == []
    settings.DRF_APIKIT = trusting({})
    assert check_groups(databases=["default"]) == []


@pytest.mark.django_db
def test_before_the_first_migration_there_is_nothing_to_ask(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.DRF_APIKIT = trusting(MAPPED)
    monkeypatch.setattr(connection.introspection, "table_names", list)
    assert check_groups(databases=["default"]) == []


# What all have in common.


@pytest.mark.django_db
def test_the_checks_are_registered(route: Route, settings: Any) -> None:
    register()
    route(View.as_view(authentication_classes=[Keyword, Ours]))
    settings.DRF_APIKIT = trusting()
    usual = {message.id for message in run_checks()}
    assert "drf_apikit.W020" in usual
    # Nobody is told of the default permissions of this view.
    assert not usual & {"drf_apikit.E013", "drf_apikit.W019"}
    deployed = {message.id for message in run_checks(include_deployment_checks=True)}
    assert "drf_apikit.E013" in deployed


IDS: Final = re.compile(r"drf_apikit\.([EW]\d{3})")


def test_the_page_lists_each_check() -> None:
    page = (ROOT / "docs/reference/checks.md").read_text()
    listed = re.findall(r"^\| `drf_apikit\.([EW]\d{3})` \| .+ \|$", page, re.MULTILINE)
    sources = [*(ROOT / "drf_apikit/checks").rglob("*.py")]
    sources.append(ROOT / "drf_apikit/tokens/checks.py")
    known = {found for path in sources for found in IDS.findall(path.read_text())}
    # Those of deployments have a table for each library.
    assert sorted(listed) == sorted(known | set(SECTIONS))
