from typing import Any

import pytest
from rest_framework.response import Response
from rest_framework.views import APIView

from drf_apikit.idempotency import IdempotencyMixin, idempotent
from drf_apikit.idempotency.options import Options, of_actions

WRONG: dict[str, tuple[dict[str, Any], type[Exception]]] = {
    "required no flag": ({"required": "yes"}, TypeError),
    "required a number": ({"required": 1}, TypeError),
    "using no text": ({"using": 1}, TypeError),
    "ttl no number": ({"ttl": "60"}, TypeError),
    "ttl with a fraction": ({"ttl": 60.0}, TypeError),
    "ttl a flag": ({"ttl": True}, ValueError),
    "ttl zero": ({"ttl": 0}, ValueError),
    "ttl negative": ({"ttl": -1}, ValueError),
    "ttl beyond every calendar": ({"ttl": 366 * 24 * 60 * 60 + 1}, ValueError),
    "max_body no number": ({"max_body": "1"}, TypeError),
    "max_body a flag": ({"max_body": False}, ValueError),
    "max_body negative": ({"max_body": -1}, ValueError),
    "max_body beyond every packet": ({"max_body": 64 * 1024**2 + 1}, ValueError),
    "key_scope no function": ({"key_scope": "account"}, TypeError),
    "fingerprint no function": ({"fingerprint": ["a"]}, TypeError),
    "rollback_on no function": ({"rollback_on": 402}, TypeError),
    "unknown": ({"timeout": 1}, TypeError),
}


@pytest.mark.parametrize(("options", "error"), WRONG.values(), ids=WRONG)
def test_what_is_no_option_is_refused_at_once(
    options: dict[str, Any], error: type[Exception]
) -> None:
    name = next(iter(options))
    with pytest.raises(error, match=name):
        Options(**options)
    with pytest.raises(error, match=name):
        idempotent(**options)
    with pytest.raises(error, match=name):
        type("View", (IdempotencyMixin,), {"idempotent_actions": {"post": options}})


RIGHT: dict[str, dict[str, Any]] = {
    "none": {},
    "all by the settings": dict.fromkeys(["required", "using", "ttl", "max_body"]),
    "most": {"ttl": 366 * 24 * 60 * 60, "max_body": 64 * 1024**2},
    "least": {"ttl": 60, "max_body": 0, "required": False},
    "all": {
        "required": True,
        "using": "default",
        "ttl": 60,
        "max_body": 10,
        "key_scope": str,
        "fingerprint": str,
        "rollback_on": bool,
    },
}


@pytest.mark.parametrize("options", RIGHT.values(), ids=RIGHT)
def test_what_is_an_option(options: dict[str, Any]) -> None:
    made = Options(**options)
    assert {name: getattr(made, name) for name in options} == options
    assert of_actions({"create": options}) == {"create": made}


@pytest.mark.parametrize(
    "names", [["create", "destroy"], ("create", "destroy"), {"create", "destroy"}]
)
def test_names_alone_are_names_with_the_settings(names: Any) -> None:
    assert of_actions(names) == {"create": Options(), "destroy": Options()}


@pytest.mark.parametrize("names", ["create", ""])
def test_one_text_is_no_list_of_names(names: str) -> None:
    with pytest.raises(TypeError, match="not a list of names"):
        of_actions(names)
    with pytest.raises(TypeError, match="not a list of names"):
        type("View", (IdempotencyMixin,), {"idempotent_actions": names})


@pytest.mark.parametrize("declared", [None, 1, {"create": None}, {"create": ["a"]}])
def test_what_names_nothing_is_refused(declared: Any) -> None:
    with pytest.raises(TypeError):
        type("View", (IdempotencyMixin,), {"idempotent_actions": declared})


def test_a_class_may_stand_on_one_that_has_options() -> None:
    class Base(IdempotencyMixin, APIView):
        idempotent_actions = {"post": {"required": True}}

        def post(self) -> Response:
            raise AssertionError

    class Derived(Base):
        pass

    assert Derived.idempotent_actions == Base.idempotent_actions
    with pytest.raises(ValueError, match="ttl"):
        type("View", (Base,), {"idempotent_actions": {"post": {"ttl": 0}}})
