"""What mozilla-django-oidc does where it is not ours that logs people in.

With our backend, `E016`, `E017` and `W024` tell of the same settings.
"""

from collections.abc import Iterator
from typing import Any, Final

from django.conf import settings
from django.core import checks

from drf_apikit.checks.classes import inherits, is_any, is_of_this_package, loaded
from drf_apikit.checks.deployment.pitfalls import goes_in_clear, shown, tell
from drf_apikit.checks.deployment.uses import authentication_lists
from drf_apikit.checks.login import is_wanted

__all__ = ["check_deployed_oidc"]

_AUTH: Final = "mozilla_django_oidc.auth"
_BACKEND: Final = f"{_AUTH}.OIDCAuthenticationBackend"
_DRF: Final = "mozilla_django_oidc.contrib.drf"
_COOKIES: Final = "django.contrib.sessions.backends.signed_cookies"
_OURS: Final = "Log people in with drf_apikit.login.OIDCAuthenticationBackend"
_ENDPOINTS: Final = (
    *("OIDC_OP_AUTHORIZATION_ENDPOINT", "OIDC_OP_TOKEN_ENDPOINT"),
    *("OIDC_OP_USER_ENDPOINT", "OIDC_OP_JWKS_ENDPOINT"),
)
#: Letters and digits that make 128 bits.
_ENOUGH: Final = 22

#: Settings that are either good or bad: the code, the good value, which is also the
#: default where it is not named, what is wrong, and the remedy.
_FLAGS: Final[tuple[tuple[str, str, bool, bool, str, str], ...]] = (
    (
        *("E031", "OIDC_VERIFY_SSL", True, True),
        "whoever is on the way to the provider can be the provider",
        "Leave it out, and name the authority in REQUESTS_CA_BUNDLE",
    ),
    (
        *("E032", "OIDC_ALLOW_UNSECURED_JWT", False, False),
        "an ID token that nobody has signed is believed",
        "Leave it out",
    ),
    (
        *("W041", "OIDC_VERIFY_KID", True, True),
        "of the provider's keys the last one is taken, whatever the token names",
        "Leave it out",
    ),
    (
        *("W042", "OIDC_USE_NONCE", True, True),
        "an ID token of another login is accepted",
        "Leave it out",
    ),
    (
        *("W043", "OIDC_USE_PKCE", True, False),
        "a code that was stolen or injected is accepted",
        "Set it to True",
    ),
)


def check_deployed_oidc(**_: Any) -> list[checks.CheckMessage]:
    """Look at mozilla-django-oidc before a deployment (`E031` to `E034`, `W039` ff.).

    Only where a backend of it logs people in, or its class takes access tokens.
    """
    ours = is_wanted()
    backends = [] if ours else list(_backends())
    found = list(_bearers())
    if ours or backends:
        found += _sizes()
    if backends:
        found += [*_people(backends), *_flags(), *_values(), *_addresses(), *_cookies()]
    return found


def _backends() -> Iterator[tuple[str, Any]]:
    for path in settings.AUTHENTICATION_BACKENDS:
        cls = loaded(path)
        if is_any(cls, _BACKEND) and not is_of_this_package(cls):
            yield path, cls


def _bearers() -> Iterator[checks.CheckMessage]:
    path = getattr(settings, "OIDC_DRF_AUTH_BACKEND", None)
    named = loaded(path) if path else None
    backends = [cls for _, cls in _backends()] if named is None else [named]
    # Ours refuses an access token that comes without a login.
    trusting = [
        cls
        for cls in backends
        if inherits(cls, "get_or_create_user", "get_userinfo", module=_AUTH)
    ]
    for classes, where in authentication_lists().items():
        for cls in classes:
            taken = is_any(cls, f"{_DRF}.OIDCAuthentication")
            if trusting and taken and inherits(cls, "authenticate", module=_DRF):
                yield tell(
                    "E034",
                    f"{where} has {cls.__name__}, which accepts any access token that"
                    " the provider knows, given to whichever application for whichever"
                    " API",
                    "Put JWTBearerAuthentication in its place, with the provider in"
                    " ISSUERS",
                )


def _people(backends: list[tuple[str, Any]]) -> Iterator[checks.CheckMessage]:
    for path, cls in backends:
        verifying = ("verify_token", "get_payload_data", "_verify_jws")
        if inherits(cls, *verifying, module=_AUTH):
            yield tell(
                "W039",
                f"AUTHENTICATION_BACKENDS has {path}, which accepts ID tokens of any"
                " issuer and for any client",
                _OURS,
            )
        matching = ("filter_users_by_claims", "verify_claims", "get_or_create_user")
        if inherits(cls, *matching, module=_AUTH):
            yield tell(
                "W040",
                f"AUTHENTICATION_BACKENDS has {path}, which finds users by their email"
                " address, verified or not: who can enter one at the provider is that"
                " user",
                f"{_OURS}, which finds them by issuer and subject",
            )


def _flags() -> Iterator[checks.CheckMessage]:
    for code, name, good, default, wrong, remedy in _FLAGS:
        value = getattr(settings, name, default)
        if bool(value) is not good:
            yield tell(code, f"{name} is {value!r}: {wrong}", remedy)


def _values() -> Iterator[checks.CheckMessage]:
    method = getattr(settings, "OIDC_PKCE_CODE_CHALLENGE_METHOD", "S256")
    if getattr(settings, "OIDC_USE_PKCE", False) and method != "S256":
        yield tell(
            "W044",
            f"OIDC_PKCE_CODE_CHALLENGE_METHOD is {method!r}: who sees the request has"
            " the verifier too",
            "Leave it out",
        )
    algorithm = getattr(settings, "OIDC_RP_SIGN_ALGO", "HS256")
    if str(algorithm).startswith("HS"):
        yield tell(
            "W045",
            f"OIDC_RP_SIGN_ALGO is {algorithm!r}: who gets hold of the client's secret"
            " signs ID tokens of anybody",
            "Set it to RS256 or ES256, with OIDC_OP_JWKS_ENDPOINT",
        )
    if not getattr(settings, "OIDC_TIMEOUT", None):
        yield tell(
            "W046",
            "OIDC_TIMEOUT is None: a provider that hangs holds each worker for ever",
            "Set it to a few seconds",
        )


def _addresses() -> Iterator[checks.CheckMessage]:
    for name in _ENDPOINTS:
        url = getattr(settings, name, None)
        if url and goes_in_clear(url):
            yield tell(
                "E033",
                f"{name} is {shown(url)}: codes, secrets and tokens go there in clear",
                "Use https",
            )


def _cookies() -> Iterator[checks.CheckMessage]:
    if settings.SESSION_ENGINE != _COOKIES:
        return
    for name in ("OIDC_STORE_ACCESS_TOKEN", "OIDC_STORE_ID_TOKEN"):
        if getattr(settings, name, False):
            yield tell(
                "W047",
                f"{name} is True, and SESSION_ENGINE keeps sessions in cookies, which"
                " are signed but not encrypted: whoever sees one has the token",
                "Keep sessions on the server",
            )


def _sizes() -> Iterator[checks.CheckMessage]:
    """`OIDC_PKCE_CODE_VERIFIER_SIZE` has limits that both libraries keep."""
    for name in ("OIDC_STATE_SIZE", "OIDC_NONCE_SIZE"):
        size = getattr(settings, name, None)
        if isinstance(size, int) and size < _ENOUGH:
            yield tell(
                "W048",
                f"{name} is {size}, which can be guessed",
                "Leave it out: it is 32 by default",
            )
