"""The views of mozilla-django-oidc, with all that an answer has to pass.

Its settings, session keys and hooks keep working. What comes from the provider or the
browser leads to a login, a page that says why there was none, or a problem document.
"""

from collections.abc import Mapping
from typing import Any, Final

from django.conf import settings as django_settings
from django.contrib import auth
from django.contrib.auth.signals import user_login_failed
from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import resolve_url
from django.views.decorators.debug import sensitive_variables
from django.views.generic import View
from mozilla_django_oidc import views as mozilla

from drf_apikit.counters import count
from drf_apikit.login.attempts import Attempt, take
from drf_apikit.login.authorization import authorization_url
from drf_apikit.login.authorization_response import (
    authorization_response,
    check_issuer,
    refusal,
)
from drf_apikit.login.destinations import wanted_url
from drf_apikit.login.endings import Ending, end_session
from drf_apikit.login.entrance import Entrance
from drf_apikit.login.errors import LoginError, Reason
from drf_apikit.login.failures import failed_response, keep_private, report
from drf_apikit.login.result import LoginResult
from drf_apikit.login.sessions import begin_session, forget_tokens, go_on
from drf_apikit.login.stored import is_on_server
from drf_apikit.signals import login_succeeded, session_renewed

__all__ = ["OIDCAuthenticationCallbackView", "OIDCAuthenticationRequestView"]

#: What a refusal means to a session that was to be renewed.
_ENDINGS: Final[Mapping[Reason, Ending]] = {
    Reason.ACCESS_DENIED: Ending.REFUSED,
    Reason.INTERACTION_REQUIRED: Ending.INTERACTION_REQUIRED,
    Reason.PROVIDER_UNAVAILABLE: Ending.UNAVAILABLE,
}


class OIDCAuthenticationRequestView(Entrance, mozilla.OIDCAuthenticationRequestView):
    """Sends the browser to the provider.

    `get_extra_params()` adds parameters, but none that the answer is judged by.
    """

    #: The name of the parameter that says where to go afterwards, where it is not as
    #: `OIDC_REDIRECT_FIELD_NAME` says.
    redirect_field_name: str | None = None

    def __init__(self, **kwargs: Any) -> None:
        # mozilla's wants endpoints in the settings, which are discovered here.
        View.__init__(self, **kwargs)

    def get(self, request: HttpRequest) -> HttpResponseBase:
        """Redirect to the provider."""
        next_url = wanted_url(request, self.redirect_field_name)
        extra = self.get_extra_params(request) or {}
        try:
            url = authorization_url(request, extra, next_url=next_url)
        except LoginError as error:
            report(request, error)
            # Not LOGIN_REDIRECT_URL_FAILURE: what is there may lead back to here.
            return failed_response(request, error, next_url)
        return keep_private(HttpResponseRedirect(url))


class OIDCAuthenticationCallbackView(Entrance, mozilla.OIDCAuthenticationCallbackView):
    """Takes what the provider has answered.

    Of a subclass, `login_success()`, `login_failure()`, `success_url` and
    `failure_url` are asked as by mozilla-django-oidc. `error` says why a login failed.
    """

    attempt: Attempt | None = None
    result: LoginResult
    error: LoginError | None = None
    user: Any = None

    @property
    def failure_url(self) -> str | None:
        """Where to go after a failure; None: nowhere, a page tells of it."""
        url: str | None = self.get_settings("LOGIN_REDIRECT_URL_FAILURE", None)
        return url

    @property
    def success_url(self) -> str:
        """Where to go: as the request wanted, else as LOGIN_REDIRECT_URL says."""
        wanted = self.attempt and self.attempt.next_url
        return wanted or resolve_url(self.get_settings("LOGIN_REDIRECT_URL", "/"))

    def get(self, request: HttpRequest) -> HttpResponseBase:
        """Answer with a login, or with why there is none."""
        try:
            self._judge(request)
        except LoginError as error:
            self.error = error
            if self._is_silent():
                return keep_private(self._silent_failure(request, error))
            report(request, error)
            if error.reason is Reason.SESSION_MISSING:
                _leave_cookie(request)
            return keep_private(self.login_failure())
        if self._is_silent() and not _is_session_of(request, self.user):
            _end(request, Ending.ANOTHER_USER)
            return keep_private(HttpResponseRedirect(self.success_url))
        answer = self.login_success()
        self._tell(request)
        return keep_private(answer)

    def login_success(self) -> HttpResponseBase:
        """Log the user in, and keep what came along."""
        request, session = self.request, self.request.session
        forget_tokens(session)
        if _is_session_of(request, self.user):
            # A login anew would take the CSRF token from other tabs.
            session[auth.BACKEND_SESSION_KEY] = self.user.backend
            request.user = self.user
        else:
            auth.login(request, self.user)
        begin_session(request, self.result)
        # Where overrides of mozilla's view look for it.
        session["oidc_login_next"] = self.attempt and self.attempt.next_url
        return HttpResponseRedirect(self.success_url)

    def login_failure(self) -> HttpResponseBase:
        """Redirect where the project wants that, else say what has happened."""
        url = self.failure_url
        if url or self.error is None:
            return HttpResponseRedirect(resolve_url(url or "/"))
        next_url = self.attempt.next_url if self.attempt else None
        return failed_response(self.request, self.error, next_url)

    def _judge(self, request: HttpRequest) -> None:
        """Find out who logs in."""
        response = authorization_response(request.GET)
        self.attempt = take(request.session, response.state)
        check_issuer(response, self.attempt)
        if response.error is not None:
            raise refusal(response.error)
        _read_session_anew(request)
        self.user = _authenticated(request, self.attempt)
        result: LoginResult | None = getattr(request, "drf_apikit_login", None)
        if result is None:
            detail = f"{self.user.backend} is not a backend of drf_apikit"
            raise LoginError(Reason.BACKEND_REFUSED, 403, detail)
        if not self.user.is_active:
            raise LoginError(Reason.USER_INACTIVE, 403)
        self.result = result

    def _is_silent(self) -> bool:
        return self.attempt is not None and self.attempt.silent

    def _silent_failure(
        self, request: HttpRequest, error: LoginError
    ) -> HttpResponseBase:
        """Go back as nobody, unless the provider is only away for a while."""
        ending = _ENDINGS.get(error.reason, Ending.INVALID)
        if ending is Ending.UNAVAILABLE and go_on(request.session):
            return HttpResponseRedirect(self.success_url)
        if ending is Ending.INVALID:
            report(request, error)
        _end(request, ending, error.detail)
        return HttpResponseRedirect(resolve_url(self.failure_url or self.success_url))

    def _tell(self, request: HttpRequest) -> None:
        claims = self.result.claims
        issuer, subject = claims["iss"], claims["sub"]
        if self._is_silent():
            count("login.session_renewed")
            session_renewed.send_robust(
                sender=type(self), request=request, user=self.user, issuer=issuer
            )
            return
        count("login.succeeded")
        login_succeeded.send_robust(
            sender=type(self),
            request=request,
            user=self.user,
            issuer=issuer,
            subject=subject,
        )


def _read_session_anew(request: HttpRequest) -> None:
    """Let the session be read again when the provider has answered, and not before.

    What other tabs do meanwhile would be lost when this request saves its copy.
    """
    session = request.session
    if session.session_key is not None and is_on_server(session):
        request.session = type(session)(session.session_key)


def _is_session_of(request: HttpRequest, user: Any) -> bool:
    """Ask the session: what `request.user` was read from may have ended meanwhile."""
    return bool(auth.get_user(request) == user)


def _end(request: HttpRequest, ending: Ending, detail: str = "") -> None:
    """End a session, if another tab has not done so."""
    if request.user.is_authenticated:
        end_session(request, ending, detail)


def _leave_cookie(request: HttpRequest) -> None:
    """Let the browser keep its cookie, which the answer would delete.

    The session that it came with has ended. By now it may have another: of the same
    answer, which it has sent twice.
    """
    request.COOKIES.pop(django_settings.SESSION_COOKIE_NAME, None)


@sensitive_variables("attempt")
def _authenticated(request: HttpRequest, attempt: Attempt) -> Any:
    """Ask the backends, as mozilla-django-oidc does.

    Raises:
        LoginError: none of them knows who that is.

    """
    try:
        user = auth.authenticate(
            request=request, nonce=attempt.nonce, code_verifier=attempt.code_verifier
        )
    except SuspiciousOperation as error:
        # What overrides of mozilla's hooks raise.
        detail = type(error).__name__
        raise LoginError(Reason.CLAIMS_REFUSED, 403, detail) from error
    except LoginError:
        user_login_failed.send(sender=__name__, credentials={}, request=request)
        raise
    if user is None:
        raise LoginError(Reason.BACKEND_REFUSED, 403)
    return user
