from datetime import timedelta
from typing import Any

import pytest

from drf_apikit.conf import apikit_settings
from drf_apikit.tokens.keyring.lifetimes import longest_access_lifetime


@pytest.mark.parametrize(
    ("section", "simple_jwt", "longest"),
    [
        pytest.param({}, None, 300, id="nothing told"),
        pytest.param({}, {}, 300, id="simplejwt without one"),
        pytest.param(
            {}, {"ACCESS_TOKEN_LIFETIME": timedelta(seconds=90.5)}, 91, id="simplejwt"
        ),
        pytest.param({}, {"ACCESS_TOKEN_LIFETIME": 7}, 300, id="no timedelta"),
        pytest.param(
            {"ACCESS_LIFETIME": 60},
            {"ACCESS_TOKEN_LIFETIME": timedelta(hours=1)},
            60,
            id="ours comes first",
        ),
        pytest.param(
            {
                "ACCESS_LIFETIME": 60,
                "CLIENTS": {"a": {"ACCESS_LIFETIME": 900}, "b": {}},
            },
            None,
            900,
            id="of a client",
        ),
    ],
)
def test_the_longest_counts(
    settings: Any, section: dict[str, Any], simple_jwt: Any, longest: int
) -> None:
    settings.SIMPLE_JWT = simple_jwt
    settings.DRF_APIKIT = {"TOKENS": section}
    assert longest_access_lifetime(apikit_settings.tokens) == longest
