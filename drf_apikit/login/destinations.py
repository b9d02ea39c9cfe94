"""Where a person goes after a login or a logout: never to somebody else's site."""

from typing import Final

from django.conf import settings as django_settings
from django.http import HttpRequest
from django.shortcuts import resolve_url
from django.utils.http import url_has_allowed_host_and_scheme

__all__ = ["next_field", "safe_url", "setting_url", "wanted_url"]

#: Characters of a URL that is remembered.
_LONGEST: Final = 2000


def next_field() -> str:
    """Name the parameter that says where to go."""
    return str(getattr(django_settings, "OIDC_REDIRECT_FIELD_NAME", "next"))


def wanted_url(request: HttpRequest, field: str | None = None) -> str | None:
    """Give what a request wants to come back to, unless that is unsafe."""
    name = field or next_field()
    return safe_url(request, request.POST.get(name) or request.GET.get(name))


def safe_url(request: HttpRequest, url: str | None) -> str | None:
    """Give a URL of this site, or of a host that the project allows; else None."""
    if not url or len(url) > _LONGEST or not url.isprintable():
        return None
    hosts = getattr(django_settings, "OIDC_REDIRECT_ALLOWED_HOSTS", ())
    is_safe = url_has_allowed_host_and_scheme(
        url,
        allowed_hosts={*hosts, request.get_host()},
        require_https=getattr(
            django_settings, "OIDC_REDIRECT_REQUIRE_HTTPS", request.is_secure()
        ),
    )
    return url if is_safe else None


def setting_url(name: str) -> str:
    """Give what a setting names, a URL or a view; the root where it is not set."""
    return resolve_url(getattr(django_settings, name, None) or "/")
