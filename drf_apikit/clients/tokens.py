"""The token of each client: asked for, sealed, shared and renewed."""

import difflib
import json
import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from functools import partial
from typing import Final

from django.core.exceptions import ImproperlyConfigured
from django.utils.crypto import salted_hmac
from django.views.decorators.debug import sensitive_variables

from drf_apikit.conf import ClientSettings, ClientsSettings, apikit_settings
from drf_apikit.counters import count
from drf_apikit.jose import KeySetError
from drf_apikit.jose.signing import SigningKey, load_signing_key
from drf_apikit.oidc.client_authentication import ClientAuthentication
from drf_apikit.oidc.metadata import metadata_of
from drf_apikit.oidc.shared_value import PausedError, SharedValue, Timed
from drf_apikit.oidc.token_endpoint import (
    ProviderError,
    TokenAnswer,
    TokenRefusedError,
    request_tokens,
)
from drf_apikit.sealing import read_sealed, seal_text

__all__ = ["Client", "Clients", "find_client"]

logger = logging.getLogger("drf_apikit.clients")

#: Releases with another one do not see each other's tokens.
_FORMAT: Final = 1
#: The part of its life after which a token is renewed.
_RENEWED: Final = 0.8
#: Seconds that a token lives where the issuer does not say (RFC 6749 section 5.1).
_UNKNOWN_LIFE: Final = 60.0
#: Seconds before its end at which a token is given to nobody, since it takes its time
#: to get to where it is judged; of a short life no more than this part.
_REST, _SHARE = 5.0, 0.05
#: Seconds until a client that was refused is asked for again: it takes a person to
#: mend that.
_REFUSED: Final = 60.0
#: Seconds that a request, and one for the metadata, may take longer than is allowed.
_GRACE, _LONG_GRACE = 1, 5


@dataclass(frozen=True, slots=True)
class Client:
    """One entry of `CREDENTIALS`, and its token."""

    # It has secrets.
    settings: ClientSettings = field(repr=False)
    token: SharedValue[str]


class Clients:
    """The clients of a process by their names, as the settings have them now."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._known: dict[str, Client] = {}
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forget who has the lock, as in the child of a fork."""
        self._lock = threading.Lock()

    def named(self, name: str) -> Client:
        """Give a client.

        Raises:
            ImproperlyConfigured: the settings have none of that name.

        """
        section = apikit_settings.clients
        settings = section.credentials.get(name)
        if settings is None:
            raise ImproperlyConfigured(_unknown(name, section))
        with self._lock:
            known = self._known.get(name)
            if known is None or known.settings is not settings:
                known = self._made(name, section, settings)
                self._known[name] = known
        return known

    def _made(
        self, name: str, section: ClientsSettings, settings: ClientSettings
    ) -> Client:
        key = _key(settings)
        asks_twice = settings.token_endpoint is None
        grace = section.timeout + _LONG_GRACE if asks_twice else _GRACE
        token = SharedValue(
            key,
            _Asking(name, section, settings, self._clock),
            dump=partial(seal_text, purpose=key),
            load=partial(read_sealed, purpose=key),
            clock=self._clock,
            patience=section.timeout + grace,
            cache=section.cache,
        )
        return Client(settings, token)


class _Asking:
    """Asks an issuer for a token, and tells the log and the counter of it."""

    def __init__(
        self,
        name: str,
        section: ClientsSettings,
        settings: ClientSettings,
        clock: Callable[[], float],
    ) -> None:
        self._name, self._section = name, section
        self._settings, self._clock = settings, clock
        self._signing_key = _signing_key(name, settings)

    def __call__(self) -> Timed[str]:
        now = self._clock()
        try:
            answer = self._answer(now)
        except ProviderError as error:
            self._tell(error)
            if isinstance(error, TokenRefusedError):
                raise PausedError(str(error), _REFUSED) from None
            raise
        except Exception as error:
            # As a transport of the project's own, whose texts nobody knows.
            logger.exception("No token for %r", self._name)
            count("clients.token_failed", reason="unavailable")
            raise ProviderError(type(error).__name__) from None
        count("clients.token_fetched")
        life = answer.expires_in or _UNKNOWN_LIFE
        end = now + life - min(_REST, _SHARE * life)
        return Timed(answer.access_token, now + _RENEWED * life, end)

    def _tell(self, error: ProviderError) -> None:
        if isinstance(error, TokenRefusedError):
            told = error.description or "no reason is given"
            logger.error("No token for %r: %s: %s", self._name, error, told)
            count("clients.token_failed", reason="refused")
        else:
            logger.warning("No token for %r: %s", self._name, error)
            count("clients.token_failed", reason="unavailable")

    def _answer(self, now: float) -> TokenAnswer:
        settings, section = self._settings, self._section
        endpoint = (
            settings.token_endpoint
            or metadata_of(
                str(settings.issuer),
                timeout=section.timeout,
                proxies=section.proxies,
                allow_loopback_http=settings.insecure_loopback_http,
            ).token_endpoint
        )
        return request_tokens(
            endpoint,
            self._form(),
            self._authentication(endpoint),
            timeout=section.timeout,
            proxies=section.proxies,
            allow_loopback_http=settings.insecure_loopback_http,
            now=now,
        )

    def _form(self) -> dict[str, str]:
        """RFC 6749 section 4.4.2, RFC 8707 section 2.2."""
        settings = self._settings
        members = {
            "grant_type": "client_credentials",
            "scope": " ".join(sorted(settings.scopes or ())),
            "audience": settings.audience,
            "resource": settings.resource,
        }
        return {name: value for name, value in members.items() if value}

    def _authentication(self, endpoint: str) -> ClientAuthentication:
        settings = self._settings
        return ClientAuthentication(
            str(settings.client_id),
            settings.auth_method,
            settings.client_secret,
            self._signing_key,
            settings.assertion_audience or settings.issuer or endpoint,
        )


_CLIENTS: Final = Clients()
os.register_at_fork(after_in_child=_CLIENTS.begin_anew)


def find_client(name: str) -> Client:
    """Give a client of this process.

    Raises:
        ImproperlyConfigured: the settings have none of that name.

    """
    return _CLIENTS.named(name)


def _signing_key(name: str, settings: ClientSettings) -> SigningKey | None:
    """Load the key of a client; nothing of it is in what is raised, nor in a report.

    Raises:
        ImproperlyConfigured: it cannot be used.

    """
    if settings.auth_method != "private_key_jwt":
        return None
    try:
        return load_signing_key(str(settings.private_key), settings.private_key_id)
    except KeySetError as error:
        fault = str(error)
    # Out here, so that the report of this error shows none of the frames in there.
    path = f"DRF_APIKIT['CLIENTS']['CREDENTIALS'][{name!r}]['PRIVATE_KEY']"
    raise ImproperlyConfigured(f"{path} cannot be used: {fault}.")


@sensitive_variables("members", "text")
def _key(settings: ClientSettings) -> str:
    """Name the place of a token: whatever setting is another, so is the place.

    Who reads the cache cannot try out secrets on it without SECRET_KEY.
    """
    members = {
        member.name: sorted(value) if isinstance(value, frozenset) else value
        for member in fields(settings)
        for value in (getattr(settings, member.name),)
    }
    text = json.dumps(members, sort_keys=True)
    digest = salted_hmac("drf_apikit.clients", text, algorithm="sha256").hexdigest()
    return f"drf_apikit:token:{_FORMAT}:{digest}"


def _unknown(name: str, section: ClientsSettings) -> str:
    close = difflib.get_close_matches(name, section.credentials, n=1)
    hint = f"Did you mean {close[0]!r}?" if close else "Add an entry of that name."
    return f"DRF_APIKIT['CLIENTS']['CREDENTIALS'] has no {name!r}. {hint}"
