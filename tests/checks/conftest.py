"""URL configurations that a test makes of its own views."""

import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest
from django.urls import clear_url_caches, path

__all__ = ["Route", "route"]

#: Makes the given views all that there is.
Route = Callable[..., None]


@pytest.fixture
def route(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Iterator[Route]:
    """Give a function that takes views, as `as_view()` makes them."""

    def making(*views: Any) -> None:
        module = ModuleType("routes_of_this_test")
        vars(module)["urlpatterns"] = [
            path(f"{number}/", view) for number, view in enumerate(views)
        ]
        monkeypatch.setitem(sys.modules, module.__name__, module)
        settings.ROOT_URLCONF = module.__name__
        clear_url_caches()

    yield making
    clear_url_caches()
