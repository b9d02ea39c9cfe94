"""Keys that come from this very process, by `KEY_SOURCE`."""

from typing import Any

import pytest
from django.test import override_settings

from drf_apikit.jose import KeySet, Reason, TokenError, parse_compact, parse_key_set
from drf_apikit.oidc import KeysUnavailableError, find_issuer
from tests.jose.minting import AUDIENCE, HEADER, ISSUER, NOW, mint, public_jwk

NAMED = {"AUDIENCE": AUDIENCE, "KEY_SOURCE": f"{__name__}.source"}
SETTINGS = {"AUTHENTICATION": {"ISSUERS": {ISSUER: NAMED}}}


class Source:
    """Has a key more when it is looked at again."""

    def __init__(self) -> None:
        self.looks: list[str | None] = []
        self.down = False

    def keys(self) -> KeySet:
        if self.down:
            raise KeysUnavailableError(ISSUER, 1, "down")
        names = ["P-256", "Ed25519"][: 1 + len(self.looks)]
        return parse_key_set({"keys": [public_jwk(name) for name in names]})

    def refreshed(self, kid: str | None) -> KeySet:
        self.looks.append(kid)
        return self.keys()


MADE: list[Source] = []


def source() -> Source:
    """Be what the settings name."""
    MADE.append(Source())
    return MADE[-1]


@pytest.fixture
def made(settings: Any) -> list[Source]:
    MADE.clear()
    settings.DRF_APIKIT = SETTINGS
    return MADE


def judge(token: str) -> Any:
    return find_issuer(ISSUER).verify(parse_compact(token), NOW)[0]


def test_a_source_is_asked_rather_than_a_url(made: list[Source]) -> None:
    assert judge(mint())["sub"] == judge(mint())["sub"] == "alice"
    (one,) = made
    assert find_issuer(ISSUER).source is one
    assert one.looks == []
    with override_settings(DRF_APIKIT=SETTINGS):
        judge(mint())
    assert len(made) == 2


def test_a_source_is_asked_again_for_an_unknown_key(made: list[Source]) -> None:
    header = {**HEADER, "alg": "EdDSA", "kid": "Ed25519"}
    token = mint(header, algorithm="EdDSA", kind="Ed25519")
    assert judge(token)["sub"] == "alice"
    assert made[0].looks == ["Ed25519"]
    with pytest.raises(TokenError) as refused:
        judge(mint({**HEADER, "kid": "nobody's"}))
    assert refused.value.reason is Reason.KEY_UNKNOWN


def test_without_keys_nothing_is_judged(made: list[Source]) -> None:
    find_issuer(ISSUER)
    made[0].down = True
    with pytest.raises(KeysUnavailableError):
        judge(mint())


def test_a_source_that_is_not_there_is_told(settings: Any) -> None:
    missing = {**NAMED, "KEY_SOURCE": f"{__name__}.missing"}
    settings.DRF_APIKIT = {"AUTHENTICATION": {"ISSUERS": {ISSUER: missing}}}
    with pytest.raises(ImportError, match="missing"):
        find_issuer(ISSUER)
