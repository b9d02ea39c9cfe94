"""The admin of sessions: to read, and to end."""

from typing import TYPE_CHECKING, Any, cast

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth import get_permission_codename, get_user_model
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import BooleanField, ExpressionWrapper, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from drf_apikit.tokens.models import TokenSession
from drf_apikit.tokens.sessions import Ending, end_session
from drf_apikit.tokens.sessions.ending import LIVE
from drf_apikit.tokens.sessions.transactions import home

__all__ = ["TokenSessionAdmin"]

if TYPE_CHECKING:
    _SessionAdmin = admin.ModelAdmin[TokenSession]
else:
    _SessionAdmin = admin.ModelAdmin


@admin.register(TokenSession)
class TokenSessionAdmin(_SessionAdmin):
    """Who is logged in with what; digests are of no use to anybody, and hidden."""

    list_display = (
        "user",
        "client_id",
        "user_agent",
        "created_at",
        "refreshed_at",
        "expires_at",
        "live",
        "end_reason",
    )
    list_display_links = ("created_at",)
    list_filter = ("client_id", "end_reason")
    list_select_related = ("user",)
    exclude = (
        "auth_hash",
        "token_digest",
        "previous_digest",
        "successor",
        "origin",
        "origin_expires_at",
        "created_epoch",
        "refreshed_epoch",
    )
    readonly_fields = ("id", "live")
    show_full_result_count = False
    actions = ("end",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[TokenSession]:
        """Read them where they are written."""
        live = ExpressionWrapper(LIVE, output_field=BooleanField())
        return super().get_queryset(request).using(home()).annotate(live=live)

    def get_search_fields(self, _request: HttpRequest) -> tuple[str, ...]:
        """Search for the user by what he logs in with."""
        return (f"user__{get_user_model().USERNAME_FIELD}",)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show one, without a way to delete it."""
        context = {**(extra_context or {}), "show_delete": False}
        return super().change_view(request, object_id, form_url, context)

    def delete_view(self, *_args: Any, **_given: Any) -> HttpResponse:
        """Refuse: a row keeps what a session was exchanged for from another one.

        The permission to delete is for users, whose sessions go with them.
        """
        raise PermissionDenied

    @admin.display(boolean=True, description=gettext_lazy("live"))
    def live(self, session: TokenSession) -> bool:
        """Tell whether it goes on, by the clock of the database."""
        return bool(vars(session)["live"])

    @admin.action(
        permissions=["end"], description=gettext_lazy("End: log these clients out")
    )
    def end(self, request: HttpRequest, rows: QuerySet[TokenSession]) -> None:
        """End sessions: their refresh tokens are no good any more."""
        alias, user = home(), cast("Any", request.user)
        with transaction.atomic(using=alias):
            ended = [one for one in rows if end_session(one.pk, Ending.REVOKED)]
            if ended:
                LogEntry.objects.log_actions(
                    user_id=user.pk,
                    queryset=ended,
                    action_flag=CHANGE,
                    change_message=_("Ended."),
                )
        level = messages.SUCCESS if ended else messages.WARNING
        text = _("Sessions that were ended: %(count)s.") % {"count": len(ended)}
        self.message_user(request, text, level)

    def has_add_permission(self, _request: HttpRequest) -> bool:
        """Refuse: only a login begins one."""
        return False

    def has_change_permission(
        self, _request: HttpRequest, _obj: TokenSession | None = None
    ) -> bool:
        """Refuse: it can be ended, and is otherwise what a client has done."""
        return False

    def has_delete_permission(
        self, request: HttpRequest, obj: TokenSession | None = None
    ) -> bool:
        """Refuse but for single ones, which go when their user is deleted."""
        return obj is not None and super().has_delete_permission(request, obj)

    def has_end_permission(self, request: HttpRequest) -> bool:
        """Ask for a permission of its own."""
        name = get_permission_codename("end", self.opts)
        return request.user.has_perm(f"{self.opts.app_label}.{name}")
