"""A process that is killed behind its commit: `killed_writer.py DATABASE REDIS`."""

import os
import signal
import sys

import django
from django.test import override_settings

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
django.setup()

from django.db import connections, transaction

from drf_apikit.conditional.generations import install
from tests.app.models import Article

name, location = sys.argv[1:]
backend = {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": location}
connections.settings["default"]["NAME"] = name
with override_settings(
    CACHES={"default": backend},
    DRF_APIKIT={"CONDITIONAL": {"GENERATIONS": ["tests_app.Article"]}},
):
    install()
    with transaction.atomic():
        # Before what finishes the mark.
        transaction.on_commit(lambda: os.kill(os.getpid(), signal.SIGKILL))
        Article.objects.create(title="killed")
