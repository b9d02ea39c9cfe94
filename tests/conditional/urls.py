from django.urls import include, path
from rest_framework.routers import DefaultRouter

from tests.conditional import views

router = DefaultRouter()
router.include_root_view = False
router.include_format_suffixes = False
for name, view in {
    "articles": views.ArticleViewSet,
    "strict": views.StrictViewSet,
    "plain": views.PlainViewSet,
    "decorated": views.DecoratedViewSet,
    "mixed": views.MixedViewSet,
    "turned": views.TurnedViewSet,
}.items():
    router.register(name, view, basename=name)

urlpatterns = [
    path("own/", views.Own.as_view()),
    path("reckoning/", views.Reckoning.as_view()),
    path("editing/<str:name>/", views.Editing.as_view()),
    path("appending/<int:pk>/", views.Appending.as_view()),
    path("", include(router.urls)),
]
