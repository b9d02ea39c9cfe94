import functools
import itertools
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeVar

import pytest
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.test import RequestFactory
from django.utils.decorators import method_decorator
from django.views import View
from rest_framework.decorators import action, api_view, permission_classes
from rest_framework.exceptions import PermissionDenied
from rest_framework.generics import GenericAPIView
from rest_framework.permissions import AllowAny, BasePermission
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView
from rest_framework.viewsets import ViewSet

from drf_apikit.handlers import (
    Call,
    Layer,
    LayeredView,
    Position,
    Proceed,
    layered,
)

LOG: list[str] = []
OUTSIDE_IN: Final = ["idempotency", "precondition", "handler"]
DECORATORS: Final = [(), (100,), (200,), (100, 200), (200, 100)]

F = TypeVar("F", bound=Callable[..., Any])


class Note(Layer):
    """Notes that it was entered, by its position or by the name given."""

    def __init__(self, position: int, name: str = "") -> None:
        vars(self)["position"] = Position(position)
        self.name = name or Position(position).name.lower()

    def __call__(self, _call: Call, proceed: Proceed) -> HttpResponseBase:
        LOG.append(self.name)
        return proceed()


class Finish(Layer):
    """Finishes the response, as a layer with a transaction does."""

    def __init__(self, position: int) -> None:
        vars(self)["position"] = Position(position)

    def __call__(self, call: Call, proceed: Proceed) -> HttpResponseBase:
        response = call.finish(proceed())
        LOG.append("finished")
        return call.finish(response)


class Outer(LayeredView):
    def get_handler_layers(self) -> list[Layer]:
        return [*super().get_handler_layers(), Note(100)]


class Inner(LayeredView):
    def get_handler_layers(self) -> list[Layer]:
        return [*super().get_handler_layers(), Note(200)]


def decorated(positions: Iterable[int], function: F) -> F:
    """Decorate so that the first position is the outermost decorator."""
    for position in reversed(list(positions)):
        function = layered(Note(position))(function)
    return function


def respond(_self: Any, _request: Request, **_kwargs: Any) -> Response:
    LOG.append("handler")
    return Response({"done": True})


def names(positions: Iterable[int]) -> list[str]:
    wanted = [Position(position).name.lower() for position in sorted(set(positions))]
    return [*wanted, "handler"]


@pytest.fixture(autouse=True)
def _clear_log() -> None:
    LOG.clear()


def send(view: Callable[..., Any], method: str = "post", **kwargs: Any) -> Any:
    request = APIRequestFactory().generic(method.upper(), "/")
    return view(request, **kwargs)


def open_to_all(name: str, bases: tuple[type, ...], **members: Any) -> Any:
    """Make a view class that asks nobody who they are."""
    return type(name, bases, {"permission_classes": [AllowAny], **members})


@pytest.mark.parametrize("decorators", DECORATORS)
@pytest.mark.parametrize("base", [APIView, GenericAPIView])
def test_decorators_in_any_order(base: type, decorators: tuple[int, ...]) -> None:
    handler = decorated(decorators, respond)
    view = open_to_all("Plain", (base,), post=handler)
    assert send(view.as_view()).data == {"done": True}
    assert names(decorators) == LOG


@pytest.mark.parametrize("decorators", DECORATORS)
@pytest.mark.parametrize(
    "bases", [(Outer, Inner), (Inner, Outer), (Outer,), (Inner,), ()]
)
@pytest.mark.parametrize("base", [APIView, ViewSet])
def test_mixins_and_decorators_in_any_order(
    base: type, bases: tuple[type, ...], decorators: tuple[int, ...]
) -> None:
    handler = decorated(decorators, respond)
    view = open_to_all("Mixed", (*bases, base), post=handler, create=handler)
    actions = ({"post": "create"},) if base is ViewSet else ()
    assert send(view.as_view(*actions)).status_code == 200
    mixed: dict[type, int] = {Outer: 100, Inner: 200}
    assert names([*decorators, *(mixed[mixin] for mixin in bases)]) == LOG


ROUTE: Final[Any] = action(detail=True, methods=["post"])
STACKS = sorted(set(itertools.permutations(["action", 100, 200])), key=str)


@pytest.mark.parametrize("stack", STACKS, ids=str)
@pytest.mark.parametrize("bases", [(), (Outer,), (Inner,), (Inner, Outer)])
def test_actions_with_decorators_above_and_below(
    bases: tuple[type, ...], stack: tuple[Any, ...]
) -> None:
    # The name of an action is that of its function.
    @functools.wraps(respond)
    def publish(*args: Any, **kwargs: Any) -> Response:
        return respond(*args, **kwargs)

    publish.__name__ = "publish"
    handler: Any = publish
    for item in reversed(stack):
        handler = ROUTE(handler) if item == "action" else decorated([item], handler)
    view = open_to_all("Acting", (*bases, ViewSet), publish=handler)
    assert [extra.url_path for extra in view.get_extra_actions()] == ["publish"]
    assert send(view.as_view({"post": "publish"}), pk=1).status_code == 200
    assert LOG == OUTSIDE_IN


@pytest.mark.parametrize("decorators", DECORATORS)
def test_function_views(decorators: tuple[int, ...]) -> None:
    @permission_classes([AllowAny])
    def handler(request: Request, /, **kwargs: Any) -> Response:
        return respond(None, request, **kwargs)

    view = api_view(["POST"])(decorated(decorators, handler))
    assert send(view, pk=1).status_code == 200
    assert names(decorators) == LOG


@pytest.mark.parametrize(
    ("above", "below"), [(100, 200), (200, 100), (100, 100), (200, None), (100, None)]
)
@pytest.mark.parametrize("bases", [(), (Outer,), (Inner,), (Inner, Outer)])
@pytest.mark.parametrize("on", ["method", "class", "list"])
def test_method_decorator(
    on: str, bases: tuple[type, ...], above: int, below: int | None
) -> None:
    handler = decorated([below] if below else [], respond)
    dress: Any = method_decorator(layered(Note(above)), name="post")
    if on == "method":
        handler = method_decorator(layered(Note(above)))(handler)
    view = open_to_all("Dressed", (*bases, APIView), post=handler)
    if on == "class":
        view = dress(view)
    if on == "list":
        view = method_decorator([layered(Note(above))], name="post")(view)
    assert send(view.as_view()).status_code == 200
    mixed: dict[type, int] = {Outer: 100, Inner: 200}
    given = [above, *([below] if below else []), *(mixed[mixin] for mixin in bases)]
    assert names(given) == LOG


def test_where_two_claim_one_position_the_one_next_to_the_handler_wins() -> None:
    inner = layered(Note(100, "inner"))(respond)
    handler = layered(Note(100, "outer"))(inner)
    for bases in ((APIView,), (Outer, APIView)):
        LOG.clear()
        send(open_to_all("Twice", bases, post=handler).as_view())
        assert LOG == ["inner", "handler"]


def test_a_subclass_keeps_the_layers_of_what_it_overrides_with_super() -> None:
    class Base(APIView):
        permission_classes = [AllowAny]

        @layered(Note(200))
        def post(self, request: Request) -> Response:
            return respond(self, request)

    class Child(Outer, Base):
        def post(self, request: Request) -> Response:
            LOG.append("child")
            return super().post(request)

    send(Child.as_view())
    assert LOG == ["idempotency", "child", "precondition", "handler"]


def test_a_protected_method_may_call_another() -> None:
    class Nested(APIView):
        permission_classes = [AllowAny]

        @layered(Note(100))
        @layered(Note(200))
        def post(self, request: Request) -> Response:
            LOG.append("post")
            return self.put(request)

        @layered(Note(100))
        def put(self, request: Request) -> Response:
            return respond(self, request)

        def patch(self, request: Request) -> Response:
            return self.put(request)

    send(Nested.as_view(), "post")
    assert LOG == ["idempotency", "precondition", "post", "handler"]
    LOG.clear()
    send(Nested.as_view(), "patch")
    assert LOG == ["idempotency", "handler"]


def test_an_outer_layer_within_an_inner_one_is_refused() -> None:
    class Base(APIView):
        permission_classes = [AllowAny]

        @layered(Note(100))
        def post(self, request: Request) -> Response:
            return respond(self, request)

    class Child(Inner, Base):
        def post(self, request: Request) -> Response:
            return super().post(request)

    with pytest.raises(TypeError, match="inner layer"):
        send(Child.as_view())
    assert LOG == ["precondition"]
    LOG.clear()
    decorated_child: Any = type(
        "Child", (Child,), {"post": decorated([100], Child.post)}
    )
    send(decorated_child.as_view())
    assert LOG == OUTSIDE_IN


def test_layers_are_free_again_after_a_call_that_failed() -> None:
    class Retrying(APIView):
        permission_classes = [AllowAny]

        @layered(Note(100))
        def put(self, request: Request, *, fail: bool = False) -> Response:
            if fail:
                raise LookupError
            return respond(self, request)

        def post(self, request: Request) -> Response:
            with pytest.raises(LookupError):
                self.put(request, fail=True)
            return self.put(request)

    send(Retrying.as_view())
    assert LOG == ["idempotency", "idempotency", "handler"]


class Reading(Outer, ViewSet):
    permission_classes = [AllowAny]

    def list(self, request: Request) -> Response:
        return respond(self, request)


@pytest.mark.parametrize(
    ("method", "status", "log"),
    [
        ("get", 200, ["idempotency", "handler"]),
        ("head", 200, ["idempotency", "handler"]),
        ("options", 200, ["idempotency"]),
        ("post", 405, []),
        ("put", 405, []),
        ("trace", 405, []),
        ("initial", 405, []),
        ("as_view", 405, []),
        ("invent", 405, []),
    ],
)
def test_methods_of_every_kind(method: str, status: int, log: list[str]) -> None:
    response = send(Reading.as_view({"get": "list"}), method)
    assert (response.status_code, LOG) == (status, log)


def test_permissions_come_before_all_layers() -> None:
    class Nobody(BasePermission):
        def has_permission(self, *_: Any) -> bool:
            return False

    members = {"permission_classes": [Nobody], "post": respond}
    view: Any = type("Closed", (Outer, APIView), members)
    assert send(view.as_view()).status_code == 401
    assert LOG == []


class Finishing(LayeredView):
    def get_handler_layers(self) -> list[Layer]:
        return [*super().get_handler_layers(), Finish(100), Finish(200)]

    def finalize_response(
        self, request: Request, response: Response, *args: Any, **kwargs: Any
    ) -> Response:
        LOG.append(f"finalize {kwargs}")
        response["X-Times"] = str(int(response.get("X-Times", "0")) + 1)
        parent: Any = super()
        final: Response = parent.finalize_response(request, response, *args, **kwargs)
        return final


class LoggingRenderer(JSONRenderer):
    def render(self, *args: Any, **kwargs: Any) -> Any:
        LOG.append("render")
        return super().render(*args, **kwargs)


def test_an_answer_is_finalised_and_rendered_once_and_inside() -> None:
    def post(_self: APIView, _request: Request, **_kwargs: Any) -> Response:
        return Response({"done": True})

    view = open_to_all("Finished", (Finishing, APIView), post=post)
    response = send(view.as_view(renderer_classes=[LoggingRenderer]), pk=7)
    assert [*LOG[:2], LOG[-1]] == ["finalize {'pk': 7}", "render", "finished"]
    assert LOG.count("render") == 1
    assert len([line for line in LOG if line.startswith("finalize")]) == 1
    assert response["X-Times"] == "1"
    assert response.render().content == b'{"done":true}'


def test_an_answer_that_is_no_template_is_finalised_once() -> None:
    def post(_self: APIView, _request: Request) -> HttpResponse:
        return HttpResponse(b"plain")

    view = open_to_all("Finished", (Finishing, APIView), post=post)
    response = send(view.as_view())
    assert (response["X-Times"], response.content) == ("1", b"plain")


def test_finalising_may_give_another_response() -> None:
    class Replacing(LayeredView):
        def get_handler_layers(self) -> list[Layer]:
            return [Finish(100)]

        def finalize_response(self, *_: Any, **__: Any) -> Any:
            LOG.append("finalize")
            return HttpResponse(b"other")

    view = open_to_all("Replaced", (Replacing, APIView), post=respond)
    assert send(view.as_view()).content == b"other"
    assert LOG == ["handler", "finalize", "finished"]


def test_what_goes_wrong_after_finishing_is_an_answer_of_its_own() -> None:
    class Late(Layer):
        position = Position.IDEMPOTENCY

        def __call__(self, call: Call, proceed: Proceed) -> HttpResponseBase:
            call.finish(proceed())
            raise PermissionDenied("late")

    class Varying(APIView):
        permission_classes = [AllowAny]

        @layered(Late())
        def post(self, _request: Request) -> Response:
            return Response("done", headers={"X-Done": "1"})

        @property
        def default_response_headers(self) -> dict[str, str]:
            return {"Allow": "POST", "Vary": "Accept"}

    response = send(Varying.as_view())
    assert (response.status_code, response.document["detail"]) == (403, "late")
    assert "X-Done" not in response
    assert (response["Allow"], response["Vary"]) == ("POST", "Accept")


class Meddling(View):
    def get(self, _request: HttpRequest) -> HttpResponse:
        return HttpResponse()


@pytest.mark.parametrize(
    "thing",
    [
        APIView,
        Reading,
        None,
        "post",
        vars(LayeredView)["__init_subclass__"],
        APIView.as_view(),
        Meddling.as_view(),
        api_view(["GET"])(lambda _request: Response()),
    ],
    ids=["view", "view set", "none", "text", "classmethod", "as_view", "View", "api"],
)
def test_what_is_no_handler_is_refused_at_once(thing: Any) -> None:
    with pytest.raises(TypeError, match="goes on a view method"):
        layered(Note(100))(thing)


def plain(_request: HttpRequest) -> HttpResponse:
    return HttpResponse()


def test_what_is_called_by_no_drf_view_is_refused() -> None:
    members = {"get": layered(Note(100))(respond)}
    django_view: Any = type("Plain", (View,), members)
    unbound = Request(RequestFactory().get("/"))
    unbound.parser_context = {}
    protected: Any = layered(Note(100))(plain)
    request = RequestFactory().get("/")
    for call, arguments in (
        (protected, [request]),
        (protected, [unbound]),
        (protected, []),
        (django_view.as_view(), [request]),
    ):
        with pytest.raises(TypeError, match="only a handler of a DRF view"):
            call(*arguments)
    assert LOG == []


@pytest.mark.parametrize("bases", [(APIView, Outer), (ViewSet, Inner)])
def test_a_mixin_that_would_be_hidden_is_refused(bases: tuple[type, ...]) -> None:
    with pytest.raises(TypeError, match="mixins go before the view class"):
        type("Unprotected", bases, {})


def test_a_mixin_of_mixins_is_no_view() -> None:
    both = type("Both", (Inner, Outer), {})
    view = open_to_all("View", (both, APIView), post=respond)
    send(view.as_view())
    assert LOG == OUTSIDE_IN


def test_a_layer_is_abstract() -> None:
    with pytest.raises(TypeError, match="abstract"):
        type("Empty", (Layer,), {})()
