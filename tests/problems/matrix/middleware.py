"""A middleware that fails where it is told to, and counts what it is told."""

from typing import Any, ClassVar

from django.http import HttpRequest, HttpResponseBase
from django.utils.deprecation import MiddlewareMixin

from tests.problems.matrix.planted import plant

__all__ = ["Trouble"]


class Trouble(MiddlewareMixin):
    """Stands below all others, next to the view."""

    seen: ClassVar[list[Exception]] = []

    def process_request(self, request: HttpRequest) -> None:
        self._fail(request, "/middleware/request")

    def process_view(self, request: HttpRequest, *_: Any) -> None:
        self._fail(request, "/middleware/view")

    def process_exception(self, _request: HttpRequest, exception: Exception) -> None:
        self.seen.append(exception)

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        self._fail(request, "/middleware/response")
        return response

    def _fail(self, request: HttpRequest, path: str) -> None:
        if request.path_info == path:
            raise ValueError(plant("middleware_text"))
