"""The provider as a WSGI application: `gunicorn identity.wsgi`. Development only."""

import os

from django.core.exceptions import ImproperlyConfigured
from django.core.wsgi import get_wsgi_application

from identity import environment

__all__ = ["application"]

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "identity.settings")

application = get_wsgi_application()

# A WSGI server runs no system checks, so the guard is asked here once more.
if environment.current().refusal:
    raise ImproperlyConfigured(environment.current().refusal)
