"""Cursors that this list did not give out: all refused, none ever a failure."""

import base64
import json
import random
from typing import Any, ClassVar, Final
from urllib.parse import quote

import django_filters
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.signing import Signer
from django.db.models import CharField
from django.db.models.functions import Cast
from django.urls import path
from django_filters.rest_framework import DjangoFilterBackend
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pytest_django import Settings
from rest_framework.filters import OrderingFilter, SearchFilter
from rest_framework.request import Request
from rest_framework.test import APIClient, APIRequestFactory

from drf_apikit.pagination import CursorPagination
from drf_apikit.testing import assert_problem
from tests.app.models import Article, Author
from tests.pagination import api
from tests.pagination.asking import cursor_of, link_of, refused, titles
from tests.pagination.walking import MOMENT

pytestmark = [pytest.mark.urls(__name__), pytest.mark.django_db]


class OfArticles:
    model = Article
    fields: ClassVar = {"title": ["exact", "in"]}


# django-filter has no types, so that nothing can be a subclass.
ArticleFilter: Any = type(
    "ArticleFilter",
    (django_filters.FilterSet,),
    {
        "Meta": OfArticles,
        "created": django_filters.DateTimeFromToRangeFilter(),
        "page": django_filters.NumberFilter(field_name="version"),
        "after": django_filters.NumberFilter(field_name="score", lookup_expr="gt"),
    },
)


class Filtered(api.OrderedList):
    pagination_class = api.Small
    filter_backends = (DjangoFilterBackend, OrderingFilter, SearchFilter)
    filterset_class = ArticleFilter
    search_fields: ClassVar = ("title",)


class AfterPage(api.Small):
    cursor_query_param = "after_page"


class OfTenant(api.Small):
    def get_scope(self, request: Request, _view: Any) -> Any:
        return request.headers.get("X-Tenant")


class OfSession(api.Small):
    def get_scope(self, request: Request, view: Any) -> Any:
        assert isinstance(view, api.ArticleList)
        return {"tenant": (request.headers.get("X-Tenant"), "\ud800")}


class FilteredByUrl(api.ArticleList):
    pagination_class = api.Small
    filter_backends = (DjangoFilterBackend,)
    filterset_fields: ClassVar[list[str]] = []


urlpatterns = [
    *api.urlpatterns,
    path("filtered/", Filtered.as_view()),
    path("after-page/", Filtered.as_view(pagination_class=AfterPage)),
    path("tenants/", api.listed(pagination_class=OfTenant)),
    path("sessions/", api.listed(pagination_class=OfSession)),
    path("versions/", FilteredByUrl.as_view(filterset_fields=["version"])),
    path("tokens/", FilteredByUrl.as_view(filterset_fields=["token"])),
]


def hostile() -> dict[str, str]:
    payload = Signer(salt="x", sep=".").sign_object([1, "a", 0, 0, [1]])
    return {
        "empty": "",
        "word": "x",
        "dots": "...",
        "nul": "\0",
        "non-ascii": "é日本🦆",
        "huge": "A" * 200_000,
        "of DRF": "cD0yMDI2LTExLTIyKzA2JTNBMjE=",
        "offset of DRF": "bz0xMDAwMDAwMDAw",
        "json": '[1, "a"]',
        "other key": payload,
        "sql": "' OR 1=1 --",
        "bad padding": "====",
        "line feed": "a\nb",
    }


@pytest.mark.usefixtures("database", "articles")
@pytest.mark.parametrize("text", hostile().values(), ids=hostile())
def test_a_malformed_cursor_is_refused(client: APIClient, text: str) -> None:
    response = client.get("/ordered/", {"cursor": text, "ordering": "created"})
    refused(response, foreign=False)


@pytest.mark.parametrize("raw", ["%ff", "%ed%a0%80", "%", "%00%00", "a%2"])
def test_octets_that_are_no_text_are_refused(client: APIClient, raw: str) -> None:
    refused(client.get(f"/small/?cursor={raw}"), foreign=False)


@pytest.mark.usefixtures("articles")
def test_of_a_repeated_cursor_the_last_one_counts_as_everywhere_in_django(
    client: APIClient,
) -> None:
    link = link_of(client, "/small/")
    good = cursor_of(link)
    refused(client.get(f"/small/?cursor={good}&cursor=x"), foreign=False)
    refused(client.get(f"/small/?cursor={good}&cursor="), foreign=False)
    response = client.get(f"/small/?cursor=x&cursor={good}")
    assert response.json()["results"] == client.get(link).json()["results"]
    assert response.json()["next"].count("cursor=") == 1


# Mutations

ALPHABET: Final = (
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ \0é🦆"
)


def payload_of(text: str) -> tuple[str, str]:
    payload, _, signature = text.rpartition(".")
    return payload, signature


def unsigned(payload: Any) -> str:
    raw = json.dumps(payload, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def readable(text: str) -> Any:
    payload, _ = payload_of(text)
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


@st.composite
def mutations(draw: Any, one: str, other: str) -> str:
    """Change a cursor: by a character, its length, its parts or its alphabet."""
    payload, signature = payload_of(one)
    their_payload, their_signature = payload_of(other)
    kind = draw(st.integers(0, 9))
    at = draw(st.integers(0, len(one) - 1))
    some = draw(st.text(st.sampled_from(ALPHABET), min_size=1, max_size=6))
    values = readable(one)
    values[draw(st.integers(0, len(values) - 1))] = draw(
        st.one_of(st.none(), st.integers(), st.text(), st.lists(st.integers()))
    )
    return str(
        [
            one[:at] + some[0] + one[at + 1 :],
            one[:at] + some + one[at:],
            one[:at],
            one[at + 1 :],
            one + some,
            some + one,
            f"{payload}.{their_signature}",
            f"{their_payload}.{signature}",
            f"{unsigned(values)}.{signature}",
            draw(
                st.sampled_from(
                    [
                        payload + "=" * (-len(payload) % 4) + "." + signature,
                        f".{payload}.{signature}",
                        f"{payload}..{signature}",
                        f"{payload}:{signature}",
                        f"{payload}.{signature}=",
                        f"{payload}.{signature.swapcase()}",
                        one.translate(str.maketrans("-_", "+/")) + "/",
                        f"{signature}.{payload}",
                        f"{one}.{one}",
                        one * 1000,
                        quote(one, safe="") + "%00",
                    ]
                )
            ),
        ][kind]
    )


@pytest.mark.usefixtures("database", "articles")
@pytest.mark.parametrize("path", ["/by-title/", "/ordered/?ordering=score"])
def test_no_mutation_is_accepted_or_fails(client: APIClient, path: str) -> None:
    joint = "&" if "?" in path else "?"
    one = link_of(client, path)
    cursors = cursor_of(one), cursor_of(link_of(client, one))

    @hypothesis_settings(
        max_examples=150, suppress_health_check=[HealthCheck.too_slow], database=None
    )
    @given(mutations(*cursors))
    def refuse(text: str) -> None:
        if text not in cursors:
            url = f"{path}{joint}cursor={quote(text, safe='')}"
            refused(client.get(url), foreign=False)

    refuse()


@pytest.mark.usefixtures("articles")
def test_each_character_counts(client: APIClient) -> None:
    rng = random.Random(1)
    text = cursor_of(link_of(client, "/by-title/"))
    for position in range(len(text)):
        other = rng.choice("ABCabc019-_.".replace(text[position], ""))
        changed = text[:position] + other + text[position + 1 :]
        refused(client.get("/by-title/", {"cursor": changed}), foreign=False)


@pytest.mark.usefixtures("articles")
def test_a_cursor_of_another_format_version_is_foreign(client: APIClient) -> None:
    signer = Signer(salt="drf_apikit.keyset.cursor", sep=".")
    text = cursor_of(link_of(client, "/small/"))
    payload = signer.unsign_object(text)
    again = signer.sign_object(payload)
    assert client.get("/small/", {"cursor": again}).status_code == 200
    payload[0] = 0
    other = signer.sign_object(payload)
    refused(client.get("/small/", {"cursor": other}), foreign=True)


# Cursors of other lists


@pytest.mark.usefixtures("database", "articles")
@pytest.mark.parametrize(
    ("origin", "target"),
    [
        ("/ordered/?ordering=score", "/ordered/?ordering=-score"),
        ("/ordered/?ordering=score", "/ordered/?ordering=created"),
        ("/ordered/?ordering=score", "/ordered/"),
        ("/filtered/?page=1", "/filtered/?page=2"),
        ("/filtered/?page=1", "/filtered/"),
        ("/filtered/", "/filtered/?page=1"),
        ("/filtered/?page=2&page=1", "/filtered/?page=1&page=2"),
        ("/filtered/?created_after=2020-01-01", "/filtered/"),
        ("/filtered/?title__in=a,b,c,d", "/filtered/?title__in=a,b,c"),
        ("/filtered/?search=", "/filtered/?search=a"),
        ("/small/", "/writers/"),
        ("/authors/{0}/", "/authors/{1}/"),
        ("/small/", "/by-title/"),
    ],
    ids=[
        "direction",
        "ordering",
        "default ordering",
        "filter",
        "no filter",
        "a filter",
        "order of values",
        "part of a widget",
        "lookup",
        "search",
        "model",
        "argument in the URL",
        "view",
    ],
)
def test_a_cursor_of_another_list_is_refused(
    client: APIClient, origin: str, target: str
) -> None:
    Article.objects.update(created=MOMENT)
    keys = Author.objects.order_by("pk").values_list("pk", flat=True)
    origin, target = origin.format(*keys), target.format(*keys)
    text = cursor_of(link_of(client, origin))
    joint = "&" if "?" in target else "?"
    refused(client.get(f"{target}{joint}cursor={text}"), foreign=True)
    joint = "&" if "?" in origin else "?"
    assert client.get(f"{origin}{joint}cursor={text}").status_code == 200


@pytest.mark.usefixtures("articles")
@pytest.mark.parametrize(
    "extra",
    [
        "expand=author",
        "utm_source=a&utm_source=b",
        "flag=1",
        "page_size=4",
        "page_size=3&format=json",
        "count=none",
        "creat=1",
        "x=%C3%A9&x=",
    ],
)
def test_parameters_that_no_filter_declares_may_change(
    client: APIClient, extra: str
) -> None:
    link = link_of(client, "/filtered/?search=&ordering=-title")
    assert client.get(f"{link}&{extra}").status_code == 200
    origin = link_of(client, f"/filtered/?ordering=-title&{extra}")
    text = cursor_of(origin)
    url = f"/filtered/?cursor={text}&ordering=-title"
    assert client.get(url).status_code == 200


@pytest.mark.usefixtures("articles")
def test_parameters_of_the_paginator_are_no_filters(client: APIClient) -> None:
    """Be they named like one: `page` and `after` are, and what begins like them."""
    assert titles(client, "/filtered/?page=1&page_size=4") == "abcdefghi"[::1]
    link = link_of(client, "/after-page/?page_size=1")
    assert client.get(link.replace("page_size=1", "page_size=4")).status_code == 200
    assert titles(client, "/after-page/") == "abcdefghi"


@pytest.mark.usefixtures("articles")
@pytest.mark.parametrize("path", ["/versions/?version=", "/tokens/?token="])
def test_what_is_declared_is_asked_for_each_url(client: APIClient, path: str) -> None:
    """Not once for the view class, which both URLs have in common."""
    for other in ("/versions/", "/tokens/"):
        assert client.get(other).status_code == 200
    text = cursor_of(link_of(client, path))
    refused(client.get(f"{path.partition('?')[0]}?cursor={text}"), foreign=True)


@pytest.mark.usefixtures("articles")
@pytest.mark.parametrize("url", ["/tenants/", "/sessions/"])
def test_a_list_may_be_told_from_another_by_something_else(
    client: APIClient, url: str
) -> None:
    """By a header or a session, which is neither in the URL nor a filter."""
    link = client.get(url, headers={"X-Tenant": "a"}).json()["next"]
    assert client.get(link, headers={"X-Tenant": "a"}).status_code == 200
    refused(client.get(link, headers={"X-Tenant": "b"}), foreign=True)
    refused(client.get(link), foreign=True)
    link = client.get(url).json()["next"]
    assert client.get(link).status_code == 200
    refused(client.get(link, headers={"X-Tenant": "a"}), foreign=True)


@pytest.mark.usefixtures("articles")
def test_order_of_parameters_and_page_size_do_not_matter(client: APIClient) -> None:
    text = cursor_of(link_of(client, "/filtered/?page=1&search=&ordering="))
    url = f"/filtered/?cursor={text}&page_size=4&search=&ordering=&page=1&format=json"
    assert [row["title"] for row in client.get(url).json()["results"]] == list("cdef")


@pytest.mark.usefixtures("articles")
def test_a_new_secret_key_ends_or_keeps_the_cursors(
    client: APIClient, settings: Settings
) -> None:
    link = link_of(client, "/small/")
    old, settings.SECRET_KEY = settings.SECRET_KEY, "a new key, which is long enough"
    refused(client.get(link), foreign=False)
    settings.SECRET_KEY_FALLBACKS = [old]
    assert client.get(link).status_code == 200


# What no cursor can hold


def test_a_lone_surrogate_is_the_view_s_fault_and_no_other_failure() -> None:
    """As some drivers give the text of a column that is not in Unicode."""

    def from_db_value(_: Any, value: str, *_more: Any) -> str:
        return f"{value}\ud800"

    octets: Any = type("Octets", (CharField,), {"from_db_value": from_db_value})

    class ByText(CursorPagination):
        ordering = "text"
        page_size = 1

    Article.objects.bulk_create(Article(title=title) for title in "ab")
    rows = Article.objects.annotate(text=Cast("title", octets(max_length=9)))
    paginator = ByText()
    page = paginator.paginate_queryset(rows, Request(APIRequestFactory().get("/")))
    with pytest.raises(ImproperlyConfigured, match="surrogates not allowed"):
        paginator.get_paginated_response(page)


# DRF's 404, by choice


@pytest.mark.usefixtures("articles")
@pytest.mark.parametrize("text", ["", "x", "\0"])
def test_by_choice_it_is_the_404_of_drf(
    client: APIClient, settings: Settings, text: str
) -> None:
    settings.DRF_APIKIT = {"PAGINATION": {"INVALID_AS_404": True}}
    response = client.get("/small/", {"cursor": text})
    problem = assert_problem(response, 404, "not-found")
    assert problem["detail"] == "Invalid cursor"
    foreign = cursor_of(link_of(client, "/by-title/"))
    assert client.get("/small/", {"cursor": foreign}).status_code == 404
