"""Problem documents: our exception handler beside its peers, with the body written.

The peers are DRF's own handler, drf-standardized-errors and drf-problems. Each is
called as DRF calls it, with the error and a request; then the answer is rendered.
"""

import argparse
import sys
from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from types import ModuleType
from typing import Any, Final

from django.test import override_settings
from django.urls import include, path
from rest_framework.exceptions import APIException, NotFound, ValidationError
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView
from rest_framework.views import exception_handler as drf_handler

from drf_apikit.logs import INSTANCE_ATTRIBUTE
from drf_apikit.problems import exception_handler
from tests.benchmarks.harness import Goal, measure, options, respond

FACTORY: Final = APIRequestFactory()
RENDERER: Final = JSONRenderer()
PEERS: Final = {
    "drf-standardized-errors": "drf_standardized_errors.handler",
    "drf-problems": "drf_problems.exceptions",
}
LINE: Final = {"amount": ["Bad."], "name": ["Bad."]}
#: Five errors, with the integer keys that DRF makes out of lists.
NESTED: Final[Any] = {
    "buyer": ["Bad."],
    "lines": {0: LINE, 2: {"options": {"size": ["Bad.", "No."]}}},
}
ERRORS: Final[Mapping[str, Callable[[], APIException]]] = {
    "404": NotFound,
    "five nested errors": lambda: ValidationError(NESTED),
    "20,000 errors": lambda: ValidationError([dict(LINE) for _ in range(10_000)]),
}
GOALS: Final = {"404": 1.7, "five nested errors": 2.5, "20,000 errors": 7}

Handler = Callable[[Any, dict[str, Any]], Any]


def peers() -> dict[str, Handler]:
    """Give the handlers of the peers that are installed; name the others."""
    found: dict[str, Handler] = {}
    for name, module in PEERS.items():
        try:
            found[name] = import_module(module).exception_handler
        except ImportError as error:
            print(f"{name} is missing ({error.name}): pip install -e '.[bench]'")
    return found


def routes(peers: Mapping[str, Handler]) -> ModuleType:
    """Make the URL configuration: drf-problems looks its own page up."""
    made = ModuleType("routes")
    vars(made)["urlpatterns"] = (
        [path("", include("drf_problems.urls"))] if "drf-problems" in peers else []
    )
    return made


def request() -> Request:
    made = Request(FACTORY.get("/"))
    made.accepted_renderer = RENDERER
    return made


def handle(handler: Handler, error: APIException, context: dict[str, Any]) -> bytes:
    # Each failure is an occurrence of its own.
    vars(context["request"]._request).pop(INSTANCE_ATTRIBUTE, None)
    response = handler(error, context)
    if isinstance(response, Response):
        # What finalize_response() does with it; ours is written already.
        response.accepted_renderer = RENDERER
        response.accepted_media_type = RENDERER.media_type
        vars(response)["renderer_context"] = context
        response.render()
    body: bytes = response.content
    return body


def view_raising(error: Callable[[], APIException], handler: Handler) -> Any:
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


def compare(
    name: str, handlers: Mapping[str, Handler], chosen: argparse.Namespace
) -> None:
    make = ERRORS[name]
    context: dict[str, Any] = {
        "request": request(),
        "view": None,
        "args": (),
        "kwargs": {},
    }
    cases: dict[str, Callable[[], object]] = {
        f"{who}": partial(handle, handler, make(), context)
        for who, handler in handlers.items()
    }
    for who in ("ours", "DRF"):
        cases[f"{who}, whole view"] = view_raising(make, handlers[who])
    goals = [Goal("ours", "DRF", f"at most {GOALS[name]}")]
    goals += [Goal("ours", who) for who in handlers if who in PEERS]
    goals += [Goal(who, "DRF") for who in handlers if who in PEERS]
    goals += [Goal("ours, whole view", "DRF, whole view")]
    repeat = 1 if name.startswith("20") else 20
    measure(f"Problems: {name}", cases, goals, chosen.rounds, repeat)


def main() -> None:
    chosen = options(__doc__)
    found = peers()
    handlers = {"ours": exception_handler, "DRF": drf_handler, **found}
    sys.modules["routes"] = routes(found)
    with override_settings(ROOT_URLCONF="routes"):
        for name in ERRORS:
            compare(name, handlers, chosen)


if __name__ == "__main__":
    main()
