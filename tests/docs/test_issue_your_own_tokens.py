"""The guides to tokens of one's own, followed to the letter."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
from django.core.management import call_command

from tests.docs.pages import blocks_of, text_of

ISSUE: Final = blocks_of("how-to/issue-your-own-tokens.md")
TEXT: Final = text_of("how-to/issue-your-own-tokens.md")
SESSIONS: Final = blocks_of("how-to/let-users-see-their-sessions.md")

VIEWS: Final = """
from django.urls import path
from rest_framework.response import Response
from rest_framework.views import APIView

urlpatterns = []


class Me(APIView):
    def get(self, request):
        return Response([request.user.username, request.auth.claims.get("tenant")])


urlpatterns += [path("me/", Me.as_view())]
"""

TEST: Final = """
import io

import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.core.cache import cache
from django.core.management import call_command
from django.test import Client, override_settings

pytestmark = pytest.mark.django_db
LOGIN = {"username": "shop.ada", "password": "correct horse"}


@pytest.fixture(autouse=True)
def ada():
    cache.clear()
    return User.objects.create_user("shop.ada", "ada@shop.example", "correct horse")


def post(url, **form):
    return Client().post(url, form)


def me(token):
    return Client().get("/me/", headers={"authorization": f"Bearer {token}"})


def sessions(token, method="get", url="/token/sessions/"):
    ask = getattr(Client(), method)
    return ask(url, headers={"authorization": f"Bearer {token}"})


def test_the_settings_are_in_order():
    call_command("check", stdout=io.StringIO(), fail_level="WARNING")
    call_command("makemigrations", check=True, stdout=io.StringIO())


@override_settings(DRF_APIKIT=PLAIN)
def test_an_app_logs_in_and_goes_on():
    given = post("/token/", **LOGIN).json()
    assert given.keys() == {"access", "refresh", "token_type", "expires_in"}
    assert (given["token_type"], given["expires_in"]) == ("Bearer", 300)
    assert given["access"].startswith("eyJhbGciOi")
    assert given["refresh"].startswith("akr1_")
    assert me(given["access"]).json() == ["shop.ada", "shop"]
    later = post("/token/refresh/", refresh=given["refresh"])
    assert me(later.json()["access"]).status_code == 200
    again = post("/token/refresh/", refresh=given["refresh"])
    assert again.status_code == 409
    out = post("/token/blacklist/", refresh=later.json()["refresh"])
    assert (out.status_code, out.json()) == (200, {})
    over = post("/token/refresh/", refresh=later.json()["refresh"])
    assert over.status_code == 401


def test_passwords_cannot_be_tried_for_long():
    wrong = {**LOGIN, "password": "x"}
    statuses = [post("/token/", **wrong).status_code for _ in range(11)]
    assert statuses == [401] * 10 + [429]


def test_apps_have_scopes_of_their_own():
    answer = post("/token/", **LOGIN, client_id="kiosk", scope="orders:read")
    assert answer.json()["scope"] == "orders:read"
    wanted = post("/token/", **LOGIN, client_id="kiosk", scope="orders:write")
    assert wanted.status_code == 400


def test_keys_are_published():
    post("/token/", **LOGIN)
    keys = Client().get("/.well-known/jwks.json").json()["keys"]
    assert len(keys) == 1
    metadata = Client().get("/.well-known/oauth-authorization-server").json()
    assert metadata["issuer"] == "https://shop.example"
    assert metadata["jwks_uri"] == "https://shop.example/.well-known/jwks.json"


def test_another_service_takes_them():
    from shop import transport, service

    token = post("/token/", **LOGIN).json()["access"]
    for path in ("openid-configuration", "jwks.json"):
        answer = Client().get(f"/.well-known/{path}")
        transport.ANSWERS[f"https://shop.example/.well-known/{path}"] = answer.content
    theirs = dict(service.DRF_APIKIT["AUTHENTICATION"], TRANSPORT="shop.transport.send")
    with override_settings(DRF_APIKIT={"AUTHENTICATION": theirs}):
        answer = me(token)
        assert (answer.status_code, answer.json()[1]) == (200, "shop")
    assert answer.json()[0] != "shop.ada"
    assert User.objects.count() == 2
    assert transport.ANSWERED == set(transport.ANSWERS)


def test_users_see_and_end_their_sessions():
    first, second = (post("/token/", **LOGIN).json() for _ in range(2))
    shown = sessions(second["access"]).json()
    listed = shown if isinstance(shown, list) else shown["results"]
    assert {frozenset(one) for one in listed} == {FIELDS}
    assert sorted(one["current"] for one in listed) == [False, True]
    assert sessions(second["access"], "delete").status_code < 300
    assert post("/token/refresh/", refresh=first["refresh"]).status_code == 401
    assert post("/token/refresh/", refresh=second["refresh"]).status_code == 200
    (last,) = sessions(second["access"]).json()
    ended = sessions(second["access"], "delete", f"/token/sessions/{last['id']}/")
    assert ended.status_code < 300


def test_a_user_is_locked_out_by_code(ada):
    from shop.locking import lock_out

    given = post("/token/", **LOGIN).json()
    assert lock_out(ada) == 0
    assert post("/token/refresh/", refresh=given["refresh"]).status_code == 401


def test_a_user_is_told_of_a_copy():
    import shop.warning

    given = post("/token/", **LOGIN).json()
    post("/token/refresh/", refresh=given["refresh"])
    with override_settings(DRF_APIKIT=WITHOUT_GRACE):
        post("/token/refresh/", refresh=given["refresh"])
    assert [one.to for one in mail.outbox] == [["ada@shop.example"]]
"""
#: What the service sees of the issuer.
TRANSPORT: Final = """
from drf_apikit.oidc.transport import Reply

ANSWERS = {}
ANSWERED = set()


def send(method, url, **options):
    ANSWERED.add(url)
    return Reply(200, {}, ANSWERS[url])
"""
#: What Django itself wants, and a cache that processes share.
DEPLOYED: Final = """
from shop.settings import *

DEBUG = False
ALLOWED_HOSTS = ["shop.example"]
SECRET_KEY = "6x-Vq0fE3c_only-this-test-has-it_9sLw2TzKpNy7RmBdGhJ4"
SECURE_HSTS_SECONDS = 31536000
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = SECURE_SSL_REDIRECT = True
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
MAILERS = {"default": {"BACKEND": "django.core.mail.backends.smtp.EmailBackend"}}
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": "redis://cache.shop.example:6379/0",
    },
}
"""
#: What the page says that a session shows.
FIELDS: Final = (
    *("id", "client_id", "created_at", "refreshed_at", "expires_at"),
    *("user_agent", "current"),
)
PRELUDE: Final = f"""
from django.conf import settings

FIELDS = frozenset({FIELDS!r})
TOKENS = {{**settings.DRF_APIKIT["TOKENS"], "REUSE_GRACE": 0}}
LATER = {{"CLIENTS", "SCOPES"}}
FIRST = {{name: TOKENS[name] for name in TOKENS.keys() - LATER - {{"REUSE_GRACE"}}}}
PLAIN = {{**settings.DRF_APIKIT, "TOKENS": FIRST}}
WITHOUT_GRACE = {{**settings.DRF_APIKIT, "TOKENS": TOKENS}}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Make the project of the pages."""
    call_command("startproject", "shop", str(tmp_path))
    claims = 'DRF_APIKIT["TOKENS"]["CLAIMS"] = "shop.auth.shop_claims"\n'
    hasher = '["django.contrib.auth.hashers.MD5PasswordHasher"]'
    with (tmp_path / "shop/settings.py").open("a", encoding="utf-8") as file:
        file.write(ISSUE["settings"] + ISSUE["clients"] + claims)
        file.write(f"PASSWORD_HASHERS = {hasher}\n")
    for name, text in {
        "shop/urls.py": VIEWS + ISSUE["urls"],
        "shop/auth.py": ISSUE["claims"],
        "shop/service.py": ISSUE["service"],
        "shop/transport.py": TRANSPORT,
        "shop/locking.py": SESSIONS["code"],
        "shop/warning.py": SESSIONS["signals"],
        "test_shop.py": TEST.replace("\npytestmark", f"{PRELUDE}\npytestmark", 1),
        "pytest.ini": "[pytest]\nDJANGO_SETTINGS_MODULE = shop.settings\n"
        "pythonpath = .\nfilterwarnings = error\n",
    }.items():
        (tmp_path / name).write_text(text, "utf-8")
    return tmp_path


def run(project: Path, *words: str) -> tuple[int, str]:
    """Run Python there, and nothing of the settings of this test."""
    clean = {"PYTHONPATH", "DJANGO_SETTINGS_MODULE", "PYTEST_ADDOPTS"}
    done = subprocess.run(
        [sys.executable, *words],
        cwd=project,
        env={name: value for name, value in os.environ.items() if name not in clean},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.compliance("RFC 6749", "10.10")
def test_whoever_follows_the_pages_issues_tokens(project: Path) -> None:
    status, said = run(project, "-m", "pytest", "-q", "-p", "no:cacheprovider")
    assert status == 0, said
    assert "9 passed" in said


@pytest.mark.compliance("RFC 6749", "4.3.2")
def test_whoever_follows_the_page_is_not_told_of(project: Path) -> None:
    (project / "shop/deployed.py").write_text(DEPLOYED, "utf-8")
    # The page's own line, as it is deployed.
    (line,) = re.findall(r"^\$ python (manage.py check .+)$", TEXT, re.MULTILINE)
    check = [*shlex.split(line), "--fail-level", "WARNING", "--settings=shop.deployed"]
    status, said = run(project, *check)
    assert "System check identified no issues" in said, said
    assert status == 0
    # It is the limit of the page that the check is content with.
    urls = ISSUE["urls"].replace("throttle_scope", "scope_of_nothing")
    (project / "shop/urls.py").write_text(VIEWS + urls, "utf-8")
    status, said = run(project, *check)
    assert set(re.findall(r"drf_apikit\.[EW]\d+", said)) == {"drf_apikit.W049"}
    assert "shop.urls.LoginView takes passwords" in said
    assert status == 1
