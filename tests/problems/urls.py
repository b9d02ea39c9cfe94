from django.urls import path

from tests.problems import views

urlpatterns = [
    path("failing/", views.Failing.as_view()),
    path("orders/", views.Orders.as_view()),
]
