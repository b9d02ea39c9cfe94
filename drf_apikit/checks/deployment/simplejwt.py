"""What simplejwt should not be deployed with."""

from typing import Any

from django.core import checks

from drf_apikit.checks.deployment.simplejwt_keys import keys
from drf_apikit.checks.deployment.simplejwt_tokens import (
    activity,
    beside_ours,
    lives,
    renewal,
    rule,
    verification,
)
from drf_apikit.checks.deployment.uses import (
    first_party,
    simplejwt_verifiers,
    simplejwt_views,
    stock_verifiers,
    trusts_simplejwt_keys,
)

__all__ = ["check_deployed_simplejwt"]


def check_deployed_simplejwt(**_: Any) -> list[checks.CheckMessage]:
    """Look at `SIMPLE_JWT` before a deployment.

    `E022` to `E030`, `E043`, `W027` to `W038`; `W062` and `W063` what is left of it
    beside `drf_apikit.tokens`. Only as far as somebody reads the settings.
    """
    found: list[checks.CheckMessage] = [*renewal(), *beside_ours()]
    if trusts_simplejwt_keys():
        found += keys()
    if simplejwt_views() or stock_verifiers():
        found += verification()
    if simplejwt_views() or simplejwt_verifiers():
        found += activity()
    if simplejwt_views() or first_party() is not None:
        found += rule()
    return [*found, *lives()]
