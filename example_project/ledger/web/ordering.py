"""The form that moves money: sent twice, it moves it once.

The key is made with the form and comes back in a hidden field. From there on it is
the same machinery as the API's: `@idempotent` runs the order in one transaction with
the record of its answer.
"""

import time
from typing import Any, Final
from urllib.parse import urlencode

from django.http import (
    HttpRequest,
    HttpResponseBase,
    HttpResponseRedirect,
    QueryDict,
)
from django.urls import reverse
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from drf_apikit.exceptions import IdempotencyInProgress
from drf_apikit.idempotency import idempotent, ignoring
from ledger import services
from ledger.models import Account
from ledger.web.forms import KEY_FIELD, TYPED, TransferForm
from ledger.web.page import Page
from ledger.web.views import own_accounts

__all__ = ["NewTransferPage"]

# The second click waits for the first: seconds between looks.
WAITS: Final = (0.1, 0.2, 0.4, 0.8)
SERVER_FAULT: Final = 500


class SeeOther(HttpResponseRedirect):
    """303: the answer to a form is another page (RFC 9110 section 15.4.4)."""

    status_code = 303


class NewTransferPage(Page):
    """The form; the answer to a good one is the page of its transfer."""

    template_name = "ledger_web/new_transfer.html"
    form: TransferForm | None = None

    def get(self, request: Request) -> Response:
        """Show a form with a key of its own, filled in as the query says."""
        form = self._form(request)
        form.initial = {**form.initial, **_typed(request.query_params)}
        return self._show(form)

    def way_back(self, request: HttpRequest) -> str:
        """Lead to the form as it was sent, after the session had ended.

        Without the key: the person sees what is there, and sends it.
        """
        if request.method != "POST" or not (typed := _typed(request.POST)):
            return super().way_back(request)
        return f"{request.path}?{urlencode(typed)}"

    def post(self, request: Request) -> HttpResponseBase:
        """Make the transfer; a second click gets what the first one got."""
        self.form = self._form(request, request.data)
        _take_key(request)
        for wait in WAITS:
            try:
                return self.create(request)
            except IdempotencyInProgress:
                time.sleep(wait)
        return self.create(request)

    # Each page that shows the form masks Django's token anew.
    @idempotent(required=True, fingerprint=ignoring("csrfmiddlewaretoken"))
    def create(self, request: Request) -> HttpResponseBase:
        """Move the money, in one transaction with the answer."""
        form = self._form(request, request.data)
        if not form.is_valid():
            # Raised, so that the key stays good for the corrected form.
            errors: Any = form.errors
            raise ValidationError(errors)
        made = services.transfer(form.order())
        return SeeOther(reverse("web:transfer", args=[made.pk]))

    def handle_exception(self, exc: Exception) -> Any:
        """Show a refusal in the form, with what was typed."""
        if self.form is None or not isinstance(exc, APIException):
            return super().handle_exception(exc)
        if exc.status_code == SERVER_FAULT:
            return super().handle_exception(exc)
        if not isinstance(exc, ValidationError):
            self.form.explain(exc)
        self.form.focus_on_error()
        return self._show(self.form, exc.status_code)

    def _form(self, request: Request, data: Any = None) -> TransferForm:
        active = own_accounts(request).filter(status=Account.Status.ACTIVE)
        return TransferForm(active, data)

    def _show(self, form: TransferForm, status: int = 200) -> Response:
        return Response({"form": form}, status=status)


def _typed(values: QueryDict) -> dict[str, str]:
    """Give what is in the fields of a form, where it could have been typed."""
    given = {name: values.get(name, "") for name in TYPED}
    return {name: text for name, text in given.items() if 0 < len(text) <= TYPED[name]}


def _take_key(request: Request) -> None:
    """Put the key where `@idempotent` reads it: a form has no headers."""
    django_request = request._request
    key = request.POST.get(KEY_FIELD, "")
    django_request.META["HTTP_IDEMPOTENCY_KEY"] = key
    # Django makes the headers of META once.
    vars(django_request).pop("headers", None)
