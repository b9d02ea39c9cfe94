from typing import Any, Final

import pytest

from drf_apikit.testing import assert_problem
from tests.app.models import Article
from tests.conditional.calls import read, send, statements, version_of

SECONDS: Final = 20.0

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.urls("tests.conditional.urls"),
]
committing = pytest.mark.django_db(transaction=True)
on_postgresql = pytest.mark.parametrize("database", ["postgresql"], indirect=True)


@pytest.mark.compliance("RFC 9110", "8.8.3")
@committing
@pytest.mark.usefixtures("everywhere")
def test_get_and_head_show_one_tag(url: str) -> None:
    got, head = send("get", url), send("head", url)
    assert got["ETag"] == head["ETag"]
    assert not got["ETag"].startswith("W/")
    assert head.content == b""


@pytest.mark.compliance("RFC 9110", "13.1.2")
@pytest.mark.parametrize("method", ["get", "head"])
@pytest.mark.parametrize(
    "field",
    [
        "{}",
        "W/{}",
        '"other", {}',
        '{},"other"',
        '"a,b" , W/{}',
        ",{},",
        "*",
    ],
)
@pytest.mark.parametrize("route", ["detail", "list"])
def test_what_the_client_has_is_not_sent(
    route: str, field: str, method: str, url: str
) -> None:
    target = url if route == "detail" else "/articles/"
    tag = read(target)
    response = send(method, target, If_None_Match=field.format(tag))
    assert response.status_code == 304
    assert response.content == b""
    assert response["ETag"] == tag


@pytest.mark.compliance("RFC 9110", "13.1.2")
@pytest.mark.parametrize(
    "field",
    ['"other"', "{unquoted}", '{tag}, "open', "*, {tag}", "", "w/{tag}", "{tag}x"],
)
@pytest.mark.parametrize("route", ["detail", "list"])
def test_what_does_not_match_is_sent(route: str, field: str, url: str) -> None:
    target = url if route == "detail" else "/articles/"
    tag = read(target)
    sent = field.format(tag=tag, unquoted=tag.strip('"'))
    assert send("get", target, If_None_Match=sent).status_code == 200


@pytest.mark.compliance("RFC 9110", "15.4.5")
@pytest.mark.parametrize("route", ["detail", "list"])
def test_a_304_keeps_what_the_200_says_about_caching(route: str, url: str) -> None:
    target = url if route == "detail" else "/articles/"
    full = send("get", target)
    response = send("get", target, If_None_Match=full["ETag"])
    assert response.status_code == 304
    for name in ("Cache-Control", "Vary", "ETag", "Allow"):
        assert response[name] == full[name], name
    assert response["Vary"] == "Accept, Accept-Language, Cookie, Authorization"
    assert "private" in response["Cache-Control"]
    assert "Content-Type" not in response
    if route == "list":
        assert response["Content-Location"] == "/articles/?page=1"
        assert response["X-Own"] == "1"
        assert response.cookies["seen"].value == "1"


def test_a_list_is_judged_by_its_bytes(article: Article) -> None:
    tag = read("/articles/")
    assert read("/articles/") == tag
    # The version does not move: only the bytes tell.
    Article.objects.update(title="other")
    changed = send("get", "/articles/", If_None_Match=tag)
    assert changed.status_code == 200
    Article.objects.create(title="second")
    assert send("get", "/articles/", If_None_Match=changed["ETag"]).status_code == 200
    assert article.pk == changed.json()["results"][0]["pk"]


@pytest.mark.compliance("RFC 9110", "13.1.1")
def test_a_list_that_is_not_what_the_client_means() -> None:
    refused = send("get", "/articles/", If_Match='"stale"')
    assert_problem(refused, 412, "precondition-failed")
    assert refused["ETag"] == read("/articles/")
    assert refused["Vary"] == "Accept, Accept-Language"
    assert send("get", "/articles/", If_Match=refused["ETag"]).status_code == 200


def test_a_changed_row_is_sent(url: str) -> None:
    tag = read(url)
    assert send("patch", url, {"title": "new"}).status_code == 200
    response = send("get", url, If_None_Match=tag)
    assert response.status_code == 200
    assert response.json()["title"] == "new"


def test_the_answer_of_an_action_has_a_tag_of_its_own(url: str) -> None:
    target, tag = f"{url}summary/", read(url)
    assert read(target) != tag
    assert send("get", target, If_None_Match=read(target)).status_code == 304
    assert send("get", target, If_None_Match=tag).status_code == 200


@pytest.mark.parametrize(
    ("kind", "tag", "modified"),
    [
        ("own", '"own"', False),
        ("missing", None, False),
        ("stream", None, False),
        ("plain", "any", True),
    ],
)
def test_answers_of_every_kind(kind: str, tag: str | None, modified: bool) -> None:
    target = f"/articles/export/?kind={kind}"
    response = send("get", target)
    assert ("ETag" in response) == (tag is not None)
    assert tag in (None, "any", response.get("ETag"))
    assert ("Last-Modified" in response) == modified
    if kind == "plain":
        again = send("get", target, If_None_Match=response["ETag"])
        assert again.status_code == 304
        assert again["Last-Modified"] == response["Last-Modified"]


@pytest.mark.compliance("RFC 9110", "8.8.3.3")
def test_each_representation_has_its_own_strong_tag(url: str, settings: Any) -> None:
    settings.MIDDLEWARE = [
        "django.middleware.locale.LocaleMiddleware",
        *settings.MIDDLEWARE,
    ]
    tags = [
        read(url),
        read(url, Accept="text/plain"),
        read(url, Accept_Language="de"),
        read(f"{url}?fields=pk"),
    ]
    assert len(set(tags)) == len(tags)
    assert len({tag.partition(".")[0] for tag in tags}) == 1
    asked = send("get", url, If_None_Match=tags[0], Accept="text/plain")
    assert asked.status_code == 200
    for tag in tags:
        assert send("patch", url, {}, If_Match=tag).status_code in {200, 412}
    assert read("/articles/") != read("/articles/", Accept="text/plain")


@on_postgresql
@committing
@pytest.mark.usefixtures("database")
def test_a_304_is_one_query(url: str) -> None:
    tag = read(url)
    cost = statements(lambda: send("get", url, If_None_Match=tag), 304)
    assert cost == {"SELECT": 1}
    plain = url.replace("articles", "plain")
    assert statements(lambda: send("get", url), 200) == statements(
        lambda: send("get", plain), 200
    )


@pytest.mark.compliance("RFC 9110", "13.2.1")
@pytest.mark.parametrize("field", ["If_Match", "If_None_Match"])
@pytest.mark.parametrize("value", ['"stale"', "*", "no tag"])
@pytest.mark.parametrize("method", ["get", "head", "put", "patch", "delete"])
def test_a_refusal_is_the_same_with_any_precondition(
    method: str, value: str, field: str, article: Article, url: str
) -> None:
    def both(target: str, status: int, **options: Any) -> None:
        without = send(method, target, {}, **options)
        response = send(method, target, {}, **options, **{field: value})
        assert response.status_code == without.status_code == status
        assert "ETag" not in response

    both(url, 401, anonymous=True)
    both("/articles/999999/", 404)
    for title, status in (("hidden", 404), ("locked", 403)):
        Article.objects.filter(pk=article.pk).update(title=title)
        both(url, status)
    both(url, 406, Accept="image/png")
    assert version_of(article) == 1


@pytest.mark.compliance("RFC 9110", "13.2.1")
def test_options_ignores_preconditions(url: str) -> None:
    for target in (url, "/articles/"):
        response = send("options", target, If_Match='"stale"', If_None_Match="*")
        assert response.status_code == 200
        assert "ETag" not in response


def test_a_method_that_is_not_there(url: str) -> None:
    response = send("post", url, {}, If_Match='"stale"')
    assert_problem(response, 405, "method-not-allowed")
