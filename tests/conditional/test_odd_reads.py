"""Reads by views that are not like the usual ones."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import User
from pytest_django import Settings
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from drf_apikit.conditional import (
    Aggregate,
    BodyHash,
    ConditionalGetMixin,
    ConditionalMixin,
    PageDigest,
    UpdatedAt,
    VersionField,
)
from drf_apikit.conditional.holding import OURS, HoldingMixin
from drf_apikit.signals import validator_found_stale
from tests.app.models import Article, Author, Document
from tests.conditional import odd_reading as views
from tests.conditional.calls import statements
from tests.conditional.odd_reading import Documents, ask, make

pytestmark = pytest.mark.django_db
KINDS = ("application/json", "text/plain")
NEW = {"title": "new"}
NARROWED = (
    Document.objects.only("title"),
    Document.objects.defer("version", "updated_at"),
)


@pytest.fixture
def document() -> Document:
    return Document.objects.create(slug="a", title="old")


@pytest.fixture
def pk(document: Document) -> dict[str, Any]:
    return {"pk": document.pk}


@pytest.fixture
def several() -> None:
    for number in range(5):
        Document.objects.create(slug=str(number))


def test_a_validator_that_is_made_anew(pk: Any) -> None:
    tags = {ask(views.Choosing, kwargs=pk, Accept=kind)["ETag"] for kind in KINDS}
    assert len(tags) == len(KINDS)
    listed = ask(views.Choosing)["ETag"]
    Document.objects.update(version=7)
    assert ask(views.Choosing, If_None_Match=listed).status_code == 200


@pytest.mark.parametrize("view", [views.Mine, views.Passing], ids=["own", "none"])
def test_the_tag_of_an_object_found_otherwise_is_good_for_writes(
    view: Any, pk: Any
) -> None:
    named: Any = {} if view is views.Mine else {"kwargs": pk}
    tag = ask(view, **named)["ETag"]
    assert ask(view, **named, If_None_Match=tag).status_code == 304
    assert ask(view, "patch", data=NEW, **named, If_Match=tag).status_code == 200
    assert ask(view, "patch", data=NEW, **named, If_Match=tag).status_code == 412


@pytest.mark.usefixtures("document")
@pytest.mark.parametrize(
    "validator", [VersionField(), UpdatedAt(), BodyHash()], ids=type
)
def test_an_object_of_ones_own_is_read_once(validator: Any) -> None:
    view = make(views.Mine, validator=validator)
    assert statements(lambda: ask(view), 200) == {"SELECT": 1}


def test_the_state_is_that_before_the_handler() -> None:
    named: Any = {"kwargs": {"pk": Article.objects.create(title="old").pk}}
    early, late = (ask(views.Counting, **named)["ETag"] for _ in range(2))
    assert early.split(".")[0] != late.split(".")[0]
    # The first answer is of a row that was written since.
    stale = ask(views.Counting, "patch", data=NEW, **named, If_Match=early)
    assert stale.status_code == 412
    fresh = ask(views.Counting, "patch", data=NEW, **named, If_Match=late)
    assert fresh.status_code == 200


def test_an_action_that_shows_and_writes_an_object(pk: Any) -> None:
    options = {"actions": {"get": "notes", "put": "notes"}, "kwargs": pk}
    tag = ask(views.Comparing, **options)["ETag"]
    put = [
        ask(views.Comparing, "put", data=NEW, **options, If_Match=tag) for _ in range(2)
    ]
    assert [response.status_code for response in put] == [200, 412]


def test_another_object_is_read_by_its_own_name(pk: Any) -> None:
    other = Document.objects.create(slug="b").pk
    options: Any = {"actions": {"get": "beside"}, "kwargs": pk}
    response = ask(views.Comparing, path=f"/?other={other}", **options)
    assert response.data == [pk["pk"], other]


def test_a_validator_of_ones_own_asks_for_the_object(pk: Any) -> None:
    view = make(Documents, validator=views.Told())
    tag = ask(view, kwargs=pk)["ETag"]
    assert statements(lambda: ask(view, kwargs=pk), 200) == {"SELECT": 1}
    assert ask(view, kwargs=pk, If_None_Match=tag).status_code == 304
    Document.objects.get().save()
    assert ask(view, kwargs=pk, If_None_Match=tag).status_code == 200


@pytest.mark.usefixtures("several")
@pytest.mark.parametrize("columns", [(), ("title", "text")], ids=["version", "own"])
@pytest.mark.parametrize(
    "rows",
    [*NARROWED, Document.objects.defer("text")],
    ids=["only", "defer", "others"],
)
def test_what_is_compared_is_read_with_the_rows(rows: Any, columns: Any) -> None:
    own = {"queryset": rows.order_by("pk"), "list_validator": PageDigest(*columns)}
    view = make(Documents, **own)
    assert statements(lambda: ask(view), 200) == {"SELECT": 1}


@pytest.mark.parametrize("route", ["object", "list"])
@pytest.mark.parametrize("rows", NARROWED, ids=["only", "defer"])
def test_what_is_left_out_is_of_the_row_that_is_shown(
    route: str, rows: Any, pk: Any
) -> None:
    named: Any = {"kwargs": pk} if route == "object" else {}
    view = make(views.Narrowed, queryset=rows.order_by("pk"))
    shown = ask(make(view, title="meanwhile"), **named)
    assert "old" in str(shown.data)
    assert ask(view, **named, If_None_Match=shown["ETag"]).status_code == 200
    if named:
        late = ask(view, "patch", data=NEW, **named, If_Match=shown["ETag"])
        assert late.status_code == 412


def test_an_object_that_is_no_instance(pk: Any) -> None:
    tag = ask(views.Titles, kwargs=pk)["ETag"]
    assert ask(views.Titles, kwargs=pk, If_None_Match=tag).status_code == 304
    assert ask(views.Titles, kwargs=pk, If_None_Match='"other"').status_code == 200


@pytest.mark.usefixtures("several")
@pytest.mark.parametrize(
    "view",
    [
        make(Documents, pagination_class=views.LastPages),
        make(Documents, pagination_class=views.LastItems),
        views.Ranked,
    ],
    ids=["instances", "items", "view"],
)
def test_pages_that_need_more_than_columns(view: Any) -> None:
    tag = ask(view)["ETag"]
    assert ask(view, If_None_Match=tag).status_code == 304
    Document.objects.update(title="new", version=2)
    assert ask(view, If_None_Match=tag).status_code == 200


@pytest.mark.compliance("RFC 9110", "13.2.1")
@pytest.mark.usefixtures("several")
@pytest.mark.parametrize("field", ["If_None_Match", "If_Match"])
@pytest.mark.parametrize("tag", ["*", '"other"'])
def test_a_page_that_is_not_there_is_404(tag: str, field: str) -> None:
    view = make(Documents, list_validator=Aggregate(), pagination_class=views.Pages)
    assert ask(view, path="/?page=9", **{field: tag}).status_code == 404


def test_a_tag_that_is_set_at_the_very_end(pk: Any) -> None:
    view = make(views.OwnTag, validator=None)
    shown = ask(view, kwargs=pk)
    same = ask(view, kwargs=pk, If_None_Match='"own"')
    assert (shown["ETag"], shown.status_code) == ('"own"', 200)
    assert (same["ETag"], same.status_code) == ('"own"', 304)
    assert ask(view, kwargs=pk, If_None_Match='"other"').status_code == 200


def test_a_write_that_is_answered_by_a_stream(pk: Any) -> None:
    response = ask(views.Streamed, "patch", data=NEW, kwargs=pk)
    assert ("ETag" in response, b"".join(response)) == (False, b"row")


def test_a_serializer_that_is_chosen_by_action_or_method(pk: Any) -> None:
    assert ask(views.ByAction, "patch", data=NEW, kwargs=pk).status_code == 200
    patched = ask(views.ByMethod, "patch", data=NEW)
    assert patched["ETag"] == ask(views.ByMethod)["ETag"]


@pytest.mark.parametrize("name", sorted(OURS))
def test_a_name_of_ours_is_refused(name: str) -> None:
    with pytest.raises(TypeError, match=f"Made: {name} is the mixin's"):
        make(Documents, **{name: Response})


def test_a_view_that_finds_no_objects_is_refused() -> None:
    with pytest.raises(TypeError, match="Made needs a GenericAPIView"):
        type("Made", (ConditionalGetMixin, ViewSet), {})
    # A mixin of a project is no view yet.
    type("Made", (ConditionalGetMixin,), {})


@pytest.mark.compliance("RFC 9110", "12.5.5")
@pytest.mark.parametrize(
    ("way", "expected"),
    [
        (views.OwnAuthentication, {"cookie", "authorization"}),
        (views.TokenHeader, {"x-token"}),
    ],
    ids=["unknown", "declared"],
)
def test_an_answer_varies_by_what_may_be_read(
    way: Any, expected: set[str], pk: Any
) -> None:
    vary = ask(make(Documents, authentication_classes=[way]), kwargs=pk)["Vary"]
    named = {name.strip().lower() for name in vary.split(",")}
    assert named - {"accept", "accept-language"} == expected


def test_an_absent_header_is_told_from_any_text(pk: Any) -> None:
    view = make(Documents, variant_headers=("Prefer",))
    sent: Any = ({}, {"Prefer": "None"}, {"Prefer": ""})
    tags = {ask(view, kwargs=pk, **headers)["ETag"] for headers in sent}
    assert len(tags) == 3


def test_scopes_that_are_a_method_are_none(pk: Any) -> None:
    token = SimpleNamespace(scopes=lambda: ["read"])
    login = (User(pk=1, username="ada"), token)
    tag = ask(Documents, kwargs=pk, login=login)["ETag"]
    assert ask(Documents, kwargs=pk, login=login, If_None_Match=tag).status_code == 304


@pytest.mark.usefixtures("several")
def test_a_stream_of_several_queries() -> None:
    tag = ask(views.Stream)["ETag"]
    again = ask(views.Stream, If_None_Match=tag)
    assert (again["ETag"], b"".join(again)) == (tag, b"rows")
    Document.objects.update(version=7)
    assert ask(views.Stream)["ETag"] != tag


@pytest.mark.parametrize("base", [views.Below, Documents], ids=["view", "view set"])
def test_a_list_below_the_key_of_its_parent(base: Any, document: Document) -> None:
    author = Author.objects.create(pk=document.pk + 1, name="Ada")
    view = make(base, get_queryset=views.Below.get_queryset)
    options: Any = {"kwargs": {"pk": author.pk}, "actions": views.MANY}
    empty = ask(view, **options)
    assert (empty.data, ask(view, **options).status_code) == ([], 200)
    Document.objects.update(author=author)
    filled = ask(view, **options, If_None_Match=empty["ETag"])
    assert (len(filled.data), filled["ETag"].count(".")) == (1, 1)
    assert ask(view, **options, If_None_Match=filled["ETag"]).status_code == 304


@pytest.fixture
def found(settings: Settings) -> Iterator[list[Any]]:
    """Give whose faults samples find, while every 304 is one."""
    settings.DRF_APIKIT = {"CONDITIONAL": {"VERIFY_SAMPLE_RATE": 1.0}}
    senders: list[Any] = []

    def note(sender: Any, **_: Any) -> None:
        senders.append(sender)

    validator_found_stale.connect(note)
    yield senders
    validator_found_stale.disconnect(note)


@pytest.mark.parametrize("body", ["x", "0123456789abcdef", "a.b"])
def test_a_tag_that_is_made_up_raises_no_alarm(
    body: str, pk: Any, found: list[Any]
) -> None:
    tag = ask(Documents, kwargs=pk)["ETag"].strip('"')
    assert ask(Documents, kwargs=pk, If_None_Match=f'"{tag}"').status_code == 304
    state, variant, real = tag.split(".")
    # The seal is of this very digest.
    for third in (body, real[::-1]):
        forged = f'"{state}.{variant}.{third}"'
        assert ask(Documents, kwargs=pk, If_None_Match=forged).status_code == 200
    assert not found


@pytest.mark.parametrize("own", [{}, {"denies": True}], ids=["gone", "denied"])
def test_a_row_that_vanishes_meanwhile_is_no_fault(
    own: Any, pk: Any, found: list[Any]
) -> None:
    tag = ask(views.Vanishing, kwargs=pk)["ETag"]
    assert ask(views.Vanishing, kwargs=pk, If_None_Match=tag).status_code == 304
    view = make(views.Vanishing, vanishes=True, **own)
    response = ask(view, kwargs=pk, If_None_Match=tag)
    assert (response.status_code, response.data["more"], found) == (200, True, [])


def test_an_object_that_cannot_be_asked_for_is_refused() -> None:
    def get_object(_self: Any, _pk: int) -> None: ...

    with pytest.raises(TypeError, match=r"Made.get_object\(\) must do without"):
        make(Documents, get_object=get_object)

    def optional(_self: Any, _pk: int = 1, *_: Any, **__: Any) -> None: ...

    assert make(Documents, get_object=optional)


@pytest.mark.usefixtures("document")
def test_an_object_that_only_the_mixin_asks_for(pk: Any) -> None:
    view = make(
        Documents,
        validator=BodyHash(),
        get_object=lambda _self: Document.objects.get(slug="missing"),
        retrieve=lambda *_, **__: Response({"found": "otherwise"}),
    )
    answer = ask(view, kwargs=pk)
    assert (answer.status_code, answer.data) == (200, {"found": "otherwise"})


#: What projects may declare, override or call.
PUBLIC = {
    "cache_control",
    "depends_on",
    "get_list_validator",
    "get_validator",
    "get_variant",
    "last_modified_field",
    "list_validator",
    "per_user",
    "perform_put_create",
    "put_creates",
    "require_preconditions",
    "validator",
    "variant_headers",
    "write_strategy",
}
#: What they may extend by `super()`.
EXTENDED = {
    "filter_queryset",
    "finalize_response",
    "get_handler_layers",
    "initial",
    "paginate_queryset",
}


def test_every_name_is_public_or_refused() -> None:
    bases = (HoldingMixin, ConditionalGetMixin, ConditionalMixin)
    names = {name for base in bases for name in vars(base) if not name.startswith("_")}
    assert names == PUBLIC | EXTENDED | OURS
