"""Problem documents: our exception handler beside DRF's, with the body written."""

from collections.abc import Callable
from functools import partial
from typing import Any

from rest_framework.exceptions import APIException, NotFound, ValidationError
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView
from rest_framework.views import exception_handler as drf_handler

from drf_apikit.problems import exception_handler
from tests.benchmarks.harness import Goal, measure, options, respond

FACTORY = APIRequestFactory()
RENDERER = JSONRenderer()
ERRORS: dict[str, Callable[[], APIException]] = {
    "404": NotFound,
    "5 errors": lambda: ValidationError({f"field{n}": ["Bad."] for n in range(5)}),
    "20,000 errors": lambda: ValidationError(
        [{"amount": ["Bad."], "name": ["Bad."]} for _ in range(10_000)]
    ),
}
GOALS = {"404": 1.7, "5 errors": 2.5, "20,000 errors": 7}


def view_raising(error: Callable[[], APIException], handler: Any) -> Callable[[], Any]:
    class Raising(APIView):
        authentication_classes = ()
        permission_classes = ()
        renderer_classes = (JSONRenderer,)

        def get(self, _request: Request) -> Response:
            raise error()

        def get_exception_handler(self) -> Any:
            return handler

    view = Raising.as_view()
    return lambda: respond(view, FACTORY.get("/"))


def ours(error: APIException) -> Any:
    response: Any = exception_handler(error, {})
    return response.content


def theirs(error: APIException) -> Any:
    response: Any = drf_handler(error, {})
    return RENDERER.render(response.data)


def main() -> None:
    chosen = options(__doc__)
    for name, make in ERRORS.items():
        error = make()
        cases: dict[str, Callable[[], Any]] = {
            "ours": partial(ours, error),
            "DRF's": partial(theirs, error),
            "our whole view": view_raising(make, exception_handler),
            "DRF's whole view": view_raising(make, drf_handler),
        }
        goals = [
            Goal("ours", "DRF's", f"at most {GOALS[name]}"),
            Goal("our whole view", "DRF's whole view"),
        ]
        repeat = 1 if name.startswith("20") else 20
        measure(f"Problems: {name}", cases, goals, chosen.rounds, repeat)


if __name__ == "__main__":
    main()
