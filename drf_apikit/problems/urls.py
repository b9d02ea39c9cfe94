"""The pages about problem types; include them where `TYPE_BASE` leads."""

from django.urls import path

from drf_apikit.problems.views import type_detail, type_list

__all__ = ["app_name", "urlpatterns"]

app_name = "drf_apikit_problems"

urlpatterns = [
    path("", type_list, name="list"),
    path("<slug:slug>", type_detail, name="detail"),
]
