import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from django.core.checks import run_checks
from mozilla_django_oidc.auth import OIDCAuthenticationBackend
from rest_framework_simplejwt.settings import DEFAULTS

from drf_apikit.checks import register
from drf_apikit.checks.deployment import SECTIONS
from drf_apikit.checks.deployment.pitfalls import goes_in_clear, shown
from drf_apikit.checks.deployment.uses import SIMPLE_JWT, simple_jwt
from tests.checks.conftest import Route
from tests.checks.deployment.conftest import Obtain

HERE: Final = Path(__file__).resolve().parent
ROOT: Final = HERE.parents[2]
PAGE: Final = (ROOT / "docs/reference/checks.md").read_text("utf-8")
MODULES: Final = (ROOT / "drf_apikit/checks").rglob("*.py")


def rows() -> Iterator[tuple[str, list[str]]]:
    """Give the ids of the page, and the other cells of their rows."""
    for line in PAGE.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if named := re.fullmatch(r"`drf_apikit\.([EW]\d{3})`", cells[0]):
            yield named[1], cells[1:]


def test_each_id_has_one_row_with_its_section() -> None:
    told = [code for code, _ in rows()]
    assert len(told) == len(set(told))
    sections = {code: cells[-1] for code, cells in rows() if code in SECTIONS}
    assert sections == SECTIONS
    assert all(all(cells) for code, cells in rows())


def test_no_number_is_left_out_or_told_by_two() -> None:
    for kind in "EW":
        numbers = sorted(int(code[1:]) for code, _ in rows() if code[0] == kind)
        assert numbers == list(range(1, len(numbers) + 1))
    others = "".join(path.read_text("utf-8") for path in MODULES)
    assert not {code for code in SECTIONS if f'"drf_apikit.{code}"' in others}


def test_each_has_a_test_that_it_is_told_of() -> None:
    tests = "".join(path.read_text("utf-8") for path in HERE.glob("test_*.py"))
    assert not [code for code in SECTIONS if f'"{code}"' not in tests]
    assert len(SECTIONS) >= 50


def test_the_defaults_are_those_of_the_libraries(settings: Any) -> None:
    del settings.SIMPLE_JWT
    assert {name: DEFAULTS[name] for name in SIMPLE_JWT} == SIMPLE_JWT
    assert simple_jwt("SIGNING_KEY") == settings.SECRET_KEY
    assert OIDCAuthenticationBackend.get_settings("OIDC_USE_PKCE", False) is False


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://id.example/jwks?a=@", "'http://id.example/jwks?a=@'"),
        ("http://me:word@id.example/jwks", "'http://***@id.example/jwks'"),
        ("http://me:w@rd@id.example", "'http://***@id.example'"),
        ("http://[::1", "no URL"),
    ],
)
def test_a_url_is_shown_without_its_password(url: str, told: str) -> None:
    assert shown(url) == told
    assert goes_in_clear(url)


@pytest.mark.django_db
def test_they_are_for_deployments(route: Route, settings: Any) -> None:
    register()
    settings.SIMPLE_JWT = {"SIGNING_KEY": "short"}
    settings.AUTHENTICATION_BACKENDS = [
        "mozilla_django_oidc.auth.OIDCAuthenticationBackend"
    ]
    tokens = {"ISSUER": "http://shop.example", "AUDIENCE": "ledger"}
    settings.DRF_APIKIT = {"TOKENS": tokens}
    route(Obtain.as_view(throttle_classes=[]))
    of_each = {f"drf_apikit.{code}" for code in ("E022", "W040", "W049", "E035")}
    assert of_each.isdisjoint(message.id for message in run_checks())
    deployed = {message.id for message in run_checks(include_deployment_checks=True)}
    assert of_each <= deployed
