import subprocess
import sys
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from corsheaders.defaults import default_headers
from django.conf import settings as django_settings
from django.core.management import call_command
from django.test import override_settings
from django.urls import clear_url_caches, set_script_prefix

from drf_apikit.checks import check_cors, check_problems
from drf_apikit.http.cors import ALLOWED_HEADERS, EXPOSED_HEADERS
from drf_apikit.problems import django_handlers
from tests.problems import urls as good

ROOT = Path(__file__).resolve().parent.parent.parent
OURS = "drf_apikit.problems.django_handlers"
CSRF = f"{OURS}.csrf_failure"

Routes = Callable[..., None]


@pytest.fixture(autouse=True)
def _wired(settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.problems.urls"
    settings.CSRF_FAILURE_VIEW = CSRF


@pytest.fixture
def routes(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Iterator[Routes]:
    """Give a function that makes a URL configuration with these names."""

    def making(**names: Any) -> None:
        module = ModuleType("routes_of_this_test")
        own = {name: getattr(good, name) for name in good.__all__}
        vars(module).update({**own, **names})
        monkeypatch.setitem(sys.modules, module.__name__, module)
        settings.ROOT_URLCONF = module.__name__
        clear_url_caches()

    yield making
    clear_url_caches()


def ids(messages: list[Any]) -> list[str]:
    assert all(message.hint for message in messages)
    return [message.id.removeprefix("drf_apikit.") for message in messages]


def test_a_wired_project_is_silent() -> None:
    assert check_problems() == []
    assert check_cors() == []


@pytest.mark.parametrize("status", [400, 403, 404, 500])
@pytest.mark.parametrize(
    "view", [None, print, "django.views.defaults.page_not_found", "nowhere.at_all", 7]
)
def test_an_error_view_that_is_not_ours(status: int, view: Any, routes: Routes) -> None:
    routes(**{f"handler{status}": view})
    (warning,) = check_problems()
    assert ids([warning]) == ["W001"]
    assert f"error view for {status} is not" in warning.msg
    assert f"handler{status}" in (warning.hint or "")
    assert "routes_of_this_test" in (warning.hint or "")


def test_an_error_view_by_its_name(routes: Routes) -> None:
    names = {f"handler{n}": f"{OURS}.handler{n}" for n in (400, 403, 404, 500)}
    routes(**names)
    assert check_problems() == []


def test_all_that_is_missing_is_told(routes: Routes, settings: Any) -> None:
    routes(
        handler400=None,
        handler403=None,
        handler404=None,
        handler500=None,
        urlpatterns=[],
    )
    settings.CSRF_FAILURE_VIEW = "django.views.csrf.csrf_failure"
    assert ids(check_problems()) == ["W001"] * 4 + ["W002", "W003"]


def test_a_page_for_csrf_failures(settings: Any) -> None:
    settings.CSRF_FAILURE_VIEW = "django.views.csrf.csrf_failure"
    (warning,) = check_problems()
    assert ids([warning]) == ["W002"]
    assert CSRF in (warning.hint or "")
    settings.MIDDLEWARE = [m for m in settings.MIDDLEWARE if "Csrf" not in m]
    assert check_problems() == []


def test_the_csrf_view_is_there() -> None:
    assert f"{django_handlers.__name__}.{django_handlers.csrf_failure.__name__}" == CSRF


@pytest.mark.parametrize(
    ("base", "found"),
    [
        ("/problems/", True),
        ("/errors/", False),
        ("/", False),
        ("/plain/", False),
        ("https://errors.example/", True),
        ("http://errors.example/problems/", True),
    ],
)
def test_types_that_lead_nowhere(base: str, found: bool, settings: Any) -> None:
    settings.DRF_APIKIT = {"PROBLEMS": {"TYPE_BASE": base}}
    assert ids(check_problems()) == ([] if found else ["W003"])


def test_a_path_that_a_proxy_strips(settings: Any) -> None:
    settings.DRF_APIKIT = {"PROBLEMS": {"TYPE_BASE": "/mounted/problems/"}}
    assert ids(check_problems()) == ["W003"]
    set_script_prefix("/mounted/")
    try:
        assert check_problems() == []
    finally:
        set_script_prefix("/")


def test_another_handler_needs_no_wires(routes: Routes, settings: Any) -> None:
    routes(handler404=None, urlpatterns=[])
    settings.REST_FRAMEWORK = {
        **settings.REST_FRAMEWORK,
        "EXCEPTION_HANDLER": "rest_framework.views.exception_handler",
    }
    assert check_problems() == []


def test_a_faulty_setting_has_an_error_of_its_own(settings: Any) -> None:
    settings.DRF_APIKIT = {"PROBLEMS": {"TYPE_BASE": "nowhere"}}
    assert check_problems() == []


def test_a_project_without_routes() -> None:
    with override_settings():
        del django_settings.ROOT_URLCONF
        assert check_problems() == []


CORS_APP = "corsheaders.apps.CorsHeadersAppConfig"


@pytest.mark.parametrize("app", ["corsheaders", CORS_APP])
@pytest.mark.parametrize(
    ("expose", "allow", "found"),
    [
        (None, None, 2),
        (EXPOSED_HEADERS, None, 1),
        (None, [*default_headers, *ALLOWED_HEADERS], 1),
        (EXPOSED_HEADERS, [*default_headers, *ALLOWED_HEADERS], 0),
        (EXPOSED_HEADERS[1:], ALLOWED_HEADERS, 1),
        ([n.upper() for n in EXPOSED_HEADERS], [n.title() for n in ALLOWED_HEADERS], 0),
        ([], [], 2),
    ],
)
def test_headers_that_scripts_do_not_see(
    app: str, expose: Any, allow: Any, found: int, settings: Any
) -> None:
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, app]
    if expose is not None:
        settings.CORS_EXPOSE_HEADERS = expose
    if allow is not None:
        settings.CORS_ALLOW_HEADERS = allow
    assert ids(check_cors()) == ["W004"] * found


def test_the_warning_names_what_is_missing(settings: Any) -> None:
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "corsheaders"]
    settings.CORS_EXPOSE_HEADERS = EXPOSED_HEADERS[1:]
    exposed, allowed = check_cors()
    assert exposed.msg == "CORS_EXPOSE_HEADERS lacks etag."
    assert exposed.hint == "Add drf_apikit.http.cors.EXPOSED_HEADERS to it."
    # What django-cors-headers allows by itself is not among them.
    missing = sorted(set(ALLOWED_HEADERS) - {"authorization", "content-type"})
    assert allowed.msg == f"CORS_ALLOW_HEADERS lacks {', '.join(missing)}."


def test_without_cors_there_is_nothing_to_say(settings: Any) -> None:
    settings.CORS_EXPOSE_HEADERS = []
    assert check_cors() == []


@pytest.mark.django_db
def test_warnings_come_out_of_manage_py(routes: Routes) -> None:
    routes(handler404=None)
    err = StringIO()
    call_command("check", stderr=err, stdout=StringIO())
    assert "(drf_apikit.W001)" in err.getvalue()


def test_the_ledger_is_silent() -> None:
    done = subprocess.run(
        [sys.executable, "example_project/manage.py", "check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={
            "SECRET_KEY": "a key that only this test knows, and long enough",
            "PYTHONPATH": str(ROOT),
        },
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "System check identified no issues (0 silenced).\n"
