"""The matrix: what is sent, and which problem must come back."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tests.problems.matrix.planted import MARK, plant
from tests.problems.matrix.wire import Call

__all__ = ["BY_NAME", "SCENARIOS", "Scenario"]

FORM: Final = "application/x-www-form-urlencoded"
MULTIPART: Final = "multipart/form-data; boundary=edge"
RETRY: Final = {"Retry-After": "8"}
BASIC: Final = 'Basic realm="api"'
VALIDATION: Final = "validation-error"
BAD: Final = "bad-request"
LARGE: Final = "content-too-large"
MALFORMED: Final = "malformed-request"
MISSING: Final = "not-found"
SERVER: Final = "server-error"


@dataclass(frozen=True, slots=True)
class Scenario:
    """A failure; `slug` None is `about:blank`. `headers` must come along."""

    name: str
    call: Call
    status: int
    slug: str | None
    members: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    errors: list[tuple[str | None, str]] | None = None


def raised(name: str, status: int, slug: str | None, **more: Any) -> Scenario:
    return Scenario(name, Call(f"/raise/{name}", "POST"), status, slug, **more)


def invalid(name: str, *errors: tuple[str | None, str]) -> Scenario:
    return raised(name, 400, VALIDATION, errors=list(errors))


def asked(
    name: str, target: str, status: int, slug: str | None, **more: Any
) -> Scenario:
    given: dict[str, Any] = {
        key: more.pop(key) for key in ("method", "body") if key in more
    }
    if "sent" in more:
        given["headers"] = more.pop("sent")
    return Scenario(name, Call(target, **given), status, slug, **more)


def sent(name: str, body: bytes, status: int, slug: str, **more: Any) -> Scenario:
    headers = {"Content-Type": more.pop("type", "application/json")}
    target = more.pop("target", "/echo")
    call = Call(target, "POST", body, {**headers, **more.pop("sent", {})})
    return Scenario(name, call, status, slug, **more)


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def multipart(name: str, count: int) -> bytes:
    part = f'--edge\r\nContent-Disposition: form-data; name="f"{name}\r\n\r\nx\r\n'
    return part.encode() * count + b"--edge--\r\n"


BAD_BASE64: Final = (
    b'--edge\r\nContent-Disposition: form-data; name="f"; filename="x"\r\n'
    b"Content-Transfer-Encoding: base64\r\n\r\nA\r\n--edge--\r\n"
)
TRACE: Final = {"Traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01"}

SHAPES: Final = [
    invalid(
        "nested",
        ("#/lines/0/amount", "min_value"),
        ("#/lines/0/tags/0", "max_length"),
        ("#/first/amount", "required"),
    ),
    invalid(
        "many",
        ("#/0/lines", "required"),
        ("#/1/lines", "empty"),
        ("#/2", "invalid"),
    ),
    invalid(
        "list-and-dict-keys",
        ("#/lines/0/tags/1", "max_length"),
        ("#/lines/0/marks/a~1b~0c", "invalid"),
    ),
    invalid("json-field", ("#/raw", "invalid")),
    invalid("non-field", ("#", "pair"), ("#", "pair")),
    invalid("not-an-object", ("#", "invalid")),
    invalid("not-a-list", ("#/lines", "not_a_list")),
    invalid("no-list", ("#", "not_a_list")),
    invalid("empty-list", ("#/lines", "empty")),
    invalid("detail-text", ("#", "no")),
    invalid("detail-lazy", ("#", "invalid")),
    invalid("detail-list", ("#", "invalid"), ("#", "invalid")),
    invalid("detail-dict", ("#/name", "invalid")),
    invalid("detail-number", ("#/name", "invalid")),
    invalid("detail-none", ("#/name", "invalid")),
    invalid("detail-empty"),
    invalid(
        "reserved-names",
        ("#/type", "invalid"),
        ("#/title", "invalid"),
        ("#/status", "invalid"),
        ("#/instance", "invalid"),
    ),
    invalid("django-validation", ("#", "odd")),
    invalid("django-validation-dict", ("#/name", "invalid"), ("#", "invalid")),
    invalid(
        "clean-in-save",
        ("#/name", "max_length"),
        ("#/currency", "invalid"),
        ("#/currency", "max_length"),
    ),
    invalid("validator", ("#", "max_length")),
]

RAISED: Final = [
    raised("parse-error", 400, MALFORMED),
    raised("not-found", 404, MISSING),
    raised("http404", 404, MISSING),
    raised("permission-denied", 403, "permission-denied"),
    raised("own-permission", 403, "permission-denied"),
    raised("unique", 409, "already-exists"),
    raised("protected", 409, "resource-in-use"),
    raised("protected-raised", 409, "resource-in-use"),
    raised("restricted", 409, "resource-in-use"),
    raised("teapot", 422, None, members={"detail": "No coffee."}),
    raised("conflict", 409, None),
    raised("conflict-dict", 409, None),
    raised("nameless", 499, None),
    raised("api-exception", 500, SERVER),
    raised("problem", 409, "insufficient-funds", members={"balance": 3, "required": 5}),
    raised("problem-with-nan", 409, "insufficient-funds", members={"required": 5}),
    raised("throttled", 429, "throttled", headers=RETRY),
    raised("group-known", 409, "insufficient-funds"),
    raised("suspicious", 400, BAD),
    raised("disallowed-redirect", 400, BAD),
    raised("bad-request", 400, BAD),
    raised("too-big", 413, LARGE),
    raised("too-many-files", 413, LARGE),
    raised("unexpected", 500, SERVER),
    raised("key-error", 500, SERVER),
    raised("does-not-exist", 500, SERVER),
    raised("does-not-exist-raised", 500, SERVER),
    raised("not-null", 500, SERVER),
    raised("sql", 500, SERVER),
    raised("syntax", 500, SERVER),
    raised("integrity-without-cause", 500, SERVER),
    raised("database-down", 500, SERVER),
    raised("timeout", 500, SERVER),
    raised("recursion", 500, SERVER),
    raised("group-unknown", 500, SERVER),
    raised("assertion", 500, SERVER),
    raised("multi-line", 500, SERVER),
]

DOWN: Final = {"DRF_APIKIT": {"PROBLEMS": {"DATABASE_ERRORS_AS_503": True}}}
SMALL: Final = {"DATA_UPLOAD_MAX_MEMORY_SIZE": 10}
FEW: Final = {"DATA_UPLOAD_MAX_NUMBER_FIELDS": 3, "DATA_UPLOAD_MAX_NUMBER_FILES": 3}

OUTSIDE: Final = [
    asked("plain-http404", "/plain/http404", 404, MISSING),
    asked("plain-permission", "/plain/permission-denied", 403, "permission-denied"),
    asked("plain-suspicious", "/plain/suspicious", 400, BAD),
    asked("plain-bad-request", "/plain/bad-request", 400, BAD),
    asked("plain-unexpected", "/plain/unexpected", 500, SERVER),
    asked("plain-api-exception", "/plain/teapot", 500, SERVER),
    asked("plain-sql", "/plain/sql", 500, SERVER),
    asked(
        "database-down-503",
        "/plain/database-down",
        503,
        "service-unavailable",
        headers={"Retry-After": "5"},
        settings=DOWN,
    ),
    asked(
        "database-down-503-in-drf",
        "/raise/database-down",
        503,
        "service-unavailable",
        headers={"Retry-After": "5"},
        settings=DOWN,
    ),
    asked("unmatched-url", "/no/such/place", 404, MISSING),
    asked(
        "unmatched-url-with-secrets", f"/{MARK}?{plant('query_string')}=1", 404, MISSING
    ),
    asked("csrf", "/handmade", 403, "csrf-failed", method="POST", body=b"{}"),
    asked(
        "disallowed-host",
        "/echo",
        400,
        BAD,
        sent={"Host": f"{plant('host').replace('_', '-')}.invalid"},
    ),
    asked("malformed-host", "/echo", 400, BAD, sent={"Host": "a b:c"}),
    asked("two-hosts", "/echo", 400, BAD, sent={"Host": "testserver,evil.invalid"}),
    asked("middleware-request", "/middleware/request", 500, SERVER),
    asked("middleware-view", "/middleware/view", 500, SERVER),
    asked("middleware-response", "/middleware/response", 500, SERVER),
    asked("renderer", "/rendered/faulty", 500, SERVER),
    asked("unserialisable", "/rendered/opaque", 500, SERVER),
    asked("nan-in-the-answer", "/rendered/nan", 500, SERVER),
    asked("problem-response", "/handmade", 422, "same-account", members={"account": 3}),
]

ACCESS: Final = [
    asked(
        "no-credentials",
        "/secured",
        401,
        "not-authenticated",
        headers={"WWW-Authenticate": BASIC},
    ),
    asked(
        "bad-credentials",
        "/secured",
        401,
        "invalid-credentials",
        sent={"Authorization": basic(plant("basic_credentials"), "wrong")},
        headers={"WWW-Authenticate": BASIC},
    ),
    asked(
        "credentials-without-colon",
        "/secured",
        401,
        "invalid-credentials",
        sent={"Authorization": "Basic =;="},
        headers={"WWW-Authenticate": BASIC},
    ),
    asked(
        "bad-token",
        "/bearer",
        401,
        "invalid-token",
        sent={"Authorization": f"Bearer {plant('token')}.a.b"},
    ),
    asked(
        "two-challenges",
        "/bearer",
        401,
        "not-authenticated",
        headers={"WWW-Authenticate": f'Bearer realm="api", {BASIC}'},
    ),
    asked(
        "first-authenticator-silent",
        "/challenged",
        401,
        "not-authenticated",
        headers={"WWW-Authenticate": BASIC},
    ),
    asked("no-challenge", "/silent", 403, None),
    asked(
        "session",
        "/session",
        403,
        None,
        sent={"Cookie": f"sessionid={plant('cookie')}"},
    ),
    asked("permission", "/sundays", 403, "permission-denied"),
    asked("throttle", "/throttled", 429, "throttled", headers=RETRY),
]

NEGOTIATION: Final = [
    asked(
        "method",
        "/echo",
        405,
        "method-not-allowed",
        method="DELETE",
        headers={"Allow": "GET, POST, HEAD, OPTIONS"},
    ),
    asked("unknown-method", "/echo", 405, "method-not-allowed", method="BREW"),
    asked("format", "/echo?format=xml", 404, MISSING),
    asked("accept-xml", "/echo", 406, "not-acceptable", sent={"Accept": "text/xml"}),
    asked(
        "accept-problems-alone",
        "/raise/not-found",
        406,
        "not-acceptable",
        sent={"Accept": "application/problem+json"},
    ),
    asked(
        "accept-garbage",
        "/echo",
        406,
        "not-acceptable",
        sent={"Accept": ';;q="\\,/,application/;q=NaN,*'},
    ),
    asked("accept-huge", "/echo", 406, "not-acceptable", sent={"Accept": "a/b," * 999}),
    asked(
        "accept-garbage-outside", "/nowhere", 404, MISSING, sent={"Accept": ";q=,,/"}
    ),
    asked("accept-xml-outside", "/nowhere", 404, MISSING, sent={"Accept": "text/xml"}),
    asked(
        "browser-likes-json",
        "/browsed/not-found",
        404,
        MISSING,
        sent={"Accept": "application/json, text/html;q=0.5"},
    ),
    asked(
        "german",
        "/nowhere",
        404,
        MISSING,
        sent={"Accept-Language": "de-AT,en;q=0.3"},
        members={"title": "Nicht gefunden"},
        headers={"Content-Language": "de"},
    ),
    asked(
        "german-http404",
        "/raise/http404",
        404,
        MISSING,
        sent={"Accept-Language": "de"},
        members={"title": "Nicht gefunden"},
    ),
    asked(
        "german-500",
        "/raise/unexpected",
        500,
        SERVER,
        sent={"Accept-Language": "de"},
        headers={"Content-Language": "de"},
    ),
    asked(
        "language-garbage",
        "/nowhere",
        404,
        MISSING,
        sent={"Accept-Language": "\xff;q=9,,-,de_DE.UTF-8;" + "x" * 5000},
    ),
]

BODIES: Final = [
    sent(
        "malformed-json", f'{{"a": {plant("password_in_body")}'.encode(), 400, MALFORMED
    ),
    sent("not-utf-8", b'{"a": "\xff"}', 400, MALFORMED),
    sent("nan", b'{"a": NaN}', 400, MALFORMED),
    sent("endless-number", b"[" + b"9" * 5000 + b"]", 400, MALFORMED),
    sent(
        "deep-lists",
        b"[" * 100_000,
        400,
        MALFORMED,
        settings={"DATA_UPLOAD_MAX_MEMORY_SIZE": None},
    ),
    sent("deep-objects", b'{"a":' * 10_000, 400, MALFORMED),
    sent(
        "not-form",
        b"%zz=%",
        415,
        "unsupported-media-type",
        type="text/plain",
        target="/forms",
    ),
    sent("media-type", b"<a/>", 415, "unsupported-media-type", type="text/xml"),
    sent("media-type-empty", b"{}", 415, "unsupported-media-type", type=""),
    sent("media-type-garbage", b"{}", 415, "unsupported-media-type", type='a/"\\;;=,/'),
    sent(
        "media-type-huge",
        b"{}",
        415,
        "unsupported-media-type",
        type="x/y; " + "a=b;" * 999,
    ),
    sent(
        "codec-as-charset", b"{}", 400, MALFORMED, type="application/json; charset=zlib"
    ),
    sent(
        "charset-of-two-octets",
        b"{}",
        400,
        MALFORMED,
        type="application/json; charset=utf-16",
    ),
    sent("json-too-large", b'{"a": "aaaaaaaaaaaaa"}', 413, LARGE, settings=SMALL),
    sent(
        "form-too-large",
        b"a=aaaaaaaaaaaaaaaaaaa",
        413,
        LARGE,
        type=FORM,
        target="/forms",
        settings=SMALL,
    ),
    sent(
        "too-many-fields",
        b"a=1&b=2&c=3&d=4&e=5",
        413,
        LARGE,
        type=FORM,
        target="/forms",
        settings=FEW,
    ),
    sent(
        "too-many-parts",
        multipart("", 9),
        413,
        LARGE,
        type=MULTIPART,
        target="/forms",
        settings=FEW,
    ),
    sent(
        "too-many-files-sent",
        multipart('; filename="x"', 9),
        413,
        LARGE,
        type=MULTIPART,
        target="/forms",
        settings=FEW,
    ),
    sent(
        "no-boundary", b"x", 400, MALFORMED, type="multipart/form-data", target="/forms"
    ),
    sent(
        "bad-boundary",
        b"x",
        400,
        MALFORMED,
        type='multipart/form-data; boundary="\xe9"',
        target="/forms",
    ),
    sent(
        "bad-base64-part",
        BAD_BASE64,
        400,
        MALFORMED,
        type=MULTIPART,
        target="/forms",
    ),
]

ODD: Final = [
    asked("nul-in-path", "/titles/a%00b", 404, MISSING),
    asked("surrogate-in-path", "/titles/%ed%a0%80", 404, MISSING),
    asked("not-utf-8-in-path", "/titles/%ff%fe", 404, MISSING),
    asked("nul-in-unmatched-path", "/%00", 404, MISSING),
    asked("surrogate-in-unmatched-path", "/%ed%a0%80/%f0%28", 404, MISSING),
    asked("control-in-path", "/a%0d%0aX-Leak:%20b", 404, MISSING),
    asked("long-path", "/" + "a/" * 4000, 404, MISSING),
    asked(
        "nul-in-query",
        "/titles?search=%00",
        400,
        VALIDATION,
        errors=[(None, "null_characters_not_allowed")],
    ),
    asked("nul-in-page-size", "/titles?page_size=%00", 400, "invalid-page-size"),
    asked(
        "surrogate-in-page-size",
        "/titles?page_size=%ed%a0%80",
        400,
        "invalid-page-size",
    ),
    asked("surrogate-in-cursor", "/titles?cursor=%ed%a0%80%00", 400, "invalid-cursor"),
    asked("not-utf-8-in-format", "/echo?format=%ff%00%ed%a0%80", 404, MISSING),
    asked("many-parameters", "/echo?" + "a=b&" * 2000, 413, LARGE),
    asked(
        "absurd-headers",
        "/nowhere",
        404,
        MISSING,
        sent={
            "Cookie": '\xff=;;"=\\',
            "If-None-Match": '"' * 999,
            "Range": "bytes=9-1",
            "Traceparent": "00-\xff",
            "X-Forwarded-For": "\xe9" * 99,
            "X-" + "A" * 500: "b",
        },
    ),
    asked(
        "content-length-garbage",
        "/nowhere",
        404,
        MISSING,
        method="PUT",
        sent={"Content-Length": "-1x"},
    ),
    asked(
        "authorization-garbage",
        "/bearer",
        401,
        "not-authenticated",
        sent={"Authorization": "\xff\xfe \xe9"},
    ),
    asked(
        "authorization-huge",
        "/bearer",
        401,
        "invalid-token",
        sent={"Authorization": "Bearer " + "a." * 4000},
    ),
    asked(
        "trace",
        "/nowhere",
        404,
        MISSING,
        sent=TRACE,
        members={"trace_id": "ab" * 16},
    ),
    asked(
        "trace-in-500",
        "/raise/unexpected",
        500,
        SERVER,
        sent=TRACE,
        members={"trace_id": "ab" * 16},
    ),
]

SCENARIOS: Final = [*SHAPES, *RAISED, *OUTSIDE, *ACCESS, *NEGOTIATION, *BODIES, *ODD]
BY_NAME: Final = {scenario.name: scenario for scenario in SCENARIOS}
