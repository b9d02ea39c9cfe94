"""Just enough Django to import the package."""

SECRET_KEY = "for building the documentation"
USE_TZ = True
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "rest_framework",
    "drf_apikit",
    "drf_apikit.tokens",
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
