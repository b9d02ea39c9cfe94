from typing import Any

import pytest

from drf_apikit.oidc.discovery import discover, keys_url
from drf_apikit.oidc.fetch import FetchError

ISSUER = "https://id.example"


@pytest.mark.compliance("OIDC Discovery 1.0", "4.1")
@pytest.mark.parametrize(
    ("issuer", "url"),
    [
        (ISSUER, f"{ISSUER}/.well-known/openid-configuration"),
        (f"{ISSUER}/", f"{ISSUER}/.well-known/openid-configuration"),
        (f"{ISSUER}/realm", f"{ISSUER}/realm/.well-known/openid-configuration"),
        (f"{ISSUER}/realm/", f"{ISSUER}/realm/.well-known/openid-configuration"),
    ],
)
def test_the_document_stands_below_the_issuer(issuer: str, url: str) -> None:
    document = {"issuer": issuer, "jwks_uri": "https://id.example/keys", "x": 1}
    asked: list[str] = []

    def fetch(address: str) -> Any:
        asked.append(address)
        return document

    assert discover(issuer, fetch) == document
    assert asked == [url]


@pytest.mark.compliance("OIDC Discovery 1.0", "4.3")
@pytest.mark.compliance("RFC 8414", "3.3")
@pytest.mark.parametrize(
    "named",
    [None, "", f"{ISSUER}/", "https://ID.example", "https://evil.example", [ISSUER], 7],
    ids=repr,
)
def test_a_document_of_another_issuer_is_not_used(named: Any) -> None:
    document = {"issuer": named, "jwks_uri": "https://id.example/keys"}
    with pytest.raises(FetchError, match="names another issuer"):
        discover(ISSUER, lambda _: document)


@pytest.mark.parametrize("document", [None, [], "x", 7, {}, [{"issuer": ISSUER}]])
def test_a_document_must_be_an_object(document: Any) -> None:
    with pytest.raises(FetchError, match="names another issuer"):
        discover(ISSUER, lambda _: document)


@pytest.mark.compliance("OIDC Discovery 1.0", "3")
@pytest.mark.parametrize("uri", [None, 7, [], {}, True], ids=repr)
def test_who_wants_keys_is_told_that_there_are_none(uri: Any) -> None:
    with pytest.raises(FetchError, match=f"{ISSUER}: .* has no jwks_uri"):
        keys_url(ISSUER, {"issuer": ISSUER, "jwks_uri": uri})


@pytest.mark.compliance("RFC 8414", "2")
def test_a_document_need_not_say_where_keys_are() -> None:
    document = {"issuer": ISSUER, "token_endpoint": f"{ISSUER}/token"}
    assert discover(ISSUER, lambda _: document) == document
    with_keys = {**document, "jwks_uri": f"{ISSUER}/keys"}
    assert keys_url(ISSUER, with_keys) == f"{ISSUER}/keys"
