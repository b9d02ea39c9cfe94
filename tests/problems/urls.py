from django.urls import include, path

from drf_apikit.problems.django_handlers import (
    handler400,
    handler403,
    handler404,
    handler500,
)
from tests.problems import views

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]

urlpatterns = [
    path("failing/", views.Failing.as_view()),
    path("orders/", views.Orders.as_view()),
    path("search/", views.Search.as_view()),
    path("guarded/", views.Guarded.as_view()),
    path("rendered/", views.Rendered.as_view()),
    path("plain/", views.Plain.as_view()),
    path("pages/plain/", views.Plain.as_view()),
    path("problems/", include("drf_apikit.problems.urls")),
]
