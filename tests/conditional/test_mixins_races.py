import functools
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

import pytest
from django.db import connection

from drf_apikit.testing import assert_problem
from tests.app.models import Article
from tests.conditional.calls import read, send, statements, version_of
from tests.conditional.views import Appending
from tests.databases import in_threads

SECONDS: Final = 20.0

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.urls("tests.conditional.urls"),
]
committing = pytest.mark.django_db(transaction=True)
on_postgresql = pytest.mark.parametrize("database", ["postgresql"], indirect=True)


def overtake(article: Article) -> None:
    """Be another writer, who is faster."""
    Article.objects.filter(pk=article.pk).update(version=article.version + 1)


@committing
@pytest.mark.usefixtures("everywhere")
def test_a_writer_who_is_always_overtaken_takes_the_lock(
    article: Article, appending: type[Appending]
) -> None:
    appending.read = staticmethod(overtake)
    response = send("patch", f"/appending/{article.pk}/", {"mark": "x"})
    assert response.json() == {"title": "draftx"}


@committing
@pytest.mark.usefixtures("everywhere")
def test_a_writer_who_is_overtaken_once_reads_again(
    article: Article, appending: type[Appending]
) -> None:
    def once(read_article: Article) -> None:
        overtake(read_article)
        Article.objects.update(title="other")
        appending.read = staticmethod(lambda _: None)

    appending.read = staticmethod(once)
    response = send("patch", f"/appending/{article.pk}/", {"mark": "+"})
    assert response.json() == {"title": "other+"}
    assert version_of(article) == 3


@committing
@pytest.mark.usefixtures("everywhere")
def test_a_writer_with_a_tag_who_is_overtaken_is_refused(
    article: Article, appending: type[Appending]
) -> None:
    url = f"/appending/{article.pk}/"
    tag = read(url)
    appending.read = staticmethod(overtake)
    response = send("patch", url, {"mark": "+"}, If_Match=tag)
    assert_problem(response, 412, "precondition-failed")
    assert Article.objects.get().title == "draft"


@committing
@pytest.mark.usefixtures("everywhere")
def test_a_row_that_goes_away_meanwhile(
    article: Article, appending: type[Appending]
) -> None:
    def take_away(_article: Article) -> None:
        Article.objects.all().delete()

    appending.read = staticmethod(take_away)
    url = f"/appending/{article.pk}/"
    assert_problem(send("patch", url, {"mark": "+"}), 404, "not-found")


def race(article: Article, writers: int, at_once: bool, **headers: str) -> list[Any]:
    """Let all read the same version before one of them writes."""
    barrier = threading.Barrier(writers)
    met = threading.local()

    def meet(_article: Article) -> None:
        if at_once and not hasattr(met, "once"):
            met.once = True
            barrier.wait(SECONDS)

    def write(mark: str) -> Callable[[], Any]:
        def call() -> Any:
            if not at_once:
                barrier.wait(SECONDS)
            url = f"/appending/{article.pk}/"
            return mark, send("patch", url, {"mark": mark}, **headers)

        return call

    Appending.read = staticmethod(meet)
    return in_threads(*(write(mark) for mark in "abcdefgh"[:writers]))


@pytest.mark.compliance("RFC 9110", "13.1.1")
@committing
@pytest.mark.usefixtures("appending")
@pytest.mark.parametrize("writers", [2, 8])
def test_of_writers_with_one_tag_one_wins(
    writers: int, everywhere: str, article: Article
) -> None:
    tag = read(f"/appending/{article.pk}/")
    # SQLite lets one transaction in at a time: nobody could meet within.
    atomic = connection.settings_dict["ATOMIC_REQUESTS"]
    at_once = not (everywhere == "sqlite" and atomic)
    answers = race(article, writers, at_once, If_Match=tag)
    statuses = Counter(answer.status_code for _, answer in answers)
    assert statuses == {200: 1, 412: writers - 1}
    (winner,) = (mark for mark, answer in answers if answer.status_code == 200)
    assert Article.objects.get().title == f"draft{winner}"
    assert version_of(article) == 2


@committing
@pytest.mark.usefixtures("appending")
def test_of_writers_without_a_tag_none_loses_an_update(
    everywhere: str, article: Article
) -> None:
    atomic = connection.settings_dict["ATOMIC_REQUESTS"]
    answers = race(article, 8, not (everywhere == "sqlite" and atomic))
    won = {mark for mark, answer in answers if answer.status_code == 200}
    for mark, answer in answers:
        if mark not in won:
            assert_problem(answer, 409, "edit-conflict")
    marks = Article.objects.get().title.removeprefix("draft")
    assert set(marks) == won
    assert len(marks) == len(won) == version_of(article) - 1
    assert won


@on_postgresql
@committing
@pytest.mark.usefixtures("everywhere")
def test_a_protected_write_costs_one_statement_more(article: Article) -> None:
    body = {"title": "new"}
    plain, protected = (
        statements(functools.partial(send, "patch", url, body), 200)
        for url in (f"/plain/{article.pk}/", f"/articles/{article.pk}/")
    )
    extra = protected - plain
    transaction = {"BEGIN": 1, "COMMIT": 1}
    atomic = connection.settings_dict["ATOMIC_REQUESTS"]
    assert extra == {"UPDATE": 1, **({} if atomic else transaction)}
    url = f"/articles/{article.pk}/"
    cost = statements(lambda: send("patch", url, body, If_Match='"x"'), 412)
    refused = {"BEGIN": 1, "ROLLBACK": 1} if atomic else {}
    assert cost == {"SELECT": 1, **refused}
