"""The provider as a WSGI application: `gunicorn identity.wsgi`. Development only."""

from __future__ import annotations

import os

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.wsgi import get_wsgi_application

__all__ = ["application"]

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "identity.settings")

application = get_wsgi_application()

# A WSGI server runs no system checks, so the guard is asked here once more.
if settings.IDENTITY.refusal:
    raise ImproperlyConfigured(settings.IDENTITY.refusal)
