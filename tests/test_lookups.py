from typing import Any

import pytest
from rest_framework.generics import GenericAPIView

from drf_apikit.lookups import has_rows, lookup_kwarg
from tests.app.models import Article


class Bare(GenericAPIView[Any]):
    pass


class Declared(GenericAPIView[Any]):
    queryset = Article.objects.all()
    lookup_field = "title"


class Own(GenericAPIView[Any]):
    lookup_url_kwarg = "name"

    def get_queryset(self) -> Any:
        return Article.objects.all()


@pytest.mark.parametrize(
    ("view", "rows", "name"),
    [(Bare, False, "pk"), (Declared, True, "title"), (Own, True, "name")],
)
def test_what_a_view_says(view: Any, rows: bool, name: str) -> None:
    assert (has_rows(view()), lookup_kwarg(view())) == (rows, name)
