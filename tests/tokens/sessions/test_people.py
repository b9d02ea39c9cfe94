from django.contrib.auth.models import User

from drf_apikit.tokens.sessions.people import auth_digests


def test_a_user_model_without_a_hash_for_sessions() -> None:
    """Nothing tells of its passwords: the same digest for all."""
    assert auth_digests(object()) == auth_digests(object())
    assert auth_digests(User(password="x")) != auth_digests(object())
