"""Idempotency: a first run, a replay, and the same view without protection."""

import itertools
from collections.abc import Callable
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory, force_authenticate
from rest_framework.views import APIView

from drf_apikit.idempotency import idempotent
from tests.app.models import Article
from tests.benchmarks.harness import (
    Goal,
    measure,
    options,
    respond,
    throw_away_database,
)

FACTORY = APIRequestFactory()
BODY = {"title": "An article", "score": 4, "tags": ["a", "b"]}
KEYS = map(str, itertools.count())


class Plain(APIView):
    permission_classes = ()

    def post(self, request: Request) -> Response:
        data: Any = request.data
        article = Article.objects.create(title=data["title"])
        return Response({"id": article.pk, "title": article.title}, status=201)


class Protected(Plain):
    @idempotent(required=True)
    def post(self, request: Request) -> Response:
        return super().post(request)


def send(
    view: Callable[..., Any], user: User, key: Callable[[], str]
) -> Callable[[], Any]:
    def call() -> Any:
        headers = {"Idempotency-Key": key()}
        request = FACTORY.post("/", BODY, format="json", headers=headers)
        force_authenticate(request, user)
        return respond(view, request)

    return call


def main() -> None:
    chosen = options(__doc__)
    with throw_away_database(chosen.database):
        user = User.objects.create(username="caller")
        plain, protected = Plain.as_view(), Protected.as_view()
        replay = send(protected, user, lambda: "replayed")
        assert "Idempotent-Replayed" not in replay()
        assert replay()["Idempotent-Replayed"] == "true"
        cases = {
            "unprotected, autocommit": send(plain, user, lambda: next(KEYS)),
            # What ATOMIC_REQUESTS puts around a view.
            "unprotected": send(transaction.atomic(plain), user, lambda: next(KEYS)),
            "first run": send(protected, user, lambda: next(KEYS)),
            "replay": replay,
        }
        goals = [
            Goal("first run", "unprotected", "at most 1.4"),
            Goal("replay", "unprotected", "one statement"),
            Goal("unprotected, autocommit", "unprotected"),
        ]
        title = f"Idempotency on {chosen.database}, 'unprotected' in one transaction"
        measure(title, cases, goals, chosen.rounds, repeat=5)


if __name__ == "__main__":
    main()
