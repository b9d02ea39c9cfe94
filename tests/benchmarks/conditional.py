"""Conditional requests: 200, 304, and the least that a view with a query can do."""

from collections.abc import Callable
from typing import Any

from rest_framework.generics import ListAPIView, RetrieveUpdateAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import ModelSerializer
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView

from drf_apikit.conditional import ConditionalMixin
from tests.app.models import Article
from tests.benchmarks.harness import (
    Goal,
    measure,
    options,
    respond,
    throw_away_database,
)

ROWS = 100
FACTORY = APIRequestFactory()
OPEN: dict[str, Any] = {"authentication_classes": (), "permission_classes": ()}


class ArticleSerializer(ModelSerializer[Article]):
    class Meta:
        model = Article
        fields = ("id", "title", "score", "price", "created", "day", "flag", "version")
        read_only_fields = ("version",)


class Floor(APIView):
    def get(self, _request: Request, pk: int) -> Response:
        Article.objects.get(pk=pk)
        return Response({})


class Plain(RetrieveUpdateAPIView[Article]):
    queryset = Article.objects.order_by("pk")
    serializer_class = ArticleSerializer


class Conditional(ConditionalMixin, Plain):
    pass


class PlainList(ListAPIView[Article]):
    pagination_class = None
    queryset = Article.objects.order_by("pk")
    serializer_class = ArticleSerializer


class ConditionalList(ConditionalMixin, PlainList):
    pass


def get(view: type[APIView], pk: int | None = None, tag: str = "") -> Any:
    handler = view.as_view(**OPEN)
    headers = {"If-None-Match": tag} if tag else {}
    kwargs = {} if pk is None else {"pk": pk}
    return lambda: respond(handler, FACTORY.get("/", headers=headers), **kwargs)


def patch(view: type[APIView], pk: int, tag: str = "") -> Callable[[], object]:
    handler = view.as_view(**OPEN)
    headers = {"If-Match": tag} if tag else {}

    def send() -> object:
        request = FACTORY.patch("/", {"title": "x"}, format="json", headers=headers)
        return respond(handler, request, pk=pk)

    return send


def main() -> None:
    chosen = options(__doc__)
    with throw_away_database(chosen.database):
        Article.objects.bulk_create(Article(title=f"{n}") for n in range(ROWS))
        pk = Article.objects.order_by("pk")[0].pk
        tag = get(Conditional, pk)()["ETag"]
        list_tag = get(ConditionalList)()["ETag"]
        assert get(Conditional, pk, tag)().status_code == 304
        assert get(ConditionalList, None, list_tag)().status_code == 304
        cases = {
            "floor": get(Floor, pk),
            "plain 200": get(Plain, pk),
            "200": get(Conditional, pk),
            "304": get(Conditional, pk, tag),
            "plain list 200": get(PlainList),
            "list 200": get(ConditionalList),
            "list 304": get(ConditionalList, None, list_tag),
            "plain PATCH": patch(Plain, pk),
            "PATCH": patch(Conditional, pk),
            "PATCH If-Match: *": patch(Conditional, pk, "*"),
        }
        goals = [
            Goal("304", "floor", "at most 1.15"),
            Goal("200", "plain 200"),
            Goal("list 200", "list 304", "at least 15"),
            Goal("list 200", "plain list 200"),
            Goal("PATCH", "plain PATCH", "one statement, BEGIN and COMMIT more"),
            Goal("PATCH If-Match: *", "plain PATCH"),
        ]
        title = f"Conditional requests on {chosen.database}, lists of {ROWS}"
        measure(title, cases, goals, chosen.rounds, repeat=5)


if __name__ == "__main__":
    main()
