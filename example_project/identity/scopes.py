"""The scopes that tokens of this provider can have, with their texts for people."""

from typing import Final

__all__ = ["ALL_SCOPES", "API_SCOPES", "PERSON_SCOPES"]

API_SCOPES: Final = {
    "ledger:read": "See your accounts and transfers",
    "ledger:write": "Make transfers and change accounts",
}
PERSON_SCOPES: Final = {
    "openid": "Know who you are",
    "profile": "See your name",
    "email": "See your e-mail address",
    "offline_access": "Keep access while you are away",
}
ALL_SCOPES: Final = PERSON_SCOPES | API_SCOPES
