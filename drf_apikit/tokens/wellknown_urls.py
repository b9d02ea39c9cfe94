"""Routes of what an issuer publishes, for the root of a site.

    path("", include("drf_apikit.tokens.wellknown_urls"))

An issuer with a path has its metadata where RFC 8414 section 3.1 puts it. The name
that OpenID Connect uses is served as well: section 5 there says that it is no promise
of an OpenID provider, and it is where most verifiers look, ours among them.
"""

from django.urls import path, re_path

from drf_apikit.tokens.wellknown import JWKSView, MetadataView

__all__ = ["urlpatterns"]

_metadata = MetadataView.as_view()

urlpatterns = [
    path(".well-known/jwks.json", JWKSView.as_view(), name="apikit-jwks"),
    re_path(
        r"^\.well-known/oauth-authorization-server(?P<path>/.+)?$",
        _metadata,
        name="apikit-issuer-metadata",
    ),
    re_path(r"^\.well-known/openid-configuration(?P<path>/.+)?$", _metadata),
    # Where OpenID Connect Discovery section 4.1 puts it.
    re_path(r"^(?P<path>.+)/\.well-known/openid-configuration$", _metadata),
]
