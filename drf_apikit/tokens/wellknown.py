"""What this project says of itself as an issuer: its public keys, and its metadata."""

from abc import ABC, abstractmethod
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.utils.cache import patch_cache_control
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.http import conditional_page

from drf_apikit.conf import TokensSettings, apikit_settings
from drf_apikit.oidc import KeysUnavailableError
from drf_apikit.tokens.keyring import current_ring

__all__ = ["JWKSView", "MetadataView", "max_age"]

#: Seconds for which an answer may be kept, at the most.
_LONGEST: Final = 600


def max_age(section: TokensSettings) -> int:
    """Give the seconds for which the key set may be kept.

    Half of `PUBLICATION_LEAD`: whoever has kept it has the next key in time.
    """
    return min(_LONGEST, section.publication_lead // 2)


@method_decorator(transaction.non_atomic_requests, name="dispatch")
@method_decorator(conditional_page, name="dispatch")
class _PublicView(View, ABC):
    """Answers that are the same for everybody, and may be kept for a while."""

    http_method_names = ("get", "head", "options")

    @abstractmethod
    def document(self, section: TokensSettings) -> dict[str, Any]:
        """Say what there is to say."""

    def get(self, _request: HttpRequest, path: str = "") -> HttpResponse:
        """Answer, unless this is no issuer, or one with another path."""
        section = apikit_settings.tokens
        if section.issuer is None or not self.is_of(section.issuer, path):
            raise Http404
        try:
            answer = JsonResponse(self.document(section))
        except KeysUnavailableError as error:
            answer = JsonResponse({}, status=503)
            answer["Retry-After"] = str(error.retry_after)
            patch_cache_control(answer, no_store=True)
            return answer
        patch_cache_control(answer, public=True, max_age=max_age(section))
        return answer

    def is_of(self, issuer: str, path: str) -> bool:
        """Tell whether somebody asks for this issuer (RFC 8414 section 3.1)."""
        return urlsplit(issuer).path.strip("/") == path.strip("/")


class JWKSView(_PublicView):
    """The public keys: those that verify, and the next one (RFC 7517 section 5)."""

    def document(self, _section: TokensSettings) -> dict[str, Any]:
        """Give the key set; the first key is made for whoever asks first."""
        return {"keys": list(current_ring().published())}

    def is_of(self, _issuer: str, _path: str) -> bool:
        """Tell nothing apart: `jwks_uri` says where this is."""
        return True


class MetadataView(_PublicView):
    """What verifiers need (RFC 8414 section 2).

    There is no authorization endpoint and no grant. Both lists are there although they
    are empty: one of them is mandatory, and without the other the default of section 2
    would be claimed.
    """

    def document(self, section: TokensSettings) -> dict[str, Any]:
        """Give the metadata."""
        issuer = str(section.issuer)
        document = {
            "issuer": issuer,
            "jwks_uri": urljoin(issuer, reverse("apikit-jwks")),
            "response_types_supported": [],
            "grant_types_supported": [],
        }
        if section.scopes:
            document["scopes_supported"] = sorted(section.scopes)
        return document
