from typing import Any

import pytest
from django.contrib.auth.models import User
from rest_framework.response import Response

from drf_apikit.testing import assert_problem
from tests.app.models import Article
from tests.idempotency.calls import Call, caller, outcome, person
from tests.idempotency.views import Script

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.urls("tests.idempotency.urls"),
]


@pytest.mark.parametrize("limit", [3, 4])
def test_the_longest_answer_that_is_kept(
    limit: int, post: Call, script: type[Script], settings: Any
) -> None:
    settings.DRF_APIKIT = {"IDEMPOTENCY": {"MAX_BODY": limit}}
    script.answer = staticmethod(lambda _: Response("ab"))
    assert post().content == b'"ab"'
    assert post().status_code == (200 if limit == 4 else 409)


@pytest.fixture
def ada() -> User:
    return person("ada")


@pytest.fixture
def article() -> Article:
    return Article.objects.create(title="draft")


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("everywhere")
def test_what_the_caller_may_not_see_any_more_is_not_replayed() -> None:
    post = caller(person("ada"))
    article = Article.objects.create(title="draft")
    url = f"/articles/{article.pk}/publish/"
    first = post(url)
    assert first.status_code == 201
    Article.objects.filter(pk=article.pk).update(title="hidden")
    assert_problem(post(url), 404, "not-found")
    Article.objects.filter(pk=article.pk).update(title="locked")
    assert_problem(post(url), 403, "permission-denied")
    Article.objects.filter(pk=article.pk).update(title="draft")
    assert outcome(post(url)) == outcome(first)
    assert len(Script.entered) == 1


def test_not_even_another_payload_is_told_to_them(ada: User, article: Article) -> None:
    post, url = caller(ada), f"/articles/{article.pk}/publish/"
    post(url, data={"amount": 1})
    Article.objects.filter(pk=article.pk).update(title="hidden")
    assert_problem(post(url, data={"amount": 2}), 404, "not-found")


def test_a_permission_that_was_revoked(post: Call, script: type[Script]) -> None:
    assert post().status_code == 201
    script.gate = staticmethod(lambda: False)
    assert_problem(post(), 403, "permission-denied")
    script.gate = staticmethod(lambda: True)
    assert post()["Idempotent-Replayed"] == "true"


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("everywhere")
def test_a_deletion_is_repeated_although_the_row_is_gone() -> None:
    delete = caller(person("ada"), method="delete")
    article = Article.objects.create(title="draft")
    url = f"/articles/{article.pk}/"
    first, second = delete(url), delete(url)
    assert (first.status_code, second.status_code) == (204, 204)
    assert second["Idempotent-Replayed"] == "true"
    assert second.content == b""
    assert delete(url, "key-2").status_code == 404


def test_of_a_row_that_is_gone_only_the_status_is_told(
    ada: User, article: Article
) -> None:
    post, url = caller(ada), f"/articles/{article.pk}/publish/"
    assert post(url).status_code == 201
    Article.objects.filter(pk=article.pk).delete()
    second = post(url)
    assert second.status_code == 201
    assert second.content == b""
    assert "Location" not in second
    assert second["Idempotent-Replayed"] == "true"
    assert_problem(post(url, data={"amount": 2}), 422, "idempotency-key-reused")


def test_an_argument_that_can_be_no_key_of_a_row(
    ada: User, script: type[Script]
) -> None:
    post = caller(ada)
    assert post("/articles/none/publish/").status_code == 201
    assert post("/articles/none/publish/").status_code == 201
    assert len(script.entered) == 1


def test_an_argument_that_names_no_row(ada: User, script: type[Script]) -> None:
    post = caller(ada)
    first, second = (post("/rowless/anything/") for _ in range(2))
    assert outcome(second) == outcome(first)
    assert len(script.entered) == 1


@pytest.mark.parametrize("limit", [0, 100])
def test_an_argument_that_names_what_a_list_is_in(
    limit: int, ada: User, settings: Any
) -> None:
    settings.DRF_APIKIT = {"IDEMPOTENCY": {"MAX_BODY": limit}}
    post, body = caller(ada), {"title": "new"}
    first, second = (post("/nested/any/articles/", data=body) for _ in range(2))
    assert first.status_code == 201
    assert second.status_code == (201 if limit else 409)
    assert "Idempotent-Replayed" not in post("/nested/other/articles/", data=body)
    assert Article.objects.count() == 2
