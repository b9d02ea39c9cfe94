import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from drf_apikit import problem_types as ours
from drf_apikit.checks import check_problems
from drf_apikit.problem_types import ProblemType
from drf_apikit.problems.registry import (
    exception_types,
    find_conflicts,
    problem_types,
)
from ledger import problem_types as ledger_types

TYPES = """
from drf_apikit.problems import Problem, ProblemType
from drf_apikit.problem_types import NOT_FOUND

LATE = ProblemType("late", "Late", 409)
AGAIN = LATE
texts = ["no type"]


class Worn(Problem):
    problem_type = ProblemType("worn", "Worn out", 422)


class More(Worn):
    pass


EXCEPTION_TYPES = {ZeroDivisionError: LATE}
"""
CLASH = """
from drf_apikit.problems import ProblemType

OTHER = ProblemType("not-found", "Also not found", 404)
"""

Install = Callable[..., override_settings]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Any) -> Install:
    """Give a function that installs an app with a text as its problem types."""
    monkeypatch.syspath_prepend(tmp_path)

    def installing(name: str, text: str | None) -> override_settings:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
        if text is not None:
            (tmp_path / name / "problem_types.py").write_text(text)
        for module in (name, f"{name}.problem_types"):
            monkeypatch.delitem(sys.modules, module, raising=False)
        return override_settings(INSTALLED_APPS=[*settings.INSTALLED_APPS, name])

    return installing


def test_all_types_of_installed_apps_are_found_in_order() -> None:
    found = problem_types()
    own = {v.slug for v in vars(ours).values() if isinstance(v, ProblemType)}
    theirs = {
        value.problem_type.slug
        for name, value in vars(ledger_types).items()
        if name in ledger_types.__all__
    }
    assert set(found) == own | theirs
    assert list(found) == sorted(found)
    assert found["not-found"] is ours.NOT_FOUND
    assert found["same-account"] is ledger_types.SameAccount.problem_type
    assert find_conflicts() == []


def test_what_is_found_cannot_be_changed() -> None:
    found: Any = problem_types()
    with pytest.raises(TypeError):
        found["more"] = ours.NOT_FOUND
    declared: Any = exception_types()
    with pytest.raises(TypeError):
        declared[OSError] = ours.NOT_FOUND


def test_types_and_problems_and_exceptions_of_an_app(install: Install) -> None:
    before = set(problem_types())
    assert ZeroDivisionError not in exception_types()
    with install("app_of_types", TYPES):
        assert set(problem_types()) == before | {"late", "worn"}
        assert exception_types()[ZeroDivisionError].slug == "late"
        assert find_conflicts() == []
    assert set(problem_types()) == before
    assert ZeroDivisionError not in exception_types()


def test_an_app_need_not_have_types(install: Install) -> None:
    before = dict(problem_types())
    with install("app_without_types", None):
        assert dict(problem_types()) == before


def test_a_slug_of_two_types_is_a_conflict(install: Install) -> None:
    told = (
        "The problem type 'not-found' is declared in drf_apikit.problem_types and"
        " app_of_clashes.problem_types."
    )
    with install("app_of_clashes", CLASH):
        assert find_conflicts() == [told]
        with pytest.raises(ImproperlyConfigured) as raised:
            problem_types()
        assert str(raised.value) == told
        (error,) = (e for e in check_problems() if e.id == "drf_apikit.E006")
        assert error.msg == told
        assert error.hint
    assert find_conflicts() == []
    assert "not-found" in problem_types()


def test_a_type_that_is_wrong_is_no_secret(install: Install) -> None:
    text = "from drf_apikit.problems import ProblemType\nA = ProblemType('A', 'a', 1)\n"
    with install("app_of_faults", text), pytest.raises(ValueError, match="slug 'A'"):
        problem_types()


def test_other_settings_leave_what_was_found(settings: Any) -> None:
    before = problem_types()
    settings.DRF_APIKIT = {}
    assert problem_types() is before
