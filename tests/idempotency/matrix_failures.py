"""Rows of the matrix: what fails, and what becomes of the effects and of the key."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.http import HttpResponseBase
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response

from drf_apikit.models import IdempotencyRecord
from tests.app.models import Article
from tests.databases import in_threads
from tests.idempotency.matrix_world import World, row
from tests.idempotency.views import created


def then_well(world: World, key: str = "key-1") -> list[Any]:
    """Send it, and once more when the view does well."""
    first = world.post(key=key)
    assert not IdempotencyRecord.objects.exists()
    assert not Article.objects.exists()
    world.answer(created)
    return [first, world.post(key=key)]


@row("500, 201", peers="two effects; stuck with 409 for an hour", entered=2)
def exception_after_the_effect(world: World) -> list[Any]:
    world.raises(LookupError("in the view"))
    return then_well(world)


@row("503, 201", peers="two effects; the 503 for ever", entered=2)
def returned_503(world: World) -> list[Any]:
    world.returns(503)
    return then_well(world)


@row("500, 201, 499, 499 replayed", peers="by a list of statuses", records=2, effects=2)
def returned_500_and_499(world: World) -> list[Any]:
    world.returns(500)
    answers = then_well(world)
    world.returns(499)
    return [*answers, *world.twice(key="key-2")]


@row("500, 201", peers="two effects", entered=2)
def renderer_that_fails(world: World) -> list[Any]:
    world.answer(lambda _: Response({"what": object()}))
    return then_well(world)


@row("402, 201", peers="cannot be said", entered=2)
def rollback_on_402(world: World) -> list[Any]:
    world.returns(402)
    first = world.post("/kind/")
    assert not Article.objects.exists()
    world.answer(created)
    return [first, world.post("/kind/")]


@row("503, 503 replayed", peers="cannot be said", entered=1)
def no_rollback_on_503(world: World) -> list[Any]:
    world.returns(503)
    first = world.post("/kind/")
    world.answer(created)
    return [first, world.post("/kind/")]


@row("400 validation-error, 201", peers="400 for 24 hours; 500", entered=2)
def raised_400(world: World) -> list[Any]:
    world.raises(exceptions.ValidationError({"amount": ["no"]}))
    return then_well(world)


@row("404 not-found, 201", peers="404 for 24 hours; 500", entered=2)
def raised_404(world: World) -> list[Any]:
    world.raises(exceptions.NotFound())
    return then_well(world)


@row("200, 201", peers="the success is replayed, of which nothing is there", entered=2)
def view_sets_rollback(world: World) -> list[Any]:
    def spoil(_request: Request) -> HttpResponseBase:
        transaction.set_rollback(True)
        return Response({"spoilt": True})

    world.answer(spoil)
    return then_well(world)


@row("201, 201 replayed", peers="two effects", effects=1)
def savepoint_rolled_back_in_the_view(world: World) -> list[Any]:
    def partly(_request: Request) -> HttpResponseBase:
        with suppress(LookupError), transaction.atomic():
            Article.objects.create(title="effect")
            raise LookupError
        return Response({"articles": Article.objects.count()}, status=201)

    world.answer(partly)
    return world.twice()


@row("201, 201 replayed", peers="the answer is lost with the savepoint")
def database_error_caught_in_the_view(world: World) -> list[Any]:
    def twice(_request: Request) -> HttpResponseBase:
        with suppress(IntegrityError), transaction.atomic():
            pk = Article.objects.values_list("pk", flat=True).get()
            Article.objects.create(pk=pk, title="effect")
        return Response({"articles": Article.objects.count()}, status=201)

    world.answer(twice)
    return world.twice()


@row("500, 201", peers="an effect without a record", entered=2)
def durable_transaction_in_the_view(world: World) -> list[Any]:
    def durable(_request: Request) -> HttpResponseBase:
        with transaction.atomic(durable=True):
            raise AssertionError

    world.answer(durable)
    return then_well(world)


@row("201, 201 replayed", peers="mails are sent twice")
def hooks_on_commit_run_once(world: World) -> list[Any]:
    fired: list[bool] = []

    def hook(request: Request) -> HttpResponseBase:
        transaction.on_commit(lambda: fired.append(connection.in_atomic_block))
        assert not fired
        return created(request)

    world.answer(hook)
    answers = world.twice()
    assert fired == [False]
    return answers


@row("500, 201", peers="mails of what has not happened", entered=2)
def hooks_on_commit_do_not_run_without_one(world: World) -> list[Any]:
    fired: list[None] = []

    def hook(_request: Request) -> HttpResponseBase:
        transaction.on_commit(lambda: fired.append(None))
        raise LookupError

    world.answer(hook)
    answers = then_well(world)
    assert not fired
    return answers


def run(sql: str, *parameters: Any) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchone() if cursor.description else None


def end(number: int) -> None:
    """End a session of the database, from another one."""
    postgresql = connection.vendor == "postgresql"
    sql = "SELECT pg_terminate_backend(%s, 10000)" if postgresql else "KILL %s"
    in_threads(lambda: run(sql, number))


def own_session() -> int:
    postgresql = connection.vendor == "postgresql"
    sql = "SELECT pg_backend_pid()" if postgresql else "SELECT CONNECTION_ID()"
    return int(run(sql)[0])


def ends_with_the_answer(
    execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any
) -> Any:
    """Lose the connection when all is written, and nothing committed."""
    number = own_session() if "SET status_code" in sql else 0
    result = execute(sql, params, many, context)
    if number:
        end(number)
    return result


@row("500, 201", peers="an answer without its effect; run again", entered=2)
def commit_that_fails(world: World) -> list[Any]:
    def send() -> Any:
        if world.vendor == "sqlite":
            # Foreign keys are checked when the transaction ends.
            world.answer(lambda _: Response(Article.objects.create(author_id=404).pk))
            return world.post()
        with connection.execute_wrapper(ends_with_the_answer):
            return world.post()

    (first,) = in_threads(send)
    assert not IdempotencyRecord.objects.exists()
    assert not Article.objects.exists()
    world.answer(created)
    return [first, world.post()]


@row("500, 201", peers="stuck; two effects", entered=2)
def connection_lost_in_the_view(world: World) -> list[Any]:
    def lose(_request: Request) -> HttpResponseBase:
        if world.vendor == "sqlite":
            # The file stays; what was not committed does not.
            connection.connection.close()
        else:
            end(own_session())
        run("SELECT 1")
        raise AssertionError

    world.answer(lose)
    (first,) = in_threads(world.post)
    assert not IdempotencyRecord.objects.exists()
    world.answer(created)
    return [first, world.post()]


@row("500, 201", peers="an effect that can be repeated", entered=2)
def view_that_deletes_its_own_record(world: World) -> list[Any]:
    def forget(_request: Request) -> HttpResponseBase:
        IdempotencyRecord.objects.all().delete()
        return Response()

    world.answer(forget)
    return then_well(world)
