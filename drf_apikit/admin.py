"""The admin: identities to edit, idempotency records to read and to release."""

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.models import DELETION, LogEntry
from django.contrib.admin.utils import label_for_field
from django.contrib.auth import get_permission_codename
from django.db import OperationalError, router, transaction
from django.db.models import BooleanField, ExpressionWrapper, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from drf_apikit.contention import is_contention
from drf_apikit.counters import count
from drf_apikit.idempotency import replay_cache
from drf_apikit.idempotency.claims.deletion import delete
from drf_apikit.idempotency.purge import EXPIRED, locked
from drf_apikit.models import ExternalIdentity, IdempotencyRecord
from drf_apikit.signals import idempotency_released

__all__ = ["ExternalIdentityAdmin", "IdempotencyRecordAdmin"]

#: How many records are released at once: the page that asks shows each of them.
_MOST: Final = 500
_TEMPLATE: Final = "admin/drf_apikit/idempotencyrecord/release.html"
logger = logging.getLogger("drf_apikit.idempotency")

if TYPE_CHECKING:
    _IdentityAdmin = admin.ModelAdmin[ExternalIdentity]
    _RecordAdmin = admin.ModelAdmin[IdempotencyRecord]
else:
    _IdentityAdmin = _RecordAdmin = admin.ModelAdmin


@admin.register(ExternalIdentity)
class ExternalIdentityAdmin(_IdentityAdmin):
    """Who is whom at which issuer: to add, to read and to delete."""

    list_display = ("subject", "issuer", "user", "created_at")
    list_filter = ("issuer",)
    list_select_related = ("user",)
    search_fields = ("subject",)
    raw_id_fields = ("user",)
    fields = ("issuer", "subject", "user", "created_at")
    readonly_fields = ("created_at",)

    def has_change_permission(
        self, _request: HttpRequest, _obj: ExternalIdentity | None = None
    ) -> bool:
        """Refuse: another subject or user would be another identity."""
        return False


@admin.register(IdempotencyRecord)
class IdempotencyRecordAdmin(_RecordAdmin):
    """To read, and to release; the stored body, which may hold anything, is hidden."""

    list_display = (
        "__str__",
        "status_code",
        "has_body",
        "principal_start",
        "created_at",
        "expires_at",
        "expired",
    )
    list_filter = ("method", "status_code")
    # No index serves a part of it.
    search_fields = ("scope__exact",)
    exclude = ("answer",)
    readonly_fields = ("expired",)
    show_full_result_count = False
    actions = ("release",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[IdempotencyRecord]:
        """Leave the answers where they are."""
        expired = ExpressionWrapper(EXPIRED, output_field=BooleanField())
        rows = super().get_queryset(request).defer("answer")
        return rows.annotate(expired=expired)

    @admin.display(
        boolean=True, description=gettext_lazy("expired"), ordering="expires_at"
    )
    def expired(self, record: IdempotencyRecord) -> bool:
        """Tell whether the key can be used anew, by the clock of the database."""
        return bool(vars(record)["expired"])

    @admin.display(description=gettext_lazy("principal"), ordering="principal")
    def principal_start(self, record: IdempotencyRecord) -> str:
        """Give enough of the digest to see which records are of one caller."""
        return record.principal[:12]

    @admin.action(
        permissions=["release"],
        description=gettext_lazy("Release: let these operations run again"),
    )
    def release(
        self, request: HttpRequest, rows: QuerySet[IdempotencyRecord]
    ) -> HttpResponse | None:
        """Ask for a reason; then delete the records, so that their keys are free."""
        found = list(rows[: _MOST + 1])
        if len(found) > _MOST:
            text = _("At most %(count)s records can be released at once.")
            self.message_user(request, text % {"count": _MOST}, messages.ERROR)
            return None
        form = _ReasonForm(request.POST if "confirmed" in request.POST else None)
        if not form.is_valid():
            return self._ask(request, found, form)
        level, text = messages.SUCCESS, _("Released: %(count)s.")
        released: Sequence[str] = ()
        chosen = request.POST.getlist(ACTION_CHECKBOX_NAME)
        try:
            released = _release(request, chosen, form.cleaned_data["reason"])
        except _CacheError:
            level = messages.ERROR
            text = _(
                "The cache cannot be reached, and may still have the answers: nothing"
                " was released."
            )
        except OperationalError as error:
            if not is_contention(error):
                raise
            level = messages.ERROR
            text = _("The database is busy: nothing was released. Try again.")
        else:
            level = level if released else messages.WARNING
            self._tell_of_rest(request, len(chosen) - len(released))
        self.message_user(request, text % {"count": len(released)}, level)
        return None

    def has_add_permission(self, _request: HttpRequest) -> bool:
        """Refuse: a record without its effects would be a lie."""
        return False

    def has_change_permission(
        self, _request: HttpRequest, _obj: IdempotencyRecord | None = None
    ) -> bool:
        """Refuse: what clients were told cannot be changed."""
        return False

    def has_delete_permission(
        self, _request: HttpRequest, _obj: IdempotencyRecord | None = None
    ) -> bool:
        """Refuse: a retry would run the effect again, and nobody would know why."""
        return False

    def has_release_permission(self, request: HttpRequest) -> bool:
        """Ask for a permission of its own."""
        name = get_permission_codename("release", self.opts)
        return request.user.has_perm(f"{self.opts.app_label}.{name}")

    def _ask(
        self, request: HttpRequest, found: Sequence[IdempotencyRecord], form: Any
    ) -> HttpResponse:
        """Show what follows, and for which records."""
        names = ("scope", "method", "route", "status_code", "created_at", "expires_at")
        context = {
            **self.admin_site.each_context(request),
            "title": _("Release idempotency records"),
            "opts": self.opts,
            "media": self.media,
            "form": form,
            "records": found,
            "seen": [_mark(record) for record in found],
            "headers": [label_for_field(name, self.model) for name in names],
            "checkbox": ACTION_CHECKBOX_NAME,
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, _TEMPLATE, context)

    def _tell_of_rest(self, request: HttpRequest, rest: int) -> None:
        if rest:
            text = _("Not released, since a request is at them or has been: %(count)s.")
            self.message_user(request, text % {"count": rest}, messages.WARNING)


class _ReasonForm(forms.Form):
    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        help_text=gettext_lazy("It is kept in the log of the admin."),
        max_length=1000,
        widget=forms.Textarea({"rows": 3, "class": "vLargeTextField"}),
    )


class _CacheError(Exception):
    """The cache of answers may still have one that is to be released."""


def _release(request: HttpRequest, scopes: Sequence[str], reason: str) -> list[str]:
    """Delete records past those that are held; give which."""
    alias = router.db_for_write(IdempotencyRecord)
    rows = IdempotencyRecord.objects.using(alias).filter(pk__in=scopes).defer("answer")
    # A log of what did not happen is better than none of what did.
    log, user = router.db_for_write(LogEntry), cast("Any", request.user)
    # The same key may have run again since the page was shown.
    seen = request.POST.getlist("seen")
    with transaction.atomic(using=alias), transaction.atomic(using=log):
        found = [record for record in locked(rows) if _mark(record) in seen]
        released = [record.pk for record in found]
        LogEntry.objects.log_actions(
            user_id=user.pk,
            queryset=found,
            action_flag=DELETION,
            change_message=_("Released: %(reason)s") % {"reason": reason},
        )
        delete(released, alias)
        _forget(released, alias)

        def tell() -> None:
            _released(request, released, reason)

        transaction.on_commit(tell, using=alias, robust=True)
    return released


def _mark(record: IdempotencyRecord) -> str:
    """Name one run of an operation."""
    return f"{record.pk} {record.created_at.isoformat()}"


def _forget(scopes: Sequence[str], alias: str) -> None:
    try:
        for scope in scopes:
            replay_cache.forget(scope, alias)
    except Exception as error:
        logger.exception("The cache of answers cannot be reached.")
        raise _CacheError from error


def _released(request: HttpRequest, scopes: Sequence[str], reason: str) -> None:
    for scope in scopes:
        logger.warning("Released by the user %s: %s", request.user.pk, scope)
        count("idempotency.released")
        idempotency_released.send_robust(
            sender=IdempotencyRecord, request=request, scope=scope, reason=reason
        )
