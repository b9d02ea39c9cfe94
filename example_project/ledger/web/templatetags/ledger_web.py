"""Money and accounts as a page shows them."""

from django import template
from django.contrib.auth.base_user import AbstractBaseUser

from ledger.models import Account
from ledger.money import in_major_units

__all__ = ["major", "name_for"]

register = template.Library()


@register.filter
def major(amount: int, currency: str) -> str:
    """Write an amount in major units."""
    return in_major_units(amount, currency)


@register.filter
def name_for(account: Account, user: AbstractBaseUser) -> str:
    """Give the name of an own account, and of any other one its number alone."""
    return account.name if account.owner_id == user.pk else f"Account {account.pk}"
