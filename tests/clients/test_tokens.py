import json
import logging
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

import jwt
import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from drf_apikit.clients import ClientCredentials, TokenUnavailableError
from drf_apikit.clients.tokens import Clients, find_client
from drf_apikit.oidc.shared_value import UnobtainableError
from drf_apikit.oidc.transport import Reply as TransportReply
from tests.clients.conftest import NAME, World
from tests.clients.servers import Api, Asked, Endpoint, Reply, as_json
from tests.conftest import Services
from tests.counting import recorded
from tests.oidc.caches import Memory
from tests.oidc.provider import Clock
from tests.services import UnavailableError
from tests.torture.fleet.redis_server import RedisServer

SECRET = "s3cret-of-the-worker"


def token_of(process: Clients) -> str:
    return process.named(NAME).token.get()


def settled(process: Clients) -> Clients:
    assert process.named(NAME).token.settle(30)
    return process


def reason(credentials: ClientCredentials) -> str:
    with pytest.raises(TokenUnavailableError) as caught:
        credentials.access_token()
    return caught.value.reason


def test_processes_share_a_token(
    world: World, endpoint: Endpoint, clock: Clock, shared: Memory
) -> None:
    assert shared.values == {}
    processes = [world.process() for _ in range(5)]
    lives = []
    for _ in range(3):
        lives.append({token_of(process) for process in processes})
        # Past 80 % of its life one renews; all have the new one a second later.
        clock.now += 80
        assert {token_of(process) for process in processes} == lives[-1]
        for process in processes:
            settled(process)
        clock.now += 1
        for process in processes:
            token_of(process)
            settled(process)
    assert lives == [{"token-1"}, {"token-2"}, {"token-3"}]
    assert endpoint.requests == 4


def test_nobody_reads_a_token_in_the_cache(
    credentials: ClientCredentials, world: World, shared: Memory
) -> None:
    token = credentials.access_token()
    world.settle()
    told = repr(shared.values)
    assert shared.named("drf_apikit:token:1:")
    for secret in (token, SECRET, "worker", NAME):
        assert secret not in told


def test_no_repr_has_a_secret(credentials: ClientCredentials) -> None:
    token = credentials.access_token()
    told = repr([find_client(NAME), vars(find_client(NAME).token), credentials])
    assert SECRET not in told
    assert token not in told


def test_a_token_that_nobody_has_sealed_is_not_believed(
    world: World, endpoint: Endpoint, shared: Memory, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever writes to the cache does not choose what we send."""
    token_of(settled(world.process()))
    ((name, (text, end)),) = shared.values.items()
    members = {**json.loads(text), "value": "token-of-an-attacker"}
    shared.values[name] = (json.dumps(members), end)
    assert token_of(settled(world.process())) == "token-2"
    assert endpoint.requests == 2
    assert "A shared value cannot be read: not sealed here" in caplog.messages


@pytest.mark.parametrize(
    "change",
    [
        {"CLIENT_ID": "another"},
        {"CLIENT_SECRET": "another"},
        {"AUTH_METHOD": "client_secret_post"},
        {"SCOPES": ["a"]},
        {"AUDIENCE": "https://api.example"},
        {"RESOURCE": "https://api.example"},
        {"ISSUER": "https://id.example"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_changed_setting_never_meets_an_old_token(
    world: World, shared: Memory, change: dict[str, Any]
) -> None:
    assert shared.values == {}
    before = world.entry
    process = world.process()
    assert token_of(process) == "token-1"
    world.configure(**change)
    assert [token_of(process), token_of(world.process())] == ["token-2"] * 2
    world.configure(**{**dict.fromkeys(change), **before})
    assert token_of(process) == "token-1"


@pytest.mark.compliance("RFC 6749", "5.1")
@pytest.mark.parametrize(
    ("told", "renewed", "ended"),
    [(None, 48, 57), (1000, 800, 995), (5, 4, 4.75), (20, 16, 19)],
)
def test_how_long_a_token_lives(
    world: World,
    endpoint: Endpoint,
    clock: Clock,
    told: Any,
    renewed: int,
    ended: float,
) -> None:
    endpoint.life, process, began = told, world.process(), clock.now
    assert token_of(process) == "token-1"
    endpoint.fail()
    for second, asked in ((renewed - 1, 1), (renewed, 2)):
        clock.now = began + second
        assert token_of(process) == "token-1"
        settled(process)
        assert endpoint.requests == asked
    clock.now = began + ended - 0.1
    assert token_of(process) == "token-1"
    settled(process)
    # It is on its way for a moment, and so nobody has it at its very end.
    clock.now = began + ended
    with pytest.raises(UnobtainableError):
        token_of(process)
    settled(process)
    endpoint.mend()
    clock.now += 5
    assert token_of(process) == "token-2"


def test_an_outage_is_not_noticed_while_the_token_lives(
    credentials: ClientCredentials,
    world: World,
    endpoint: Endpoint,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert credentials.access_token() == "token-1"
    endpoint.fail()
    clock.now += 80
    for _ in range(15):
        assert credentials.access_token() == "token-1"
        world.settle()
        clock.now += 1
    # One attempt in five seconds, and none of them a failure of the caller's.
    assert endpoint.requests == 4
    assert len(caplog.messages) == 3
    clock.now += 1
    assert reason(credentials).endswith("answered 503")


@pytest.mark.compliance("RFC 6749", "5.2")
def test_a_refused_client_is_told_of_once(
    world: World, endpoint: Endpoint, shared: Memory, caplog: pytest.LogCaptureFixture
) -> None:
    assert shared.values == {}
    endpoint.refuse("invalid_client", f"not {SECRET}")
    credentials = ClientCredentials(NAME)
    reasons = set()
    for process in (world.process(), world.process()):
        world.use(process)
        for _ in range(5):
            reasons.add(reason(credentials))
        settled(process)
    assert reasons == {"No token for 'billing': refused with invalid_client"}
    assert endpoint.requests == 1
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert record.getMessage() == (
        "No token for 'billing': refused with invalid_client: not ***"
    )


def test_a_refused_client_is_asked_for_again_after_a_minute(
    world: World, endpoint: Endpoint, clock: Clock, shared: Memory
) -> None:
    assert shared.values == {}
    endpoint.refuse()
    processes, credentials = (
        [world.process() for _ in range(2)],
        ClientCredentials(NAME),
    )
    began, asked = clock.now, []
    for second in range(0, 121, 5):
        clock.now = began + second
        for process in processes:
            world.use(process)
            with pytest.raises(TokenUnavailableError) as caught:
                credentials.access_token()
            settled(process)
            assert caught.value.retry_after == 60 - second % 60
        asked.append(endpoint.requests)
    assert asked == [1] * 12 + [2] * 12 + [3]


def test_a_refused_renewal_is_tried_again_after_a_minute(
    world: World, endpoint: Endpoint, clock: Clock, shared: Memory
) -> None:
    assert shared.values == {}
    endpoint.life = 1000
    processes = [world.process() for _ in range(2)]
    assert {token_of(process) for process in processes} == {"token-1"}
    endpoint.refuse()
    clock.now += 800
    for asked in (2, 3, 4):
        for _ in range(12):
            for process in processes:
                assert token_of(process) == "token-1"
                settled(process)
            assert endpoint.requests == asked
            clock.now += 5


def test_who_waits_is_told_of_a_refusal_too(world: World, endpoint: Endpoint) -> None:
    """All threads that want a token make one request."""
    together, reasons = threading.Barrier(9), []

    def refuse(_: Asked) -> Reply:
        return as_json({"error": "invalid_scope"}, 400)

    def call() -> None:
        together.wait(30)
        reasons.append(reason(ClientCredentials(NAME)))

    endpoint.before = refuse
    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    together.wait(30)
    for thread in threads:
        thread.join()
    assert reasons == ["No token for 'billing': refused with invalid_scope"] * 8
    assert endpoint.requests == 1
    world.settle()


def test_an_endpoint_that_is_not_there(world: World) -> None:
    world.configure(TOKEN_ENDPOINT="http://127.0.0.1:1/token")
    told = reason(ClientCredentials(NAME))
    assert told.startswith("No token for 'billing': http://127.0.0.1:1/token: ")
    world.settle()


def test_an_endpoint_that_hangs(
    world: World, endpoint: Endpoint, settings: Any
) -> None:
    section = {"CREDENTIALS": {NAME: world.entry}, "TIMEOUT": 1}
    settings.DRF_APIKIT = {"CLIENTS": section}
    let_go = threading.Event()

    def hang(_: Asked) -> Reply:
        let_go.wait(30)
        return Reply(503)

    endpoint.before = hang
    assert reason(ClientCredentials(NAME)).endswith(": TimeoutError")
    let_go.set()
    world.settle()


def a_key() -> tuple[str, ec.EllipticCurvePublicKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return pem.decode(), key.public_key()


@pytest.mark.compliance("RFC 7523", "2.2")
@pytest.mark.parametrize(
    ("members", "audience"),
    [
        pytest.param({}, "{endpoint}/token", id="the endpoint"),
        pytest.param({"ISSUER": "https://id.example"}, "https://id.example", id="iss"),
        pytest.param({"ASSERTION_AUDIENCE": "urn:id"}, "urn:id", id="as told"),
    ],
)
def test_a_client_with_a_key(
    world: World, endpoint: Endpoint, members: Mapping[str, Any], audience: str
) -> None:
    pem, public_key = a_key()
    told = {"AUTH_METHOD": "private_key_jwt", "PRIVATE_KEY": pem, "CLIENT_SECRET": None}
    world.configure(**told, PRIVATE_KEY_ID="2026-11", **members)
    assert token_of(settled(world.process())) == "token-1"
    form = endpoint.asked[-1].form
    assertion = form["client_assertion"]
    assert jwt.get_unverified_header(assertion)["kid"] == "2026-11"
    expected = audience.format(endpoint=endpoint.url)
    options: Any = {"verify_exp": False, "verify_iat": False}
    claims = jwt.decode(assertion, public_key, ["ES256"], options, audience=expected)
    assert claims["iss"] == claims["sub"] == "worker"


def strange(*_: Any, **__: Any) -> TransportReply:
    """Be a transport that gives what it should not."""
    body: Any = []
    return TransportReply(200, body=body)


def test_a_transport_that_is_wrong(
    world: World, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    path = f"{__name__}.{strange.__name__}"
    section = {"CLIENTS": {"CREDENTIALS": {NAME: world.entry}}}
    settings.DRF_APIKIT = {**section, "AUTHENTICATION": {"TRANSPORT": path}}
    assert reason(ClientCredentials(NAME)) == "No token for 'billing': AttributeError"
    assert [record.exc_info is not None for record in caplog.records] == [True]
    world.settle()


def test_what_is_counted(
    credentials: ClientCredentials,
    world: World,
    api: Api,
    endpoint: Endpoint,
    settings: Any,
) -> None:
    counted = recorded(settings)
    credentials.access_token()
    api.good.clear()
    endpoint.fail()
    requests.get(api.url, auth=credentials, timeout=30)
    world.settle()
    assert counted == [
        ("clients.token_fetched", {}),
        ("clients.token_refused", {}),
        ("clients.token_failed", {"reason": "unavailable"}),
    ]
    endpoint.refuse()
    world.configure(CLIENT_SECRET="another")
    recorded(settings)
    reason(credentials)
    assert counted == [("clients.token_failed", {"reason": "refused"})]


@pytest.mark.parametrize("backend", ["locmem.LocMemCache", "dummy.DummyCache"])
def test_without_a_shared_cache_each_process_has_a_token(
    credentials: ClientCredentials, endpoint: Endpoint, settings: Any, backend: str
) -> None:
    path = f"django.core.cache.backends.{backend}"
    settings.CACHES = {"default": {"BACKEND": path, "LOCATION": "tokens"}}
    for _ in range(3):
        assert credentials.access_token() == "token-1"
    assert endpoint.requests == 1


@pytest.mark.usefixtures("redis_cache")
def test_a_redis_is_shared(world: World, endpoint: Endpoint) -> None:
    processes = [world.process() for _ in range(3)]
    assert {token_of(process) for process in processes} == {"token-1"}
    tokens = {process.named(NAME).token.replace("token-1") for process in processes}
    assert tokens == {"token-2"}
    assert endpoint.requests == 2
    for process in processes:
        settled(process)


def test_a_redis_that_hangs(
    world: World, endpoint: Endpoint, clock: Clock, settings: Any, services: Services
) -> None:
    """With a token nobody waits; without one, as long as for a cache at the most."""
    with ExitStack() as resources:
        try:
            redis = RedisServer(resources)
        except UnavailableError as error:
            services.refuse("redis", str(error))
        backend = "django_redis.cache.RedisCache"
        settings.CACHES = {"default": {"BACKEND": backend, "LOCATION": redis.url}}
        section = {"CREDENTIALS": {NAME: world.entry}}
        hasty = {"AUTHENTICATION": {"FETCH_TIMEOUT": 1}}
        settings.DRF_APIKIT = {"CLIENTS": section, **hasty}
        one = world.process()
        assert token_of(one) == "token-1"
        redis.hang()
        clock.now += 80
        assert token_of(one) == "token-1"
        assert token_of(settled(one)) == "token-2"
        assert token_of(world.process()) == "token-3"
        redis.wake()
    assert endpoint.requests == 3


def test_a_cache_that_hangs_holds_up_nobody_for_long(
    world: World, endpoint: Endpoint, shared: Memory, settings: Any
) -> None:
    section = {"CREDENTIALS": {NAME: world.entry}}
    settings.DRF_APIKIT = {"CLIENTS": section, "AUTHENTICATION": {"FETCH_TIMEOUT": 1}}
    let_go = threading.Event()
    shared.before = lambda _: let_go.wait(30)
    assert token_of(settled(world.process())) == "token-1"
    assert shared.calls == ["get"]
    let_go.set()
    assert endpoint.requests == 1


def test_the_cache_may_be_another_one(
    world: World, shared: Memory, settings: Any
) -> None:
    section = {"CREDENTIALS": {NAME: world.entry}, "CACHE": "tokens"}
    dummy = {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}
    settings.CACHES = {"tokens": settings.CACHES["default"], "default": dummy}
    settings.DRF_APIKIT = {"CLIENTS": section}
    token_of(settled(world.process()))
    assert shared.named("drf_apikit:token:1:")
