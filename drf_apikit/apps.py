"""The Django app."""

from importlib import import_module
from importlib.util import find_spec

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

__all__ = ["ApikitConfig"]


class ApikitConfig(AppConfig):
    """`drf_apikit` in `INSTALLED_APPS`."""

    name = "drf_apikit"
    verbose_name = _("API kit")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register checks and OpenAPI extensions, and watch what is written.

        All import models, which are not there yet when this module is imported.
        """
        import_module("drf_apikit.checks").register()
        import_module("drf_apikit.conditional.generations").install()
        if find_spec("drf_spectacular"):
            # drf-spectacular finds an extension once its module is imported.
            import_module("drf_apikit.contrib.spectacular")
