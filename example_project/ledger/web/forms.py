"""The order for a transfer as a person fills it in."""

from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from django import forms
from rest_framework.exceptions import APIException

from drf_apikit.exceptions import (
    IdempotencyInProgress,
    IdempotencyKeyMalformed,
    IdempotencyKeyReused,
    IdempotencyResponseNotKept,
    IdempotencyUnavailable,
    Problem,
)
from ledger import problem_types
from ledger.models import MAX_AMOUNT, Account, AccountQuerySet
from ledger.money import in_major_units, in_minor_units
from ledger.services import Order

__all__ = ["KEY_FIELD", "TYPED", "TransferForm", "make_key"]

KEY_FIELD: Final = "idempotency_key"
#: The fields that a person fills in, and how long that can be.
TYPED: Final = {"source": 20, "target": 20, "amount": 30, "reference": 140}
REUSED: Final = (
    "This form was sent before, with other values, and that transfer was made. Send it"
    " again if you want another one, as it stands here."
)
#: What a person is told; where it says nothing, the problem's own detail.
TEXTS: Final[dict[type[APIException], str]] = {
    IdempotencyInProgress: (
        "This transfer is being made at this moment. Send the form again to see what"
        " came of it: it will be made once."
    ),
    IdempotencyKeyReused: REUSED,
    IdempotencyKeyMalformed: "The form was not whole. Please send it again.",
    IdempotencyResponseNotKept: (
        "This transfer was made. It is in the list of your transfers."
    ),
    IdempotencyUnavailable: (
        "The books cannot be written at this moment, so nothing was sent. Please send"
        " it again a little later."
    ),
    problem_types.AccountClosed: "There is no such account, or it is closed.",
    problem_types.AccountFrozen: "This account is frozen: nothing moves from or to it.",
    problem_types.BalanceLimit: "This account cannot hold that much.",
    problem_types.SameAccount: "Choose two different accounts.",
}
#: After these the key has been used up, or was none.
SPENT: Final = (
    IdempotencyKeyReused,
    IdempotencyKeyMalformed,
    IdempotencyResponseNotKept,
)


def make_key() -> str:
    """Make the key of one form: all that is sent of it is one order."""
    return str(uuid4())


if TYPE_CHECKING:
    # Generic in the stubs alone.
    ModelChoiceField = forms.ModelChoiceField[Account]
else:
    ModelChoiceField = forms.ModelChoiceField


class OwnAccountField(ModelChoiceField):
    """An own account that can pay, with what is in it."""

    def label_from_instance(self, obj: Any) -> str:
        """Name the account and its balance."""
        return f"{obj.name}: {in_major_units(obj.balance, obj.currency)} {obj.currency}"


class TransferForm(forms.Form):
    """From where, to where, how much, and what for."""

    # What a browser remembers of an earlier form must not come back as the key.
    idempotency_key = forms.CharField(
        widget=forms.HiddenInput({"autocomplete": "off"}), required=False
    )
    source = OwnAccountField(
        Account.objects.none(), label="From", empty_label="Choose an account"
    )
    target = forms.IntegerField(
        label="To account number",
        min_value=1,
        max_value=MAX_AMOUNT,
        widget=forms.TextInput({"inputmode": "numeric", "autocomplete": "off"}),
        error_messages={"invalid": "An account number has digits alone."},
    )
    amount = forms.CharField(
        label="Amount",
        max_length=TYPED["amount"],
        help_text="In the currency of the account that pays, such as 1250.50.",
        widget=forms.TextInput({"inputmode": "decimal", "autocomplete": "off"}),
    )
    reference = forms.CharField(
        label="Reference (optional)",
        max_length=TYPED["reference"],
        required=False,
        help_text="Both sides read it.",
        widget=forms.TextInput({"autocomplete": "off"}),
    )

    def __init__(self, accounts: AccountQuerySet, data: Any = None) -> None:
        initial = {KEY_FIELD: make_key()}
        super().__init__(data, initial=initial, use_required_attribute=False)
        source: Any = self.fields["source"]
        source.queryset = accounts

    def clean(self) -> dict[str, Any]:
        """Read the amount in the currency of the source."""
        cleaned = super().clean() or self.cleaned_data
        if (source := cleaned.get("source")) and (text := cleaned.get("amount")):
            try:
                cleaned["minor"] = in_minor_units(text, source.currency)
            except ValueError as error:
                self.add_error("amount", str(error))
        return cleaned

    def order(self) -> Order:
        """Give the order of a valid form."""
        data = self.cleaned_data
        return Order(
            source=data["source"].pk,
            target=data["target"],
            amount=data["minor"],
            currency=data["source"].currency,
            reference=data["reference"],
        )

    def explain(self, refusal: APIException) -> None:
        """Say at the right field why the order was refused; keep what was typed."""
        self.is_valid()
        field, text = self._explanation(refusal)
        self.add_error(field, text)
        if isinstance(refusal, SPENT):
            values = {name: self.data.get(name, "") for name in self.fields}
            self.data = {**values, KEY_FIELD: make_key()}

    def focus_on_error(self) -> None:
        """Put the cursor where something is wrong, without a script."""
        wrong = next((name for name in self.fields if name in self.errors), None)
        if wrong is not None:
            self.fields[wrong].widget.attrs["autofocus"] = True

    def _explanation(self, refusal: APIException) -> tuple[str | None, str]:
        text = TEXTS.get(type(refusal), str(refusal.detail))
        if not isinstance(refusal, Problem):
            return None, text
        source: Any = self.cleaned_data.get("source")
        extensions = refusal.extensions
        if isinstance(refusal, problem_types.InsufficientFunds):
            held = in_major_units(extensions["balance"], source.currency)
            return "amount", f"The account holds {held} {source.currency}."
        if isinstance(refusal, problem_types.CurrencyMismatch):
            theirs, ours = extensions["currency"], extensions["required"]
            text = f"This account holds {theirs}, and the one that pays {ours}."
        if "account" not in extensions:
            return None, text
        pays = extensions["account"] == getattr(source, "pk", None)
        same = isinstance(refusal, problem_types.SameAccount)
        return "source" if pays and not same else "target", text
