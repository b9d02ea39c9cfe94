"""Accounts and transfers over HTTP, and the pulse of the process."""

from typing import Any

from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse
from django_filters.rest_framework import DjangoFilterBackend
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.viewsets import GenericViewSet

from drf_apikit.conditional import (
    ConditionalGetMixin,
    ConditionalMixin,
    PageDigest,
    RowDigest,
    VersionField,
)
from drf_apikit.idempotency import idempotent
from ledger import services
from ledger.filters import ReferenceSearchFilter, StrictOrderingFilter, TransferFilter
from ledger.models import Account, AccountQuerySet, Transfer, TransferQuerySet
from ledger.serializers import (
    AccountSerializer,
    OrderSerializer,
    RefundSerializer,
    TransferSerializer,
)

__all__ = ["AccountViewSet", "TransferViewSet", "healthz"]

READ = ["ledger:read"]
WRITE = ["ledger:write"]
SCOPES = {"GET": READ, "POST": WRITE, "PUT": WRITE, "PATCH": WRITE, "DELETE": WRITE}


def healthz(_request: HttpRequest) -> JsonResponse:
    """Answer 200 while the process reaches its database, else 503."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return JsonResponse({"status": "unavailable"}, status=503)
    return JsonResponse({"status": "ok"})


class AccountViewSet(
    ConditionalMixin,
    mixins.RetrieveModelMixin,
    mixins.UpdateModelMixin,
    mixins.DestroyModelMixin,
    mixins.ListModelMixin,
    GenericViewSet[Account],
):
    """Accounts: the own ones for a customer, all for the staff."""

    queryset = Account.objects.order_by("pk")
    serializer_class = AccountSerializer
    required_scopes = SCOPES
    validator = VersionField()
    list_validator = PageDigest()

    def get_queryset(self) -> AccountQuerySet:
        """Return what the caller may see."""
        return Account.objects.order_by("pk").visible_to(self.request.user)

    def perform_destroy(self, instance: Account) -> None:
        """Delete it unless the books need it."""
        services.delete_account(instance)


@extend_schema_view(create=extend_schema(request=OrderSerializer))
class TransferViewSet(
    ConditionalGetMixin,
    mixins.CreateModelMixin,
    mixins.RetrieveModelMixin,
    mixins.ListModelMixin,
    GenericViewSet[Transfer],
):
    """Transfers: those that touch an own account for a customer, all for the staff."""

    queryset = Transfer.objects.all()
    serializer_class = TransferSerializer
    required_scopes = SCOPES
    # A transfer has no version, and its status changes: all columns are compared.
    validator = RowDigest()
    list_validator = PageDigest()
    filter_backends = [DjangoFilterBackend, ReferenceSearchFilter, StrictOrderingFilter]
    filterset_class = TransferFilter
    search_fields = ["reference"]
    ordering_fields = ["created", "amount", "settled_at"]
    ordering = ["-created"]

    def get_queryset(self) -> TransferQuerySet:
        """Return what the caller may see."""
        return Transfer.objects.visible_to(self.request.user)

    @idempotent(required=True)
    def create(self, request: Request, *_args: Any, **_kwargs: Any) -> Response:
        """Move money from an own account to any account, at once."""
        serializer = OrderSerializer(
            data=request.data, context=self.get_serializer_context()
        )
        serializer.is_valid(raise_exception=True)
        return self._created(services.transfer(serializer.order()))

    @extend_schema(request=RefundSerializer, responses={201: TransferSerializer})
    @action(detail=True, methods=["post"])
    @idempotent(required=True)
    def refund(self, request: Request, **_kwargs: Any) -> Response:
        """Send all the money back: for whoever received it, or the staff."""
        RefundSerializer(data=request.data).is_valid(raise_exception=True)
        original = self.get_object()
        received = Account.objects.visible_to(request.user).filter(
            pk=original.target_id
        )
        if not received.exists():
            raise PermissionDenied("Only who received the money can send it back.")
        return self._created(services.refund(original))

    def _created(self, transfer: Transfer) -> Response:
        location = reverse("transfer-detail", [transfer.pk], request=self.request)
        return Response(
            self.get_serializer(transfer).data,
            status=status.HTTP_201_CREATED,
            headers={"Location": location},
        )
