"""RFC 9207: whose answer it is, said in the answer."""

import pytest

from tests.login.attacking import Stage, nobody_is_let_in, user_of
from tests.login.provider import TOKEN

pytestmark = pytest.mark.django_db

FLAG = "authorization_response_iss_parameter_supported"
DENIED: dict[str, str | None] = {"code": None, "error": "access_denied"}


@pytest.mark.compliance("RFC 9207", "2.4")
@pytest.mark.parametrize("announced", [True, False, None])
@pytest.mark.parametrize(
    "change",
    ["https://other.test", "", "/", "?", "#", " "],
    ids=["other", "empty", "slash", "query", "fragment", "blank"],
)
def test_an_answer_of_another_issuer_is_refused(
    stage: Stage, announced: bool | None, change: str
) -> None:
    stage.provider.metadata[FLAG] = announced
    longer = change in {"/", "?", "#", " "}
    issuer = stage.provider.url + change if longer else change
    nobody_is_let_in(stage, stage.finish(stage.asked(), {"iss": issuer}))
    assert stage.provider.count(TOKEN) == 0


@pytest.mark.compliance("RFC 9207", "2.4")
@pytest.mark.parametrize("error", [{}, DENIED], ids=["code", "error"])
def test_an_answer_of_nobody_is_refused_where_it_is_announced(
    stage: Stage, error: dict[str, str | None]
) -> None:
    response = stage.finish(stage.asked(), {**error, "iss": None})
    nobody_is_let_in(stage, response)
    assert response.status_code == 400
    assert stage.provider.count(TOKEN) == 0


@pytest.mark.compliance("RFC 9207", "2.4")
@pytest.mark.parametrize("announced", [False, None])
def test_a_provider_that_announces_none_need_not_send_it(
    stage: Stage, announced: bool | None
) -> None:
    stage.provider.metadata[FLAG] = announced
    stage.provider.authorization = {"iss": None}
    assert stage.login().status_code == 302
    assert user_of(stage.client)


@pytest.mark.compliance("RFC 9207", "2.4")
def test_an_error_of_another_issuer_is_not_believed(stage: Stage) -> None:
    response = stage.finish(stage.asked(), {**DENIED, "iss": "https://other.test"})
    assert "access_denied" not in response.content.decode()
    assert response.status_code == 400
