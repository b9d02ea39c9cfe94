"""OpenID Connect Discovery 1.0 section 4.3: whose document it is."""

import json
import uuid
from collections.abc import Callable
from typing import Any, Final

import pytest

from drf_apikit.oidc import transport
from drf_apikit.oidc.transport import Reply
from drf_apikit.testing import assert_problem
from tests.compliance.tokens import answer, made
from tests.jose.minting import AUDIENCE, public_jwk

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.authentication.urls")]

PATH: Final = "/.well-known/openid-configuration"


class Web:
    """What is behind the URLs, and which were asked for."""

    def __init__(self) -> None:
        #: Nothing that an earlier test has learnt is of this one.
        self.issuer = f"https://{uuid.uuid4().hex}.test"
        self.asked: list[str] = []
        self.document: Any = {
            "issuer": self.issuer,
            "jwks_uri": f"{self.issuer}/keys",
        }
        self.status = 200

    def send(self, method: str, url: str, **_: Any) -> Reply:
        """Be the transport."""
        assert method == "GET"
        self.asked.append(url)
        if url.endswith(PATH):
            return Reply(self.status, {}, json.dumps(self.document).encode())
        return Reply(200, {}, json.dumps({"keys": [public_jwk("P-256")]}).encode())

    def ask(self, **claims: Any) -> Any:
        return answer(made(**{"iss": self.issuer, **claims}))


@pytest.fixture
def web(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Web:
    found = Web()
    dummy = {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}
    settings.CACHES = {"default": dummy}
    settings.DRF_APIKIT = {
        "AUTHENTICATION": {"ISSUERS": {found.issuer: {"AUDIENCE": AUDIENCE}}}
    }
    monkeypatch.setattr(transport, "send", found.send)
    return found


def changed(**members: Any) -> Callable[[Any], Any]:
    return lambda document: {**document, **members}


@pytest.mark.compliance("OIDC Discovery 1.0", "4.3")
def test_a_document_of_the_issuer_is_used(web: Web) -> None:
    assert web.ask().status_code == 200
    assert web.asked == [f"{web.issuer}{PATH}", f"{web.issuer}/keys"]


@pytest.mark.compliance("OIDC Discovery 1.0", "4.3")
@pytest.mark.compliance("RFC 8414", "3.3")
@pytest.mark.parametrize(
    "change",
    [
        changed(issuer=None),
        changed(issuer="https://evil.test"),
        lambda document: changed(issuer=f"{document['issuer']}/")(document),
        lambda document: changed(issuer=document["issuer"].upper())(document),
        lambda document: changed(issuer=[document["issuer"]])(document),
        lambda document: {"jwks_uri": document["jwks_uri"]},
        lambda document: [document],
        lambda _: None,
    ],
    ids=["null", "other", "slash", "case", "list", "missing", "array", "nothing"],
)
def test_a_document_of_another_issuer_is_not_used(
    web: Web, change: Callable[[Any], Any]
) -> None:
    """No keys are fetched, and no token is judged by any."""
    web.document = change(web.document)
    response = web.ask()
    assert_problem(response, 503, "authentication-unavailable")
    assert int(response.headers["Retry-After"]) > 0
    assert set(web.asked) == {f"{web.issuer}{PATH}"}


@pytest.mark.compliance("OIDC Discovery 1.0", "4.3")
@pytest.mark.parametrize(
    "uri", [None, 7, "", "http://evil.test/keys", "file:///etc/passwd", "//x"], ids=repr
)
def test_a_document_without_usable_keys_is_not_used(web: Web, uri: Any) -> None:
    web.document["jwks_uri"] = uri
    assert_problem(web.ask(), 503, "authentication-unavailable")
    assert set(web.asked) == {f"{web.issuer}{PATH}"}


@pytest.mark.compliance("OIDC Discovery 1.0", "4.2")
@pytest.mark.compliance("OIDC Discovery 1.0", "4.3")
@pytest.mark.parametrize("status", [204, 301, 302, 404, 500])
def test_only_200_is_a_document(web: Web, status: int) -> None:
    web.status = status
    assert_problem(web.ask(), 503, "authentication-unavailable")
    assert set(web.asked) == {f"{web.issuer}{PATH}"}


@pytest.mark.compliance("OIDC Discovery 1.0", "4.3")
@pytest.mark.parametrize("end", ["/", "/x", "?x"])
def test_the_issuer_of_a_token_is_that_of_the_document(web: Web, end: str) -> None:
    response = web.ask(iss=f"{web.issuer}{end}")
    assert_problem(response, 401, "invalid-token")
    assert web.asked == []
