"""What our system checks say, which are registered with Django."""

from collections.abc import Iterator, Sequence
from typing import Final

from django.core.checks import CheckMessage
from django.core.checks.registry import registry

__all__ = ["messages"]

_OURS: Final = "drf_apikit."


def messages(
    module: str, *ids: str, databases: Sequence[str] | None = None
) -> list[CheckMessage]:
    """Run the checks of one of our modules; give the messages with these ids.

    Of an app that is not installed there are none. `databases` may be asked.
    """
    return [message for message in _run(module, databases) if message.id in ids]


def _run(module: str, databases: Sequence[str] | None) -> Iterator[CheckMessage]:
    for check in registry.get_checks(include_deployment_checks=True):
        if check.__module__ == f"{_OURS}{module}":
            yield from check(app_configs=None, databases=databases)
