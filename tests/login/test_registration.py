from collections.abc import Iterator
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from drf_apikit.jose.algorithms import ALGORITHMS
from drf_apikit.login.registration import faults, registration

ISSUER = "https://id.example"
SECRET = "a secret that nobody must see"
PEM = "-----BEGIN PRIVATE KEY-----\nMC4CAQ\n-----END PRIVATE KEY-----"
ENDPOINTS = {
    "OIDC_OP_AUTHORIZATION_ENDPOINT": "authorization_endpoint",
    "OIDC_OP_TOKEN_ENDPOINT": "token_endpoint",
    "OIDC_OP_USER_ENDPOINT": "userinfo_endpoint",
    "OIDC_OP_JWKS_ENDPOINT": "jwks_uri",
}


@pytest.fixture(autouse=True)
def _registered() -> Iterator[None]:
    with override_settings(
        DRF_APIKIT={"LOGIN": {"ISSUER": ISSUER}},
        OIDC_RP_CLIENT_ID="shop",
        OIDC_RP_CLIENT_SECRET=SECRET,
    ):
        yield


def login(**values: Any) -> Any:
    return override_settings(DRF_APIKIT={"LOGIN": {"ISSUER": ISSUER, **values}})


def test_what_is_not_set_is_safe() -> None:
    found = registration()
    assert (found.issuer, found.client_id) == (ISSUER, "shop")
    assert found.client_secret == SECRET
    assert found.scopes == "openid email"
    assert found.algorithms == ALGORITHMS
    assert (found.use_pkce, found.use_nonce, found.creates_users) == (True, True, True)
    assert found.timeout == 4
    assert (found.proxies, found.use_basic_auth) == (None, None)
    assert [getattr(found, name) for name in ENDPOINTS.values()] == [None] * 4
    assert list(faults()) == []


def test_neither_the_secret_nor_a_proxy_is_shown() -> None:
    with override_settings(OIDC_PROXY={"https": "http://me:hidden@proxy.example"}):
        shown = repr(registration())
    assert SECRET not in shown
    assert "hidden" not in shown


@pytest.mark.parametrize(
    ("name", "value", "member", "read"),
    [
        ("OIDC_RP_CLIENT_SECRET", "", "client_secret", None),
        ("OIDC_RP_SCOPES", "openid profile", "scopes", "openid profile"),
        ("OIDC_RP_SCOPES", ["openid", "email"], "scopes", "openid email"),
        ("OIDC_RP_SIGN_ALGO", "ES256", "algorithms", frozenset({"ES256"})),
        ("OIDC_USE_PKCE", False, "use_pkce", False),
        ("OIDC_USE_NONCE", False, "use_nonce", False),
        ("OIDC_TIMEOUT", 7.5, "timeout", 7.5),
        ("OIDC_TIMEOUT", (2, 3), "timeout", 5),
        ("OIDC_TIMEOUT", None, "timeout", 4),
        # As if they were not set.
        ("OIDC_MAX_STATES", None, "use_pkce", True),
        ("OIDC_AUTH_REQUEST_EXTRA_PARAMS", None, "use_pkce", True),
        ("OIDC_PROXY", {"https": "http://p"}, "proxies", {"https": "http://p"}),
        ("OIDC_TOKEN_USE_BASIC_AUTH", True, "use_basic_auth", True),
        ("OIDC_TOKEN_USE_BASIC_AUTH", False, "use_basic_auth", False),
        ("OIDC_CREATE_USER", False, "creates_users", False),
        # Harmless, since they are what holds anyway.
        ("OIDC_VERIFY_SSL", True, "use_pkce", True),
        ("OIDC_ALLOW_UNSECURED_JWT", False, "use_pkce", True),
        ("OIDC_VERIFY_KID", True, "use_pkce", True),
        ("OIDC_PKCE_CODE_CHALLENGE_METHOD", "S256", "use_pkce", True),
        ("OIDC_RP_IDP_SIGN_KEY", None, "use_pkce", True),
        *(
            (setting, f"{ISSUER}/{member}", member, f"{ISSUER}/{member}")
            for setting, member in ENDPOINTS.items()
        ),
    ],
)
def test_settings_of_mozilla_django_oidc_are_read(
    name: str, value: object, member: str, read: object
) -> None:
    with override_settings(**{name: value}):
        assert getattr(registration(), member) == read


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("OIDC_RP_CLIENT_ID", None, "OIDC_RP_CLIENT_ID is missing"),
        ("OIDC_RP_CLIENT_ID", "", "OIDC_RP_CLIENT_ID is missing"),
        ("OIDC_ALLOW_UNSECURED_JWT", True, "that nobody has verified is anybody's"),
        ("OIDC_VERIFY_SSL", False, "REQUESTS_CA_BUNDLE"),
        ("OIDC_VERIFY_SSL", "/ca.pem", "REQUESTS_CA_BUNDLE"),
        ("OIDC_VERIFY_KID", False, "chosen by its kid"),
        ("OIDC_PKCE_CODE_CHALLENGE_METHOD", "plain", "with `plain`"),
        ("OIDC_RP_IDP_SIGN_KEY", "-----BEGIN PUBLIC KEY-----", "can rotate them"),
        ("OIDC_RP_SIGN_ALGO", "HS256", "OIDC_RP_SIGN_ALGO is 'HS256'"),
        ("OIDC_RP_SIGN_ALGO", "none", "OIDC_RP_SIGN_ALGO is 'none'"),
        ("OIDC_RP_SCOPES", "email", "OIDC_RP_SCOPES lacks openid"),
        ("OIDC_RP_SCOPES", "", "OIDC_RP_SCOPES lacks openid"),
        ("OIDC_TIMEOUT", 0, "OIDC_TIMEOUT is 0"),
        ("OIDC_TIMEOUT", -1, "a number of seconds above 0"),
        ("OIDC_TIMEOUT", float("inf"), "OIDC_TIMEOUT is inf"),
        ("OIDC_TIMEOUT", "soon", "OIDC_TIMEOUT is 'soon'"),
        ("OIDC_TIMEOUT", (1, None), "OIDC_TIMEOUT is"),
        ("OIDC_PROXY", "http://proxy", "OIDC_PROXY is no dict"),
        ("OIDC_STATE_SIZE", "32", "OIDC_STATE_SIZE is '32'. It must be a whole number"),
        ("OIDC_NONCE_SIZE", 0, "a whole number above 0"),
        ("OIDC_PKCE_CODE_VERIFIER_SIZE", True, "a whole number above 0"),
        ("OIDC_MAX_STATES", -1, "a whole number above 0"),
        ("OIDC_RENEW_ID_TOKEN_EXPIRY_SECONDS", 900.5, "a whole number above 0"),
        ("OIDC_AUTH_REQUEST_EXTRA_PARAMS", [("a", 1)], "a dict from names"),
        *(
            (setting, f"http://id.example/{member}", "or use https")
            for setting, member in ENDPOINTS.items()
        ),
        ("OIDC_OP_TOKEN_ENDPOINT", 7, "OIDC_OP_TOKEN_ENDPOINT is 7"),
    ],
)
def test_what_would_be_unsafe_is_refused_rather_than_obeyed(
    name: str, value: object, text: str
) -> None:
    with override_settings(**{name: value}):
        with pytest.raises(ImproperlyConfigured, match=name) as raised:
            registration()
        assert [setting for setting, _, _ in faults()] == [name]
    assert text in str(raised.value)
    assert str(raised.value).endswith(".")


def test_without_an_issuer_nobody_logs_in() -> None:
    with override_settings(DRF_APIKIT={}):
        message = r"\['ISSUER'\] is missing"
        with pytest.raises(ImproperlyConfigured, match=message):
            registration()


def test_without_pkce_and_nonce_a_stolen_code_could_be_used() -> None:
    message = "and so is OIDC_USE_NONCE"
    both = override_settings(OIDC_USE_PKCE=False, OIDC_USE_NONCE=False)
    with both, pytest.raises(ImproperlyConfigured, match=message):
        registration()


def test_a_public_client_has_nothing_but_pkce() -> None:
    with override_settings(OIDC_USE_PKCE=False, OIDC_RP_CLIENT_SECRET=""):
        with pytest.raises(ImproperlyConfigured, match="for a public client"):
            registration()
        with login(PRIVATE_KEY=PEM):
            assert registration().use_pkce is False


def test_on_this_machine_endpoints_may_be_plain_for_development() -> None:
    url = "http://127.0.0.1:8001/token"
    own = override_settings(OIDC_OP_TOKEN_ENDPOINT=url)
    with own, login(INSECURE_LOOPBACK_HTTP=True):
        assert registration().token_endpoint == url


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
@pytest.mark.parametrize("secret", [None, ""])
def test_who_is_to_prove_itself_by_a_secret_has_one(
    method: str, secret: str | None
) -> None:
    with login(CLIENT_AUTH_METHOD=method):
        assert list(faults()) == []
        with override_settings(OIDC_RP_CLIENT_SECRET=secret):
            ((name, wrong, _),) = faults()
    assert (name, wrong) == ("OIDC_RP_CLIENT_SECRET", f"is missing, for {method}")
    with login(CLIENT_AUTH_METHOD="none"), override_settings(OIDC_RP_CLIENT_SECRET=""):
        assert list(faults()) == []


@pytest.mark.parametrize(
    ("users", "creates"), [("lookup", False), ("create", True), (None, True)]
)
def test_our_setting_of_users_comes_before_theirs(
    users: str | None, *, creates: bool
) -> None:
    with login(USERS=users):
        assert registration().creates_users is creates
    with login(USERS=users), override_settings(OIDC_CREATE_USER=not creates):
        wanted = creates if users is not None else not creates
        assert registration().creates_users is wanted


def test_the_timeout_and_proxies_of_all_fetches_hold_where_theirs_are_not_set() -> None:
    own = {"FETCH_TIMEOUT": 9, "PROXIES": {"https": "http://proxy.example"}}
    both = {"LOGIN": {"ISSUER": ISSUER}, "AUTHENTICATION": own}
    with override_settings(DRF_APIKIT=both):
        found = registration()
    assert found.timeout == 9
    assert found.proxies == {"https": "http://proxy.example"}
