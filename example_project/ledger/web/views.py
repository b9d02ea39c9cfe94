"""The pages: home, accounts, transfers, and one transfer."""

from typing import Any

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework.generics import GenericAPIView
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from drf_apikit.pagination import CursorPagination
from ledger.filters import TransferFilter
from ledger.models import Account, AccountQuerySet, Transfer, TransferQuerySet
from ledger.web.page import Page

__all__ = [
    "AccountsPage",
    "HomePage",
    "TransferPage",
    "TransfersPage",
    "own_accounts",
    "own_transfers",
]


def own_accounts(request: Request | HttpRequest) -> AccountQuerySet:
    """Give the accounts of the person alone, of the staff too."""
    accounts: AccountQuerySet = Account.objects.order_by("pk")
    return accounts.filter(owner=request.user.pk)


def own_transfers(request: Request) -> TransferQuerySet:
    """Give the transfers that touch an own account."""
    own = list(own_accounts(request).values_list("pk", flat=True))
    transfers = Transfer.objects.touching(own)
    return transfers.select_related("source", "target")


class HomePage(Page):
    """What this is, and the way in."""

    permission_classes = [AllowAny]
    template_name = "ledger_web/home.html"

    def get(self, _request: Request) -> Response:
        """Show it."""
        return Response({})


class AccountsPage(Page):
    """The own accounts with what is in them."""

    template_name = "ledger_web/accounts.html"

    def get(self, request: Request) -> Response:
        """Show them."""
        return Response({"accounts": own_accounts(request)})


class TransferPager(CursorPagination):
    """Pages that fit a screen, newest first."""

    page_size = 15
    page_size_query_param = None
    ordering = "-created"


class TransfersPage(Page, GenericAPIView[Transfer]):
    """The own transfers, page by page; `?account=` shows those of one account."""

    template_name = "ledger_web/transfers.html"
    queryset = Transfer.objects.none()
    filter_backends = [DjangoFilterBackend]
    filterset_class = TransferFilter
    pagination_class = TransferPager

    def get_queryset(self) -> TransferQuerySet:
        """Keep to the own ones."""
        return own_transfers(self.request)

    def get(self, request: Request) -> Response:
        """Show a page of them."""
        rows = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        accounts = {account.pk: account for account in own_accounts(request)}
        chosen = _chosen(request)
        pager: Any = self.paginator
        return Response(
            {
                "transfers": [_seen_from(row, accounts) for row in rows or ()],
                "pager": pager.get_html_context(),
                "account": None if chosen is None else accounts.get(chosen),
                "number": chosen,
            }
        )


class TransferPage(Page):
    """One transfer: also what a form leads to, however often it was sent."""

    template_name = "ledger_web/transfer.html"

    def get(self, request: Request, pk: int) -> Response:
        """Show it."""
        found = get_object_or_404(own_transfers(request), pk=pk)
        return Response({"transfer": found})


def _chosen(request: Request) -> int | None:
    """Give the account of `?account=` as the filter has read it."""
    filters = TransferFilter(request.query_params, Transfer.objects.none())
    filters.is_valid()
    number: int | None = filters.form.cleaned_data.get("account")
    return number


def _seen_from(transfer: Transfer, accounts: dict[int, Account]) -> dict[str, Any]:
    """Tell a payment from a receipt; between own accounts it is neither."""
    pays, receives = transfer.source_id in accounts, transfer.target_id in accounts
    sign = "" if pays and receives else "-" if pays else "+"
    return {"transfer": transfer, "sign": sign}
