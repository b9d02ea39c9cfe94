"""Access tokens between simplejwt's classes and the key ring (RFC 9068)."""

import json
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import jwt
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.serializers.json import DjangoJSONEncoder
from rest_framework.exceptions import AuthenticationFailed
from rest_framework_simplejwt.exceptions import (
    TokenBackendError,
    TokenBackendExpiredToken,
)
from rest_framework_simplejwt.tokens import AccessToken as StockAccessToken

from drf_apikit.exceptions import TokensUnavailable, TokenTooLarge
from drf_apikit.oidc import KeysUnavailableError, verify_token
from drf_apikit.tokens import backend as backend_module
from drf_apikit.tokens.backend import AccessTokenBackend
from drf_apikit.tokens.keyring import current_ring
from tests.tokens.facade import AUDIENCE, ISSUER, SETTINGS, part_of, payload_of

if TYPE_CHECKING:
    from pytest_django import Settings

pytestmark = pytest.mark.django_db

#: A run begins long before its last test.
NOW, DAY = int(time.time()), 24 * 60 * 60
PAYLOAD: dict[str, Any] = {
    "token_type": "access",
    "user_id": "7",
    "client_id": "phone",
    "iat": NOW,
    "exp": NOW + DAY,
    "jti": "one",
}


@pytest.fixture(autouse=True)
def backend(settings: "Settings") -> AccessTokenBackend:
    settings.DRF_APIKIT = SETTINGS
    return AccessTokenBackend()


def section(**more: Any) -> dict[str, Any]:
    return {**SETTINGS, "TOKENS": {**SETTINGS["TOKENS"], **more}}


@pytest.mark.compliance("RFC 9068", "2.1")
def test_the_header_says_what_it_is(backend: AccessTokenBackend) -> None:
    header = part_of(backend.encode(PAYLOAD), 0)
    key = current_ring().signing_key()
    assert header == {"typ": "at+jwt", "alg": "ES256", "kid": key.kid}


@pytest.mark.compliance("RFC 9068", "2.2")
def test_the_claims_are_those_of_an_access_token(backend: AccessTokenBackend) -> None:
    assert payload_of(backend.encode({**PAYLOAD, "scope": "read"})) == {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "7",
        "client_id": "phone",
        "scope": "read",
        "iat": NOW,
        "exp": NOW + DAY,
        "jti": "one",
    }


def test_who_issues_and_for_whom_is_not_for_the_payload(
    backend: AccessTokenBackend,
) -> None:
    claims = payload_of(backend.encode({**PAYLOAD, "iss": "a", "aud": "b"}))
    assert (claims["iss"], claims["aud"]) == (ISSUER, AUDIENCE)


@pytest.mark.compliance("RFC 7519", "4.1.3")
def test_several_audiences_are_a_list(
    backend: AccessTokenBackend, settings: "Settings"
) -> None:
    settings.DRF_APIKIT = section(AUDIENCE=["b", "a"])
    text = backend.encode(PAYLOAD)
    assert payload_of(text)["aud"] == ["a", "b"]
    assert backend.decode(text)["user_id"] == "7"


def test_our_resource_server_takes_it(backend: AccessTokenBackend) -> None:
    found = verify_token(backend.encode(PAYLOAD), time.time())
    assert (found.issuer.name, found.claims["sub"]) == (ISSUER, "7")


def test_in_memory_it_is_as_simplejwt_has_it(backend: AccessTokenBackend) -> None:
    decoded = backend.decode(backend.encode(PAYLOAD).encode())
    assert decoded.items() >= PAYLOAD.items()
    assert decoded["sub"] == "7"


def forged(kind: str, text: str) -> str:
    """Make a token that nobody should take."""
    key = current_ring().signing_key()
    claims = payload_of(text)
    changed: dict[str, Any] = {
        "issuer": {"iss": "https://other.test"},
        "audience": {"aud": "https://other.test"},
        "logout": {"events": {}},
    }
    others = {
        "stock": str(StockAccessToken()),
        "none": jwt.encode(claims, "", "none", {"typ": "at+jwt"}),
        "typ": key.sign(claims, "JWT"),
        "letters": "\N{GREEK SMALL LETTER ALPHA}.e30.e30",
        "signature": f"{text[:-6]}AAAAAA",
    }
    if kind in changed:
        return key.sign({**claims, **changed[kind]}, "at+jwt")
    return others[kind]


@pytest.mark.compliance("RFC 9068", "4")
@pytest.mark.parametrize(
    "kind",
    ["stock", "none", "typ", "issuer", "audience", "logout", "letters", "signature"],
)
@pytest.mark.parametrize("is_bytes", [False, True], ids=["str", "bytes"])
def test_other_tokens_are_refused(
    backend: AccessTokenBackend, *, kind: str, is_bytes: bool
) -> None:
    text = forged(kind, backend.encode(PAYLOAD))
    with pytest.raises(TokenBackendError):
        backend.decode(text.encode() if is_bytes else text)


def test_a_token_is_over_when_it_says_so(backend: AccessTokenBackend) -> None:
    assert backend.get_leeway() == timedelta(seconds=30)
    text = backend.encode({**PAYLOAD, "exp": NOW - 31, "iat": NOW - 331})
    with pytest.raises(TokenBackendExpiredToken):
        backend.decode(text)
    assert backend.decode(text, verify=False)["exp"] == NOW - 31


def test_what_cannot_be_read_is_refused_unverified_too(
    backend: AccessTokenBackend,
) -> None:
    with pytest.raises(TokenBackendError):
        backend.decode("e30.e30", verify=False)


@pytest.mark.parametrize("name", ["user_id", "client_id", "iat", "exp"])
def test_what_is_mandatory_must_be_there(
    backend: AccessTokenBackend, name: str
) -> None:
    payload = {key: value for key, value in PAYLOAD.items() if key != name}
    claim = "sub" if name == "user_id" else name
    with pytest.raises(ImproperlyConfigured, match=f"needs the claim '{claim}'"):
        backend.encode(payload)


@pytest.mark.compliance("RFC 9068", "5")
def test_nobody_has_the_name_of_a_client(
    backend: AccessTokenBackend, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(AuthenticationFailed):
        backend.encode({**PAYLOAD, "user_id": "phone"})
    assert "whose key is a client_id: phone" in caplog.text


def test_each_token_has_a_name(backend: AccessTokenBackend) -> None:
    names = {payload_of(backend.encode({**PAYLOAD, "jti": None}))["jti"] for _ in "ab"}
    assert len(names) == 2
    assert None not in names


def test_without_an_issuer_there_are_no_tokens(
    backend: AccessTokenBackend, settings: "Settings"
) -> None:
    text = backend.encode(PAYLOAD)
    settings.DRF_APIKIT = {}
    with pytest.raises(ImproperlyConfigured, match="is not set"):
        backend.encode(PAYLOAD)
    with pytest.raises(ImproperlyConfigured, match="is not set"):
        backend.decode(text)


def test_a_large_token_is_refused_and_the_log_says_why(
    backend: AccessTokenBackend,
    settings: "Settings",
    caplog: pytest.LogCaptureFixture,
) -> None:
    settings.DRF_APIKIT = section(MAX_SIZE=512)
    assert len(backend.encode(PAYLOAD)) <= 512
    claims = {"groups": ["secret"] * 50, "name": "secret" * 10, "a": 1}
    with pytest.raises(TokenTooLarge):
        backend.encode({**PAYLOAD, **claims})
    assert "more than MAX_SIZE, 512: groups: 500, name: 62, " in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.parametrize("encoder", [DjangoJSONEncoder, "path"], ids=["class", "path"])
def test_claims_may_be_what_the_encoder_knows(
    backend: AccessTokenBackend, settings: "Settings", encoder: Any
) -> None:
    team = UUID(int=1)
    with pytest.raises(TypeError):
        backend.encode({**PAYLOAD, "team": team})
    path = "django.core.serializers.json.DjangoJSONEncoder"
    settings.SIMPLE_JWT = {"JSON_ENCODER": path if encoder == "path" else encoder}
    text = backend.encode({**PAYLOAD, "team": team})
    assert payload_of(text)["team"] == str(team)


def test_what_json_has_not_is_no_claim(backend: AccessTokenBackend) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        backend.encode({**PAYLOAD, "score": float("nan")})


@pytest.fixture
def _no_keys(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have no keys, and a database that cannot be asked for them."""

    def fail() -> None:
        raise KeysUnavailableError(ISSUER, 7, "none")

    with monkeypatch.context() as patch:
        patch.setattr(backend_module, "current_ring", fail)
        patch.setattr(backend_module, "local_keys", fail)
        yield


@pytest.mark.usefixtures("_no_keys")
def test_without_keys_it_is_for_later(backend: AccessTokenBackend) -> None:
    text = f"{'.'.join(['e30'] * 2)}.AAAA"
    for ask in (lambda: backend.encode(PAYLOAD), lambda: backend.decode(text)):
        with pytest.raises(TokensUnavailable) as refusal:
            ask()
        assert vars(refusal.value)["wait"] == 7


# Other names of simplejwt.


def test_a_user_may_have_another_claim(
    backend: AccessTokenBackend, settings: "Settings"
) -> None:
    settings.SIMPLE_JWT = {"USER_ID_CLAIM": "sub", "JTI_CLAIM": "id"}
    payload = {**PAYLOAD, "sub": 7, "id": "two"}
    claims = payload_of(backend.encode(payload))
    assert (claims["sub"], claims["jti"]) == ("7", "two")
    assert "id" not in claims
    decoded = backend.decode(backend.encode(payload))
    assert (decoded["sub"], decoded["id"]) == ("7", "two")


def test_a_user_may_be_known_by_another_field(
    backend: AccessTokenBackend, settings: "Settings"
) -> None:
    """A primary key in place of a name would be somebody else's."""
    settings.SIMPLE_JWT = {"USER_ID_FIELD": "username"}
    text = backend.encode({**PAYLOAD, "user_id": "12", "sub": "7"})
    claims = payload_of(text)
    assert (claims["sub"], claims["user_id"]) == ("7", "12")
    assert backend.decode(text)["user_id"] == "12"
    settings.SIMPLE_JWT = {}
    without = backend.encode(PAYLOAD)
    settings.SIMPLE_JWT = {"USER_ID_FIELD": "username"}
    assert "user_id" not in backend.decode(without)


def test_another_field_cannot_be_the_subject(
    backend: AccessTokenBackend, settings: "Settings"
) -> None:
    settings.SIMPLE_JWT = {"USER_ID_FIELD": "username", "USER_ID_CLAIM": "sub"}
    with pytest.raises(ImproperlyConfigured, match="may not be called sub"):
        backend.encode({**PAYLOAD, "sub": "12"})


def test_settings_that_are_no_dict_are_none(
    backend: AccessTokenBackend, settings: "Settings"
) -> None:
    settings.SIMPLE_JWT = None
    assert json.dumps(backend.decode(backend.encode(PAYLOAD)))
