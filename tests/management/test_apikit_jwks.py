import json
from collections.abc import Iterator
from io import StringIO
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from drf_apikit.jose import KeySet, parse_key_set
from drf_apikit.oidc import KeysUnavailableError, find_issuer
from drf_apikit.oidc.jwks import KeyStore
from tests.jose.minting import AUDIENCE, public_jwk
from tests.oidc.caches import MEMORY, SETTINGS
from tests.oidc.provider import DISCOVERY, JWKS, Clock, Provider, serving
from tests.oidc.stores import settled, store_of

KINDS = ("RSA", "P-256", "Ed25519")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    told = Clock()
    here = "drf_apikit.management.commands.apikit_jwks.time"
    monkeypatch.setattr(here, SimpleNamespace(time=told))
    # The stores are those that requests use, which go by the time of day.
    monkeypatch.setattr(KeyStore.__init__, "__defaults__", (told, None))
    return told


@pytest.fixture
def provider(settings: Settings, clock: Clock) -> Iterator[Provider]:
    """Trust one issuer with three good keys and a bad one."""
    with serving() as running:
        running.publish(*map(public_jwk, KINDS), public_jwk("RSA-1024"))
        settings.CACHES = SETTINGS
        MEMORY.reset(clock)
        trust(settings, running)
        yield running


def trust(settings: Settings, *providers: Provider, **issuers: Any) -> None:
    served = {one.url: one.settings for one in providers}
    section = {"ISSUERS": {**served, **issuers}, "FETCH_TIMEOUT": 2}
    settings.DRF_APIKIT = {"AUTHENTICATION": section}


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("apikit_jwks", *arguments, stdout=out)
    return out.getvalue()


def told(*arguments: str) -> Any:
    return json.loads(run("--format", "json", *arguments))


def failed(*arguments: str) -> tuple[Any, str]:
    out = StringIO()
    with pytest.raises(CommandError) as raised:
        call_command("apikit_jwks", "--format", "json", *arguments, stdout=out)
    assert raised.value.returncode == 1
    return json.loads(out.getvalue()), str(raised.value)


def another(provider: Provider, clock: Clock) -> KeyStore:
    """Be a process that serves requests."""
    return store_of(provider, clock)


def test_it_shows_what_processes_share(provider: Provider, clock: Clock) -> None:
    store = another(provider, clock)
    store.keys()
    settled(store)
    asked = list(provider.requests)
    clock.now += 100
    keys = {key.kid: key for key in store.keys().keys}
    assert run().splitlines() == [
        provider.url,
        "  source      shared level",
        f"  jwks_uri    {provider.url}{JWKS}",
        "  age         100 s, fresh for 500 s more",
        '  key         "RSA"',
        "    type        RSA 2048 bits",
        "    algorithms  PS256 PS384 PS512 RS256 RS384 RS512",
        f"    thumbprint  {keys['RSA'].thumbprint}",
        '  key         "P-256"',
        "    type        EC secp256r1",
        "    algorithms  ES256",
        f"    thumbprint  {keys['P-256'].thumbprint}",
        '  key         "Ed25519"',
        "    type        OKP Ed25519",
        f"    algorithms  {' '.join(sorted(keys['Ed25519'].algorithms))}",
        f"    thumbprint  {keys['Ed25519'].thumbprint}",
        "  dropped     keys[3]: too weak, or not for signatures",
    ]
    assert provider.requests == asked


def test_it_shows_the_same_to_programs(provider: Provider, clock: Clock) -> None:
    (document,) = told("--warm")
    keys = document.pop("keys")
    assert document == {
        "issuer": provider.url,
        "source": "issuer",
        "jwks_uri": provider.url + JWKS,
        "age": 0,
        "fresh_for": 600,
        "dropped": ["keys[3]: too weak, or not for signatures"],
        "error": None,
    }
    assert [key["kid"] for key in keys] == [*KINDS]
    assert keys[1] == {
        "kid": "P-256",
        "type": "EC secp256r1",
        "algorithms": ["ES256"],
        "thumbprint": keys[1]["thumbprint"],
    }
    clock.now += 1000
    assert told()[0]["fresh_for"] == 0


def test_without_shared_keys_it_shows_the_issuers_and_leaves_nothing(
    provider: Provider,
) -> None:
    assert told("--inspect")[0]["source"] == "issuer"
    assert provider.requests == [DISCOVERY, JWKS]
    assert not MEMORY.values


def test_names_of_keys_do_no_harm_to_a_terminal(provider: Provider) -> None:
    provider.publish(public_jwk("RSA", kid="\x1b[2J\ud800"))
    assert r'key         "\u001b[2J\ud800"' in run()


def test_warming_fetches_only_what_is_not_fresh(
    provider: Provider, clock: Clock
) -> None:
    assert told("--warm")[0]["source"] == "issuer"
    clock.now += 599
    warm = another(provider, clock)
    assert told("--warm")[0]["source"] == "shared level"
    assert len(warm.keys().keys) == 3
    assert provider.fetches == 1
    clock.now += 1
    assert told("--warm")[0]["age"] == 0
    assert provider.fetches == 2


def test_stale_keys_are_warm_enough_in_an_outage(
    provider: Provider, clock: Clock
) -> None:
    run("--warm")
    clock.now += 600
    provider.fail()
    (document,) = told("--warm")
    assert (document["age"], document["error"]) == (600, None)
    assert provider.fetches == 2


def test_refreshing_reaches_the_processes(provider: Provider, clock: Clock) -> None:
    store = another(provider, clock)
    store.keys()
    settled(store)
    # The budget of unknown key ids is spent.
    for kid in "abc":
        store.refreshed(kid)
    settled(store)
    provider.publish(public_jwk("P-384"))
    clock.now += 1
    assert [key["kid"] for key in told("--refresh")[0]["keys"]] == ["P-384"]
    clock.now += 15
    store.keys()
    assert [key.kid for key in settled(store).keys().keys] == ["P-384"]
    assert provider.fetches == 5


@pytest.mark.parametrize("what", ["--inspect", "--warm", "--refresh"])
def test_no_usable_keys_are_a_failure(provider: Provider, what: str) -> None:
    provider.fail()
    (document,), said = failed(what)
    assert document["keys"] == []
    assert document["source"] == "issuer"
    assert "answered 500" in document["error"]
    assert said == f"No usable keys, or none anew: {provider.url}"


@pytest.mark.parametrize("what", ["--inspect", "--warm", "--refresh"])
def test_a_set_without_a_usable_key_is_a_failure(provider: Provider, what: str) -> None:
    provider.publish(public_jwk("RSA-1024"))
    (document,), _ = failed(what)
    assert document["error"] == "no usable key"
    assert len(document["dropped"]) == 1


def test_a_refresh_that_fails_says_what_there_is(
    provider: Provider, clock: Clock
) -> None:
    run("--warm")
    clock.now += 60
    provider.fail()
    (document,), _ = failed("--refresh")
    assert (document["source"], document["age"]) == ("shared level", 60)
    assert len(document["keys"]) == 3
    out = StringIO()
    with pytest.raises(CommandError):
        call_command("apikit_jwks", "--refresh", stdout=out)
    assert out.getvalue().splitlines()[-1].startswith("  error       ")


def test_one_issuer_can_be_chosen(settings: Settings, provider: Provider) -> None:
    given = {"AUDIENCE": AUDIENCE, "JWKS": {"keys": [public_jwk("P-256")]}}
    trust(settings, provider, **{"https://static.test": given})
    (document,) = told("--issuer", "https://static.test")
    assert document["source"] == "settings"
    assert document["age"] is None
    assert "key " in run("--issuer=https://static.test")
    assert provider.requests == []
    assert [one["issuer"] for one in told()] == [provider.url, "https://static.test"]
    with pytest.raises(CommandError, match="'x' is not in ISSUERS, which has http"):
        run("--issuer", "x")


def test_without_issuers_there_is_nothing_to_tell(settings: Settings) -> None:
    trust(settings)
    assert run() == ""
    with pytest.raises(CommandError, match="which has none"):
        run("--issuer", "x")


def test_only_one_thing_can_be_done() -> None:
    with pytest.raises(CommandError, match="not allowed with"):
        run("--warm", "--refresh")


def test_the_stores_are_those_of_requests(provider: Provider) -> None:
    run("--warm")
    source = find_issuer(provider.url).source
    assert isinstance(source, KeyStore)
    assert len(source.keys().keys) == 3
    assert provider.fetches == 1


@pytest.mark.parametrize("what", ["--inspect", "--warm", "--refresh"])
def test_a_deploy_without_issuers_is_told(
    settings: Settings, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    settings.DRF_APIKIT = {}
    call_command("apikit_jwks", what)
    out, err = capsys.readouterr()
    assert (out, err) == ("", "ISSUERS is empty: there are no keys.\n")


OWN = "https://own.test"
SOURCE = f"{__name__}.own_keys"
LOCAL = "drf_apikit.tokens.keyring.local_keys"


class OwnKeys:
    """Give a key more when they are looked for again."""

    asked: Any = []
    kinds: Any = []
    is_down = False

    def keys(self) -> KeySet:
        self.asked.append("keys")
        return self._keys(self.kinds[:1])

    def refreshed(self, kid: str | None) -> KeySet:
        self.asked.append(f"refreshed {kid}")
        return self._keys(self.kinds)

    def _keys(self, kinds: list[str]) -> KeySet:
        if self.is_down:
            raise KeysUnavailableError(OWN, 1, "the database is away")
        return parse_key_set({"keys": [public_jwk(kind) for kind in kinds]})


def own_keys() -> OwnKeys:
    """Be what KEY_SOURCE names."""
    return OwnKeys()


@pytest.fixture
def own(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> type[OwnKeys]:
    monkeypatch.setattr(OwnKeys, "asked", [])
    monkeypatch.setattr(OwnKeys, "kinds", ["P-256", "Ed25519"])
    trust(settings, **{OWN: {"AUDIENCE": AUDIENCE, "KEY_SOURCE": SOURCE}})
    return OwnKeys


@pytest.mark.parametrize(
    ("what", "asked", "kids"),
    [
        ("--inspect", "keys", ["P-256"]),
        ("--warm", "keys", ["P-256"]),
        ("--refresh", "refreshed None", ["P-256", "Ed25519"]),
    ],
)
def test_a_source_of_keys_is_asked(
    own: type[OwnKeys], what: str, asked: str, kids: list[str]
) -> None:
    (document,) = told(what)
    assert own.asked == [asked]
    assert [key["kid"] for key in document["keys"]] == kids
    assert (document["source"], document["error"]) == (SOURCE, None)
    assert (document["jwks_uri"], document["age"]) == (None, None)


@pytest.mark.parametrize("what", ["--inspect", "--warm", "--refresh"])
def test_a_source_without_keys_is_a_failure(
    own: type[OwnKeys], monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.setattr(own, "kinds", [])
    (document,), _ = failed(what)
    assert (document["source"], document["error"]) == (SOURCE, "no usable key")
    monkeypatch.setattr(own, "is_down", True)
    (document,), said = failed(what)
    assert (document["source"], document["error"]) == (SOURCE, "the database is away")
    assert said == f"No usable keys, or none anew: {OWN}"


@pytest.mark.django_db
def test_keys_that_are_made_at_their_first_use(settings: Settings) -> None:
    """A deploy may warm the others before anybody has a token of this project."""
    issuer = {"AUDIENCE": AUDIENCE, "KEY_SOURCE": LOCAL, "USERS": "local"}
    trust(settings, **{OWN: issuer})
    tokens = {"ISSUER": OWN, "AUDIENCE": AUDIENCE}
    settings.DRF_APIKIT = {**settings.DRF_APIKIT, "TOKENS": tokens}
    (document,) = told("--warm")
    assert (document["keys"], document["error"]) == ([], None)
    assert run().splitlines() == [
        OWN,
        f"  source      {LOCAL}",
        "  none yet    the first key is made when it is needed",
    ]
    call_command("apikit_keys", "rotate", stdout=StringIO())
    (document,) = told("--refresh")
    assert [key["type"] for key in document["keys"]] == ["RSA 2048 bits"]
    later = {"k": {"ENV": "TESTS_HAVE_NO_SUCH_KEY"}}
    settings.DRF_APIKIT = {**settings.DRF_APIKIT, "TOKENS": {**tokens, "KEYS": later}}
    (document,), _ = failed()
    assert "has no 'TESTS_HAVE_NO_SUCH_KEY'" in document["error"]
