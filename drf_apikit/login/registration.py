"""This project as a client of its provider: our settings, and mozilla-django-oidc's.

Those of mozilla-django-oidc keep their names and their meaning. Where one is not set,
the safe value holds; where one would have a token believed that nobody has verified,
it is refused rather than obeyed.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured

from drf_apikit.conf import LoginSettings, apikit_settings
from drf_apikit.jose.algorithms import ALGORITHMS

__all__ = ["Registration", "faults", "registration"]

_ENDPOINTS: Final[Mapping[str, str]] = {
    "authorization_endpoint": "OIDC_OP_AUTHORIZATION_ENDPOINT",
    "token_endpoint": "OIDC_OP_TOKEN_ENDPOINT",
    "userinfo_endpoint": "OIDC_OP_USER_ENDPOINT",
    "jwks_uri": "OIDC_OP_JWKS_ENDPOINT",
}
_UNVERIFIED: Final = "Remove it: an ID token that nobody has verified is anybody's."
#: What is refused, with the values that are harmless, and why.
_REFUSED: Final[Mapping[str, tuple[tuple[object, ...], str]]] = {
    "OIDC_ALLOW_UNSECURED_JWT": ((False, None), _UNVERIFIED),
    "OIDC_VERIFY_SSL": (
        (True, None),
        (
            "Remove it, and name the authority of the provider's certificate in the"
            " environment variable REQUESTS_CA_BUNDLE."
        ),
    ),
    "OIDC_VERIFY_KID": ((True, None), "Remove it: the key is chosen by its kid."),
    "OIDC_PKCE_CODE_CHALLENGE_METHOD": (
        ("S256", None),
        (
            "Remove it: with `plain`, who sees the request has the verifier too (RFC"
            " 9700 section 2.1.1)."
        ),
    ),
    "OIDC_RP_IDP_SIGN_KEY": (
        (None,),
        "Remove it: keys come from the provider, so that it can rotate them.",
    ),
}


_NUMBERS: Final = (
    *("OIDC_STATE_SIZE", "OIDC_NONCE_SIZE", "OIDC_PKCE_CODE_VERIFIER_SIZE"),
    *("OIDC_MAX_STATES", "OIDC_RENEW_ID_TOKEN_EXPIRY_SECONDS"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """What the provider and this project agree on.

    `algorithms` are those that ID tokens may be signed with; `timeout` is in seconds,
    for each call; of the endpoints and `jwks_uri`, None stands for what is discovered.
    """

    issuer: str
    client_id: str
    client_secret: str | None = field(repr=False)
    scopes: str
    algorithms: frozenset[str]
    use_pkce: bool
    use_nonce: bool
    timeout: float
    proxies: Mapping[str, str] | None = field(repr=False)
    authorization_endpoint: str | None
    token_endpoint: str | None
    userinfo_endpoint: str | None
    jwks_uri: str | None
    #: What `OIDC_TOKEN_USE_BASIC_AUTH` says, where it is set.
    use_basic_auth: bool | None
    creates_users: bool
    settings: LoginSettings = field(repr=False)


def registration() -> Registration:
    """Read the settings as they are now.

    Raises:
        ImproperlyConfigured: with the setting and the remedy.

    """
    for name, wrong, remedy in faults():
        raise ImproperlyConfigured(f"{name} {wrong}. {remedy}")
    settings = apikit_settings.login
    users, secret = settings.users, _read("OIDC_RP_CLIENT_SECRET")
    return Registration(
        issuer=str(settings.issuer),
        client_id=_read("OIDC_RP_CLIENT_ID"),
        client_secret=secret or None,
        scopes=_scopes(),
        algorithms=_algorithms(),
        use_pkce=bool(_read("OIDC_USE_PKCE", default=True)),
        use_nonce=bool(_read("OIDC_USE_NONCE", default=True)),
        timeout=_timeout() or apikit_settings.authentication.fetch_timeout,
        proxies=_read("OIDC_PROXY") or apikit_settings.authentication.proxies,
        use_basic_auth=_read("OIDC_TOKEN_USE_BASIC_AUTH"),
        creates_users=(
            bool(_read("OIDC_CREATE_USER", default=True))
            if users is None
            else users == "create"
        ),
        settings=settings,
        **{name: _read(setting) or None for name, setting in _ENDPOINTS.items()},
    )


def faults() -> Iterator[tuple[str, str, str]]:
    """Find what a login could not, or should not, work with.

    Gives the setting, what is wrong with it, and the remedy.
    """
    if apikit_settings.login.issuer is None:
        yield (
            "DRF_APIKIT['LOGIN']['ISSUER']",
            "is missing",
            "Name the provider, by its exact issuer URL.",
        )
    if not _is_text(_read("OIDC_RP_CLIENT_ID")):
        remedy = "Give the name of this client at the provider."
        yield "OIDC_RP_CLIENT_ID", "is missing", remedy
    for name, (harmless, remedy) in _REFUSED.items():
        if _read(name) not in harmless:
            yield name, "is not obeyed", remedy
    yield from _faults_of_numbers()
    yield from _faults_of_the_proof()
    yield from _faults_of_the_request()
    yield from _faults_of_the_connection()


def _faults_of_numbers() -> Iterator[tuple[str, str, str]]:
    for name in _NUMBERS:
        value = _read(name)
        whole = isinstance(value, int) and not isinstance(value, bool)
        if value is not None and not (whole and value > 0):
            yield name, f"is {value!r}", "It must be a whole number above 0."
    extra = _read("OIDC_AUTH_REQUEST_EXTRA_PARAMS")
    if extra is not None and not isinstance(extra, Mapping):
        remedy = "It must be a dict from names of parameters to their values."
        yield "OIDC_AUTH_REQUEST_EXTRA_PARAMS", f"is {extra!r}", remedy


def _faults_of_the_proof() -> Iterator[tuple[str, str, str]]:
    method = apikit_settings.login.client_auth_method or ""
    if method.startswith("client_secret_") and not _read("OIDC_RP_CLIENT_SECRET"):
        remedy = "Give the secret; or choose another CLIENT_AUTH_METHOD."
        yield "OIDC_RP_CLIENT_SECRET", f"is missing, for {method}", remedy


def _faults_of_the_request() -> Iterator[tuple[str, str, str]]:
    algorithm = _read("OIDC_RP_SIGN_ALGO")
    if algorithm is not None and algorithm not in ALGORITHMS:
        known = ", ".join(sorted(ALGORITHMS))
        remedy = f"Let the provider sign with its own key, by one of {known}."
        yield "OIDC_RP_SIGN_ALGO", f"is {algorithm!r}", remedy
    if "openid" not in _scopes().split():
        remedy = "Add it: without it the provider sends no ID token."
        yield "OIDC_RP_SCOPES", "lacks openid", remedy
    pkce = _read("OIDC_USE_PKCE", default=True)
    if not pkce and not _read("OIDC_USE_NONCE", default=True):
        remedy = "Leave both on: a stolen code could be used here (RFC 9700 4.5.3)."
        yield "OIDC_USE_PKCE", "is off, and so is OIDC_USE_NONCE", remedy
    if not pkce and not _read("OIDC_RP_CLIENT_SECRET"):
        remedy = "Leave it on: nothing else protects a client without a secret."
        if apikit_settings.login.private_key is None:
            yield "OIDC_USE_PKCE", "is off, for a public client", remedy


def _faults_of_the_connection() -> Iterator[tuple[str, str, str]]:
    try:
        _timeout()
    except (TypeError, ValueError):
        remedy = "It must be a number of seconds above 0."
        yield "OIDC_TIMEOUT", f"is {_read('OIDC_TIMEOUT')!r}", remedy
    proxies = _read("OIDC_PROXY")
    if proxies and not isinstance(proxies, Mapping):
        remedy = "It must be a dict such as {'https': 'http://proxy.example:3128'}."
        yield "OIDC_PROXY", "is no dict", remedy
    loopback = apikit_settings.login.insecure_loopback_http
    for setting in _ENDPOINTS.values():
        url = _read(setting)
        if url and not (_is_text(url) and url.startswith("https://")) and not loopback:
            remedy = "Remove it, and the endpoint is discovered; or use https."
            yield setting, f"is {url!r}", remedy


def _read(name: str, *, default: Any = None) -> Any:
    return getattr(django_settings, name, default)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _scopes() -> str:
    """Give what is asked for; mozilla-django-oidc has one text of words."""
    scopes = _read("OIDC_RP_SCOPES", default="openid email")
    return scopes if isinstance(scopes, str) else " ".join(map(str, scopes))


def _algorithms() -> frozenset[str]:
    algorithm = _read("OIDC_RP_SIGN_ALGO")
    return ALGORITHMS if algorithm is None else frozenset({algorithm})


def _timeout() -> float | None:
    """Give the seconds; requests knows pairs, for connecting and for reading."""
    value = _read("OIDC_TIMEOUT")
    if value is None:
        return None
    parts = value if isinstance(value, tuple | list) else [value]
    seconds = sum(float(part) for part in parts)
    if not 0 < seconds < float("inf"):
        raise ValueError(value)
    return seconds
