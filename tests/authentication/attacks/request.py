"""The Authorization header and what else comes with a request."""

from typing import Final

from drf_apikit.jose import Reason
from tests.authentication.attacks.cases import ME, Case, Outcome, good

__all__ = ["REQUEST_CASES"]

#: RFC 6750: the header, the grammar of a token, one method alone.
_HEADER: Final = ("RFC 6750", "2.1")
_METHODS: Final = ("RFC 6750", "2")
_ERRORS: Final = ("RFC 6750", "3.1")


def _sent(
    name: str, form: str, expected: Outcome | Reason, spec: tuple[str, str]
) -> Case:
    """Give a case of a good token in a header of another form."""
    return Case(
        f"header-{name}",
        good,
        expected,
        *spec,
        send=lambda token: (form.replace("TOKEN", token), ME),
    )


_NONE: Final = Outcome.NO_CREDENTIALS
_BAD: Final = Outcome.NO_REQUEST

REQUEST_CASES: Final = (
    _sent("twice-joined", "Bearer TOKEN, Bearer TOKEN", _BAD, _METHODS),
    _sent("twice-joined-closely", "Bearer TOKEN,Bearer TOKEN", _BAD, _METHODS),
    _sent("second-token", "Bearer TOKEN,TOKEN", _BAD, _METHODS),
    _sent("two-tokens", "Bearer TOKEN TOKEN", _BAD, _METHODS),
    _sent("basic-after", "Bearer TOKEN, Basic YTpi", _BAD, _METHODS),
    _sent("basic-before", "Basic YTpi, Bearer TOKEN", _NONE, _ERRORS),
    _sent("bearer-twice", "Bearer Bearer TOKEN", _BAD, _HEADER),
    _sent("tab", "Bearer\tTOKEN", _NONE, _HEADER),
    _sent("tab-after-space", "Bearer \tTOKEN", _BAD, _HEADER),
    _sent("tab-at-end", "Bearer TOKEN\t", _BAD, _HEADER),
    _sent("no-space", "BearerTOKEN", _NONE, _HEADER),
    _sent("no-break-space", "Bearer\xa0TOKEN", _NONE, _HEADER),
    _sent("colon", "Bearer: TOKEN", _NONE, _HEADER),
    _sent("equals", "Bearer=TOKEN", _NONE, _HEADER),
    _sent("quoted", 'Bearer "TOKEN"', _BAD, _HEADER),
    _sent("parameter", "Bearer token=TOKEN", _BAD, _HEADER),
    _sent("comma-at-end", "Bearer TOKEN,", _BAD, _HEADER),
    _sent("semicolon", "Bearer TOKEN;", _BAD, _HEADER),
    _sent("newline", "Bearer TOKEN\n", _BAD, _HEADER),
    _sent("newline-inside", "Bearer TOKEN\r\nX-Admin: 1", _BAD, _HEADER),
    _sent("nul", "Bearer TOKEN\0", _BAD, _HEADER),
    _sent("latin-1-scheme", "B\xe9arer TOKEN", _NONE, _ERRORS),
    _sent("latin-1-token", "Bearer TOKEN\xe9\xff", _BAD, _HEADER),
    _sent("scheme-alone", "Bearer", _BAD, _HEADER),
    _sent("scheme-and-space", "Bearer ", _BAD, _HEADER),
    _sent("scheme-token", "Token TOKEN", _NONE, _ERRORS),
    _sent("scheme-jwt", "JWT TOKEN", _NONE, _ERRORS),
    _sent("scheme-dpop", "DPoP TOKEN", _NONE, _ERRORS),
    _sent("scheme-negotiate", "Negotiate TOKEN", _NONE, _ERRORS),
    _sent("token-alone", "TOKEN", _NONE, _ERRORS),
    _sent("space-before", " Bearer TOKEN", _NONE, _ERRORS),
    Case(
        "query-parameter-alone",
        good,
        _NONE,
        *_METHODS,
        send=lambda token: (None, f"{ME}?access_token={token}"),
    ),
    Case(
        "query-parameter-too",
        good,
        _BAD,
        *_METHODS,
        send=lambda token: (f"Bearer {token}", f"{ME}?access_token={token}"),
    ),
    Case(
        "query-parameter-with-a-bad-one",
        good,
        _BAD,
        *_METHODS,
        send=lambda token: (f"Bearer {token}", f"{ME}?a=1&access_token=x"),
    ),
    Case("not-a-token", lambda _: "x", Reason.MALFORMED, *_ERRORS),
    Case("null", lambda _: "null", Reason.MALFORMED, *_ERRORS),
    Case("undefined", lambda _: "undefined", Reason.MALFORMED, *_ERRORS),
    Case("an-opaque-token", lambda _: "a7" * 20, Reason.MALFORMED, *_ERRORS),
    Case("a-megabyte", lambda _: "x" * 1_000_000, Reason.TOO_LARGE, *_ERRORS),
    Case("100-kB-of-dots", lambda _: "." * 100_000, Reason.TOO_LARGE, *_ERRORS),
    Case("16-kB-of-dots", lambda _: "." * 16_000, Reason.MALFORMED, *_ERRORS),
    Case("a-megabyte-of-commas", lambda _: "," * 1_000_000, _BAD, *_ERRORS),
)
