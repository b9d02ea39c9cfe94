from typing import Any

import pytest
from django.test import RequestFactory

from drf_apikit.login.destinations import safe_url, setting_url, wanted_url

SAFE = [
    "/",
    "/accounts/?a=b#c",
    "accounts",
    "?page=2",
    "/a//b",
    "http://testserver/x",
    "https://testserver/x",
    "/%2F%2Fevil.example",
    "/x?next=https://evil.example",
    "/übersicht/",
]
UNSAFE = [
    *("//evil.example", "///evil.example", "////evil.example", "/\\evil.example"),
    *("\\\\evil.example", "\\/evil.example", "/\\/evil.example", "//\\evil.example"),
    *("http:///evil.example", "http:\\\\evil.example", "http:evil.example"),
    *("https:evil.example", "https:/evil.example", "http:////evil.example"),
    *("https://evil.example", "HTTPS://EVIL.EXAMPLE", "ftp://testserver/"),
    *("javascript:alert(1)", "JavaScript:alert(1)", "java\tscript:alert(1)"),
    *("\x01javascript:alert(1)", " javascript:alert(1)", "data:text/html,x"),
    *("vbscript:x", "blob:http://testserver/x", "mailto:a@b.example"),
    *("http://testserver@evil.example/", "http://testserver:80@evil.example/"),
    *("http://evil.example#@testserver/", "http://evil.example\\@testserver/"),
    *("http://user:pw@testserver/", "http://testserver.evil.example/"),
    *("http://testserver:8443/", "http://testserver%2eevil.example/", "http://[::1"),
    *(
        "/\t/evil.example",
        "/\n/evil.example",
        "/\r\nSet-Cookie: a=b",
        "\t//evil.example",
    ),
    *(
        "//evil.example/..",
        "//%65vil.example",
        "http://evil。example",
        "//testserver@evil",
    ),
    *("", " ", "/\x00", "/\u2028", "/" + "a" * 2000),
]


@pytest.fixture
def request_() -> Any:
    return RequestFactory().get("/")


@pytest.mark.parametrize("url", SAFE)
def test_what_stays_here(request_: Any, url: str) -> None:
    assert safe_url(request_, url) == url


@pytest.mark.parametrize("url", UNSAFE, ids=repr)
@pytest.mark.compliance("RFC 9700", "4.11")
def test_what_leads_elsewhere(request_: Any, url: str) -> None:
    assert safe_url(request_, url) is None


def test_nothing_is_nowhere(request_: Any) -> None:
    assert safe_url(request_, None) is None


def test_hosts_that_the_project_allows(request_: Any, settings: Any) -> None:
    settings.OIDC_REDIRECT_ALLOWED_HOSTS = ["app.example"]
    assert safe_url(request_, "https://app.example/x") == "https://app.example/x"
    assert safe_url(request_, "/x") == "/x"
    assert safe_url(request_, "https://app.example.evil/x") is None


@pytest.mark.parametrize(("secure", "setting"), [(True, None), (False, True)])
def test_https_stays_https(settings: Any, secure: bool, setting: bool | None) -> None:
    if setting is not None:
        settings.OIDC_REDIRECT_REQUIRE_HTTPS = setting
    request = RequestFactory().get("/", secure=secure)
    assert safe_url(request, "http://testserver/") is None
    assert safe_url(request, "https://testserver/") == "https://testserver/"


def test_the_parameter_has_the_name_that_the_setting_gives(settings: Any) -> None:
    settings.OIDC_REDIRECT_FIELD_NAME = "goto"
    factory = RequestFactory()
    request: Any = factory.get("/?goto=/a/&next=/b/")
    assert wanted_url(request) == "/a/"
    assert wanted_url(request, "next") == "/b/"
    posted: Any = factory.post("/?goto=/a/", {"goto": "/c/"})
    assert wanted_url(posted) == "/c/"
    assert wanted_url(factory.get("/?goto=//evil.example")) is None


@pytest.mark.parametrize(
    ("value", "url"), [(None, "/"), ("/bye/", "/bye/"), ("who", "/who/")]
)
def test_a_setting_is_a_url_or_a_view(settings: Any, value: Any, url: str) -> None:
    settings.ROOT_URLCONF = "tests.login.website"
    settings.LOGOUT_REDIRECT_URL = value
    assert setting_url("LOGOUT_REDIRECT_URL") == url
