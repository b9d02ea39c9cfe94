from typing import Any

import pytest

from drf_apikit.doctor.redaction import error_text, redactor

CANARY = "canary p@ss/word"


@pytest.fixture(autouse=True)
def _secrets(settings: Any) -> None:
    settings.SECRET_KEY = "canary-key"
    settings.SECRET_KEY_FALLBACKS = ["canary-fallback"]
    settings.SERVERS = {"default": {"NAME": "shop", "PASSWORD": CANARY}}
    settings.CACHES = {
        "default": {
            "BACKEND": "django_redis.cache.RedisCache",
            "LOCATION": ["redis://:canary-cache@127.0.0.1:1/0", "redis://x:1"],
        }
    }
    settings.OIDC_RP_CLIENT_SECRET = "canary-client"
    settings.SHORT_PASSWORD = "abc"
    settings.SOME_TOKEN = b"canary-token"
    settings.DRF_APIKIT = {
        "IDEMPOTENCY": {"ENCRYPTION_KEYS": ("canary-encryption",)},
        "CLIENTS": {
            "CREDENTIALS": {
                "books": {
                    "CLIENT_ID": "books-id",
                    "CLIENT_SECRET": "canary-books",
                    "PRIVATE_KEY": "-----BEGIN\ncanary-line-one\ncanary-line-two",
                }
            },
            "PROXIES": {"https": "http://me:canary-proxy@proxy.example:3128"},
        },
        "TUPLE": (1, None, {"PASSWORD": {"deep": "canary-deep"}}),
    }


@pytest.mark.parametrize(
    "secret",
    [
        *("canary-key", "canary-fallback", CANARY, "canary%20p%40ss%2Fword"),
        *("canary+p%40ss%2Fword", "canary-cache", "canary-client", "canary-token"),
        *("canary-encryption", "canary-books", "canary-line-one", "canary-line-two"),
        *("canary-proxy", "canary-deep"),
    ],
)
@pytest.mark.parametrize("around", ["{}", "password='{}'", "x {}, y", "({})"])
def test_secrets_are_not_shown(secret: str, around: str) -> None:
    shown = redactor()(around.format(secret))
    assert "canary" not in shown
    assert "***" in shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("books-id uses canary-keys of abc", "books-id uses canary-keys of abc"),
        ("http://who:what@host/path", "http://***@host/path"),
        ("http://who:w@t@host/path?a=b@c", "http://***@host/path?a=b@c"),
        ("http://host/a@b", "http://host/a@b"),
        ("a\nb\x1b[31m\u202e", "a b [31m "),
        ("x" * 501, "x" * 500 + "..."),
        ("ü" * 500, "ü" * 500),
    ],
)
def test_all_else_is_shown(text: str, shown: str) -> None:
    assert redactor()(text) == shown


def test_an_error_is_one_line() -> None:
    assert error_text(ValueError("a\nb")) == "ValueError: a"
    assert error_text(ValueError()) == "ValueError"


def test_settings_that_contain_themselves_come_to_an_end(settings: Any) -> None:
    settings.LOOP = loop = {"PASSWORD": "canary-in-a-loop"}
    settings.LOOP["LOOP"] = loop
    assert redactor()("canary-in-a-loop") == "***"
