"""A project of simplejwt moves by the ten lines of the guide, with its users."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

GUIDE: Final = Path(__file__).parents[2] / "docs/how-to/move-from-simplejwt.md"

SETTINGS: Final = """
from datetime import timedelta

SECRET_KEY = "made up for this test, and long enough"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
USE_TZ = True
ALLOWED_HOSTS = ["testserver"]
ROOT_URLCONF = "urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "rest_framework",
    "rest_framework_simplejwt.token_blacklist",
]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "shop.db"}}
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "rest_framework_simplejwt.authentication.JWTAuthentication",
    ],
}
SIMPLE_JWT = {
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=10),
    "ROTATE_REFRESH_TOKENS": True,
    "BLACKLIST_AFTER_ROTATION": True,
    "TOKEN_OBTAIN_SERIALIZER": "serializers.NamedTokenSerializer",
}
"""
SERIALIZERS: Final = """
from rest_framework_simplejwt.serializers import TokenObtainPairSerializer


class NamedTokenSerializer(TokenObtainPairSerializer):
    @classmethod
    def get_token(cls, user):
        token = super().get_token(user)
        token["name"] = user.get_full_name()
        return token
"""
VIEWS: Final = """
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework_simplejwt.tokens import RefreshToken


class Me(APIView):
    permission_classes = [IsAuthenticated]

    def get(self, request):
        return Response(request.user.username)


class Logout(APIView):
    permission_classes = [IsAuthenticated]

    def post(self, request):
        RefreshToken(request.data["refresh"]).blacklist()
        return Response(status=205)
"""
URLS: Final = """
from django.urls import path
from rest_framework_simplejwt import views as tokens

from views import Logout, Me

urlpatterns = [
    path("me/", Me.as_view()),
    path("logout/", Logout.as_view()),
    path("token/", tokens.TokenObtainPairView.as_view()),
    path("token/refresh/", tokens.TokenRefreshView.as_view()),
    path("token/blacklist/", tokens.TokenBlacklistView.as_view()),
    path("token/verify/", tokens.TokenVerifyView.as_view()),
]
"""
#: What both versions of the project are asked by.
APP: Final = """
import base64
import json
import os
from pathlib import Path

os.environ["DJANGO_SETTINGS_MODULE"] = "settings"

import django

django.setup()

from django.contrib.auth.models import User
from django.core.management import call_command
from rest_framework.test import APIClient

KEPT = Path("kept.json")
call_command("migrate", verbosity=0)
call_command("check", fail_level="WARNING", verbosity=0)


def ask(where, **sent):
    return APIClient().post(where, sent, format="json")


def me(access):
    headers = {"Authorization": f"Bearer {access}"}
    return APIClient().get("/me/", headers=headers).status_code


def log_in():
    answer = ask("/token/", username="ada", password="correct horse")
    assert answer.status_code == 200, answer.content
    return answer.data


def refresh(text):
    return ask("/token/refresh/", refresh=text)


def log_out(pair):
    client = APIClient(headers={"Authorization": f"Bearer {pair['access']}"})
    return client.post("/logout/", {"refresh": pair["refresh"]}).status_code


def name_in(access):
    segment = access.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(segment + "=="))["name"]


def is_good(pair):
    return me(pair["access"]) == 200 and name_in(pair["access"]) == "Ada Lovelace"
"""
BEFORE: Final = """
from app import *

User.objects.create_user(
    "ada", password="correct horse", first_name="Ada", last_name="Lovelace"
)
kept = {name: log_in() for name in ("live", "leaving", "used", "blacklisted", "out")}
assert all(is_good(pair) for pair in kept.values())
assert refresh(kept["used"]["refresh"]).status_code == 200
assert ask("/token/blacklist/", refresh=kept["blacklisted"]["refresh"]).data == {}
assert log_out(kept["out"]) == 205
KEPT.write_text(json.dumps(kept))
"""
AFTER: Final = """
import sys

from app import *

kept = json.loads(KEPT.read_text())
assert me(kept["live"]["access"]) == 401
for name in ("used", "blacklisted", "out"):
    assert refresh(kept[name]["refresh"]).status_code == 401, name
found = refresh(kept["live"]["refresh"])
if sys.argv[1] == "refuse":
    assert found.status_code == 401
else:
    assert found.status_code == 200
    assert is_good(found.data)
    assert refresh(kept["live"]["refresh"]).status_code == 409
    again = refresh(found.data["refresh"])
    assert is_good(again.data)
    leaving = kept["leaving"]["refresh"]
    assert ask("/token/blacklist/", refresh=leaving).status_code == 200
    assert refresh(leaving).status_code == 401
new = log_in()
assert is_good(new)
assert ask("/token/verify/", token=new["access"]).status_code == 200
newer = refresh(new["refresh"]).data
assert is_good(newer)
assert log_out(newer) == 205
assert refresh(newer["refresh"]).status_code == 401
"""


def diff() -> str:
    found = re.search(
        r"<!-- test: issuer -->\n```diff\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL
    )
    assert found
    return found[1]


def moved(files: dict[str, str], patch: str) -> dict[str, str]:
    """Apply a diff to the letter: what it takes for granted must be there, once."""
    changed = dict(files)
    for part in re.split(r"^--- ", patch, flags=re.MULTILINE)[1:]:
        name, *hunks = part.split("@@\n")
        for hunk in hunks:
            lines = hunk.splitlines()
            old = "".join(f"\n{line[1:]}" for line in lines if line[0] in " -")
            new = "".join(f"\n{line[1:]}" for line in lines if line[0] in " +")
            assert changed[name.strip()].count(f"{old}\n") == 1, old
            changed[name.strip()] = changed[name.strip()].replace(
                f"{old}\n", f"{new}\n"
            )
    return changed


def run(directory: Path, *arguments: str) -> None:
    clean = {"PYTHONPATH", "DJANGO_SETTINGS_MODULE"}
    done = subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        cwd=directory,
        env={name: value for name, value in os.environ.items() if name not in clean},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def write(directory: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (directory / name).write_text(text, "utf-8")


def test_the_change_is_ten_lines() -> None:
    added = [line for line in diff().splitlines() if line.startswith("+")]
    removed = [line for line in diff().splitlines() if re.match("-(?!-- )", line)]
    assert len(removed) < len(added) <= 10


def test_a_project_moves_and_its_users_stay_or_log_in_again(tmp_path: Path) -> None:
    files = {
        "settings.py": SETTINGS,
        "serializers.py": SERIALIZERS,
        "views.py": VIEWS,
        "urls.py": URLS,
    }
    write(tmp_path, {**files, "app.py": APP, "before.py": BEFORE, "after.py": AFTER})
    run(tmp_path, "before.py")
    database = (tmp_path / "shop.db").read_bytes()
    for choice in ("exchange", "refuse"):
        patch = diff()
        assert patch.count('"exchange"') == 1
        write(tmp_path, moved(files, patch.replace('"exchange"', f'"{choice}"')))
        (tmp_path / "shop.db").write_bytes(database)
        run(tmp_path, "after.py", choice)


@pytest.mark.parametrize("line", ["}", '    "drf_apikit",'])
def test_a_diff_that_does_not_fit_is_not_applied(line: str) -> None:
    with pytest.raises(AssertionError):
        moved({"settings.py": SETTINGS}, f"--- settings.py\n@@\n {line}\n+x\n")
