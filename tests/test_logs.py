import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.test import RequestFactory
from rest_framework.request import Request

from drf_apikit.logs import INSTANCE_ATTRIBUTE, ProblemInstanceFilter, django_request
from drf_apikit.problems.occurrence import identify

ROOT = Path(__file__).resolve().parent.parent

#: A project that logs as the how-to says, and a record before and after setup.
SCRIPT = """
import json
import logging
import sys

import django
from django.conf import settings

settings.configure(
    INSTALLED_APPS=["drf_apikit"],
    LOGGING={
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"instance": {"()": "drf_apikit.logs.ProblemInstanceFilter"}},
        "formatters": {"line": {"format": "%(problem_instance)s %(message)s"}},
        "handlers": {
            "out": {
                "class": "logging.StreamHandler",
                "stream": sys.stdout,
                "formatter": "line",
                "filters": ["instance"],
            }
        },
        "root": {"handlers": ["out"], "level": "WARNING"},
    },
)
from django.utils.log import configure_logging

configure_logging(settings.LOGGING_CONFIG, settings.LOGGING)
from django.apps import apps

assert not apps.ready
assert "drf_apikit.models" not in sys.modules
logging.getLogger("early").warning("before")
"""


def record_with(request: Any) -> Any:
    record = logging.LogRecord("a", logging.ERROR, __file__, 1, "text", None, None)
    if request is not None:
        vars(record)["request"] = request
    assert ProblemInstanceFilter().filter(record) is True
    return record


@pytest.mark.parametrize("wrap", [lambda r: r, Request], ids=["Django's", "DRF's"])
def test_a_record_with_a_request_has_its_instance(wrap: Any) -> None:
    request = RequestFactory().get("/")
    instance = identify(request)
    assert record_with(wrap(request)).problem_instance == instance
    assert identify(wrap(request)) == instance


@pytest.mark.parametrize(
    "request_",
    [None, RequestFactory().get("/"), "a text", pytest.param(object(), id="object")],
    ids=repr,
)
def test_other_records_pass_with_a_dash(request_: Any) -> None:
    assert record_with(request_).problem_instance == "-"


def test_the_request_of_django() -> None:
    request = RequestFactory().get("/")
    assert django_request(Request(request)) is django_request(request) is request
    assert not hasattr(request, INSTANCE_ATTRIBUTE)
    assert django_request(None) is None


def test_logging_is_set_up_before_apps_are_ready() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "- before\n"


#: The whole of it: `django.setup()`, then a request that fails.
WHOLE = """
import json
import django

django.setup()
from django.test import Client

answer = Client().get("/api/nowhere/")
print(json.dumps(answer.json()["instance"]))
"""


def test_the_record_of_a_real_request_has_the_id_of_its_document() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WHOLE],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={
            "DJANGO_SETTINGS_MODULE": "ledger.settings",
            "SECRET_KEY": "a key that only this test knows, and long enough",
            "ALLOWED_HOSTS": "testserver",
            "PYTHONPATH": f"{ROOT}:{ROOT / 'example_project'}",
        },
    )
    assert done.returncode == 0, done.stderr
    instance = json.loads(done.stdout)
    assert instance.startswith("urn:uuid:")
    assert f" {instance} Not Found: /api/nowhere/" in done.stderr
