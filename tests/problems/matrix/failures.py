"""What the views raise, by name: each of the real kind, with secrets in it."""

from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any, Final, NoReturn

from django.contrib.auth.models import User
from django.core import exceptions as django
from django.core.validators import MaxLengthValidator
from django.db import DatabaseError, IntegrityError, OperationalError, connection
from django.db.models import ProtectedError, RestrictedError
from django.http import Http404
from django.utils.translation import gettext_lazy
from rest_framework import exceptions, serializers

from ledger.models import Account
from ledger.problem_types import InsufficientFunds
from tests.app.models import Author
from tests.problems.matrix.planted import plant

__all__ = ["FAILURES", "PLAIN", "UNHANDLED", "Nameless", "Teapot"]


class Teapot(exceptions.APIException):
    """A status that nobody has a type for."""

    status_code = 422
    default_detail = "No coffee."
    default_code = "teapot"


class Conflict(exceptions.APIException):
    status_code = 409
    default_detail = "Somebody else was faster."
    default_code = "conflict"


class Nameless(exceptions.APIException):
    """No status that HTTP knows."""

    status_code = 499
    default_detail = "Gone before the answer."


class Opaque:
    def __init__(self) -> None:
        self.text = plant("object_in_params")

    def __repr__(self) -> str:
        return self.text


class Line(serializers.Serializer[Any]):
    amount = serializers.IntegerField(min_value=1)
    tags = serializers.ListField(
        child=serializers.CharField(max_length=3), required=False
    )
    marks = serializers.DictField(child=serializers.IntegerField(), required=False)


class Order(serializers.Serializer[Any]):
    lines = Line(many=True, allow_empty=False)
    first = Line(required=False)
    raw = serializers.JSONField(required=False, binary=True)

    def validate(self, _attrs: dict[str, Any]) -> dict[str, Any]:
        raise serializers.ValidationError(["One.", "Two."], code="pair")


def invalid(data: Any, *, many: bool = False) -> Callable[[], None]:
    def fail() -> None:
        Order(data=data, many=many).is_valid(raise_exception=True)

    return fail


def throw(make: Callable[[], BaseException]) -> Callable[[], NoReturn]:
    def fail() -> NoReturn:
        raise make()

    return fail


def unexpected() -> None:
    """Fail with secrets in the message, the notes, the cause and the trace."""

    def inner() -> None:
        local = plant("local")
        try:
            dict[str, int]()[plant("context_text")]
        except KeyError:
            cause = LookupError(plant("cause_text"))
            error = RuntimeError(plant("exception_text"), local)
            error.add_note(plant("exception_note"))
            raise error from cause

    code = inner.__code__.replace(co_filename=plant("file"), co_name=plant("function"))
    FunctionType(code, globals())()


def run(*statements: str) -> Callable[[], None]:
    """Let the database itself raise, with the names of its tables."""

    def fail() -> None:
        names = {name: plant(name) for name in ("table", "column", "duplicate_value")}
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement.format(**names))

    return fail


TABLE: Final = "CREATE TEMP TABLE IF NOT EXISTS {table} ({column} TEXT NOT NULL UNIQUE)"
INSERT: Final = "INSERT INTO {table} VALUES ('{duplicate_value}')"


def delete_an_owner() -> None:
    owner = User.objects.create(username=plant("protected_object"))
    Account.objects.create(owner=owner, name="any", currency="EUR")
    owner.delete()


def clean_in_save() -> None:
    account = Account(name="x" * 100, currency="euro")
    account.full_clean(exclude=["owner"])


def missing_row() -> None:
    Author.objects.get(name=plant("missing_row"), pk=0)


def does_not_exist() -> NoReturn:
    raise Author.DoesNotExist(plant("missing_row"))


def too_long() -> None:
    MaxLengthValidator(2)("abc")


def group(*makes: Callable[[], Exception]) -> Callable[[], NoReturn]:
    def fail() -> NoReturn:
        inner = ExceptionGroup(plant("group_text"), [make() for make in makes])
        raise ExceptionGroup(plant("group_text"), [inner])

    return fail


Fail = Callable[[], Any]

#: What DRF's types do not allow and projects do all the same.
NUMBER: Final[Any] = 5

#: Answered by the exception handler.
FAILURES: Final[Mapping[str, Fail]] = {
    "nested": invalid({"lines": [{"amount": 0, "tags": ["long!"]}], "first": {}}),
    "many": invalid([{}, {"lines": []}, 5], many=True),
    "list-and-dict-keys": invalid(
        {"lines": [{"amount": 1, "tags": ["ok", "long!"], "marks": {"a/b~c": "x"}}]}
    ),
    "json-field": invalid({"lines": [{"amount": 1}], "raw": "{"}),
    "non-field": invalid({"lines": [{"amount": 1}]}),
    "not-an-object": invalid("text"),
    "not-a-list": invalid({"lines": {"amount": 1}}),
    "no-list": invalid({}, many=True),
    "empty-list": invalid({"lines": []}),
    "detail-text": throw(lambda: exceptions.ValidationError("No.", "no")),
    "detail-lazy": throw(lambda: exceptions.ValidationError(gettext_lazy("scope"))),
    "detail-list": throw(lambda: exceptions.ValidationError(["No.", "Never."])),
    "detail-dict": throw(lambda: exceptions.ValidationError({"name": "No."})),
    "detail-number": throw(lambda: exceptions.ValidationError({"name": NUMBER})),
    "detail-none": throw(lambda: exceptions.ValidationError({"name": None})),
    "detail-empty": throw(lambda: exceptions.ValidationError({})),
    "reserved-names": throw(
        lambda: exceptions.ValidationError(
            {"type": "No.", "title": "No.", "status": "No.", "instance": "No."}
        )
    ),
    "parse-error": throw(exceptions.ParseError),
    "not-found": throw(exceptions.NotFound),
    "http404": throw(lambda: Http404(plant("http404_text"))),
    "permission-denied": throw(
        lambda: django.PermissionDenied(plant("permission_text"))
    ),
    "own-permission": throw(
        lambda: exceptions.PermissionDenied("Not on Sundays.", "sunday")
    ),
    "django-validation": throw(
        lambda: django.ValidationError(
            "Not %(value)s.",
            code="odd",
            params={"value": 5, "object": Opaque(), "nan": float("nan")},
        )
    ),
    "django-validation-dict": throw(
        lambda: django.ValidationError({"name": ["No."], "__all__": ["Never."]})
    ),
    "clean-in-save": clean_in_save,
    "validator": too_long,
    "unique": run(TABLE, INSERT, INSERT),
    "protected": delete_an_owner,
    "protected-raised": throw(lambda: ProtectedError(plant("protected_text"), set())),
    "restricted": throw(lambda: RestrictedError(plant("restricted_text"), set())),
    "teapot": throw(Teapot),
    "conflict": throw(Conflict),
    "conflict-dict": throw(lambda: Conflict({"reason": ["late"], "by": {"n": NUMBER}})),
    "nameless": throw(Nameless),
    "api-exception": throw(exceptions.APIException),
    "problem": throw(lambda: InsufficientFunds(balance=3, required=5)),
    "problem-with-nan": throw(
        lambda: InsufficientFunds(balance=float("nan"), required=5)
    ),
    "throttled": throw(lambda: exceptions.Throttled(wait=7.2)),
    "group-known": group(Http404, lambda: InsufficientFunds(balance=1, required=2)),
}

#: Django logs them as suspicious or bad, and calls `handler400`.
PLAIN: Final[Mapping[str, Fail]] = {
    "suspicious": throw(lambda: django.SuspiciousOperation(plant("suspicious_text"))),
    "disallowed-redirect": throw(
        lambda: django.DisallowedRedirect(plant("suspicious_text"))
    ),
    "bad-request": throw(lambda: django.BadRequest(plant("bad_request_text"))),
    "too-big": throw(lambda: django.RequestDataTooBig(plant("suspicious_text"))),
    "too-many-files": throw(lambda: django.TooManyFilesSent(plant("suspicious_text"))),
}

#: Nobody's problem but the server's.
UNHANDLED: Final[Mapping[str, Fail]] = {
    "unexpected": unexpected,
    "key-error": throw(lambda: KeyError(plant("key_error"))),
    "does-not-exist": missing_row,
    "does-not-exist-raised": does_not_exist,
    "not-null": run(TABLE, "INSERT INTO {table} VALUES (NULL)"),
    "sql": run("SELECT {column} FROM {table}_missing"),
    "syntax": throw(lambda: DatabaseError("near", plant("sql"))),
    "integrity-without-cause": throw(lambda: IntegrityError(plant("column"))),
    "database-down": throw(
        lambda: OperationalError(f"no route to {plant('database_host')}")
    ),
    "timeout": throw(lambda: TimeoutError(plant("timeout_text"))),
    "recursion": throw(lambda: RecursionError(plant("exception_text"))),
    "group-unknown": group(Http404, lambda: ValueError(plant("group_member"))),
    "assertion": throw(lambda: AssertionError(plant("exception_text"))),
    "multi-line": throw(lambda: ValueError(f"a\r\nX-Leak: {plant('exception_text')}")),
}
