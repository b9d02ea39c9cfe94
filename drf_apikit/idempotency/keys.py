"""From a request to the scope that names its record.

The key itself is never stored: `scope` is a digest of tenant, principal,
method, route with its arguments, and key.
"""

import hashlib
from collections.abc import Callable, Iterable
from typing import Any, Final

from rest_framework.request import Request

from drf_apikit.callers import principal_of
from drf_apikit.conf import apikit_settings, load
from drf_apikit.digests import feed
from drf_apikit.exceptions import IdempotencyKeyMalformed
from drf_apikit.http.fields import parse_string_or_token

__all__ = [
    "FORMAT",
    "MAX_LENGTH",
    "digest",
    "read_key",
    "resolve_principal",
    "resolve_scope",
    "route_of",
]

#: Moves when scopes, fingerprints or answers are made in another way.
FORMAT: Final = 1
#: Characters of a key.
MAX_LENGTH: Final = 255


def read_key(request: Request) -> str | None:
    """Read the header; None where there is none.

    The draft asks for a structured String, clients send it bare: both name the
    same key.

    Raises:
        IdempotencyKeyMalformed: neither of the two, or too long.

    """
    value = request.headers.get("Idempotency-Key")
    if value is None:
        return None
    try:
        key = parse_string_or_token(value)
    except ValueError:
        raise IdempotencyKeyMalformed from None
    if len(key) > MAX_LENGTH:
        raise IdempotencyKeyMalformed
    return key


def resolve_principal(
    request: Request, key_scope: Callable[[Request], str | None] | None = None
) -> str | None:
    """Give a digest of whose key it is; None where nobody is known.

    That is a user, or the client of a token; or else what `key_scope` says.

    Raises:
        TypeError: `key_scope` gave something else: two objects may have one text,
            and one object may have two.

    """
    if key_scope is None:
        principal = principal_of(request)
        return None if principal is None else digest(principal)
    named = key_scope(request)
    if named is not None and not isinstance(named, str):
        raise TypeError(f"key_scope must give a text or None, not {named!r}")
    return digest(["key_scope", named]) if named else None


def resolve_scope(request: Request, principal: str, key: str) -> str:
    """Give the digest that names the record.

    Raises:
        TypeError: the hook of the setting `TENANT` gave no text.

    """
    # The path, not the arguments that were made of it: an argument can be any
    # object, with a text that is another one in the next process.
    where = (route_of(request), request.path_info)
    return digest([_tenant(request), principal, request.method, *where, key])


def route_of(request: Request) -> str:
    """Give the pattern of the resolved route, without its arguments."""
    return request.resolver_match.route if request.resolver_match else request.path


def digest(parts: Iterable[Any]) -> str:
    """Hash some parts so that no two lists of parts are the same octets."""
    sha256 = hashlib.sha256()
    feed(sha256, parts)
    return sha256.hexdigest()


def _tenant(request: Request) -> str:
    path = apikit_settings.idempotency.tenant
    if path is None:
        return ""
    tenant = load(path)(request)
    if not isinstance(tenant, str):
        raise TypeError(f"{path} must give the tenant as a text, not {tenant!r}")
    return tenant
