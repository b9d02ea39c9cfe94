"""Addresses of the provider, all at the root of its host.

The toolkit finds its own views by the namespace `oauth2_provider`; only those that
this provider offers are in it, so there is no device flow, no registration and no
client management.
"""

from django.urls import include, path
from django.views.decorators.cache import cache_control
from django.views.generic import TemplateView

from identity.views import authorization, endpoints, logout, pages

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]

handler400 = "identity.views.pages.bad_request"
handler403 = "identity.views.pages.permission_denied"
handler404 = "identity.views.pages.not_found"
handler500 = "identity.views.pages.server_error"

protocol_urlpatterns = [
    path(
        ".well-known/openid-configuration",
        endpoints.DiscoveryView.as_view(),
        name="oidc-connect-discovery-info",
    ),
    path(
        ".well-known/oauth-authorization-server",
        endpoints.MetadataView.as_view(),
        name="oauth-server-metadata",
    ),
    path(".well-known/jwks.json", endpoints.JwksView.as_view(), name="jwks-info"),
    path("authorize/", authorization.AuthorizationView.as_view(), name="authorize"),
    path("token/", endpoints.TokenView.as_view(), name="token"),
    path("introspect/", endpoints.IntrospectionView.as_view(), name="introspect"),
    path("revoke/", endpoints.RevocationView.as_view(), name="revoke-token"),
    path("userinfo/", endpoints.UserInfoView.as_view(), name="user-info"),
    path("logout/", logout.LogoutView.as_view(), name="rp-initiated-logout"),
]

urlpatterns = [
    path("", pages.HomeView.as_view(), name="home"),
    path("login/", pages.LoginView.as_view(), name="login"),
    path("healthz", pages.health, name="health"),
    # No static files to collect: the one style sheet is a template.
    path(
        "style.css",
        cache_control(max_age=3600)(
            TemplateView.as_view(
                template_name="identity/style.css", content_type="text/css"
            )
        ),
        name="style",
    ),
    path("", include((protocol_urlpatterns, "oauth2_provider"))),
]
