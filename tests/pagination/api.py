"""Lists with every source of an ordering, for the tests of the paginator."""

from typing import Any

from django.db.models import F, QuerySet
from django.urls import include, path
from rest_framework import pagination
from rest_framework.filters import OrderingFilter
from rest_framework.generics import ListAPIView
from rest_framework.renderers import BrowsableAPIRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter
from rest_framework.serializers import ModelSerializer
from rest_framework.views import APIView
from rest_framework.viewsets import ReadOnlyModelViewSet

from drf_apikit.pagination import CursorPagination
from tests.app.models import Article, Author, Book, Seat

__all__ = ["ArticleList", "urlpatterns"]


class ArticleSerializer(ModelSerializer[Article]):
    class Meta:
        model = Article
        fields = ("id", "title", "score", "created")


class BookSerializer(ModelSerializer[Book]):
    class Meta:
        model = Book
        fields = ("id", "title", "shelf")


class SeatSerializer(ModelSerializer[Seat]):
    class Meta:
        model = Seat
        fields = ("line", "number", "price")


class AuthorSerializer(ModelSerializer[Author]):
    class Meta:
        model = Author
        fields = ("id", "name")


SERIALIZERS = {
    serializer.Meta.model: serializer
    for serializer in (
        ArticleSerializer,
        AuthorSerializer,
        BookSerializer,
        SeatSerializer,
    )
}


class Small(CursorPagination):
    page_size = 2
    max_page_size = 4


class ByTitle(Small):
    ordering = "-title"


class Fixed(Small):
    page_size_query_param = None


class Renamed(Small):
    cursor_query_param = "after"
    page_size_query_param = "limit"


class ArticleList(ListAPIView[Article]):
    """Nothing of its own: the settings and the primary key decide."""

    authentication_classes = ()
    permission_classes = ()
    queryset: Any = Article.objects.all()
    serializer_class: Any = ArticleSerializer

    def get_queryset(self) -> QuerySet[Article]:
        queryset = super().get_queryset()
        if (flag := self.request.query_params.get("flag")) is not None:
            queryset = queryset.filter(flag=flag == "1")
        if "author" in self.kwargs:
            queryset = queryset.filter(author=self.kwargs["author"])
        return queryset


class OrderedList(ArticleList):
    pagination_class: Any = ByTitle
    filter_backends: Any = (OrderingFilter,)
    ordering_fields: Any = ("created", "score", "author__name", "pk", "extra")


class DefaultOrderedList(OrderedList):
    ordering = ("-score", "title")


class ForeignFilterList(OrderedList):
    """A filter backend in front that has no ordering."""

    class Everything:
        def filter_queryset(self, _request: Any, queryset: Any, _view: Any) -> Any:
            return queryset

    filter_backends = (Everything, OrderingFilter)


class OfDrf(pagination.CursorPagination):
    ordering = "id"
    page_size = 2


class MisspeltPagination(Small):
    ordering = ("-title", "publshed")


class ExpressionPagination(Small):
    ordering = (F("title").desc(),)


class Values(APIView):
    """Rows of `values()`, as a view without a serializer has them."""

    authentication_classes = ()
    permission_classes = ()
    columns: tuple[str, ...] = ("id", "title")

    def get(self, request: Request) -> Response:
        paginator = ByTitle()
        rows = Article.objects.values(*self.columns)
        return paginator.get_paginated_response(
            paginator.paginate_queryset(rows, request, view=self)
        )


class Browsable(ArticleList):
    pagination_class = Small
    renderer_classes = (BrowsableAPIRenderer, JSONRenderer)


class Articles(ReadOnlyModelViewSet[Article]):
    authentication_classes = ()
    permission_classes = ()
    queryset = Article.objects.order_by("-score")
    serializer_class = ArticleSerializer
    pagination_class = Small


router = SimpleRouter()
router.register("viewset", Articles)


def listed(queryset: Any = None, **attributes: Any) -> Any:
    """Give a view of small pages; over another model with its own serializer."""
    if queryset is not None:
        attributes |= {"queryset": queryset}
        attributes |= {"serializer_class": SERIALIZERS[queryset.model]}
    return ArticleList.as_view(**{"pagination_class": Small, **attributes})


urlpatterns = [
    path("plain/", ArticleList.as_view()),
    path("small/", listed()),
    path("other/", listed()),
    path("authors/<int:author>/", listed()),
    path("writers/", listed(Author.objects.all())),
    path("by-title/", listed(pagination_class=ByTitle)),
    path("fixed/", listed(pagination_class=Fixed)),
    path("renamed/", listed(pagination_class=Renamed)),
    path("ordered/", OrderedList.as_view()),
    path("default-ordered/", DefaultOrderedList.as_view()),
    path("foreign-filter/", ForeignFilterList.as_view()),
    path("queryset/", listed(Article.objects.order_by("-score"))),
    path("unordered/", listed(Book.objects.order_by())),
    path("books/", listed(Book.objects.all())),
    path("seats/", listed(Seat.objects.all())),
    path("related/", listed(Article.objects.order_by("-author__name"))),
    path("misspelt/", listed(pagination_class=MisspeltPagination)),
    path("expression/", listed(pagination_class=ExpressionPagination)),
    path("values/", Values.as_view()),
    path("values-without-key/", Values.as_view(columns=("title",))),
    path("browsable/", Browsable.as_view()),
    path("of-drf/", listed(pagination_class=OfDrf)),
    path("", include(router.urls)),
]
