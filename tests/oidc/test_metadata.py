import dataclasses
import json
import logging
import uuid
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from drf_apikit.oidc.metadata import Options, ProviderMetadata, Sources, metadata_of
from drf_apikit.oidc.token_endpoint import ProviderUnavailableError
from drf_apikit.oidc.transport import Reply
from drf_apikit.sealing import read_sealed, seal_text
from tests.databases import in_threads
from tests.oidc.caches import Memory
from tests.oidc.provider import DISCOVERY, Clock, Provider, as_json, as_text

#: Of a fresh document, and of one that may be used, as the settings have them.
FRESH, STALE = 600, 24 * 60 * 60
SENDS_ISS = "authorization_response_iss_parameter_supported"


class Fleet:
    """Processes that ask one provider."""

    def __init__(self, provider: Provider, clock: Clock) -> None:
        self.provider, self.clock = provider, clock
        self.options = Options(provider.url, 2, None, allow_loopback_http=True)
        self.asked: list[Sources] = []

    def process(self) -> Callable[[], ProviderMetadata]:
        """Start one; give what asks for the metadata there."""
        sources = Sources(self.clock)
        self.asked.append(sources)
        return partial(sources.metadata, self.options)

    def settle(self) -> None:
        """Wait for all that is done in the background."""
        for sources in self.asked:
            assert sources.value(self.options).settle(30)


@pytest.fixture
def fleet(provider: Provider, clock: Clock) -> Iterator[Fleet]:
    publish(provider)
    found = Fleet(provider, clock)
    yield found
    found.settle()


def publish(provider: Provider, **members: Any) -> None:
    urls = {
        "authorization_endpoint": f"{provider.url}/authorize",
        "token_endpoint": f"{provider.url}/token",
    }
    document = provider.metadata(**{**urls, **members})
    provider.answers[DISCOVERY] = as_json(document)


def failure(fleet: Fleet) -> str:
    with pytest.raises(ProviderUnavailableError) as failed:
        fleet.process()()
    assert failed.value.retry_after is not None
    assert failed.value.retry_after > 0
    return failed.value.reason


@pytest.mark.compliance("RFC 8414", "2")
def test_all_that_is_said_is_read(fleet: Fleet) -> None:
    url = fleet.provider.url
    publish(
        fleet.provider,
        userinfo_endpoint=f"{url}/userinfo",
        end_session_endpoint=f"{url}/logout?a=b",
        revocation_endpoint=f"{url}/revoke",
        token_endpoint_auth_methods_supported=["private_key_jwt", "none", 7],
        code_challenge_methods_supported=["S256", "plain", None],
        scopes_supported=["openid"],
        **{SENDS_ISS: True},
    )
    assert fleet.process()() == ProviderMetadata(
        issuer=url,
        authorization_endpoint=f"{url}/authorize",
        token_endpoint=f"{url}/token",
        jwks_uri=f"{url}/keys",
        userinfo_endpoint=f"{url}/userinfo",
        end_session_endpoint=f"{url}/logout?a=b",
        revocation_endpoint=f"{url}/revoke",
        token_endpoint_auth_methods=frozenset({"private_key_jwt", "none"}),
        code_challenge_methods=frozenset({"S256", "plain"}),
        sends_iss=True,
    )


@pytest.mark.compliance("RFC 8414", "2")
def test_what_is_not_said_is_as_the_specification_says(fleet: Fleet) -> None:
    found = fleet.process()()
    assert found.token_endpoint_auth_methods == {"client_secret_basic"}
    assert found.code_challenge_methods is None
    assert found.sends_iss is False
    assert found.userinfo_endpoint is None
    assert found.end_session_endpoint is None
    assert found.revocation_endpoint is None


@pytest.mark.compliance("RFC 9207", "3")
@pytest.mark.parametrize("given", [False, None, "true", 1, []], ids=repr)
def test_only_true_promises_that_answers_name_the_issuer(
    fleet: Fleet, given: Any
) -> None:
    publish(fleet.provider, **{SENDS_ISS: given})
    assert fleet.process()().sends_iss is False


@pytest.mark.parametrize("given", [None, "S256", 7, {"S256": 1}], ids=repr)
def test_what_is_no_list_is_not_said(fleet: Fleet, given: Any) -> None:
    publish(
        fleet.provider,
        code_challenge_methods_supported=given,
        token_endpoint_auth_methods_supported=given,
    )
    found = fleet.process()()
    assert found.code_challenge_methods is None
    assert found.token_endpoint_auth_methods == {"client_secret_basic"}


def test_a_list_of_nothing_is_one(fleet: Fleet) -> None:
    publish(
        fleet.provider,
        code_challenge_methods_supported=[],
        token_endpoint_auth_methods_supported=[],
    )
    found = fleet.process()()
    assert found.code_challenge_methods == frozenset()
    assert found.token_endpoint_auth_methods == frozenset()


#: None is left out of a document.
UNSAFE = [
    "http://id.example/x",
    "javascript:alert(1)",
    "//id.example/x",
    "/x",
    "",
    "https://",
    "https://id.example/\r\nx",
    "https://id.example/x#y",
    7,
    ["https://id.example/x"],
]


@pytest.mark.compliance("OIDC Discovery 1.0", "3")
@pytest.mark.compliance("RFC 6749", "3.2")
@pytest.mark.parametrize("url", [None, *UNSAFE], ids=repr)
def test_an_endpoint_that_all_need_must_be_safe(fleet: Fleet, url: Any) -> None:
    publish(fleet.provider, token_endpoint=url)
    failure(fleet)


@pytest.mark.compliance("RFC 8414", "2")
def test_who_only_hands_out_tokens_to_clients_needs_no_more(
    fleet: Fleet, shared: Memory
) -> None:
    publish(fleet.provider, authorization_endpoint=None, jwks_uri=None)
    found = fleet.process()()
    assert found.token_endpoint == f"{fleet.provider.url}/token"
    assert (found.authorization_endpoint, found.jwks_uri) == (None, None)
    assert fleet.process()() == found
    assert fleet.provider.requests == [DISCOVERY]
    assert shared.named("drf_apikit:metadata:1:")


@pytest.mark.compliance("RFC 6749", "3.1")
@pytest.mark.parametrize("url", UNSAFE, ids=repr)
@pytest.mark.parametrize(
    "name",
    [
        *("authorization_endpoint", "jwks_uri", "userinfo_endpoint"),
        *("end_session_endpoint", "revocation_endpoint"),
    ],
)
def test_any_other_is_not_used_and_the_log_says_so(
    fleet: Fleet, name: str, url: Any, caplog: pytest.LogCaptureFixture
) -> None:
    publish(fleet.provider, **{name: url})
    assert getattr(fleet.process()(), name) is None
    (record,) = [one for one in caplog.records if one.levelno == logging.WARNING]
    told = f"{name} of {fleet.provider.url} is not used: "
    assert record.getMessage().startswith(told)
    assert "\r" not in record.getMessage()


@pytest.mark.compliance("OIDC Discovery 1.0", "4.3")
@pytest.mark.compliance("RFC 8414", "3.3")
@pytest.mark.parametrize("named", ["https://evil.example", 7, None], ids=repr)
def test_a_document_of_another_issuer_is_not_used(fleet: Fleet, named: Any) -> None:
    publish(fleet.provider, issuer=named)
    assert "names another issuer" in failure(fleet)


@pytest.mark.parametrize(
    ("status", "text"),
    [(200, "<html>"), (200, "[]"), (302, "{}"), (404, "no"), (500, "{}")],
)
def test_anything_else_is_no_document(fleet: Fleet, status: int, text: str) -> None:
    fleet.provider.answers[DISCOVERY] = as_text(status, text)
    assert fleet.provider.url in failure(fleet)


def test_only_loopback_may_do_without_tls(provider: Provider) -> None:
    publish(provider)
    with pytest.raises(ProviderUnavailableError, match="is not https"):
        metadata_of(provider.url, timeout=2)
    assert provider.requests == []
    found = metadata_of(provider.url, timeout=2, allow_loopback_http=True)
    assert found.token_endpoint == f"{provider.url}/token"
    assert provider.requests == [DISCOVERY]


def test_a_process_asks_once_for_a_time(fleet: Fleet) -> None:
    process = fleet.process()
    one = process()
    fleet.clock.now += FRESH - 1
    assert process() is one
    assert fleet.provider.requests == [DISCOVERY]


def test_of_many_threads_one_asks(fleet: Fleet) -> None:
    process = fleet.process()
    found = in_threads(*[process] * 8)
    assert set(found) == {process()}
    assert fleet.provider.requests == [DISCOVERY]


def test_what_has_become_old_is_used_while_another_is_fetched(fleet: Fleet) -> None:
    process = fleet.process()
    one = process()
    publish(fleet.provider, token_endpoint=f"{fleet.provider.url}/new")
    fleet.clock.now += FRESH
    assert process() is one
    fleet.settle()
    assert process().token_endpoint == f"{fleet.provider.url}/new"
    assert fleet.provider.requests == [DISCOVERY] * 2


def test_in_an_outage_it_is_used_for_long_and_not_for_ever(fleet: Fleet) -> None:
    process = fleet.process()
    one = process()
    fleet.provider.fail()
    fleet.clock.now += STALE - 1
    assert process() is one
    fleet.settle()
    fleet.clock.now += FRESH
    with pytest.raises(ProviderUnavailableError, match="answered 500"):
        process()


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"code_challenge_methods_supported": [], SENDS_ISS: True},
        {"code_challenge_methods_supported": ["S256"]},
        {"token_endpoint_auth_methods_supported": ["none", "private_key_jwt"]},
        {"userinfo_endpoint": "https://id.example/u"},
        {"userinfo_endpoint": "http://id.example/u"},
    ],
    ids=lambda members: ",".join(members) or "nothing",
)
def test_processes_share_all_of_it(
    fleet: Fleet, shared: Memory, members: dict[str, Any]
) -> None:
    publish(fleet.provider, **members)
    one, other = fleet.process()(), fleet.process()()
    assert one == other
    assert one is not other
    assert fleet.provider.requests == [DISCOVERY]
    assert shared.named("drf_apikit:metadata:1:")


@pytest.mark.usefixtures("shared")
def test_where_http_may_be_nothing_is_shared_with_others(fleet: Fleet) -> None:
    fleet.process()()
    fleet.options = dataclasses.replace(fleet.options, allow_loopback_http=False)
    assert "is not https" in failure(fleet)


@pytest.mark.parametrize(
    "change",
    [
        lambda _: "",
        lambda _: "{",
        lambda _: "7",
        lambda _: "[" * 100_000,
        lambda text: text.replace('"issuer"', '"x"'),
        lambda text: text.replace('"token_endpoint"', '"x"'),
        lambda text: text.replace("http://127.0.0.1", "http://evil.example"),
        lambda text: text.replace("/token", "/to#ken"),
    ],
    ids=["empty", "cut", "number", "deep", "issuer", "missing", "evil", "fragment"],
)
def test_what_is_shared_is_judged_as_a_document_is(
    fleet: Fleet, shared: Memory, change: Callable[[str], str]
) -> None:
    one = fleet.process()()
    (key,) = shared.named("drf_apikit:metadata:1:")
    text, end = shared.values[key]
    members = json.loads(text)
    name = key[key.index("drf_apikit:") :]
    sealed = seal_text(change(read_sealed(members["value"], name)), name)
    poisoned = {**members, "value": sealed}
    shared.values[key] = (json.dumps(poisoned), end)
    assert fleet.process()() == one
    assert fleet.provider.requests == [DISCOVERY] * 2


def test_who_can_write_to_the_cache_does_not_say_where_secrets_are_sent(
    fleet: Fleet, shared: Memory
) -> None:
    one = fleet.process()()
    (key,) = shared.named("drf_apikit:metadata:1:")
    text, end = shared.values[key]
    members = json.loads(text)
    plain = read_sealed(members["value"], key[key.index("drf_apikit:") :])
    assert one.token_endpoint in plain
    assert one.token_endpoint not in text
    evil = plain.replace(one.token_endpoint, "https://evil.example/token")
    for written in (evil, seal_text(evil, "something else")):
        shared.values[key] = (json.dumps({**members, "value": written}), end)
        assert fleet.process()() == one


def test_each_way_of_asking_has_a_value_of_its_own() -> None:
    sources, proxy = Sources(), {"https": "http://proxy.example"}
    base = Options("https://id.example", 2, None, allow_loopback_http=False)
    others = [
        dataclasses.replace(base, issuer="https://other.example"),
        dataclasses.replace(base, timeout=3),
        dataclasses.replace(base, proxies=frozenset(proxy.items())),
        dataclasses.replace(base, allow_loopback_http=True),
    ]
    assert sources.value(base) is sources.value(dataclasses.replace(base))
    assert len({id(sources.value(one)) for one in (base, *others)}) == 5


#: The proxies with which the transport below was called.
PROXIES: list[Any] = []


def noting(_method: str, url: str, **options: Any) -> Reply:
    """Be a transport that remembers."""
    PROXIES.append(options["proxies"])
    issuer = url.removesuffix(DISCOVERY)
    names = ("authorization_endpoint", "token_endpoint", "jwks_uri")
    document = {"issuer": issuer, **dict.fromkeys(names, f"{issuer}/x")}
    return Reply(200, {}, json.dumps(document).encode())


@pytest.mark.parametrize("proxies", [None, {}, {"https": "http://proxy.example"}])
def test_it_is_asked_through_the_given_proxies(settings: Any, proxies: Any) -> None:
    path = f"{__name__}.{noting.__name__}"
    settings.DRF_APIKIT = {"AUTHENTICATION": {"TRANSPORT": path}}
    PROXIES.clear()
    issuer = f"https://{uuid.uuid4().hex}.example"
    assert metadata_of(issuer, timeout=2, proxies=proxies).issuer == issuer
    assert [proxies] == PROXIES
