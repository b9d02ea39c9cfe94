"""The security scheme, the scopes, and how a token is refused."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Final

from django.utils.translation import gettext as _
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.settings import spectacular_settings
from rest_framework.permissions import AllowAny

from drf_apikit import problem_types
from drf_apikit.authentication import HasScopes, JWTBearerAuthentication
from drf_apikit.authentication.operators import needed_in
from drf_apikit.authentication.permissions import AnyOf, scopes_for
from drf_apikit.contrib.spectacular.components import Refusal

__all__ = ["JWTBearerScheme", "is_secured", "secure"]

#: Whose requirements have scopes in OpenAPI 3.0; in 3.1 all have.
_WITH_SCOPES: Final = frozenset({"oauth2", "openIdConnect"})
#: What the name of a component has not.
_UNNAMED: Final = re.compile(r"[^A-Za-z0-9-]+")

_UNAUTHORIZED: Final = Refusal(
    "Authentication", (problem_types.NOT_AUTHENTICATED, problem_types.INVALID_TOKEN)
)
_UNAVAILABLE: Final = Refusal(
    "Authentication", (problem_types.AUTHENTICATION_UNAVAILABLE,)
)
_FORBIDDEN: Final = Refusal("Authentication", (problem_types.PERMISSION_DENIED,))
_FORBIDDING: Final = (
    problem_types.PERMISSION_DENIED,
    problem_types.INSUFFICIENT_SCOPE,
)

if TYPE_CHECKING:

    class _Extension:
        """What of theirs is used here; `__init_subclass__` has no annotations."""

        target: Any
        target_class: Any

        @classmethod
        def _matches(cls, target: Any) -> bool: ...

else:
    _Extension = OpenApiAuthenticationExtension


class JWTBearerScheme(_Extension):
    """`JWTBearerAuthentication` as the HTTP bearer scheme `bearer`.

    A subclass of it gets a scheme under its own name, since one name must not
    stand for two classes. A subclass of this may describe another type of
    scheme: requirements have scopes where the type allows it.
    """

    target_class: Any = "drf_apikit.authentication.bearer.JWTBearerAuthentication"
    match_subclasses = True
    # After what a project has of its own, and after `OAuth2Scheme` where it applies.
    priority: ClassVar[int] = -1

    @property
    def name(self) -> Any:
        """What security requirements call the scheme."""
        actual = type(self.target)
        return "bearer" if actual is self.target_class else actual.__name__

    def get_security_definition(self, _auto_schema: Any) -> Any:
        """Describe the scheme (OpenAPI 3.0, Security Scheme Object)."""
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}

    def get_security_requirement(self, auto_schema: Any) -> list[dict[str, list[str]]]:
        """Give the alternatives of an operation, with scopes if there may be some."""
        names, definitions = self.name, self.get_security_definition(auto_schema)
        if isinstance(names, str):
            names, definitions = [names], [definitions]
        needed = _required(auto_schema.view, auto_schema.method)
        return [
            requirement
            for name, definition in zip(names, definitions, strict=True)
            for requirement in _requirements(name, definition["type"], needed)
        ]


def _requirements(
    name: str, kind: str, needed: AnyOf | frozenset[str]
) -> list[dict[str, list[str]]]:
    if spectacular_settings.OAS_VERSION.startswith("3.0") and kind not in _WITH_SCOPES:
        return [{name: []}]
    if isinstance(needed, AnyOf):
        return [{name: [scope]} for scope in sorted(needed.scopes)]
    return [{name: sorted(needed)}]


def is_secured(view: Any) -> bool:
    """Tell whether a view takes our tokens."""
    return any(
        isinstance(one, JWTBearerAuthentication) for one in view.get_authenticators()
    )


def secure(operation: dict[str, Any], view: Any, method: str) -> Iterator[Refusal]:
    """Name the scopes, and give what may happen before the view is called."""
    yield _UNAUTHORIZED
    yield _UNAVAILABLE
    needed = _required(view, method)
    if needed:
        _add_scopes(operation, needed)
        yield _forbidden(needed)
    elif not all(isinstance(one, AllowAny) for one in view.get_permissions()):
        yield _FORBIDDEN


def _add_scopes(operation: dict[str, Any], needed: AnyOf | frozenset[str]) -> None:
    """Name the scopes where a requirement cannot."""
    requirements = operation.get("security", ())
    if not any(scopes for one in requirements for scopes in one.values()):
        kind = "anyOf" if isinstance(needed, AnyOf) else "allOf"
        operation.setdefault("x-required-scopes", {kind: _scopes(needed)})


def _required(view: Any, method: str) -> AnyOf | frozenset[str]:
    """Give the scopes without which nobody gets in."""
    if not any(needed_in(one, HasScopes) for one in view.get_permissions()):
        return frozenset()
    try:
        return scopes_for(view, method) or frozenset()
    except ValueError:
        # A system check tells.
        return frozenset()


def _scopes(needed: AnyOf | frozenset[str]) -> list[str]:
    return sorted(needed.scopes if isinstance(needed, AnyOf) else needed)


def _forbidden(needed: AnyOf | frozenset[str]) -> Refusal:
    scopes = _scopes(needed)
    if isinstance(needed, AnyOf):
        prefix, text = "AnyScope", _("The token needs one of the scopes: %(scopes)s.")
    else:
        prefix, text = "Scope", _("The token needs the scopes: %(scopes)s.")
    name = prefix + _UNNAMED.sub("_", "_".join(scopes)).title()
    return Refusal(name, _FORBIDDING, text % {"scopes": ", ".join(scopes)})
