import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.urls import clear_url_caches, re_path

from drf_apikit.doctor.findings import Context, Finding
from drf_apikit.doctor.running import examine
from drf_apikit.doctor.wiring import PROBE
from tests.problems import urls as good

ALL = [
    *("settings", "debug", "exception_handler", "handlers", "types", "csrf"),
    "not_found",
]
PATHS = {"PROBLEMS": {"PATHS": ["/api/", "/problems/"]}}

Routes = Callable[..., None]


@pytest.fixture(autouse=True)
def _wired(settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.problems.urls"
    settings.DEBUG = False


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


def told() -> dict[str, Finding]:
    found = list(examine([PROBE], Context(timeout=60)))
    return {one.id.partition(".")[2]: one for one in found}


def statuses() -> dict[str, str]:
    return {name: str(one.status) for name, one in told().items()}


@pytest.mark.parametrize("section", [{}, PATHS], ids=["everywhere", "paths"])
def test_a_wired_project_is_in_order(section: Any, settings: Any) -> None:
    settings.DRF_APIKIT = section
    found = told()
    assert statuses() == dict.fromkeys(ALL, "ok")
    path = "/api/apikit-doctor-" if section else "/apikit-doctor-"
    assert found["not_found"].seen.startswith(f"GET {path}")
    assert found["not_found"].seen.endswith("404 with application/problem+json.")


def test_faults_of_the_settings_are_told_alone(settings: Any) -> None:
    settings.DRF_APIKIT = {"PROBLEMS": {"PATH": []}, "NOTHING": {}}
    found = list(examine([PROBE], Context()))
    assert [one.id for one in found] == ["wiring.settings"] * 2
    assert {str(one.status) for one in found} == {"risk"}
    assert "Did you mean 'PATHS'?" in {one.remedy for one in found}


def test_a_project_with_answers_of_its_own_is_left_alone(settings: Any) -> None:
    handler = "rest_framework.views.exception_handler"
    settings.REST_FRAMEWORK = {"EXCEPTION_HANDLER": handler}
    assert statuses() == {
        "settings": "ok",
        "debug": "ok",
        "exception_handler": "skipped",
    }


def test_debug_is_a_risk_and_hides_the_rest(settings: Any) -> None:
    settings.DEBUG = True
    found = statuses()
    assert (found["debug"], found["not_found"]) == ("risk", "skipped")


def test_error_views_that_are_not_ours(routes: Routes) -> None:
    routes(handler404=None, handler500=None)
    found = list(examine([PROBE], Context()))
    wrong = [one for one in found if one.status == "risk"]
    assert [one.id.partition(".")[2] for one in wrong] == [
        *("handlers", "handlers", "not_found")
    ]
    assert "404 with text/html" in wrong[-1].seen
    assert "Import handler404 from drf_apikit" in wrong[-1].remedy


def test_type_uris_that_lead_nowhere(settings: Any) -> None:
    settings.DRF_APIKIT = {"PROBLEMS": {"TYPE_BASE": "/errors/"}}
    found = told()
    assert found["types"].status == "risk"
    assert "/errors/" in found["types"].seen


@pytest.mark.parametrize(
    ("view", "seen"),
    [
        ("django.views.csrf.csrf_failure", "is answered with text/html."),
        ("nowhere.at.all", "ModuleNotFoundError: "),
    ],
)
def test_csrf_failures(view: str, seen: str, settings: Any) -> None:
    settings.CSRF_FAILURE_VIEW = view
    found = told()["csrf"]
    assert found.status == "risk"
    assert seen in found.seen
    assert "csrf_failure" in found.remedy
    settings.MIDDLEWARE = [one for one in settings.MIDDLEWARE if "Csrf" not in one]
    assert told()["csrf"].seen == "There is no CsrfViewMiddleware."


def refusing(_: Any) -> Callable[[HttpRequest], HttpResponse]:
    def answer(_: HttpRequest) -> HttpResponse:
        return HttpResponse(status=503)

    return answer


def raising(_: Any) -> Callable[[HttpRequest], HttpResponse]:
    raise LookupError("no such middleware")


@pytest.mark.parametrize(
    ("name", "seen", "remedy"),
    [
        ("refusing", "503 with text/html", "See the log"),
        ("raising", "LookupError: no such", "Mend the middleware"),
    ],
)
def test_middleware_that_is_in_the_way(
    name: str, seen: str, remedy: str, settings: Any
) -> None:
    settings.MIDDLEWARE = [f"{__name__}.{name}", *settings.MIDDLEWARE]
    found = told()["not_found"]
    assert found.status == "risk"
    assert seen in found.seen
    assert found.remedy.startswith(remedy)


def test_something_that_answers_for_all_paths(routes: Routes) -> None:
    routes(urlpatterns=[re_path("", lambda _: HttpResponse("here"))])
    found = told()["not_found"]
    assert found.status == "skipped"
    assert "200 with text/html. Something answers for all" in found.seen


@pytest.mark.parametrize(
    ("hosts", "status"),
    [
        (["*"], "ok"),
        ([".shop.example"], "ok"),
        (["shop.example", "*"], "ok"),
        ([], "risk"),
    ],
    ids=str,
)
def test_hosts(hosts: list[str], status: str, settings: Any) -> None:
    settings.ALLOWED_HOSTS = hosts
    found = told()["not_found"]
    assert found.status == status
    if status == "risk":
        assert "answered 400" in found.seen
        assert "ALLOWED_HOSTS" in found.remedy


@pytest.mark.parametrize(
    "header", [None, ("HTTP_X_FORWARDED_PROTO", "https")], ids=["own", "proxy"]
)
def test_a_redirect_to_https_is_not_in_the_way(header: Any, settings: Any) -> None:
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_PROXY_SSL_HEADER = header
    assert told()["not_found"].status == "ok"


def test_a_path_without_a_slash_at_its_end(settings: Any) -> None:
    settings.DRF_APIKIT = {"PROBLEMS": {"PATHS": ["/api"]}}
    assert "GET /api/apikit-doctor-" in told()["not_found"].seen
