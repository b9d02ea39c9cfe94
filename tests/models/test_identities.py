import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from drf_apikit.models import ExternalIdentity

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("database")]


def identity(user: User, issuer: str = "https://a.test", subject: str = "s") -> None:
    ExternalIdentity.objects.create(issuer=issuer, subject=subject, user=user)


@pytest.mark.compliance("OIDC Core", "2")
def test_a_subject_is_one_user_s_within_its_issuer() -> None:
    ada, eve = (User.objects.create(username=name) for name in ("ada", "eve"))
    identity(ada)
    identity(eve, issuer="https://b.test")
    identity(ada, subject="second")
    with pytest.raises(IntegrityError), transaction.atomic():
        identity(eve)
    assert ada.external_identities.count() == 2


def test_an_identity_goes_with_its_user() -> None:
    ada = User.objects.create(username="ada")
    identity(ada)
    assert str(ExternalIdentity.objects.get()) == "s at https://a.test"
    ada.delete()
    assert not ExternalIdentity.objects.exists()
