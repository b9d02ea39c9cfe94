from typing import Any, Final

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory

from drf_apikit.conditional.mixins import PreconditionLayer
from drf_apikit.handlers import Call
from drf_apikit.models import IdempotencyRecord
from drf_apikit.testing import assert_problem
from tests.app.models import Article
from tests.conditional.calls import read, send, version_of
from tests.conditional.views import Appending, PlainViewSet

SECONDS: Final = 20.0

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.urls("tests.conditional.urls"),
]
committing = pytest.mark.django_db(transaction=True)


def test_a_generic_view_with_names_of_its_own(article: Article) -> None:
    tag = read("/editing/draft/")
    assert send("get", "/editing/draft/", If_None_Match=tag).status_code == 304
    patched = send("patch", "/editing/draft/", {"score": 1}, If_Match=tag)
    assert patched["ETag"] == read("/editing/draft/")
    assert version_of(article) == 2


def test_the_layer_is_for_its_views_alone() -> None:
    view = PlainViewSet()
    request: Any = APIRequestFactory().get("/")
    with pytest.raises(TypeError, match="PlainViewSet is no ConditionalGetMixin"):
        PreconditionLayer()(Call(view, request), Response)


@committing
@pytest.mark.usefixtures("everywhere")
def test_a_view_may_give_its_work_up(
    article: Article, appending: type[Appending]
) -> None:
    def give_up() -> Response:
        transaction.set_rollback(True)
        return Response({"done": False})

    appending.act = staticmethod(give_up)
    response = send("patch", f"/appending/{article.pk}/", {"mark": "x"})
    assert response.json() == {"done": False}
    article.refresh_from_db()
    assert (article.title, article.version) == ("draft", 1)


def test_an_answer_other_than_200_has_no_tag(
    article: Article, appending: type[Appending]
) -> None:
    url = f"/appending/{article.pk}/"
    appending.act = staticmethod(lambda: Response(status=202))
    assert "ETag" not in send("get", url)
    assert "ETag" not in send("patch", url, {"mark": "x"})
    appending.act = staticmethod(lambda: Response(headers={"ETag": '"own"'}))
    assert send("get", url)["ETag"] == '"own"'
    assert send("patch", url, {"mark": "x"})["ETag"] == '"own"'


BOTH = ["decorated", "mixed", "turned"]


@pytest.mark.compliance("draft-ietf-httpapi-idempotency-key-header", "2.6")
@committing
@pytest.mark.usefixtures("everywhere")
@pytest.mark.parametrize("base", BOTH)
def test_a_retry_after_success_is_replayed_and_not_refused(
    base: str, article: Article
) -> None:
    url, user = f"/{base}/{article.pk}/", User.objects.create(pk=1, username="ada")
    options: dict[str, Any] = {"user": user}
    options.update(If_Match=read(url), Idempotency_Key="key")
    first = send("patch", url, {"title": "new"}, **options)
    again = send("patch", url, {"title": "new"}, **options)
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.content == first.content
    assert again["ETag"] == first["ETag"] == read(url)
    assert again["Idempotent-Replayed"] == "true"
    assert version_of(article) == 2
    options["Idempotency_Key"] = "other"
    refused = send("patch", url, {"title": "new"}, **options)
    assert_problem(refused, 412, "precondition-failed")
    assert IdempotencyRecord.objects.count() == 1


@pytest.mark.parametrize("base", BOTH)
def test_an_action_under_both(base: str, article: Article) -> None:
    url, target = f"/{base}/{article.pk}/", f"/{base}/{article.pk}/publish/"
    options = {"If_Match": read(url), "Idempotency_Key": "key"}
    titles = [send("post", target, **options).json() for _ in range(2)]
    assert titles == [{"title": "draft!"}] * 2
    assert version_of(article) == 2


@pytest.mark.parametrize("base", BOTH)
def test_a_refusal_leaves_the_key_usable(base: str, article: Article) -> None:
    url = f"/{base}/{article.pk}/"
    key = {"Idempotency_Key": "key"}
    refused = send("patch", url, {"title": "new"}, If_Match='"stale"', **key)
    assert_problem(refused, 412, "precondition-failed")
    done = send("patch", url, {"title": "new"}, If_Match=read(url), **key)
    assert done.status_code == 200
    assert "Idempotent-Replayed" not in done


@committing
@pytest.mark.usefixtures("everywhere")
def test_what_was_rolled_back_within_is_not_stored(article: Article) -> None:
    url, user = f"/decorated/{article.pk}/", User.objects.create(username="ada")
    options: dict[str, Any] = {"Idempotency_Key": "key", "user": user}
    for _ in range(2):
        response = send("delete", url, **options)
        assert response.status_code == 204
        assert "Idempotent-Replayed" not in response
    assert Article.objects.filter(pk=article.pk).exists()
    assert not IdempotencyRecord.objects.exists()


def test_the_one_object_of_who_asks(article: Article) -> None:
    tag = read("/own/")
    assert send("get", "/own/", If_None_Match=tag).status_code == 304
    stale = send("patch", "/own/", {"title": "new"}, If_Match='"stale"')
    assert_problem(stale, 412, "precondition-failed")
    assert stale["ETag"] == tag
    assert send("patch", "/own/", {"title": "new"}, If_Match=tag).status_code == 200
    assert version_of(article) == 2


def test_a_tag_that_cannot_be_judged_is_refused() -> None:
    for method, url in (("put", "/articles/order/"), ("post", "/articles/")):
        refused = send(method, url, {"title": "new"}, If_Match='"any"')
        assert_problem(refused, 412, "precondition-failed")
        done = send(method, url, {"title": "new"}, If_Match="*")
        assert done.status_code in {200, 201}
    assert Article.objects.count() == 1


def test_a_view_that_makes_something_without_rows_of_its_own() -> None:
    made = send("post", "/reckoning/", {"of": 2})
    assert (made.status_code, made.json()) == (201, {"twice": 4})
    assert "ETag" not in made
