from rest_framework.routers import SimpleRouter

from tests.compliance.conditional_views import views

router = SimpleRouter()
for prefix, view in views().items():
    router.register(prefix, view, basename=prefix.replace("/", "-"))
urlpatterns = router.urls
