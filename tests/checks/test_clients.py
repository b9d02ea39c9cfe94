from typing import Any, Final

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, x25519
from django.core.checks import run_checks

from drf_apikit.checks import check_deployed_clients, check_settings, register

ISSUER: Final = "https://id.example"
CREDENTIALS: Final = "DRF_APIKIT['CLIENTS']['CREDENTIALS']['ledger']"
SHARED: Final = {
    "default": {"BACKEND": "django.core.cache.backends.db.DatabaseCache"},
    "own": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
    "none": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"},
    "broken": {"BACKEND": "nowhere.Cache"},
}


def pem(key: Any, password: bytes | None = None) -> str:
    protection = (
        serialization.NoEncryption()
        if password is None
        else serialization.BestAvailableEncryption(password)
    )
    form = serialization.PrivateFormat.PKCS8
    return str(key.private_bytes(serialization.Encoding.PEM, form, protection).decode())


P256: Final = ec.generate_private_key(ec.SECP256R1())
GOOD: Final = pem(P256)
BAD: Final = {
    "with a password": pem(P256, b"word"),
    # For key agreement, not for signatures.
    "of no use": pem(x25519.X25519PrivateKey.generate()),
    "cut off": GOOD[:80],
}


def clients(**values: Any) -> dict[str, Any]:
    entry = {"ISSUER": ISSUER, "CLIENT_ID": "a", "CLIENT_SECRET": "b", **values}
    return {"CLIENTS": {"CREDENTIALS": {"ledger": entry}}}


def ids(found: list[Any]) -> list[str]:
    return [message.id for message in found]


@pytest.fixture
def caches(settings: Any) -> None:
    settings.CACHES = SHARED


@pytest.mark.parametrize("key", BAD.values(), ids=list(BAD))
def test_a_private_key_that_cannot_be_used(settings: Any, key: str) -> None:
    settings.DRF_APIKIT = clients(AUTH_METHOD="private_key_jwt", PRIVATE_KEY=key)
    settings.DRF_APIKIT["LOGIN"] = {"PRIVATE_KEY": key}
    found = check_settings()
    assert ids(found) == ["drf_apikit.E021"] * 2
    assert found[0].msg.startswith("DRF_APIKIT['LOGIN']['PRIVATE_KEY'] cannot be used:")
    assert found[1].msg.startswith(f"{CREDENTIALS}['PRIVATE_KEY'] cannot be used:")
    assert key.splitlines()[1][:20] not in f"{found}"


def test_a_private_key_that_can_be_used(settings: Any) -> None:
    settings.DRF_APIKIT = clients(AUTH_METHOD="private_key_jwt", PRIVATE_KEY=GOOD)
    settings.DRF_APIKIT["LOGIN"] = {"PRIVATE_KEY": GOOD}
    assert check_settings() == []


def test_a_cache_that_is_none(settings: Any) -> None:
    settings.DRF_APIKIT = {"CLIENTS": {"CACHE": "elsewhere"}}
    (found,) = check_settings()
    assert found.id == "drf_apikit.E005"
    assert (
        found.msg == "DRF_APIKIT['CLIENTS']['CACHE'] is 'elsewhere', which is no cache."
    )


@pytest.mark.usefixtures("caches")
@pytest.mark.parametrize("alias", ["own", "none"])
def test_a_cache_that_processes_do_not_share(settings: Any, alias: str) -> None:
    settings.DRF_APIKIT = clients()
    settings.DRF_APIKIT["CLIENTS"]["CACHE"] = alias
    (found,) = check_deployed_clients()
    assert found.id == "drf_apikit.W025"
    assert "each process fetches a token of its own" in found.msg


@pytest.mark.usefixtures("caches")
@pytest.mark.parametrize("alias", ["default", "broken", "elsewhere"])
def test_a_cache_that_they_share_or_that_others_tell_of(
    settings: Any, alias: str
) -> None:
    settings.DRF_APIKIT = clients()
    settings.DRF_APIKIT["CLIENTS"]["CACHE"] = alias
    assert check_deployed_clients() == []


@pytest.mark.usefixtures("caches")
def test_tokens_over_plain_http(settings: Any) -> None:
    settings.DRF_APIKIT = clients(INSECURE_LOOPBACK_HTTP=True)
    (found,) = check_deployed_clients()
    assert found.id == "drf_apikit.W026"
    assert found.msg.startswith(f"{CREDENTIALS}['INSECURE_LOOPBACK_HTTP'] is True")


@pytest.mark.parametrize(
    "value",
    [{}, {"CLIENTS": {"CACHE": "own"}}, {"CLIENTS": {"CREDENTIALS": 7}}],
    ids=["nothing", "no client", "faulty"],
)
def test_without_clients_nothing_is_said(settings: Any, value: Any) -> None:
    settings.DRF_APIKIT = value
    assert check_deployed_clients() == []


@pytest.mark.django_db
def test_the_checks_are_for_deployments(settings: Any) -> None:
    register()
    settings.DRF_APIKIT = clients(INSECURE_LOOPBACK_HTTP=True)
    assert "drf_apikit.W026" not in ids(run_checks())
    assert "drf_apikit.W026" in ids(run_checks(include_deployment_checks=True))
