"""The id of a problem, before anybody reports what went wrong."""

from django.http import HttpRequest
from django.utils.deprecation import MiddlewareMixin

from drf_apikit.problems.occurrence import identify

__all__ = ["ProblemInstanceMiddleware"]


class ProblemInstanceMiddleware(MiddlewareMixin):
    """Names the occurrence as soon as a view has raised.

    Only of use with Sentry, which takes its event from Django's signal, before
    `handler500` is asked for a document. DRF's views need no middleware for
    that: the exception handler comes first.
    """

    def process_exception(self, request: HttpRequest, exception: Exception) -> None:
        """Leave the exception alone."""
        del exception
        identify(request)
