"""What `apikit_purge` sees to is registered; the rest is in the tests of the tables."""

from dataclasses import replace

from drf_apikit import purging
from drf_apikit.tokens.models import TokenSession
from drf_apikit.tokens.sessions.purge import SESSIONS


def test_a_table_is_registered_once() -> None:
    assert purging.registered() == (SESSIONS,)
    other = replace(SESSIONS, name="others")
    purging.register(other)
    assert purging.registered() == (other,)
    purging.register(SESSIONS)
    assert [expiry.model for expiry in purging.registered()] == [TokenSession]
