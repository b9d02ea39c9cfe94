import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.apps import apps
from django.core.exceptions import (
    BadRequest,
    ObjectDoesNotExist,
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
    TooManyFieldsSent,
    TooManyFilesSent,
    ValidationError,
)
from django.db import (
    DatabaseError,
    DataError,
    IntegrityError,
    OperationalError,
    connection,
    models,
    transaction,
)
from django.http import Http404
from rest_framework import exceptions
from rest_framework.parsers import JSONParser
from rest_framework.test import APIClient

from drf_apikit import problem_types
from drf_apikit.exceptions import EditConflict, InsufficientScope, Problem
from drf_apikit.problem_types import ProblemType
from drf_apikit.problems.document import Answer, respond
from drf_apikit.problems.mapping import describe, describe_refusal
from drf_apikit.problems.registry import exception_types
from drf_apikit.testing import assert_problem
from ledger import problem_types as ledger_types
from ledger.models import Account
from tests.app import models as tables
from tests.problems.views import Failing, Orders

SECRET = "text of another layer"
WAIT = ProblemType("wait", "Wait", 503, "Come again.")


class Hidden(exceptions.NotFound):
    pass


class Gone(exceptions.NotFound):
    status_code = 410


class Own(exceptions.APIException):
    pass


class Mute(exceptions.APIException):
    def __init__(self) -> None:
        """Never become what DRF makes of an API exception."""


def answered(error: BaseException) -> Answer:
    answer = describe(error)
    assert answer is not None
    return answer


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (EditConflict(), problem_types.EDIT_CONFLICT),
        (InsufficientScope(), problem_types.INSUFFICIENT_SCOPE),
        (Hidden(), problem_types.NOT_FOUND),
        (Gone(), None),
        (Own(), None),
        (exceptions.APIException(), problem_types.SERVER_ERROR),
    ],
    ids=["own", "own and inherited", "descendant", "status", "nobody's", "any"],
)
def test_the_type_of_an_exception(
    error: exceptions.APIException, expected: ProblemType | None
) -> None:
    answer = answered(error)
    assert answer.problem_type is expected
    assert answer.status == error.status_code


ANSWERS: dict[str, tuple[BaseException, ProblemType]] = {
    "ValidationError": (ValidationError(SECRET), problem_types.VALIDATION_ERROR),
    "Http404": (Http404(SECRET), problem_types.NOT_FOUND),
    "PermissionDenied": (PermissionDenied(SECRET), problem_types.PERMISSION_DENIED),
    "ProtectedError": (
        models.ProtectedError(SECRET, set()),
        problem_types.RESOURCE_IN_USE,
    ),
    "RestrictedError": (
        models.RestrictedError(SECRET, set()),
        problem_types.RESOURCE_IN_USE,
    ),
}


@pytest.mark.parametrize(("error", "kind"), ANSWERS.values(), ids=ANSWERS)
def test_what_django_raises(error: BaseException, kind: ProblemType) -> None:
    answer = answered(error)
    assert (answer.problem_type, answer.status) == (kind, kind.status)
    assert str(answer.detail) == str(kind.documentation)
    if not isinstance(error, ValidationError):
        assert SECRET not in json.dumps(respond(answer).document)


@pytest.mark.parametrize(
    "error",
    [
        LookupError(SECRET),
        ValueError(SECRET),
        TypeError(SECRET),
        ObjectDoesNotExist(SECRET),
        tables.Author.DoesNotExist(SECRET),
        SuspiciousOperation(SECRET),
        RequestDataTooBig(SECRET),
        BadRequest(SECRET),
        DatabaseError(SECRET),
        OperationalError(SECRET),
        DataError(SECRET),
        IntegrityError(),
        IntegrityError(SECRET),
        IntegrityError(19),
        TimeoutError(SECRET),
        RecursionError(SECRET),
        AssertionError(SECRET),
        KeyboardInterrupt(),
    ],
    ids=repr,
)
def test_what_is_nothing_of_the_client_s(error: BaseException) -> None:
    assert describe(error) is None


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (None, problem_types.BAD_REQUEST),
        (BadRequest(SECRET), problem_types.BAD_REQUEST),
        (SuspiciousOperation(SECRET), problem_types.BAD_REQUEST),
        (RequestDataTooBig(SECRET), problem_types.CONTENT_TOO_LARGE),
        (TooManyFieldsSent(SECRET), problem_types.CONTENT_TOO_LARGE),
        (TooManyFilesSent(SECRET), problem_types.CONTENT_TOO_LARGE),
    ],
    ids=repr,
)
def test_what_django_refuses(error: Exception | None, kind: ProblemType) -> None:
    answer = describe_refusal(error)
    assert (answer.problem_type, answer.status) == (kind, kind.status)
    assert SECRET not in json.dumps(respond(answer).document)


def changed(error: exceptions.APIException, status: int) -> exceptions.APIException:
    error.status_code = status
    return error


@pytest.mark.parametrize(
    "error",
    [
        changed(exceptions.NotFound("Away."), 410),
        changed(exceptions.ValidationError("Away."), 422),
        changed(Problem("Away.", problem_type=WAIT), 410),
        changed(EditConflict("Away."), 423),
    ],
    ids=repr,
)
def test_a_type_is_never_sent_with_another_status(
    error: exceptions.APIException,
) -> None:
    answer = answered(error)
    assert (answer.problem_type, answer.status) == (None, error.status_code)


def test_several_details_keep_the_time_to_wait() -> None:
    error = exceptions.Throttled(wait=3)
    error.detail = {"a": [exceptions.ErrorDetail("b", "c")]}
    assert answered(error).headers == {"Retry-After": "3"}


@pytest.mark.parametrize(
    ("headers", "expected"), [({}, "3"), ({"Retry-After": "7"}, "7")], ids=repr
)
def test_a_problem_says_when_to_come_again(
    headers: dict[str, str], expected: str
) -> None:
    error = Problem(problem_type=WAIT, headers=headers)
    vars(error)["wait"] = 2.6
    assert answered(error).headers == {"Retry-After": expected}


def test_an_exception_that_drf_never_made_is_a_fault() -> None:
    with pytest.raises(AttributeError):
        describe(Mute())


# -- groups


def group(*errors: Exception) -> ExceptionGroup[Exception]:
    return ExceptionGroup(SECRET, errors)


GROUPS: dict[str, tuple[BaseException, int | None]] = {
    "one": (group(Http404()), 404),
    "the highest": (group(Http404(), EditConflict(), exceptions.ParseError()), 409),
    "nested": (group(Http404(), group(group(EditConflict()), Http404())), 409),
    "unknown": (group(Http404(), ValueError()), None),
    "unknown inside": (group(Http404(), group(group(ValueError()))), None),
    "base": (BaseExceptionGroup(SECRET, [KeyboardInterrupt(), Http404()]), None),
}


@pytest.mark.compliance("RFC 9457", "3")
@pytest.mark.parametrize(("error", "status"), GROUPS.values(), ids=GROUPS)
def test_the_most_urgent_of_a_group(error: BaseException, status: int | None) -> None:
    answer = describe(error)
    assert (answer and answer.status) == status


def test_the_first_of_equals_in_a_group() -> None:
    error = group(group(EditConflict()), EditConflict("second"))
    assert str(answered(error).detail) == str(EditConflict().detail)


def test_a_group_may_be_nested_as_deep_as_python_makes_it() -> None:
    error: Exception = Http404()
    for _ in range(5_000):
        error = group(error)
    assert answered(error).status == 404


# -- the project's own


@pytest.fixture
def declare(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Give a function that puts `EXCEPTION_TYPES` into an app."""

    def declaring(types: dict[Any, ProblemType]) -> None:
        monkeypatch.setattr(ledger_types, "EXCEPTION_TYPES", types, raising=False)
        exception_types.cache_clear()

    yield declaring
    monkeypatch.undo()
    exception_types.cache_clear()


@pytest.mark.parametrize(
    ("types", "error", "expected"),
    [
        ({OSError: WAIT}, OSError(SECRET), WAIT),
        ({OSError: WAIT}, ConnectionResetError(SECRET), WAIT),
        ({OSError: WAIT}, ValueError(SECRET), None),
        ({OSError: WAIT, TimeoutError: EditConflict.problem_type}, OSError(), WAIT),
        (
            {OSError: WAIT, TimeoutError: EditConflict.problem_type},
            TimeoutError(),
            EditConflict.problem_type,
        ),
        ({ObjectDoesNotExist: WAIT}, tables.Author.DoesNotExist(SECRET), WAIT),
        ({Http404: WAIT}, Http404(SECRET), WAIT),
        ({IntegrityError: WAIT}, IntegrityError(SECRET), WAIT),
        ({Exception: WAIT}, Http404(), problem_types.NOT_FOUND),
    ],
    ids=repr,
)
def test_the_project_s_own_exceptions(
    types: dict[Any, ProblemType],
    error: Exception,
    expected: ProblemType | None,
    declare: Callable[..., None],
) -> None:
    declare(types)
    answer = describe(error)
    assert (answer and answer.problem_type) == expected
    assert answer is None or SECRET not in str(answer.detail)


def test_api_exceptions_of_a_library_have_types_too(
    declare: Callable[..., None],
) -> None:
    own = ProblemType("own", "Own", 500)
    declare({Own: own, Gone: own})
    assert answered(Own("For clients.")).problem_type is own
    assert str(answered(Own("For clients.")).detail) == "For clients."
    assert answered(Gone()).problem_type is None


# -- bodies that are nested too deep


@pytest.mark.urls("tests.problems.urls")
@pytest.mark.parametrize("opening", ["[", '{"a":', '[{"a":'])
def test_a_body_that_is_nested_too_deep_is_malformed(
    opening: str, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = None
    monkeypatch.setattr(Orders, "parser_classes", [JSONParser])
    client = APIClient(raise_request_exception=False)
    body = opening * 200_000
    response = client.generic("POST", "/orders/", body, "application/json")
    assert_problem(response, 400, "malformed-request")


def recurse() -> Exception:
    return recurse()


@pytest.mark.urls("tests.problems.urls")
def test_any_other_recursion_is_a_fault_of_ours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Failing, "fail", staticmethod(recurse))
    response = APIClient(raise_request_exception=False).post("/failing/")
    assert_problem(response, 500, "server-error")


# -- databases


def again() -> None:
    author = tables.Author.objects.create(name=SECRET)
    tables.Profile.objects.create(author=author)
    tables.Profile.objects.create(author=author)


def same_primary_key() -> None:
    tables.Author.objects.create(pk=7, name=SECRET)
    tables.Author(pk=7, name=SECRET).save(force_insert=True)


def same_two_columns() -> None:
    for _ in range(2):
        tables.Seat(line=SECRET[:10], number=1).save(force_insert=True)


def same_relation() -> None:
    first = tables.Book.objects.create(title=SECRET)
    for _ in range(2):
        tables.Book.objects.create(title=SECRET, sequel_of=first)


def null() -> None:
    nothing: Any = None
    tables.Author.objects.create(name=nothing)


def dangling() -> None:
    # MariaDB looks at once, SQLite and PostgreSQL at the end of the transaction.
    with transaction.atomic():
        tables.Book.objects.create(title=SECRET, shelf_id=987_654)


def out_of_range() -> None:
    user = apps.get_model("auth.User").objects.create(username=SECRET)
    Account.objects.create(owner=user, name=SECRET, currency="EUR", balance=-1)


def in_use() -> None:
    user = apps.get_model("auth.User").objects.create(username=SECRET)
    Account.objects.create(owner=user, name=SECRET, currency="EUR")
    user.delete()


TAKEN = "already-exists"
VIOLATIONS: dict[str, tuple[Callable[[], None], str | None]] = {
    "unique": (again, TAKEN),
    "primary key": (same_primary_key, TAKEN),
    "composite primary key": (same_two_columns, TAKEN),
    "one to one": (same_relation, TAKEN),
    "not null": (null, None),
    "foreign key": (dangling, None),
    "check": (out_of_range, None),
    "protected": (in_use, "resource-in-use"),
}
NAMES = ["tests_app", "author", "book", "seat", "account", "user", "UNIQUE", "id_"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("violate", "slug"), VIOLATIONS.values(), ids=VIOLATIONS)
@pytest.mark.urls("tests.problems.urls")
def test_what_the_database_refuses(
    database: str,
    violate: Callable[[], None],
    slug: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert connection.vendor == {"mariadb": "mysql"}.get(database, database)

    def failing() -> Exception:
        violate()
        return AssertionError("nothing was violated")

    monkeypatch.setattr(Failing, "fail", staticmethod(failing))
    response = APIClient(raise_request_exception=False).post("/failing/")
    status = 409 if slug else 500
    assert_problem(response, status, slug or "server-error")
    text = response.content.decode()
    assert SECRET not in text
    assert [name for name in NAMES if name in text] == []


@pytest.mark.django_db(transaction=True)
def test_a_refusal_is_an_integrity_error(database: str) -> None:
    """Each case above is what it is called."""
    assert database
    for name, (violate, slug) in VIOLATIONS.items():
        with pytest.raises(IntegrityError) as raised, transaction.atomic():
            violate()
        answer = describe(raised.value)
        assert (answer and answer.problem_type and answer.problem_type.slug) == slug, (
            name
        )


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("rule", "error"),
    [
        (models.PROTECT, models.ProtectedError),
        (models.RESTRICT, models.RestrictedError),
    ],
    ids=["PROTECT", "RESTRICT"],
)
def test_what_others_refer_to(
    database: str,
    rule: Any,
    error: type[IntegrityError],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert database
    field: Any = tables.Profile._meta.get_field("author")
    monkeypatch.setattr(field.remote_field, "on_delete", rule)
    author = tables.Author.objects.create(name=SECRET)
    tables.Profile.objects.create(author=author)
    with pytest.raises(error, match="Profile") as raised:
        author.delete()
    document = assert_problem(respond(answered(raised.value)), 409, "resource-in-use")
    assert "Profile" not in json.dumps(document)
