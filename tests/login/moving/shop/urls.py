"""The pages of the shop, and those of the login."""

from django.urls import include, path

from .views import account, home

urlpatterns = [
    path("", home, name="home"),
    path("account/", account, name="account"),
    path("oidc/", include("mozilla_django_oidc.urls")),
]
