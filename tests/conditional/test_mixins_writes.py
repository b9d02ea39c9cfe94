from typing import Any, Final

import pytest

from drf_apikit.conditional import ConditionalMixin
from drf_apikit.testing import assert_problem
from tests.app.models import Article
from tests.conditional.calls import read, send, version_of

SECONDS: Final = 20.0

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.urls("tests.conditional.urls"),
]
committing = pytest.mark.django_db(transaction=True)


@pytest.mark.compliance("RFC 9110", "13.1.1")
@committing
@pytest.mark.usefixtures("everywhere")
@pytest.mark.parametrize(
    ("method", "data", "status"),
    [
        ("patch", {"title": "new"}, 200),
        ("put", {"title": "new"}, 200),
        ("delete", None, 204),
    ],
)
def test_a_write_with_the_current_tag(
    method: str, data: Any, status: int, article: Article, url: str
) -> None:
    stale = read(url)
    assert send("patch", url, {"score": 1}).status_code == 200
    assert version_of(article) == 2
    refused = send(method, url, data, If_Match=stale)
    assert_problem(refused, 412, "precondition-failed")
    assert refused["ETag"] == read(url)
    assert "no-store" in refused["Cache-Control"]
    assert Article.objects.get().title == "draft"
    assert version_of(article) == 2
    assert send(method, url, data, If_Match=refused["ETag"]).status_code == status
    if method == "delete":
        assert not Article.objects.exists()
    else:
        assert Article.objects.get().title == "new"
        assert version_of(article) == 3


REFUSED = {
    "stale": '"1-0.abc"',
    "other": '"other"',
    "weak": "W/{tag}",
    "unquoted": "{unquoted}",
    "open": '"open',
    "empty": "",
    "commas": ",,",
    "star in a list": "*, {tag}",
    "one bad": '{tag}, "open',
}
ACCEPTED = {
    "exact": "{tag}",
    "star": "*",
    "list": '"other", {tag}',
    "other variant": '"{state}.other"',
    "state alone": '"{state}"',
}


def fill(field: str, tag: str) -> str:
    opaque = tag.strip('"')
    return field.format(tag=tag, unquoted=opaque, state=opaque.partition(".")[0])


@pytest.mark.compliance("RFC 9110", "13.1.1")
@pytest.mark.parametrize("field", REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("method", ["get", "put", "patch", "delete"])
def test_an_if_match_that_does_not_hold(
    method: str, field: str, article: Article, url: str
) -> None:
    sent = fill(field, read(url))
    response = send(method, url, {"title": "new"}, If_Match=sent)
    assert_problem(response, 412, "precondition-failed")
    assert Article.objects.get().title == "draft"
    assert version_of(article) == 1


@pytest.mark.compliance("RFC 9110", "13.1.1")
@pytest.mark.parametrize("field", ACCEPTED.values(), ids=ACCEPTED)
def test_an_if_match_that_holds(field: str, article: Article, url: str) -> None:
    sent = fill(field, read(url))
    assert send("patch", url, {"title": "new"}, If_Match=sent).status_code == 200
    assert version_of(article) == 2


@pytest.mark.compliance("RFC 9110", "13.1.2")
@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_if_none_match_on_a_write(method: str, article: Article, url: str) -> None:
    for field in ("*", read(url), f"W/{read(url)}"):
        response = send(method, url, {"title": "new"}, If_None_Match=field)
        assert_problem(response, 412, "precondition-failed")
    assert version_of(article) == 1
    assert send(method, url, {"title": "new"}, If_None_Match='"x"').status_code < 300


@pytest.mark.compliance("RFC 9110", "13.2.1")
def test_a_precondition_comes_before_the_content(url: str) -> None:
    wrong = {"title": "x" * 101}
    stale = send("patch", url, wrong, If_Match='"stale"')
    assert_problem(stale, 412, "precondition-failed")
    assert_problem(send("patch", url, wrong), 400, "validation-error")


@committing
@pytest.mark.usefixtures("everywhere")
def test_a_write_that_fails_does_not_move_the_version(
    article: Article, url: str
) -> None:
    tag = read(url)
    assert send("patch", url, {"title": "x" * 101}, If_Match=tag).status_code == 400
    assert version_of(article) == 1
    assert read(url) == tag


def test_a_refusal_leaves_the_transaction_around_it_usable(
    article: Article, url: str
) -> None:
    """As in a `TestCase`, where each test is one transaction."""
    refused = send("patch", url, {"score": "no number"}, If_Match=read(url))
    assert_problem(refused, 400, "validation-error")
    assert version_of(article) == 1


@pytest.mark.compliance("RFC 9110", "9.3.4")
@pytest.mark.parametrize("accept", ["application/json", "text/plain"])
def test_patch_shows_the_tag_of_the_next_get_and_put_none(
    accept: str, url: str
) -> None:
    patched = send("patch", url, {"title": "one"}, Accept=accept)
    assert patched["ETag"] == read(url, Accept=accept)
    chained = send("patch", url, {"title": "two"}, If_Match=patched["ETag"])
    assert chained.status_code == 200
    replaced = send("put", url, {"title": "three"}, If_Match=chained["ETag"])
    assert replaced.status_code == 200
    assert "ETag" not in replaced
    assert replaced.json()["version"] == 4


def test_the_version_is_not_the_client_s(article: Article, url: str) -> None:
    response = send("patch", url, {"version": 70, "title": "new"})
    assert response.json()["version"] == version_of(article) == 2


def test_an_action_that_patches(article: Article, url: str) -> None:
    target, tag = f"{url}rename/", read(url)
    response = send("patch", target, {"title": "new"}, If_Match=tag)
    assert response.json() == {"renamed": True}
    # It is no representation of the article.
    assert "ETag" not in response
    assert version_of(article) == 2
    assert_problem(
        send("patch", target, {"title": "x"}, If_Match=tag), 412, "precondition-failed"
    )


def test_an_action_that_posts(article: Article, url: str) -> None:
    target, tag = f"{url}publish/", read(url)
    assert send("post", target).status_code == 200
    assert version_of(article) == 1
    assert send("post", target, If_Match=tag).status_code == 200
    assert version_of(article) == 2
    for field in ({"If_Match": tag}, {"If_None_Match": "*"}):
        assert_problem(send("post", target, **field), 412, "precondition-failed")
    assert version_of(article) == 2


def test_routes_without_an_object_are_left_alone() -> None:
    created = send("post", "/articles/", {"title": "new"}, If_None_Match="*")
    assert created.status_code == 201
    assert created.json()["version"] == 1
    assert created["ETag"] == read(f"/articles/{created.json()['pk']}/")
    assert send("put", "/articles/order/", {}).json() == {"ordered": True}


@pytest.mark.compliance("RFC 6585", "3")
@pytest.mark.parametrize("method", ["put", "patch", "delete"])
@pytest.mark.parametrize("by", ["view", "setting"])
def test_a_write_without_if_match_where_it_is_required(
    by: str, method: str, article: Article, settings: Any
) -> None:
    if by == "setting":
        settings.DRF_APIKIT = {"CONDITIONAL": {"REQUIRE_PRECONDITIONS": True}}
    base = "strict" if by == "view" else "articles"
    url = f"/{base}/{article.pk}/"
    for fields in ({}, {"If_None_Match": '"x"'}):
        response = send(method, url, {"title": "new"}, **fields)
        assert_problem(response, 428, "precondition-required")
        assert "no-store" in response["Cache-Control"]
    assert version_of(article) == 1
    answer = send(method, url, {"title": "new"}, If_Match=read(url))
    assert answer.status_code in {200, 204}


def test_a_view_may_do_without_what_the_setting_requires(
    url: str, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.DRF_APIKIT = {"CONDITIONAL": {"REQUIRE_PRECONDITIONS": True}}
    monkeypatch.setattr(ConditionalMixin, "require_preconditions", False)
    assert send("patch", url, {"title": "new"}).status_code == 200


def test_who_may_not_see_it_is_not_told_what_is_required(article: Article) -> None:
    url = f"/strict/{article.pk}/"
    Article.objects.update(title="hidden")
    assert_problem(send("patch", url, {}), 404, "not-found")
    Article.objects.update(title="locked")
    assert_problem(send("patch", url, {}), 403, "permission-denied")


@pytest.mark.compliance("RFC 9110", "13.1.2")
def test_who_wants_to_make_what_is_there_already_is_told_so(
    article: Article, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ConditionalMixin, "put_creates", True)
    url = f"/strict/{article.pk}/"
    refused = send("put", url, {"title": "new"}, If_None_Match="*")
    assert_problem(refused, 412, "precondition-failed")
    unsure = send("put", url, {"title": "new"}, If_None_Match='"x"')
    assert_problem(unsure, 428, "precondition-required")
    assert version_of(article) == 1
