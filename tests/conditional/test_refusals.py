"""What a write is refused with where nobody is in the way."""

import pytest
from django.urls import path
from rest_framework.generics import GenericAPIView
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIClient

from drf_apikit.conditional import BodyHash, ConditionalMixin
from drf_apikit.testing import assert_problem
from tests.app.models import Document
from tests.conditional.calls import read, send
from tests.conditional.contended import Contended

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.urls("tests.conditional.test_refusals"),
]
URL = "/required/one/"


class Required(Contended):
    validator = BodyHash()
    require_preconditions = ("PUT",)


class Silent(ConditionalMixin, GenericAPIView[Document]):
    queryset = Document.objects.all()
    permission_classes = [AllowAny]

    def post(self, _request: Request) -> Response:
        return Response(status=202)


urlpatterns = [
    path("required/<slug:slug>/", Required.as_view()),
    path("silent/", Silent.as_view()),
]


@pytest.mark.compliance("RFC 6585", "3")
def test_what_makes_an_object_may_have_to_say_that_it_is_new() -> None:
    body = {"slug": "one", "title": "new"}
    assert_problem(send("put", URL, body), 428, "precondition-required")
    refused = send("put", URL, body, If_Match="*")
    assert_problem(refused, 412, "precondition-failed")
    assert not Document.objects.exists()
    assert send("put", URL, body, If_None_Match="*").status_code == 201
    # The method alone was named.
    assert send("patch", URL, {"title": "newer"}).status_code == 200


@pytest.mark.compliance("RFC 9110", "13.1.2")
def test_a_tag_of_bytes_counts_by_its_state_before_a_write() -> None:
    Document.objects.create(slug="one", title="draft")
    tag = read(URL)
    for field in (tag, f'"other", {tag}', "*"):
        refused = send("patch", URL, {"title": "new"}, If_None_Match=field)
        assert_problem(refused, 412, "precondition-failed")
    for field in ('"other"', "malformed"):
        accepted = send("patch", URL, {"title": "new"}, If_None_Match=field)
        assert accepted.status_code == 200


@pytest.mark.compliance("RFC 9110", "13.2.1")
def test_content_that_nobody_can_read_comes_before_a_precondition() -> None:
    Document.objects.create(slug="one", title="draft")
    headers = {"If-Match": '"stale"'}
    response = APIClient().put(URL, "a,b", content_type="text/csv", headers=headers)
    assert_problem(response, 415, "unsupported-media-type")


def test_an_answer_to_post_without_an_object_has_no_tag() -> None:
    response = send("post", "/silent/", {})
    assert response.status_code == 202
    assert "ETag" not in response
