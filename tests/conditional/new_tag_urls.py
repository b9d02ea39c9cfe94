from rest_framework.routers import SimpleRouter

from tests.conditional.new_tag_views import VIEWS

router = SimpleRouter()
for prefix, view in VIEWS.items():
    router.register(prefix, view, basename=prefix.replace("/", "-"))
urlpatterns = router.urls
