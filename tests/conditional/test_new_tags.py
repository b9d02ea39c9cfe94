"""The tags of answers to writes, and what a client can do with them."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from django.utils import timezone
from pytest_django import Settings

from drf_apikit.testing import assert_problem
from tests.app.models import Article, Author, Document
from tests.conditional.calls import read, send
from tests.conditional.new_tag_views import Articles

LONG_AGO: Final = datetime(2024, 5, 6, 7, 8, 9, 250_000, UTC)
NORMALISED: Final = {
    "title": "new",
    "price": "1.5",
    "hour": "01:02:03.000004",
    "ratio": 0.1,
    "day": "2024-02-29",
    "extra": {"b": 1.0, "a": [1, "\u00e4"]},
}
#: PostgreSQL sorts the names. Bytes that GET shows otherwise have another tag.
IN_ORDER: Final = {"extra": {"a": [1, "\u00e4"], "b": 1.0}}
BARE: Final = {"ETag", "Last-Modified"}

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.urls("tests.conditional.new_tag_urls"),
]
in_transactions = pytest.mark.django_db(transaction=True)
BY_ROW: Final = ["version", "updated", "row", "body"]
#: These answer GET by other fields than PATCH, which no digest of bytes survives.
BY_COLUMNS: Final = ["version", "updated", "row"]
by_every_validator = pytest.mark.parametrize("name", BY_ROW)


@pytest.fixture
def article() -> Article:
    author = Author.objects.create(name="Ada")
    return Article.objects.create(title="old", created=LONG_AGO, author=author)


def declare(settings: Settings, **declared: Any) -> None:
    settings.DRF_APIKIT = {"CONDITIONAL": declared}


def shows_it(response: Any, url: str, **headers: str) -> None:
    """Assert that the tag is that of the next GET, and good for the next write."""
    tag = response["ETag"]
    fresh = send("get", url, **headers)
    assert tag == fresh["ETag"]
    assert response.get("Last-Modified") == fresh.get("Last-Modified")
    assert send("get", url, If_None_Match=tag, **headers).status_code == 304
    chained = send("patch", url, {"title": "next"}, If_Match=tag)
    assert chained.status_code == 200
    refused = send("patch", url, {"title": "late"}, If_Match=tag)
    assert_problem(refused, 412, "precondition-failed")


@pytest.mark.compliance("RFC 9110", "8.8.3")
@in_transactions
@pytest.mark.usefixtures("database")
@by_every_validator
def test_patch_and_post_show_the_tag_of_the_next_get(
    name: str, article: Article
) -> None:
    """Also of values that the database keeps in another form."""
    data = {**NORMALISED, **(IN_ORDER if name == "body" else {})}
    url = f"/{name}/articles/{article.pk}/"
    patched = send("patch", url, data, If_Match=read(url))
    shows_it(patched, url)
    posted = send("post", f"/{name}/articles/", data)
    assert posted.status_code == 201
    url = f"/{name}/articles/{posted.json()['pk']}/"
    shows_it(posted, url)


@pytest.mark.compliance("RFC 9110", "8.8.3")
@in_transactions
@pytest.mark.usefixtures("everywhere")
def test_a_versioned_row_shows_what_the_database_has_computed() -> None:
    posted = send("post", "/versioned/articles/", {"slug": "a", "amount": "1.5"})
    assert posted.status_code == 201
    url = f"/versioned/articles/{posted.json()['pk']}/"
    assert posted.json()["version"] == 1
    patched = send("patch", url, {"amount": "2.25"}, If_Match=posted["ETag"])
    assert patched.json()["version"] == 2
    assert float(patched.json()["doubled"]) == 4.5
    shows_it(patched, url)
    assert Document.objects.get().version == 3


@pytest.mark.compliance("RFC 9110", "8.8.3.3")
@pytest.mark.parametrize("name", [*BY_ROW, "generation"])
def test_the_tag_is_that_of_the_media_type_asked_for(
    name: str, article: Article
) -> None:
    url = f"/{name}/articles/{article.pk}/"
    text = {"Accept": "text/plain"}
    patched = send("patch", url, {"title": "a"}, **text)
    assert patched["ETag"] != read(url)
    shows_it(patched, url, **text)


@by_every_validator
def test_nothing_is_recorded_without_samples_and_everything_with(
    name: str, article: Article, settings: Settings
) -> None:
    declare(settings, VERIFY_SAMPLE_RATE=1.0)
    url = f"/{name}/articles/{article.pk}/"
    shows_it(send("patch", url, NORMALISED), url)


@by_every_validator
def test_what_it_depends_on_is_in_the_tag(name: str, article: Article) -> None:
    url = f"/{name}/nested/{article.pk}/"
    before = send("patch", url, {"title": "a"})
    shows_it(before, url)
    tag = read(url)
    Author.objects.update(name="Grace")
    assert send("get", url, If_None_Match=tag).status_code == 200
    # The state is the article's own: a writer has missed nothing of it.
    patched = send("patch", url, {"title": "b"}, If_Match=tag)
    assert patched.status_code == 200
    shows_it(patched, url)


@pytest.mark.parametrize("base", ["narrow", "by-action"])
@pytest.mark.parametrize("name", BY_COLUMNS)
def test_another_serializer_than_that_of_get(
    name: str, base: str, article: Article
) -> None:
    url = f"/{name}/{base}/{article.pk}/"
    patched = send("patch", url, {"price": "1.5"}, If_Match=read(url))
    assert set(patched.json()) == {"title", "price"}
    shows_it(patched, url)


@pytest.mark.parametrize("base", ["narrow", "by-action"])
def test_bytes_of_another_serializer_are_good_for_a_write_alone(
    base: str, article: Article
) -> None:
    url = f"/body/{base}/{article.pk}/"
    patched = send("patch", url, {"price": "1.5"}, If_Match=read(url))
    tag = patched["ETag"]
    assert send("get", url, If_None_Match=tag).status_code == 200
    assert send("patch", url, {"price": "2"}, If_Match=tag).status_code == 200
    assert send("patch", url, {"price": "3"}, If_Match=tag).status_code == 412


@in_transactions
@pytest.mark.usefixtures("settled_generations")
@pytest.mark.parametrize("accept", ["application/json", "text/plain"])
def test_a_generation_is_known_after_the_commit_alone(
    accept: str, article: Article
) -> None:
    url = f"/generation/articles/{article.pk}/"
    tag = read(url, Accept=accept)
    patched = send("patch", url, NORMALISED, If_Match=tag, Accept=accept)
    fresh = read(url, Accept=accept)
    assert fresh != tag
    state = patched["ETag"].partition(".")[0].strip('"')
    assert fresh.startswith(f'"{state}.')
    answer = send("get", url, If_None_Match=fresh, Accept=accept)
    assert answer.status_code == 304
    again = send("patch", url, {"title": "x"}, If_Match=patched["ETag"])
    assert again.status_code == 200


@pytest.mark.compliance("RFC 9110", "9.3.4")
@pytest.mark.parametrize("name", [*BY_ROW, "generation"])
def test_put_has_validators_by_choice_alone(
    name: str, article: Article, settings: Settings
) -> None:
    url = f"/{name}/articles/{article.pk}/"
    silent = send("put", url, NORMALISED, If_Match=read(url))
    assert silent.status_code == 200
    assert not BARE & silent.headers.keys()
    declare(settings, PUT_VALIDATORS="always")
    told = send("put", url, NORMALISED, If_Match=read(url))
    assert told.status_code == 200
    shows_it(told, url)


@pytest.mark.parametrize("name", [*BY_ROW, "generation"])
def test_actions_have_no_tag(name: str, article: Article) -> None:
    url = f"/{name}/articles/{article.pk}/"
    for conditional in (False, True):
        sent = {"If_Match": read(url)} if conditional else {}
        done = send("post", f"{url}publish/", {}, **sent)
        assert done.status_code == 200
        assert not BARE & done.headers.keys()
    made = send("post", f"/{name}/articles/import/", {"title": "new"})
    assert made.status_code == 201
    assert not BARE & made.headers.keys()


REQUIRED: Final[dict[str, tuple[Any, set[str]]]] = {
    "patches": (False, {"patch"}),
    "published": (False, {"publish"}),
    "both": (True, {"delete", "publish"}),
    "all": (False, {"put", "patch", "delete"}),
    "none": (True, set()),
}


@pytest.mark.compliance("RFC 6585", "3")
@pytest.mark.parametrize("view", REQUIRED)
def test_what_has_to_be_conditional(
    view: str, article: Article, settings: Settings
) -> None:
    setting, required = REQUIRED[view]
    declare(settings, REQUIRE_PRECONDITIONS=setting)
    url = f"/required/{view}/{article.pk}/"
    for name in ("put", "patch", "publish", "delete"):
        target, method = (
            (f"{url}publish/", "post") if name == "publish" else (url, name)
        )
        answer = send(method, target, {"title": "new"})
        if name in required:
            assert_problem(answer, 428, "precondition-required")
            assert answer["ETag"] == read(url)
            current = {"If_Match": answer["ETag"]}
            answer = send(method, target, {"title": "new"}, **current)
        assert answer.status_code in {200, 204}
    assert send("post", f"/required/{view}/", {"title": "new"}).status_code == 201


@pytest.mark.compliance("RFC 6585", "3")
def test_a_setting_requires_it_of_every_view(
    article: Article, settings: Settings
) -> None:
    declare(settings, REQUIRE_PRECONDITIONS=True)
    url = f"/version/articles/{article.pk}/"
    for method in ("put", "patch", "delete"):
        assert send(method, url, {"title": "new"}).status_code == 428
    assert send("post", f"{url}publish/", {}).status_code == 200


def date_of(moment: datetime) -> str:
    return moment.strftime("%a, %d %b %Y %H:%M:%S GMT")


@pytest.mark.compliance("RFC 9110", "13.1.4")
@in_transactions
@pytest.mark.usefixtures("everywhere")
def test_a_settled_date_alone_protects_a_write(
    article: Article, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"/updated/articles/{article.pk}/"
    # What a caller is shown depends on more than the row: no date is said of it.
    assert "Last-Modified" not in send("get", url)
    monkeypatch.setattr(Articles, "per_user", False)
    modified = send("get", url)["Last-Modified"]
    assert modified == "Mon, 06 May 2024 07:08:10 GMT"
    patched = send("patch", url, {"title": "a"}, If_Unmodified_Since=modified)
    assert patched.status_code == 200
    # It was changed a moment ago: no date holds of it yet.
    assert "Last-Modified" not in patched
    for moment in (LONG_AGO, timezone.now(), timezone.now() + timedelta(days=1)):
        sent = {"If_Unmodified_Since": date_of(moment)}
        assert_problem(
            send("patch", url, {"title": "b"}, **sent), 412, "precondition-failed"
        )
    assert Article.objects.get().title == "a"


@pytest.mark.compliance("RFC 9110", "13.1.4")
def test_a_date_is_condition_enough_only_where_there_is_one(
    article: Article, settings: Settings
) -> None:
    declare(settings, REQUIRE_PRECONDITIONS=True)
    dated = {"If_Unmodified_Since": date_of(LONG_AGO + timedelta(seconds=1))}
    for name, status in (("updated", 200), ("version", 428), ("row", 428)):
        url = f"/{name}/articles/{article.pk}/"
        assert send("patch", url, {"title": "a"}, **dated).status_code == status
    old = {"If_Unmodified_Since": date_of(LONG_AGO)}
    assert send("patch", url, {"title": "b"}, **old).status_code == 428


GZIP: Final = "django.middleware.gzip.GZipMiddleware"
LONG: Final = {"extra": {"note": "y" * 300}, "price": "1.5"}


@pytest.fixture
def compressing(settings: Settings) -> None:
    settings.MIDDLEWARE = [GZIP, *settings.MIDDLEWARE]


@pytest.mark.compliance("RFC 9110", "13.1.1")
@pytest.mark.usefixtures("compressing")
@pytest.mark.parametrize("accepted", [True, False])
@pytest.mark.parametrize("name", BY_ROW)
def test_a_client_behind_gzip_echoes_a_weak_tag(
    name: str, accepted: bool, article: Article, settings: Settings
) -> None:
    declare(settings, ACCEPT_WEAK_IF_MATCH=accepted)
    Article.objects.update(extra={"note": "x" * 300})
    url, zipped = f"/{name}/articles/{article.pk}/", {"Accept_Encoding": "gzip"}
    got = send("get", url, **zipped)
    assert got["Content-Encoding"] == "gzip"
    tag = got["ETag"]
    assert tag.startswith('W/"')
    assert send("get", url, If_None_Match=tag, **zipped).status_code == 304
    answer = send("patch", url, LONG, If_Match=tag, **zipped)
    if not accepted:
        assert answer.status_code == 412
        return
    assert answer.status_code == 200
    assert answer["ETag"].startswith('W/"')
    stale = send("patch", url, LONG, If_Match=tag, **zipped)
    assert stale.status_code == 412
    chained = send("patch", url, LONG, If_Match=answer["ETag"], **zipped)
    assert chained.status_code == 200
    assert send("delete", url, If_Match=chained["ETag"], **zipped).status_code == 204
