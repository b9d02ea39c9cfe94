"""A session that ends while somebody types: the form comes back, and is not sent."""

from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from django.contrib.auth.models import User
from django.test import Client

from ledger.models import Account, Transfer
from tests.example.identity.browsing import hidden_fields
from tests.example.ledger.test_web_form import FORM, alice, fill_in, send, typed

__all__ = ["alice", "typed"]

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.urls("tests.example.ledger.web_urls"),
]


def test_what_was_typed_survives_the_end_of_the_session(
    alice: Client, people: dict[str, User], typed: dict[str, str]
) -> None:
    typed |= {"amount": "2.500", "reference": 'for "tea" & <b>'}
    filled_in = fill_in(alice, typed)
    alice.logout()
    login = urlsplit(send(alice, filled_in)["Location"])
    assert login.path == "/oidc/authenticate/"
    [back] = parse_qs(login.query)["next"]
    assert parse_qs(urlsplit(back).query) == {name: [typed[name]] for name in typed}
    # Logged in again: the form says all that it said, but is another one.
    alice.force_login(people["alice"])
    page = alice.get(back).content.decode()
    assert f'<option value="{typed["source"]}" selected>' in page
    for text in (typed["target"], "2.500", "for &quot;tea&quot; &amp; &lt;b&gt;"):
        assert f'value="{text}"' in page
    assert "<b>" not in page
    key = hidden_fields(page)["idempotency_key"]
    assert key != filled_in["idempotency_key"]
    assert not Transfer.objects.exists()


def test_a_link_fills_in_what_a_person_could_and_nothing_else(
    alice: Client, alices: Account, bobs: Account
) -> None:
    query = {
        "source": str(bobs.pk),
        "target": "x",
        "amount": f"{alices.pk}",
        "reference": "y" * 141,
        "idempotency_key": "mine",
    }
    page = alice.get(f"{FORM}?{urlencode(query)}").content.decode()
    assert 'value="x"' in page
    for text in ("yyy", "mine", "selected>b", "<strong>", bobs.name):
        assert text not in page
    # Nor does a stranger's form come back that nobody can have typed.
    alice.logout()
    answer = send(alice, query | {"target": "9" * 9999})
    assert "999" not in answer["Location"]
    assert "mine" not in answer["Location"]
    assert send(alice, {})["Location"].endswith(f"?next={FORM}")


@pytest.mark.parametrize(
    "kind", ["multipart/form-data; boundary=x", "multipart/form-data", "text/plain"]
)
def test_what_is_no_form_is_no_fault(client: Client, kind: str) -> None:
    answer = client.post(FORM, b"--x\r\nsource", content_type=kind)
    assert answer.status_code in {302, 400}
