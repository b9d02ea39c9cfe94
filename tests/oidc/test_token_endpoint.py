import base64
import json
import logging
import sys
import traceback
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, quote_plus

import pytest
from django.views.debug import ExceptionReporter

from drf_apikit.oidc.client_authentication import ClientAuthentication
from drf_apikit.oidc.fetch import MAX_SIZE
from drf_apikit.oidc.token_endpoint import (
    MAX_LIFE,
    MAX_TOKEN,
    ProviderError,
    ProviderUnavailableError,
    TokenAnswer,
    TokenRefusedError,
    request_tokens,
    revoke,
)
from drf_apikit.oidc.transport import Reply
from tests.oidc.provider import Answer, Provider, as_json, as_text

NOW = 1_800_000_000.0
SECRET = "hunter2 is long"
CODE = "code-of-the-person"
CLIENT = ClientAuthentication("client", "client_secret_post", SECRET)
GOOD = {"access_token": "abc", "token_type": "Bearer"}
FORM = {"grant_type": "authorization_code", "code": CODE, "redirect_uri": "https://x/"}


def ask(
    provider: Provider,
    answer: Answer,
    client: ClientAuthentication = CLIENT,
    timeout: float = 2,
) -> TokenAnswer:
    provider.answers["/token"] = answer
    return request_tokens(
        f"{provider.url}/token",
        FORM,
        client,
        timeout=timeout,
        allow_loopback_http=True,
        now=NOW,
    )


def read(provider: Provider, **members: Any) -> TokenAnswer:
    return ask(provider, as_json({**GOOD, **members}))


def refused(status: int, error: object, description: object = "") -> Answer:
    body = {"error": error, "error_description": description}
    return as_text(status, json.dumps(body))


def unavailable(
    provider: Provider, answer: Answer, timeout: float = 2
) -> ProviderUnavailableError:
    with pytest.raises(ProviderUnavailableError) as failed:
        ask(provider, answer, timeout=timeout)
    assert provider.requests == ["/token"]
    return failed.value


@pytest.mark.compliance("RFC 6749", "4.1.3")
def test_a_form_is_posted_with_what_shows_who_sends_it(provider: Provider) -> None:
    basic = ClientAuthentication("client", "client_secret_basic", "s")
    answer = ask(provider, as_json(GOOD), basic)
    assert answer == TokenAnswer("abc")
    (sent,), (body,) = provider.headers, provider.bodies
    assert sent["Content-Type"] == "application/x-www-form-urlencoded"
    assert sent["Accept"] == "application/json"
    assert sent["Authorization"] == f"Basic {base64.b64encode(b'client:s').decode()}"
    expected = {name: [value] for name, value in FORM.items()}
    assert parse_qs(body.decode("ascii"), strict_parsing=True) == expected


def test_whatever_is_in_a_form_arrives(provider: Provider) -> None:
    provider.answers["/token"] = as_json(GOOD)
    form = {"a": "é&=+ %\r\n\0", "scope": "x y"}
    request_tokens(
        f"{provider.url}/token",
        form,
        CLIENT,
        timeout=2,
        allow_loopback_http=True,
        now=NOW,
    )
    added = {"client_id": "client", "client_secret": SECRET}
    expected = {name: [value] for name, value in {**form, **added}.items()}
    assert parse_qs(provider.bodies[0].decode("ascii")) == expected
    assert form.keys() == {"a", "scope"}


@pytest.mark.compliance("RFC 6749", "5.1")
def test_all_that_is_given_is_read(provider: Provider) -> None:
    given = {"expires_in": 3600, "scope": "a b", "refresh_token": "r !~", "x": [1]}
    assert read(provider, **given, id_token="i.j.k", token_type="bEARER") == (
        TokenAnswer("abc", 3600.0, "a b", "r !~", "i.j.k")
    )


@pytest.mark.compliance("RFC 6749", "5.1")
@pytest.mark.parametrize(
    ("given", "life"),
    [
        (1, 1.0),
        (3600, 3600.0),
        ("3600", 3600.0),
        ("0060", 60.0),
        (299.5, 299.5),
        (10**18, MAX_LIFE),
        (10**1000, MAX_LIFE),
        ("9" * 20, MAX_LIFE),
        (1.7e308, MAX_LIFE),
        # What nobody can make anything of is as if it were not said.
        (None, None),
        (0, None),
        ("0", None),
        (-1, None),
        ("-1", None),
        (-0.5, None),
        (True, None),
        (False, None),
        ("", None),
        ("3600s", None),
        (" 3600", None),
        ("1e3", None),
        ("\u0663\u0666", None),
        ("9" * 5000, None),
        ([3600], None),
        ({"seconds": 3600}, None),
    ],
    ids=lambda value: ascii(value)[:24],
)
def test_a_life_is_a_number_or_the_text_of_one(
    provider: Provider, given: Any, life: float | None
) -> None:
    assert read(provider, expires_in=given).expires_in == life


def test_a_life_that_is_not_there_is_unknown(provider: Provider) -> None:
    assert read(provider).expires_in is None


@pytest.mark.compliance("RFC 6749", "3.3")
@pytest.mark.parametrize(
    ("given", "scope"),
    [
        ("a", "a"),
        ("a https://x/y:z", "a https://x/y:z"),
        (None, None),
        ("", None),
        (" a", None),
        ("a  b", None),
        ('a"b', None),
        ("a\\b", None),
        ("a\r\nb", None),
        ("é", None),
        (["a", "b"], None),
        (7, None),
    ],
    ids=ascii,
)
def test_a_scope_is_a_list_of_words(
    provider: Provider, given: Any, scope: str | None
) -> None:
    assert read(provider, scope=given).scope == scope


@pytest.mark.compliance("RFC 6750", "2.1")
@pytest.mark.parametrize("token", ["a", "a.b-c_d~e+f/g==", "x" * MAX_TOKEN])
def test_a_token_that_fits_into_a_header_is_taken(
    provider: Provider, token: str
) -> None:
    assert read(provider, access_token=token).access_token == token


@pytest.mark.compliance("RFC 6750", "2.1")
@pytest.mark.parametrize(
    "token",
    [
        *("a b", "a\r\nX: y", "a\0b", "a\n", " a", "=", "a=b", 'a"', "é", "a,b"),
        "x" * (MAX_TOKEN + 1),
    ],
    ids=lambda token: ascii(token)[:12],
)
def test_a_token_that_does_not_is_not(provider: Provider, token: str) -> None:
    answer = as_json({**GOOD, "access_token": token})
    said = str(unavailable(provider, answer))
    assert said.endswith("/token sends an access token that is none of RFC 6750")


@pytest.mark.compliance("RFC 6749", "5.1")
@pytest.mark.parametrize("token", [None, 7, True, ["a"], {"a": "b"}], ids=str)
def test_an_answer_without_a_token_is_none(provider: Provider, token: Any) -> None:
    said = str(unavailable(provider, as_json({**GOOD, "access_token": token})))
    assert said.endswith("sends no access token")


def test_an_error_with_200_is_no_answer(provider: Provider) -> None:
    unavailable(provider, refused(200, "invalid_grant"))


@pytest.mark.compliance("RFC 6749", "7.1")
@pytest.mark.parametrize(
    "kind", ["mac", "DPoP", "N_A", "", "bearer ", None, 7, ["Bearer"]], ids=repr
)
def test_a_token_of_another_type_is_not_used(provider: Provider, kind: Any) -> None:
    said = str(unavailable(provider, as_json({**GOOD, "token_type": kind})))
    assert said.endswith("sends a token that is not of the type Bearer")


def test_a_type_must_be_there(provider: Provider) -> None:
    unavailable(provider, as_json({"access_token": "abc"}))


@pytest.mark.parametrize("name", ["refresh_token", "id_token"])
@pytest.mark.parametrize("given", [None, ""], ids=repr)
def test_another_token_need_not_be_there(
    provider: Provider, name: str, given: Any
) -> None:
    assert getattr(read(provider, **{name: given}), name) is None


@pytest.mark.parametrize("name", ["refresh_token", "id_token"])
@pytest.mark.parametrize(
    "given",
    [7, True, ["a"], {}, "a\r\nb", "a\0", "\x7f", "é", "x" * (MAX_TOKEN + 1)],
    ids=lambda value: ascii(value)[:12],
)
def test_another_token_that_nobody_can_use_is_nonsense(
    provider: Provider, name: str, given: Any
) -> None:
    said = str(unavailable(provider, as_json({**GOOD, name: given})))
    assert said.endswith(f"sends an unusable {name}")


@pytest.mark.compliance("RFC 6749", "5.2")
@pytest.mark.parametrize("status", [400, 401, 403, 422])
@pytest.mark.parametrize(
    "error",
    ["invalid_grant", "invalid_client", "unauthorized_client", "interaction_required"],
)
def test_a_refusal_is_one(provider: Provider, status: int, error: str) -> None:
    with pytest.raises(TokenRefusedError, match=f"^refused with {error}$") as failed:
        ask(provider, refused(status, error, "no such code"))
    assert (failed.value.error, failed.value.description) == (error, "no such code")
    assert isinstance(failed.value, ProviderError)


@pytest.mark.compliance("RFC 6749", "5.2")
@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("Grund: ungültig \u2713", "Grund: ungültig \u2713"),
        ("a\r\nb\0c\x1b[31m", "a??b?c?[31m"),
        ("left\u202eright\u2028", "left?right?"),
        ("x" * 100_000, "x" * 200),
        ("\u20ac" * 30_000, "\u20ac" * 200),
        (None, ""),
        (7, ""),
        (["a"], ""),
    ],
    ids=lambda value: ascii(value)[:16],
)
def test_a_description_is_cut_and_printable(
    provider: Provider, given: Any, kept: str
) -> None:
    with pytest.raises(TokenRefusedError) as failed:
        ask(provider, refused(400, "invalid_grant", given))
    assert failed.value.description == kept


@pytest.mark.parametrize("secret", [SECRET, CODE])
def test_a_description_that_quotes_a_secret_is_kept_without_it(
    provider: Provider, secret: str
) -> None:
    """Whatever position of the text it is in, cut or not."""
    answer = refused(400, "invalid_grant", f"{secret}, {'x' * 181}{secret}")
    with pytest.raises(TokenRefusedError) as failed:
        ask(provider, answer)
    assert failed.value.description == f"***, {'x' * 181}***"[:200]
    assert secret not in failed.value.description


def test_an_error_that_quotes_a_secret_is_none(provider: Provider) -> None:
    said = unavailable(provider, refused(400, f"unknown {CODE}"))
    assert str(said).endswith("/token answered 400")


@pytest.mark.parametrize("short", ["grant", "i"])
def test_a_short_secret_is_in_any_text(provider: Provider, short: str) -> None:
    client = ClientAuthentication("client", "client_secret_basic", short)
    with pytest.raises(TokenRefusedError) as failed:
        ask(provider, refused(400, "invalid_grant", "invalid"), client)
    assert failed.value.error == "invalid_grant"


@pytest.mark.compliance("RFC 6749", "5.2")
@pytest.mark.parametrize(
    "body",
    [
        "",
        "<html>Bad Request</html>",
        "[]",
        "{}",
        '"invalid_grant"',
        '{"error": null}',
        '{"error": 7}',
        '{"error": ""}',
        '{"error": ["invalid_grant"]}',
        '{"error": {"code": 400}}',
        '{"error": "a\\nb"}',
        '{"error": "a\\"b"}',
        '{"error": "\\u00e9"}',
        json.dumps({"error": "x" * 101}),
        '{"error": "invalid_grant", "error": "invalid_client"}',
        "x" * (MAX_SIZE + 1),
    ],
    ids=lambda body: body[:30],
)
def test_400_without_a_code_is_no_refusal(provider: Provider, body: str) -> None:
    assert "/token answered 400" in str(unavailable(provider, as_text(400, body)))


@pytest.mark.compliance("RFC 6749", "5.2")
@pytest.mark.parametrize("status", [204, 302, 404, 408, 500, 502, 503, 504])
def test_any_other_status_is_an_outage(provider: Provider, status: int) -> None:
    text = "" if status == 204 else "<html>Oops</html>"
    answer = as_text(status, text, {"Location": f"{provider.url}/secret"})
    said = unavailable(provider, answer)
    assert said.reason == str(said) == f"{provider.url}/token answered {status}"


@pytest.mark.parametrize("status", [429, 500, 503])
def test_an_outage_may_have_a_code(provider: Provider, status: int) -> None:
    said = str(unavailable(provider, refused(status, "slow_down")))
    assert said.endswith(f"answered {status} with slow_down")


@pytest.mark.parametrize("error", ["server_error", "temporarily_unavailable"])
def test_an_outage_may_come_as_400(provider: Provider, error: str) -> None:
    said = str(unavailable(provider, refused(400, error)))
    assert said.endswith(f"answered 400 with {error}")


@pytest.mark.compliance("RFC 9110", "10.2.3")
@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        ("7", 7),
        (" 120 ", 120),
        ("0", 0),
        ("Fri, 31 Dec 2027 23:59:59 GMT", None),
        ("-1", None),
        ("1.5", None),
        ("9" * 5000, None),
        ("", None),
        (None, None),
    ],
    ids=lambda value: str(value)[:20],
)
@pytest.mark.parametrize("status", [429, 503])
def test_when_to_come_again_is_told(
    provider: Provider, status: int, given: str | None, seconds: int | None
) -> None:
    headers = {} if given is None else {"Retry-After": given}
    assert unavailable(provider, as_text(status, "", headers)).retry_after == seconds


@pytest.mark.parametrize(
    "body",
    [
        "",
        "<html>welcome</html>",
        "access_token=abc&token_type=bearer",
        "[]",
        '"abc"',
        "7",
        "null",
        '{"access_token": "abc", "token_type": "Bearer", "access_token": "b"}',
        '{"access_token": "abc", "token_type": "Bearer", "expires_in": NaN}',
        '{"access_token": "abc", "token_type": "Bearer", "x": "\\ud800"}',
        "x" * (MAX_SIZE + 1),
        "[" * 100_000,
    ],
    ids=lambda body: body[-30:],
)
def test_what_is_no_json_object_is_nonsense(provider: Provider, body: str) -> None:
    said = unavailable(provider, as_text(200, body))
    assert said.retry_after is None


def test_an_answer_that_does_not_come_is_an_outage(provider: Provider) -> None:
    def silence(_: BaseHTTPRequestHandler) -> None:
        provider.stopped.wait(10)

    said = unavailable(provider, silence, timeout=0.1)
    # That of the socket, or of the whole: whichever is over first.
    assert str(said).endswith(("/token: TimeoutError", "/token: ReadTimeout"))


def test_an_answer_that_trickles_is_one_too(provider: Provider) -> None:
    def trickle(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n{")
        while not provider.stopped.wait(0.01):
            handler.wfile.write(b" ")

    said = unavailable(provider, trickle, timeout=0.2)
    assert str(said).endswith("/token: TimeoutError")


def drop(handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = True
    handler.connection.shutdown(2)


def test_a_connection_that_ends_is_one_too_and_nothing_is_sent_again(
    provider: Provider,
) -> None:
    unavailable(provider, drop)
    assert len(provider.bodies) == 1


@pytest.mark.compliance("RFC 6749", "3.2")
def test_nothing_is_sent_without_tls(provider: Provider) -> None:
    for url in (f"{provider.url}/token", "http://id.example/token", "/token"):
        with pytest.raises(ProviderUnavailableError, match=r"not https|not a URL"):
            request_tokens(url, FORM, CLIENT, timeout=2, now=NOW)
    assert provider.requests == []


#: What the transport below was called with.
SENT: list[tuple[str, str, dict[str, Any]]] = []


def noting(method: str, url: str, **options: Any) -> Reply:
    """Be a transport that remembers."""
    SENT.append((method, url, options))
    return Reply(200, {}, json.dumps(GOOD).encode())


@pytest.mark.parametrize("proxies", [None, {}, {"https": "http://proxy.example"}])
def test_all_goes_through_the_given_proxies(settings: Any, proxies: Any) -> None:
    path = f"{__name__}.{noting.__name__}"
    settings.DRF_APIKIT = {"AUTHENTICATION": {"TRANSPORT": path}}
    SENT.clear()
    url, common = "https://id.example/x", {"timeout": 3, "proxies": proxies}
    answer = request_tokens(url, FORM, CLIENT, now=NOW, **common)
    assert answer.access_token == "abc"
    assert revoke(url, "token", CLIENT, now=NOW, **common)
    assert [(method, where) for method, where, _ in SENT] == [("POST", url)] * 2
    for _, _, options in SENT:
        assert {**options, **common, "max_size": MAX_SIZE} == options


def secret_answers() -> dict[str, Callable[[], Answer]]:
    """Make answers in which something goes wrong, with a secret in each."""
    token = "a-token-that-is-secret"
    return {
        "refusal": lambda: refused(400, "invalid_grant", f"{SECRET} {CODE}"),
        "code": lambda: refused(400, CODE, SECRET),
        "outage": lambda: refused(503, SECRET, CODE),
        "html": lambda: as_text(200, f"<p>{SECRET} {CODE} {token}</p>"),
        "kind": lambda: as_json({"access_token": token, "token_type": SECRET}),
        "token": lambda: as_json({**GOOD, "access_token": f"{token} {CODE}"}),
        "refresh": lambda: as_json({**GOOD, "refresh_token": f"{token}\n"}),
        "nothing": lambda: drop,
    }


@pytest.mark.parametrize("kind", secret_answers())
@pytest.mark.parametrize("method", ["client_secret_post", "client_secret_basic"])
def test_no_error_has_a_secret_in_it(
    provider: Provider, kind: str, method: str, caplog: pytest.LogCaptureFixture
) -> None:
    """As a log has it, with all that lies behind an error, and our variables."""
    caplog.set_level(logging.DEBUG, "drf_apikit")
    client = ClientAuthentication("client", method, SECRET)
    with pytest.raises(ProviderError) as failed:
        ask(provider, secret_answers()[kind](), client)
    error = failed.value
    shown = "".join(traceback.format_exception(error))
    shown += f"{error!r} {error} {vars(error)} {caplog.text}"
    basic = base64.b64encode(f"client:{SECRET.replace(' ', '+')}".encode()).decode()
    for secret in (SECRET, "hunter2", CODE, "a-token-that-is-secret", basic):
        assert secret not in shown
    frames = traceback.TracebackException.from_exception(error, capture_locals=True)
    ours = [frame for frame in frames.stack if "drf_apikit" in frame.filename]
    assert ours
    for frame in ours:
        # What is asked for is the caller's to hide.
        variables = {**(frame.locals or {}), "form": ""}
        for secret in ("hunter2", basic):
            assert secret not in str(variables)


def test_what_is_shown_of_an_answer_has_no_token() -> None:
    answer = TokenAnswer("secret-a", 60.0, "read", "secret-r", "secret-i")
    assert repr(answer) == "TokenAnswer(expires_in=60.0, scope='read')"


def revoked(provider: Provider, answer: Answer | None, url: str = "/revoke") -> bool:
    if answer is not None:
        provider.answers["/revoke"] = answer
    return revoke(
        f"{provider.url}{url}",
        "the-refresh-token",
        CLIENT,
        timeout=0.5,
        allow_loopback_http=True,
        now=NOW,
    )


@pytest.mark.compliance("RFC 7009", "2.1")
@pytest.mark.compliance("RFC 7009", "2.2")
@pytest.mark.parametrize("body", ["", "OK", "{}"])
def test_a_token_is_revoked(provider: Provider, body: str) -> None:
    assert revoked(provider, as_text(200, body)) is True
    (sent,) = provider.bodies
    assert parse_qs(sent.decode("ascii")) == {
        "token": ["the-refresh-token"],
        "client_id": ["client"],
        "client_secret": [SECRET],
    }


@pytest.mark.compliance("RFC 7009", "2.2.1")
@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (refused(400, "unsupported_token_type"), "refused with unsupported_token_type"),
        (refused(400, "invalid_client", "the-refresh-token"), "refused with inval"),
        (as_text(302, "", {"Location": "/x"}), "/revoke answered 302"),
        (as_text(404, "the-refresh-token"), "/revoke answered 404"),
        (as_text(503, "", {"Retry-After": "5"}), "/revoke answered 503"),
        (drop, "/revoke: ConnectionError"),
    ],
    ids=["unsupported", "refused", "redirect", "missing", "outage", "nothing"],
)
def test_where_it_is_not_the_log_says_why(
    provider: Provider, caplog: pytest.LogCaptureFixture, answer: Answer, told: str
) -> None:
    assert revoked(provider, answer) is False
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert record.getMessage().startswith("Cannot revoke a token: ")
    assert told in record.getMessage()
    assert "the-refresh-token" not in caplog.text
    assert SECRET not in caplog.text


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
@pytest.mark.parametrize("call", ["request_tokens", "revoke"])
def test_a_report_of_a_fault_shows_no_secret(call: str, method: str) -> None:
    client = ClientAuthentication("client", method, SECRET)
    # Nothing that can be sent.
    odd = "\ud800"
    report = ""
    try:
        if call == "revoke":
            revoke("https://x/", CODE + odd, client, timeout=2, now=NOW)
        else:
            request_tokens(
                "https://x/", {**FORM, "scope": odd}, client, timeout=2, now=NOW
            )
    except UnicodeEncodeError:
        report = ExceptionReporter(None, *sys.exc_info()).get_traceback_html()
    assert "token_endpoint.py" in report
    assert CODE not in report
    for way in (SECRET, quote_plus(SECRET), basic_of("client", quote_plus(SECRET))):
        assert way not in report


def basic_of(name: str, secret: str) -> str:
    return base64.b64encode(f"{name}:{secret}".encode()).decode()
