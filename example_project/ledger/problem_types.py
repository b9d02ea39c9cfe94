"""The refusals that only a ledger knows, as problem types of its own.

Conflicts with the present state are 409: the same order may succeed later. Orders
that contradict themselves are 422.
"""

from drf_apikit.problems import Problem, ProblemType

__all__ = [
    "AccountClosed",
    "AccountFrozen",
    "AccountInUse",
    "AlreadyRefunded",
    "BalanceLimit",
    "CurrencyMismatch",
    "InsufficientFunds",
    "NotRefundable",
    "SameAccount",
]

ACCOUNT = {"account": {"type": "integer", "description": "Id of the account."}}


class InsufficientFunds(Problem):
    """The source holds less than the amount."""

    problem_type = ProblemType(
        slug="insufficient-funds",
        title="Insufficient funds",
        status=409,
        documentation=(
            "The source account holds less than the transfer needs. Pay money in"
            " first, or transfer less."
        ),
        extensions={
            "balance": {"type": "integer", "description": "Held, in minor units."},
            "required": {"type": "integer", "description": "Needed, in minor units."},
        },
    )


class BalanceLimit(Problem):
    """The target would hold more than JSON numbers keep exact."""

    problem_type = ProblemType(
        slug="balance-limit",
        title="Balance limit",
        status=409,
        documentation=(
            "The target account cannot hold the amount on top of its own. Transfer"
            " less, or to another account."
        ),
        extensions=ACCOUNT,
    )


class AccountFrozen(Problem):
    """One of the two accounts is frozen."""

    problem_type = ProblemType(
        slug="account-frozen",
        title="Account frozen",
        status=409,
        documentation=(
            "Money moves neither from nor to a frozen account. Ask the staff to thaw"
            " it, then send the transfer again."
        ),
        extensions=ACCOUNT,
    )


class AccountClosed(Problem):
    """One of the two accounts is closed or was deleted meanwhile."""

    problem_type = ProblemType(
        slug="account-closed",
        title="Account closed",
        status=409,
        documentation=(
            "Money moves neither from nor to a closed account. Choose another one."
        ),
        extensions=ACCOUNT,
    )


class CurrencyMismatch(Problem):
    """One of the two accounts holds another currency than the transfer's."""

    problem_type = ProblemType(
        slug="currency-mismatch",
        title="Currency mismatch",
        status=422,
        documentation=(
            "Both accounts must hold the currency of the transfer. Choose accounts"
            " that do; the ledger does not exchange."
        ),
        extensions={
            **ACCOUNT,
            "currency": {"type": "string", "description": "Held by the account."},
            "required": {"type": "string", "description": "Of the transfer."},
        },
    )


class SameAccount(Problem):
    """Source and target are one account."""

    problem_type = ProblemType(
        slug="same-account",
        title="Same account",
        status=422,
        documentation=(
            "A transfer needs two different accounts. Name another source or target."
        ),
        extensions=ACCOUNT,
    )


class AccountInUse(Problem):
    """The account cannot be deleted: the books would lose money or history."""

    problem_type = ProblemType(
        slug="account-in-use",
        title="Account in use",
        status=409,
        documentation=(
            "An account with money or transfers can be closed, not deleted. Empty it,"
            " then have its status set to closed."
        ),
    )


class AlreadyRefunded(Problem):
    """The money went back before."""

    problem_type = ProblemType(
        slug="already-refunded",
        title="Already refunded",
        status=409,
        documentation=(
            "A transfer is refunded at most once. Its refund is in the list of"
            " transfers."
        ),
    )


class NotRefundable(Problem):
    """There is no money to return: the transfer is pending, or is a refund itself."""

    problem_type = ProblemType(
        slug="not-refundable",
        title="Not refundable",
        status=409,
        documentation=(
            "Only a settled transfer that is no refund can be refunded. Make a"
            " transfer the other way instead."
        ),
    )
