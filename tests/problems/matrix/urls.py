from django.urls import include, path
from django.views.generic import View

from drf_apikit.problems.django_handlers import (
    handler400,
    handler403,
    handler404,
    handler500,
)
from tests.problems.matrix import views

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]

urlpatterns = [
    path("raise/<str:name>", views.Failing.as_view()),
    path("plain/<str:name>", views.plain),
    path("echo", views.Echo.as_view()),
    path("forms", views.Forms.as_view()),
    path("browsed/<str:name>", views.Browsed.as_view()),
    path("throttled", views.Throttled.as_view()),
    path("secured", views.Secured.as_view()),
    path("bearer", views.Bearer.as_view()),
    path("session", views.Session.as_view()),
    path("challenged", views.Challenged.as_view()),
    path("silent", views.Silent.as_view()),
    path("sundays", views.Sundays.as_view()),
    path("rendered/<str:kind>", views.Rendered.as_view()),
    path("titles", views.Titles.as_view()),
    path("titles/<path:title>", views.TitleDetail.as_view()),
    path("handmade", views.handmade),
    path("middleware/<str:where>", View.as_view()),
    path("problems/", include("drf_apikit.problems.urls")),
]
