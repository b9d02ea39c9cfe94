from django.urls import include, path
from rest_framework.routers import DefaultRouter

from tests.idempotency import views

router = DefaultRouter()
router.register("articles", views.ArticleViewSet, basename="article")
router.register("shared", views.SharedViewSet, basename="shared")
router.register("locking", views.LockingViewSet, basename="locking")
router.register("labels", views.LabelViewSet)

urlpatterns = [
    path("effects/", views.Effects.as_view()),
    path("effects/<str:name>/", views.Effects.as_view()),
    path("others/", views.Effects.as_view()),
    path("unprotected/", views.Unprotected.as_view()),
    path("optional/", views.Optional.as_view()),
    path("uploads/", views.Uploads.as_view()),
    path("uploads/<str:filename>", views.Uploads.as_view()),
    path("function/", views.function),
    path("kind/", views.Kind.as_view()),
    path("rowless/<str:pk>/", views.Rowless.as_view()),
    path(
        "nested/<str:parent>/articles/",
        views.ArticleViewSet.as_view({"post": "create"}),
    ),
    path("", include(router.urls)),
]
