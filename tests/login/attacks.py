"""What can be tried on a login: by a provider, by a network, by a page, by a person.

Each attack gives the answer that the project gave last.
"""

import hmac
import json
import time
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.test import Client

from tests.jose.minting import base64url, mint, private_key, public_jwk
from tests.login.answers import as_json, as_raw, as_refusal, as_text, hang_up
from tests.login.attacking import SCRIPT, Attack, Changes, Stage
from tests.login.granting import Client as Registered
from tests.login.provider import (
    CLIENT_ID,
    CLIENT_SECRET,
    DISCOVERY,
    JWKS,
    TOKEN,
    USERINFO,
    Provider,
)

__all__ = ["ATTACKS", "DISCOVERIES"]

#: Makes a provider a bad one.
Turn = Callable[[Provider], object]
Written = Mapping[str, Any]

HOUR: Final = 3600
OTHER: Final = "https://other.test"


def later(seconds: int) -> int:
    return int(time.time()) + seconds


def claims(**changes: Any) -> Turn:
    return lambda provider: provider.claims.update(changes)


def header(**changes: Any) -> Turn:
    return lambda provider: provider.header.update(changes)


def tokens(**changes: Any) -> Turn:
    return lambda provider: provider.tokens.update(changes)


def userinfo(**changes: Any) -> Turn:
    return lambda provider: provider.userinfo.update(changes)


def metadata(**changes: Any) -> Turn:
    return lambda provider: provider.metadata.update(changes)


def answer(path: str, answered: Any) -> Turn:
    return lambda provider: provider.answers.update({path: answered})


def signing(sign: Callable[[Written, Written], str]) -> Turn:
    return lambda provider: setattr(provider, "sign", sign)


def publishing(*keys: Any) -> Turn:
    return lambda provider: setattr(provider, "published", list(keys))


def compact(head: Written, payload: Written, signature: bytes = b"") -> str:
    parts = (json.dumps(head).encode(), json.dumps(payload).encode(), signature)
    return ".".join(map(base64url, parts))


def unsigned(head: Written, payload: Written) -> str:
    return compact({**head, "alg": "none"}, payload)


def without_signature(head: Written, payload: Written) -> str:
    return compact(head, payload)


def with_a_secret(secret: bytes) -> Callable[[Written, Written], str]:
    def sign(head: Written, payload: Written) -> str:
        signed = compact({**head, "alg": "HS256"}, payload).rstrip(".")
        return f"{signed}.{base64url(hmac.digest(secret, signed.encode(), 'sha256'))}"

    return sign


def with_its_own_key(head: Written, payload: Written) -> str:
    inside = {**head, "kid": "mine", "jwk": public_jwk("other RSA")}
    return mint(inside, payload, algorithm="RS256", kind="other RSA")


def under_another_name(head: Written, payload: Written) -> str:
    return mint(head, payload, algorithm="RS256", kind="other RSA")


def with_two_subjects(head: Written, payload: Written) -> str:
    text = json.dumps(dict(payload)).replace("{", '{"sub": "admin", ', 1).encode()
    return mint(head, text, algorithm="RS256", kind="RSA")


def weak(provider: Provider) -> None:
    provider.rotate("RSA-1024")


def public_pem() -> bytes:
    key = private_key("RSA").public_key()
    pem: bytes = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return pem


ID_TOKENS: Final[dict[str, Turn]] = {
    "of another client": claims(aud="other"),
    "of another client, for this one too": claims(
        aud=["other", CLIENT_ID], azp="other"
    ),
    "of nobody knows which client": claims(aud=["other", CLIENT_ID]),
    "issued to another client": claims(azp="other"),
    "without an audience": claims(aud=None),
    "of another issuer": claims(iss=OTHER),
    "of nearly this issuer": lambda it: it.claims.update(iss=f"{it.url}/"),
    "without an issuer": claims(iss=None),
    "expired": claims(exp=later(-HOUR)),
    "without an end": claims(exp=None),
    "with an end in words": claims(exp="soon"),
    "without end": claims(exp=float("inf")),
    "of the future": claims(iat=later(HOUR)),
    "of no time": claims(iat=None),
    "not valid yet": claims(nbf=later(HOUR)),
    "of a person to come": claims(auth_time=later(HOUR)),
    "of nobody": claims(sub=None),
    "of an empty name": claims(sub=""),
    "of a number": claims(sub=7),
    "of a name that is no text": claims(sub="\ud800"),
    "of a name with NUL": claims(sub="al\0ice"),
    "of an endless name": claims(sub="a" * 5000),
    "of another login": claims(nonce="n" * 32),
    "of no login": claims(nonce=None),
    "of a login in numbers": claims(nonce=7),
    "of another access token": claims(at_hash="x" * 22),
    "that is an access token": header(typ="at+jwt"),
    "that is a logout token": header(typ="logout+jwt"),
    "that is an event": claims(events={}),
    "that says it is for access": claims(token_use="access"),
    "with a demand": header(crit=["b64"], b64=True),
    "unsigned": signing(unsigned),
    "that lost its signature": signing(without_signature),
    "signed with the secret": signing(with_a_secret(CLIENT_SECRET.encode())),
    "signed with the public key": signing(with_a_secret(public_pem())),
    "signed with the key in it": signing(with_its_own_key),
    "signed under another's name": signing(under_another_name),
    "signed by an unknown key": header(kid="unknown"),
    "signed by a weak key": weak,
    "of two people": signing(with_two_subjects),
    "encrypted": tokens(id_token="e30.a.b.c.d"),
    "of letters": tokens(id_token="a.b.c"),
    "that is empty": tokens(id_token=""),
    "that is a number": tokens(id_token=7),
    "that is not there": tokens(id_token=None),
}
KEY_SETS: Final[dict[str, Turn]] = {
    "that is empty": publishing(),
    "of a secret": publishing({"kty": "oct", "k": "AAAA", "kid": "RSA"}),
    "of another key": publishing(public_jwk("other RSA", kid="RSA")),
    "of words": publishing("key", 7, None),
    "for encryption": publishing(public_jwk("RSA", use="enc")),
}
TOKENS: Final[dict[str, Turn]] = {
    "of another type": tokens(token_type="mac"),
    "of no type": tokens(token_type=None),
    "of nothing": tokens(access_token=None),
    "of a number": tokens(access_token=7),
    "of two words": tokens(access_token="a b"),
    "of two lines": tokens(access_token="a\r\nHost: evil.test"),
    "without an end": tokens(access_token="a" * 20_000),
    "of an error": answer(TOKEN, as_json({"error": "invalid_grant"})),
    **{
        f"refused with {error}": answer(
            TOKEN, as_refusal(status, error, error_description=SCRIPT + CLIENT_SECRET)
        )
        for status, error in (
            (400, "invalid_request"),
            (401, "invalid_client"),
            (400, "invalid_grant"),
            (400, "unauthorized_client"),
            (400, "unsupported_grant_type"),
            (400, "invalid_scope"),
            (400, SCRIPT),
            (503, "temporarily_unavailable"),
        )
    },
}
PEOPLE: Final[dict[str, Turn]] = {
    "who is another": userinfo(sub="admin"),
    "who is nearly the same": userinfo(sub="Alice"),
    "who is nobody": userinfo(sub=None),
    "who is a list": userinfo(sub=["alice"]),
    "who is signed for another": answer(
        USERINFO,
        as_text(
            200,
            mint(
                {"alg": "RS256", "kid": "RSA"},
                {"sub": "alice", "aud": "other"},
                algorithm="RS256",
                kind="RSA",
            ),
            {"Content-Type": "application/jwt"},
        ),
    ),
}
#: Answers of somebody who is not well, wherever they come.
ILL: Final[dict[str, Any]] = {
    "dies": hang_up,
    "says something": as_raw(b"\0\xff\r\n\r\n"),
    "dies halfway": as_raw(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"),
    "has an error": as_text(500, f"<h1>{SCRIPT}</h1>", {"Content-Type": "text/html"}),
    "has a page": as_text(200, f"<h1>{SCRIPT}</h1>", {"Content-Type": "text/html"}),
    "has nothing": as_text(204, ""),
    "is elsewhere": as_text(302, "", {"Location": "/elsewhere"}),
    "is elsewhere for good": as_text(308, "", {"Location": "/elsewhere"}),
    "is busy": as_text(429, "", {"Retry-After": "1"}),
    "does not know anybody": as_text(401, ""),
    "has a list": as_json([]),
    "has nothing in it": as_json({}),
    "has null": as_json(None),
    "has a deep one": as_text(200, "[" * 100_000),
    "has letters of nobody": as_raw(b'HTTP/1.0 200 OK\r\n\r\n{"\xff": 1}'),
    "has no end": as_text(200, '"' + "x" * 2_000_000 + '"'),
}
DISCOVERIES: Final[dict[str, Turn]] = {
    **{f"discovery {how}": answer(DISCOVERY, what) for how, what in ILL.items()},
    **{
        f"discovery with {name} {value}": (metadata(**{name: value}))
        for name, value in (
            ("issuer", OTHER),
            ("issuer", None),
            ("authorization_endpoint", None),
            ("authorization_endpoint", "javascript:alert(1)"),
            ("authorization_endpoint", "http://provider.test/authorize"),
            ("authorization_endpoint", 7),
            ("token_endpoint", None),
            ("token_endpoint", "http://provider.test/token"),
            ("token_endpoint", "file:///etc/passwd"),
        )
    },
}
ERRORS: Final = (
    *("invalid_request", "unauthorized_client", "access_denied", "server_error"),
    *("unsupported_response_type", "invalid_scope", "temporarily_unavailable"),
    *("interaction_required", "login_required", "account_selection_required"),
    *("consent_required", "invalid_request_uri", "invalid_request_object"),
    *("request_not_supported", "request_uri_not_supported"),
    *("registration_not_supported", "unheard_of", SCRIPT, "\N{SNOWMAN}", "e" * 5000),
)
RESPONSES: Final[dict[str, Changes]] = {
    **{
        f"error {error[:30]}": {
            "code": None,
            "error": error,
            "error_description": SCRIPT,
            "error_uri": "javascript:alert(1)",
        }
        for error in ERRORS
    },
    "an error that is empty": {"code": None, "error": ""},
    "an error beside a code": {"error": "access_denied"},
    "neither error nor code": {"code": None},
    "a code that is empty": {"code": ""},
    "a code that is unknown": {"code": "unknown"},
    "a code of controls": {"code": "a\r\nb"},
    "a code without an end": {"code": "c" * 9000},
    "no state": {"state": None},
    "an empty state": {"state": ""},
    "another state": {"state": "s" * 32},
    "a state of controls": {"state": "\0"},
    "no issuer": {"iss": None},
    "an empty issuer": {"iss": ""},
    "another issuer": {"iss": OTHER},
}


def by(turn: Turn) -> Attack:
    """Log in at a provider that has turned."""

    def attack(stage: Stage) -> Any:
        turn(stage.provider)
        return stage.login()

    return attack


def coming_back(changes: Changes) -> Attack:
    """Come back from the provider with something else."""
    return lambda stage: stage.finish(stage.asked(), changes)


def asking(**changes: str | None) -> Attack:
    """Ask the provider for something else than the project does."""
    return lambda stage: stage.finish(stage.asked(changes))


def twice(parameter: str) -> Attack:
    def attack(stage: Stage) -> Any:
        url = urlsplit(stage.asked())
        values = parse_qs(url.query)
        query = f"{url.query}&{parameter}={values[parameter][0]}"
        return stage.client.get(f"{url.path}?{query}")

    return attack


def code_of_another_session(stage: Stage) -> Any:
    """Put a code of one's own into somebody else's login (code injection)."""
    mine = stage.asked(client=Client())
    code = parse_qs(urlsplit(mine).query)["code"][0]
    return stage.finish(stage.asked(), {"code": code})


def answer_of_another_session(stage: Stage) -> Any:
    """Send somebody the answer of a login of one's own (login CSRF)."""
    mine = stage.asked(client=Client())
    stage.begin()
    return stage.finish(mine)


def answer_without_a_session(stage: Stage) -> Any:
    """Send it to somebody who has never begun to log in."""
    return stage.finish(stage.asked(client=Client()))


def answer_again(stage: Stage) -> Any:
    """Come with an answer that somebody has logged in with, in the same browser."""
    callback = stage.asked()
    assert stage.finish(callback).status_code == 302
    stage.client.logout()
    return stage.finish(callback)


def answer_again_after_a_failure(stage: Stage) -> Any:
    """Come again with an answer that came to nothing, when the provider is well."""
    callback = stage.asked()
    stage.provider.answers[TOKEN] = hang_up
    assert stage.finish(callback).status_code == 503
    del stage.provider.answers[TOKEN]
    return stage.finish(callback)


def code_again(stage: Stage) -> Any:
    """Come with a code that has been used, and the state of a new login."""
    used = stage.asked()
    assert stage.finish(used).status_code == 302
    stage.client.logout()
    code = parse_qs(urlsplit(used).query)["code"][0]
    return stage.finish(stage.asked(), {"code": code})


def code_of_another_client(stage: Stage) -> Any:
    stage.provider.clients["other"] = Registered("other")
    return stage.finish(stage.asked({"client_id": "other"}))


def wrong_issuer_though_none_is_announced(stage: Stage) -> Any:
    flag = "authorization_response_iss_parameter_supported"
    stage.provider.metadata[flag] = None
    return stage.finish(stage.asked(), {"iss": OTHER})


ATTACKS: Final[dict[str, Attack]] = {
    **{f"an ID token {name}": by(turn) for name, turn in ID_TOKENS.items()},
    **{f"a key set {name}": by(turn) for name, turn in KEY_SETS.items()},
    **{f"tokens {name}": by(turn) for name, turn in TOKENS.items()},
    **{f"a person {name}": by(turn) for name, turn in PEOPLE.items()},
    **{
        f"a {path} that {how}": by(answer(path, what))
        for path in (JWKS, TOKEN, USERINFO)
        for how, what in ILL.items()
    },
    **{f"an answer with {name}": coming_back(it) for name, it in RESPONSES.items()},
    **{
        f"an answer with two of {name}": twice(name)
        for name in ("code", "state", "iss")
    },
    "a request without a challenge": asking(
        code_challenge=None, code_challenge_method=None
    ),
    "a request with the plain method": asking(code_challenge_method="plain"),
    "a request with another challenge": asking(code_challenge="c" * 43),
    "a request without a nonce": asking(nonce=None),
    "a request with another nonce": asking(nonce="n" * 32),
    "the code of another session": code_of_another_session,
    "the answer of another session": answer_of_another_session,
    "an answer without a session": answer_without_a_session,
    "an answer again": answer_again,
    "an answer again after a failure": answer_again_after_a_failure,
    "a code again": code_again,
    "the code of another client": code_of_another_client,
    "another issuer where none is announced": wrong_issuer_though_none_is_announced,
}
