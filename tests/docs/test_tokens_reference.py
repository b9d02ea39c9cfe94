"""The reference of tokens of one's own lists what there is."""

import re
from typing import Any, Final

import pytest
from django.core.management import load_command_class
from django.test import Client

from drf_apikit import problem_types
from drf_apikit.tokens import views
from tests.docs.pages import ROOT, text_of
from tests.tokens.pitfall_site import SETTINGS, Site, payload_of

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.docs.tokens_urls")]

PAGE: Final = text_of("reference/tokens.md")
PROBLEMS: Final = re.findall(r"^\| (\d{3}) \| `([a-z-]+)` \|", PAGE, re.MULTILINE)
PATHS: Final = re.findall(r"^\| `(/\.well-known/[a-z.-]+)` \|", PAGE, re.MULTILINE)
OBEYED: Final = PAGE.partition("Of `SIMPLE_JWT` these")[2].partition("\n\n")[0]
ANSWERING: Final = (
    views.TokenObtainPairView,
    views.TokenRefreshView,
    views.TokenBlacklistView,
    views.TokenVerifyView,
    views.SessionViewSet,
)


def cells(heading: str) -> set[str]:
    """Give the names in the first column of the table below a heading."""
    table = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    first = re.findall(r"^\| (`[^|]+) \|", table, re.MULTILINE)
    return {name for cell in first for name in re.findall(r"`([^`]+)`", cell)}


@pytest.fixture
def site(settings: Any) -> Site:
    settings.DRF_APIKIT = SETTINGS
    return Site()


def test_each_refusal_is_in_the_reference_and_no_other() -> None:
    told = {problem_types.THROTTLED}
    for view in ANSWERING:
        told.update(view.possible_problems)
    assert {(str(kind.status), kind.slug) for kind in told} == set(PROBLEMS)


def test_each_view_is_in_the_reference_and_no_other() -> None:
    listed = cells("Views") & set(views.__all__)
    assert listed == set(views.__all__) == {view.__name__ for view in ANSWERING}


def test_each_claim_is_in_the_reference_and_no_other(site: Site) -> None:
    assert cells("Access tokens") == payload_of(site.tokens()["access"]).keys()


def test_a_refresh_token_is_as_long_as_the_page_says(site: Site) -> None:
    (length,) = re.findall(r"^`akr1_` and (\d+) characters", PAGE, re.MULTILINE)
    text = site.tokens()["refresh"]
    assert re.fullmatch(rf"akr1_[\w-]{{{length}}}", text)


@pytest.mark.usefixtures("site")
def test_what_is_published_is_where_the_page_says() -> None:
    assert len(PATHS) == 3
    for path in PATHS:
        assert Client().get(path).status_code == 200


def test_settings_of_simplejwt_that_are_named_are_read() -> None:
    modules = (ROOT / "drf_apikit/tokens").rglob("*.py")
    text = "\n".join(path.read_text("utf-8") for path in modules)
    named = set(re.findall(r"`(\w+)`", OBEYED))
    assert len(named) == 13
    assert {name for name in named if f'"{name}"' not in text} == set()


def test_options_of_the_command_are_there() -> None:
    parser = load_command_class("drf_apikit.tokens", "apikit_keys").create_parser(
        "", ""
    )
    for words in (["list", "--format", "json"], ["rotate", "--now"]):
        assert " ".join(words[1:]) in PAGE
        assert parser.parse_args(words).what == words[0]
    assert "--if-due" in PAGE
    assert parser.parse_args(["rotate", "--if-due"]).if_due
    assert parser.parse_args(["retire", "KID"]).kid == "KID"
