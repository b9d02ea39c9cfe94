"""What keeps good tokens out, and what lets more in than it should."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from django.conf import settings
from django.contrib.auth.models import Group
from django.core import checks
from django.db import connections, router
from django.urls import get_resolver
from rest_framework.authentication import BaseAuthentication, TokenAuthentication
from rest_framework.settings import api_settings
from rest_framework.views import APIView, exception_handler

from drf_apikit.authentication import JWTBearerAuthentication
from drf_apikit.checks.caches import is_private
from drf_apikit.checks.classes import names_of
from drf_apikit.checks.views import routed_views
from drf_apikit.conf import IssuerSettings, apikit_settings

__all__ = [
    "check_authentication",
    "check_deployed_authentication",
    "check_groups",
]

_ISSUERS: Final = "DRF_APIKIT['AUTHENTICATION']['ISSUERS']"
_LOGIN: Final = "DRF_APIKIT['LOGIN']"
_DEFAULT: Final = "REST_FRAMEWORK['DEFAULT_AUTHENTICATION_CLASSES']"

#: Classes that take the same header, and what to do instead.
_OIDC: Final = (
    "Name the provider in ISSUERS, with its TOKEN_PROFILE, and leave the other one out."
)
_RIVALS: Final = {
    "mozilla_django_oidc.contrib.drf.OIDCAuthentication": _OIDC,
    "oidc_auth.authentication.BearerTokenAuthentication": _OIDC,
    "rest_framework_simplejwt.authentication.JWTAuthentication": (
        "Name this project itself in ISSUERS, with TOKEN_PROFILE 'simplejwt', and"
        " leave the other one out; or give SIMPLE_JWT another AUTH_HEADER_TYPES."
    ),
    "rest_framework.authentication.TokenAuthentication": (
        "Give the subclass of TokenAuthentication another `keyword`."
    ),
}

#: The classes of some views, and where they are named.
Listed = dict[tuple[Any, ...], str]


def check_authentication(**_: Any) -> list[checks.CheckMessage]:
    """Look at what stands beside `JWTBearerAuthentication`.

    `W014` DRF's handler makes a 403 out of each 401; `W020` two classes that both
    take `Bearer`.
    """
    found: list[checks.CheckMessage] = []
    for classes, where in _listed().items():
        found += [*_silent(classes, where), *_rivals(classes, where)]
    return found


def check_deployed_authentication(**_: Any) -> list[checks.CheckMessage]:
    """Look at the issuers before a deployment.

    `E013` there are none; `W016` and `W017` what is insecure; `W018` a cache that
    processes do not share. Only for projects that use `JWTBearerAuthentication`.
    """
    listed = _listed()
    # A faulty setting has an error of its own.
    if apikit_settings.faults() or not listed:
        return []
    issuers = apikit_settings.authentication.issuers
    if not issuers:
        return [
            checks.Error(
                f"{_ISSUERS} is empty, and {next(iter(listed.values()))} has"
                " JWTBearerAuthentication: every token is refused.",
                hint="Name the issuer with the AUDIENCE of this API, or leave the"
                " class out.",
                id="drf_apikit.E013",
            )
        ]
    insecure = [one for pair in issuers.items() for one in _insecure(*pair)]
    return [*insecure, *_cache()]


def check_groups(
    databases: Sequence[str] | None = None, **_: Any
) -> list[checks.CheckMessage]:
    """See that the groups that `GROUPS` of an issuer or the login names are there.

    `W019`. Asks the database, and so only with `check --database`.
    """
    alias = router.db_for_read(Group)
    if alias not in (databases or ()) or apikit_settings.faults():
        return []
    issuers = apikit_settings.authentication.issuers
    mappings = {f"{_ISSUERS}[{issuer!r}]": issuers[issuer] for issuer in issuers}
    wanted = {
        name: where
        for where, entry in {**mappings, _LOGIN: apikit_settings.login}.items()
        for name in entry.groups.values()
    }
    # Before the first migration there is nothing to ask.
    tables = connections[alias].introspection.table_names() if wanted else []
    if Group._meta.db_table not in tables:
        return []
    there = set(
        Group.objects.using(alias)
        .filter(name__in=wanted)
        .values_list("name", flat=True)
    )
    return [
        checks.Warning(
            f"{where}['GROUPS'] names the group {name!r}, which is not there: nobody"
            " is put into it.",
            hint="Make the group, with its permissions, or correct its name.",
            id="drf_apikit.W019",
        )
        for name, where in sorted(wanted.items())
        if name not in there
    ]


def _listed() -> Listed:
    """Find the lists of classes that ours is in."""
    found: Listed = {}
    default = tuple(api_settings.DEFAULT_AUTHENTICATION_CLASSES)
    lists = [(default, _DEFAULT)]
    if getattr(settings, "ROOT_URLCONF", None):
        lists += [
            (tuple(view.get("authentication_classes") or ()), str(view))
            for view in routed_views(get_resolver(), APIView)
            # What a method gives depends on the request.
            if view.cls.get_authenticators is APIView.get_authenticators
        ]
    for classes, where in lists:
        if any(_is_ours(one) for one in classes):
            found.setdefault(classes, where)
    return found


def _is_ours(cls: Any) -> bool:
    return isinstance(cls, type) and issubclass(cls, JWTBearerAuthentication)


def _silent(classes: Sequence[Any], where: str) -> Iterator[checks.CheckMessage]:
    """DRF asks the first class alone how to authenticate."""
    first = classes[0]
    asked = getattr(first, "authenticate_header", None)
    nothing = asked is BaseAuthentication.authenticate_header
    if nothing and api_settings.EXCEPTION_HANDLER is exception_handler:
        yield checks.Warning(
            f"{where} has JWTBearerAuthentication behind {first.__name__}, which has no"
            " challenge: DRF answers with 403 where a token is missing or refused.",
            hint="Put JWTBearerAuthentication first, or set EXCEPTION_HANDLER to"
            " 'drf_apikit.problems.exception_handler'.",
            id="drf_apikit.W014",
        )


def _rivals(classes: Sequence[Any], where: str) -> Iterator[checks.CheckMessage]:
    """DRF stops at the first class that refuses."""
    for cls in classes:
        for name in names_of(cls):
            if name in _RIVALS and _takes_bearer(cls, name):
                yield checks.Warning(
                    f"{where} has both JWTBearerAuthentication and {cls.__name__}, and"
                    " both take `Bearer`: the first of them refuses the tokens of the"
                    " other.",
                    hint=_RIVALS[name],
                    id="drf_apikit.W020",
                )


def _takes_bearer(cls: Any, name: str) -> bool:
    if issubclass(cls, TokenAuthentication):
        return str(cls.keyword).lower() == "bearer"
    if name.startswith("rest_framework_simplejwt."):
        given = getattr(settings, "SIMPLE_JWT", {}).get("AUTH_HEADER_TYPES", "Bearer")
        listed = [given] if isinstance(given, str) else given
        return "bearer" in {str(one).lower() for one in listed}
    return True


def _insecure(issuer: str, entry: IssuerSettings) -> Iterator[checks.CheckMessage]:
    where = f"{_ISSUERS}[{issuer!r}]"
    if entry.insecure_loopback_http:
        yield checks.Warning(
            f"{where}['INSECURE_LOOPBACK_HTTP'] is True: any program of this machine"
            " that gets hold of the port can hand out keys.",
            hint="Leave it out, and fetch the keys over https.",
            id="drf_apikit.W016",
        )
    if entry.insecure_ignore_confirmation:
        yield checks.Warning(
            f"{where}['INSECURE_IGNORE_CONFIRMATION'] is True: tokens that are bound to"
            " a key of their client are accepted from whoever has stolen them.",
            hint="Leave it out, and let the issuer give this API tokens without `cnf`.",
            id="drf_apikit.W017",
        )


def _cache() -> Iterator[checks.CheckMessage]:
    alias = apikit_settings.authentication.cache
    fetching = [
        issuer
        for issuer, entry in apikit_settings.authentication.issuers.items()
        if entry.jwks is None and entry.key_source is None
    ]
    backend = settings.CACHES.get(alias, {}).get("BACKEND")
    if fetching and backend is not None and is_private(backend):
        yield checks.Warning(
            f"DRF_APIKIT['AUTHENTICATION']['CACHE'] is {alias!r}, which is not shared:"
            f" each process fetches the keys of {', '.join(fetching)} by itself.",
            hint="Name a cache that all processes share, such as Redis.",
            id="drf_apikit.W018",
        )
