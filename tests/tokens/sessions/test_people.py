from django.contrib.auth.models import User

from drf_apikit.tokens.sessions.people import auth_digests, may_log_in


def test_a_user_model_without_a_hash_for_sessions() -> None:
    """Nothing tells of its passwords: the same digest for all."""
    assert auth_digests(object()) == auth_digests(object())
    assert auth_digests(User(password="x")) != auth_digests(object())


class Person:
    """A user of a model that has less than Django's own."""

    def get_session_auth_hash(self) -> str:
        return "hash"


def test_a_user_model_without_fallbacks_and_without_active_users() -> None:
    assert len(auth_digests(Person())) == 1
    assert may_log_in(Person())
