"""Whether a provider can do what the login and outbound tokens need of it."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from drf_apikit.conf import ClientSettings, LoginSettings
from drf_apikit.doctor.attempts import Attempt
from drf_apikit.doctor.findings import Finding, Subject
from drf_apikit.doctor.providers import Provider
from drf_apikit.login.registration import Registration
from drf_apikit.oidc.fetch import FetchError
from drf_apikit.oidc.metadata import Options, endpoint_of

__all__ = [
    "AUTHENTICATION",
    "ENDPOINTS",
    "EXPLICIT",
    "ISS",
    "PKCE",
    "SIGNING",
    "use_findings",
]

ENDPOINTS: Final = "issuers.endpoints"
EXPLICIT: Final = "issuers.explicit_endpoints"
PKCE: Final = "issuers.pkce"
AUTHENTICATION: Final = "issuers.client_authentication"
SIGNING: Final = "issuers.id_token_signing"
ISS: Final = "issuers.iss_parameter"

#: What `Registration` has of the discovery document, and the setting behind it.
_SETTINGS: Final[Mapping[str, str]] = {
    "authorization_endpoint": "OIDC_OP_AUTHORIZATION_ENDPOINT",
    "token_endpoint": "OIDC_OP_TOKEN_ENDPOINT",
    "userinfo_endpoint": "OIDC_OP_USER_ENDPOINT",
    "jwks_uri": "OIDC_OP_JWKS_ENDPOINT",
}
_TOKENS: Final = "token_endpoint"
_NEEDED: Final = ("authorization_endpoint", _TOKENS)
_SECRETS: Final = ("client_secret_basic", "client_secret_post")
#: Discovery 1.0 section 3, RFC 8414 section 2: where nothing is said.
_METHODS: Final = ["client_secret_basic"]

Document = Mapping[str, Any]


def use_findings(
    subject: Subject, provider: Provider, document: Document
) -> Iterator[Finding]:
    """Hold a discovery document to what is wanted of the provider."""
    login = provider.login
    if login is not None:
        given = {name: getattr(login, name) for name in _SETTINGS}
        place = _place(provider, login.settings)
        needed = {name: given[name] for name in _NEEDED}
        yield _endpoints(subject, place, document, needed)
        yield _explicit(subject, given, document)
        yield _pkce(subject, login, document)
        yield _authentication(Subject("LOGIN"), _ways(login), document)
        yield _signing(subject, login, document)
        yield _iss(subject, document)
    for name, client in provider.clients.items():
        named, needed = Subject(name), {_TOKENS: client.token_endpoint}
        yield _endpoints(named, _place(provider, client), document, needed)
        yield _authentication(named, _ways_of(client), document)


def _set(given: Mapping[str, str | None]) -> dict[str, str]:
    return {name: url for name, url in given.items() if url is not None}


def _place(provider: Provider, use: ClientSettings | LoginSettings) -> Options:
    """Say what this use of a provider allows, whatever the others do."""
    return Options(
        provider.issuer,
        provider.timeout,
        None,
        allow_loopback_http=use.insecure_loopback_http,
    )


def _endpoints(
    subject: Subject,
    place: Options,
    document: Document,
    needed: Mapping[str, str | None],
) -> Finding:
    """Read endpoints as who needs them does; those of settings win."""
    wrong = _unusable(place, {**document, **_set(needed)}, needed)
    if not wrong and None in needed.values():
        # One that is taken from there is one of a document that can be used.
        wrong = _unusable(place, document, [_TOKENS])
    if wrong:
        return subject.risk(
            ENDPOINTS,
            f"What is discovered cannot be used: {'; '.join(wrong)}.",
            "Let the provider publish it, over https.",
        )
    return subject.ok(ENDPOINTS, f"{', '.join(needed)}: there, and safe.")


def _unusable(place: Options, document: Document, names: Iterable[str]) -> list[str]:
    wrong = []
    for name in names:
        with Attempt(FetchError) as attempt:
            endpoint_of(document, place, name)
        if attempt.error is not None:
            wrong.append(f"{name}: {attempt.error}")
    return wrong


def _explicit(
    subject: Subject, given: Mapping[str, str | None], document: Document
) -> Finding:
    named = _set(given)
    other = [name for name in named if document.get(name) not in (None, named[name])]
    if other:
        pairs = ", ".join(
            f"{_SETTINGS[name]} is {named[name]} and {name} is {document[name]}"
            for name in other
        )
        return subject.risk(
            EXPLICIT,
            f"Settings win over what is discovered: {pairs}.",
            f"Remove {', '.join(_SETTINGS[name] for name in other)}.",
        )
    seen = "No OIDC_OP_* setting names another endpoint than is discovered."
    return subject.ok(EXPLICIT, seen)


def _pkce(subject: Subject, login: Registration, document: Document) -> Finding:
    methods = document.get("code_challenge_methods_supported")
    if not login.use_pkce:
        return subject.risk(
            PKCE,
            "OIDC_USE_PKCE is off: a code that is stolen can be used by the thief.",
            "Remove OIDC_USE_PKCE (RFC 9700 section 2.1.1).",
        )
    if methods is None:
        hint = "RFC 8414 section 2: without that nobody knows whether it looks at PKCE."
        seen = "It does not say that it supports PKCE; it is used all the same."
        return subject.ok(PKCE, seen, hint)
    if "S256" not in _list(methods):
        return subject.risk(
            PKCE,
            f"S256 is not among its code challenge methods ({_names(methods)}).",
            "Let the provider support S256 (RFC 7636 section 4.2).",
        )
    return subject.ok(PKCE, "It supports S256.")


def _ways(login: Registration) -> tuple[str, ...]:
    """Give the ways in which the login may prove itself, any of which will do."""
    if login.settings.client_auth_method is not None:
        return (login.settings.client_auth_method,)
    if login.use_basic_auth is not None:
        return (_SECRETS[0] if login.use_basic_auth else _SECRETS[1],)
    return _SECRETS if login.client_secret else ("none",)


def _ways_of(client: ClientSettings) -> tuple[str, ...]:
    return (client.auth_method,)


def _authentication(
    subject: Subject, ways: tuple[str, ...], document: Document
) -> Finding:
    offered = _list(document.get("token_endpoint_auth_methods_supported", _METHODS))
    seen = f"It takes {_names(offered)}; {' or '.join(ways)} is used."
    if set(ways) & set(offered):
        return subject.ok(AUTHENTICATION, seen)
    if ways == ("none",):
        # Some do not name what is no authentication at all.
        hint = "It may refuse a client without a secret: see how it is registered."
        return subject.ok(AUTHENTICATION, seen, hint)
    return subject.risk(
        AUTHENTICATION,
        seen,
        "Choose one of those (CLIENT_AUTH_METHOD, AUTH_METHOD), as the client is"
        " registered.",
    )


def _signing(subject: Subject, login: Registration, document: Document) -> Finding:
    offered = _list(document.get("id_token_signing_alg_values_supported", []))
    common = login.algorithms.intersection(offered)
    seen = f"It signs ID tokens by {_names(offered)}."
    if offered and not common:
        wanted = ", ".join(sorted(login.algorithms))
        return subject.risk(
            SIGNING,
            f"{seen} Accepted is {wanted}.",
            "Set OIDC_RP_SIGN_ALGO to one of its own, or leave it out.",
        )
    return subject.ok(SIGNING, seen)


def _iss(subject: Subject, document: Document) -> Finding:
    if document.get("authorization_response_iss_parameter_supported") is True:
        return subject.ok(ISS, "Its answers to a login name it (RFC 9207).")
    hint = "Where several providers are used, one can pass for another: RFC 9207."
    return subject.ok(ISS, "Its answers to a login do not name it.", hint)


def _list(value: Any) -> list[str]:
    listed = value if isinstance(value, list) else []
    return [one for one in listed if isinstance(one, str)]


def _names(value: Any) -> str:
    return ", ".join(_list(value)) or "nothing"
