"""Things that may raise whatever they like."""

from typing import Self

from drf_apikit.doctor.redaction import error_text

__all__ = ["Attempt"]


class Attempt:
    """Catches what is raised within a `with`, so that it can be told."""

    def __init__(self, *kinds: type[BaseException]) -> None:
        self._kinds = kinds or (Exception,)
        self.error: BaseException | None = None

    @property
    def failure(self) -> str:
        """What was raised, in one line; empty if nothing was."""
        return "" if self.error is None else error_text(self.error)

    def __enter__(self) -> Self:
        """Catch from here on."""
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> bool:
        if error is not None and not isinstance(error, self._kinds):
            return False
        # Its traceback would keep all that was in use there, as connections.
        self.error = error and error.with_traceback(None)
        return True
