import pytest
from django.urls import resolve, reverse

from drf_apikit.problems import urls
from drf_apikit.problems.views import type_detail, type_list

pytestmark = pytest.mark.urls("tests.problems.urls")


@pytest.mark.parametrize(
    ("name", "slugs", "path", "view"),
    [
        ("list", [], "/problems/", type_list),
        ("detail", ["not-found"], "/problems/not-found", type_detail),
    ],
)
def test_pages_are_where_types_lead(
    name: str, slugs: list[str], path: str, view: object
) -> None:
    assert reverse(f"{urls.app_name}:{name}", args=slugs) == path
    assert resolve(path).func is view
