"""All problem types of a project, and which exceptions they stand for.

Found by themselves: the `problem_types` module of each installed app, the
`ProblemType`s and `Problem` classes in it, and its `EXCEPTION_TYPES`, a dict from
exception classes to types for exceptions that are no `Problem`.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from types import MappingProxyType, ModuleType

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.utils.module_loading import module_has_submodule

from drf_apikit.problem_types import ProblemType

__all__ = ["exception_types", "find_conflicts", "problem_types"]

_MODULE = "problem_types"


@cache
def problem_types() -> Mapping[str, ProblemType]:
    """Give all types by slug, in the order of the slugs.

    Raises:
        ImproperlyConfigured: two types with one slug.

    """
    conflicts = find_conflicts()
    if conflicts:
        raise ImproperlyConfigured(conflicts[0])
    found = {kind.slug: kind for _, kind in _declared()}
    return MappingProxyType(dict(sorted(found.items())))


@cache
def exception_types() -> Mapping[type[BaseException], ProblemType]:
    """Give what the apps' `EXCEPTION_TYPES` say, all together."""
    found: dict[type[BaseException], ProblemType] = {}
    for module in _modules():
        found.update(getattr(module, "EXCEPTION_TYPES", {}))
    return MappingProxyType(found)


def find_conflicts() -> list[str]:
    """Describe each slug that stands for two different types."""
    seen: dict[str, tuple[str, ProblemType]] = {}
    conflicts = []
    for module, kind in _declared():
        where, known = seen.setdefault(kind.slug, (module, kind))
        if known is not kind:
            conflicts.append(
                f"The problem type {kind.slug!r} is declared in {where} and {module}."
            )
    return conflicts


def _forget(*, setting: str, **_: object) -> None:
    if setting == "INSTALLED_APPS":
        problem_types.cache_clear()
        exception_types.cache_clear()


setting_changed.connect(_forget, dispatch_uid="drf_apikit.problems.registry")


def _declared() -> Iterator[tuple[str, ProblemType]]:
    for module in _modules():
        for value in vars(module).values():
            kind = getattr(value, "problem_type", value)
            if isinstance(kind, ProblemType):
                yield module.__name__, kind


def _modules() -> Iterator[ModuleType]:
    for config in apps.get_app_configs():
        if config.module and module_has_submodule(config.module, _MODULE):
            yield import_module(f"{config.name}.{_MODULE}")
