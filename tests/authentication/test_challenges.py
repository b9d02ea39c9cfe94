import pytest
from django.test import override_settings

from drf_apikit.authentication.challenges import challenge


@pytest.mark.compliance("RFC 6750", "3")
@pytest.mark.parametrize(
    ("error", "scopes", "expected"),
    [
        (None, (), 'Bearer realm="api"'),
        ("invalid_token", (), 'Bearer realm="api", error="invalid_token"'),
        (
            "insufficient_scope",
            frozenset({"b", "a"}),
            'Bearer realm="api", error="insufficient_scope", scope="a b"',
        ),
        (None, ["a"], 'Bearer realm="api", scope="a"'),
    ],
)
def test_a_challenge_is_written(
    error: str | None, scopes: frozenset[str], expected: str
) -> None:
    assert challenge(error, scopes) == expected


@override_settings(DRF_APIKIT={"AUTHENTICATION": {"REALM": ""}})
def test_a_realm_may_be_empty() -> None:
    assert challenge() == 'Bearer realm=""'
