import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from identity.spec import Client, Spec, SpecError, User, subject_of
from tests.example.identity.browsing import Browser, Proof
from tests.example.identity.running import SPEC, Provider, run_command
from tests.jose.minting import public_jwk

USER = {"username": "ada", "password": "p"}
CLIENT = {"client_id": "c", "client_secret": "s"}
KEY = public_jwk("P-256")
SIGNER = {"client_id": "c", "jwks": {"keys": [KEY]}}
BAD_KEYS: tuple[tuple[str, Any, str], ...] = (
    ("no-set", [KEY], "must be an object"),
    ("no-keys", {"keys": []}, "list of keys"),
    ("no-key", {"keys": ["key"]}, "public key alone"),
    ("private-key", {"keys": [KEY | {"d": "AQ"}]}, "public key alone"),
    ("shared-secret", {"keys": [{"kty": "oct", "k": "AQ"}]}, "public key alone"),
    ("kind", {"keys": [KEY | {"kty": "what"}]}, "must be for RS256, ES256"),
    ("curve", {"keys": [KEY | {"crv": "secp256k1"}]}, "must be for RS256, ES256"),
    ("algorithm", {"keys": [KEY | {"alg": "RS256"}]}, "must be for RS256, ES256"),
    ("point", {"keys": [KEY | {"x": "AQ"}]}, "cannot be read"),
    ("weak", {"keys": [public_jwk("RSA-1024")]}, "2048 bits"),
    ("names", {"keys": [KEY, public_jwk("RSA", kid="P-256")]}, "kid of its own"),
    ("no-name", {"keys": [KEY, public_jwk("RSA", kid=None)]}, "kid of its own"),
)


def test_specification_survives_json() -> None:
    assert Spec.from_json(SPEC.to_json()) == SPEC


def test_subject_follows_from_the_name() -> None:
    assert User("ada", "p").subject == subject_of("ada")
    assert subject_of("ada") == "6d42ef56-b007-5c22-8dfa-a08c08dfe851"
    assert subject_of("ada") != subject_of("bob")


@pytest.mark.parametrize(
    ("document", "message"),
    [
        pytest.param("{", "Not JSON", id="json"),
        pytest.param([], "users and clients", id="list"),
        pytest.param({"people": []}, "users and clients", id="member"),
        pytest.param({"users": {}}, "users must be a list", id="users"),
        pytest.param({"users": ["ada"]}, r"users\[0\] must be an object", id="user"),
        pytest.param({"users": [{"username": "a"}]}, "lacks: password", id="lacks"),
        pytest.param({"users": [USER | {"age": 1}]}, "unknown members: age", id="age"),
        pytest.param(
            {"users": [USER | {"subject": "ada"}]}, "must be a UUID", id="subject"
        ),
        pytest.param({"users": [USER | {"email": 1}]}, "email must be text", id="text"),
        pytest.param({"users": [USER | {"username": ""}]}, "not be empty", id="empty"),
        pytest.param({"clients": [CLIENT | {"type": "x"}]}, "type must be", id="type"),
        pytest.param(
            {"clients": [CLIENT | {"grant": "password"}]}, "grant must be", id="grant"
        ),
        pytest.param(
            {"clients": [CLIENT | {"access_token_format": "x"}]},
            "access_token_format must be",
            id="format",
        ),
        pytest.param(
            {"clients": [CLIENT | {"redirect_uris": "http://a/"}]},
            "must be a list",
            id="uris",
        ),
        pytest.param(
            {"clients": [CLIENT | {"scopes": ["a b"]}]}, "without spaces", id="scopes"
        ),
        pytest.param(
            {"clients": [CLIENT | {"skip_consent": 1}]}, "true or false", id="consent"
        ),
        pytest.param(
            {"clients": [CLIENT | {"type": "public"}]}, "public ones", id="public"
        ),
        pytest.param(
            {"clients": [SIGNER | {"type": "public"}]}, "public ones", id="public-key"
        ),
        pytest.param(
            {"clients": [SIGNER | CLIENT]}, "exclude each other", id="key-and-secret"
        ),
        *(
            pytest.param({"clients": [SIGNER | {"jwks": jwks}]}, message, id=name)
            for name, jwks, message in BAD_KEYS
        ),
        pytest.param({"clients": [{"client_id": "c"}]}, "client_secret", id="secret"),
        pytest.param(
            {
                "clients": [
                    {
                        "client_id": "c",
                        "type": "public",
                        "grant": "client_credentials",
                    }
                ]
            },
            "no credentials",
            id="public-machine",
        ),
    ],
)
def test_bad_specification_says_what_is_wrong(document: Any, message: str) -> None:
    text = document if isinstance(document, str) else json.dumps(document)
    with pytest.raises(SpecError, match=message):
        Spec.from_json(text)


def test_seeding_again_keeps_sessions_and_brings_up_to_date(
    provider: Provider, tmp_path: Path
) -> None:
    old = Client(
        "changing", name="Old", client_secret="old", grant="client_credentials"
    )
    person = User("carol", "carol-password", subject=subject_of("somebody"))
    seed(provider, Spec(users=(person,), clients=(old,)))
    browser = Browser(replace(provider, users={"carol": person}))
    browser.sign_in(browser.open("/login/"), "carol")

    new = replace(old, client_secret="new", scopes=("ledger:read",))
    path = tmp_path / "spec.json"
    path.write_text(Spec(users=(person,), clients=(new,)).to_json())
    assert "1 users and 1 clients" in run_command(
        provider.environment, "seed_identity", str(path)
    )
    assert str(person.subject) in browser.open("/").text
    changed = replace(provider, clients={"changing": new})
    body = changed.token("changing", grant_type="client_credentials").json()
    assert body["scope"] == "ledger:read"
    stale = replace(provider, clients={"changing": old})
    response = stale.token("changing", grant_type="client_credentials")
    assert response.json()["error"] == "invalid_client"


def test_refused_specification_changes_nothing(provider: Provider) -> None:
    spec = Spec(
        users=(User("dave", "dave-password"),),
        clients=(Client("bad", type="public", redirect_uris=("http://a.example/#f",)),),
    )
    with pytest.raises(subprocess.CalledProcessError) as refused:
        seed(provider, spec)
    assert refused.value.stderr.startswith("CommandError: ")
    browser = Browser(replace(provider, users={"dave": spec.users[0]}))
    page = browser.sign_in(browser.open("/login/"), "dave")
    assert "correct username and password" in page.text


def test_client_without_consent_page(provider: Provider) -> None:
    browser = Browser(provider)
    page = browser.open(browser.authorization_url("server", Proof()))
    page = browser.sign_in(page, "bob")
    assert page.status_code == 302


def seed(provider: Provider, spec: Spec) -> None:
    run_command(provider.environment, "seed_identity", stdin=spec.to_json())
