"""The guide for those who come from simplejwt, followed to the letter."""

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from drf_apikit.jose import parse_key_set

ROOT: Final = Path(__file__).resolve().parent.parent
GUIDE: Final = (ROOT / "docs/how-to/move-from-simplejwt.md").read_text("utf-8")

#: A project that uses simplejwt, before the change.
BEFORE: Final = """
from pathlib import Path

SECRET_KEY = "made up for this test"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
USE_TZ = True
ALLOWED_HOSTS = ["testserver"]
ROOT_URLCONF = "urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "rest_framework",
]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "rest_framework_simplejwt.authentication.JWTAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
}
"""

URLS: Final = """
from django.urls import path
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework_simplejwt.views import TokenObtainPairView


class Me(APIView):
    def get(self, request):
        claims = request.auth.claims
        return Response([request.user.username, claims["token_type"]])


urlpatterns = [path("me/", Me.as_view()), path("token/", TokenObtainPairView.as_view())]
"""

TEST: Final = """
import io
import time

import jwt
import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import call_command
from rest_framework.test import APIClient
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken, SlidingToken

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada():
    return User.objects.create_user("ada", password="correct horse")


def ask(token, scheme="Bearer"):
    return APIClient().get("/me/", headers={"Authorization": f"{scheme} {token}"})


def signed(user, **claims):
    payload = {**AccessToken.for_user(user).payload, **claims}
    payload = {"iss": "https://shop.example", "aud": "ledger", **payload}
    kept = {name: value for name, value in payload.items() if value is not None}
    signing = settings.SIMPLE_JWT
    return jwt.encode(kept, signing["SIGNING_KEY"], algorithm=signing["ALGORITHM"])


def test_the_settings_are_in_order():
    call_command("check", stdout=io.StringIO(), fail_level="WARNING")


def test_a_token_that_simplejwt_gives_out_is_accepted(ada):
    login = {"username": "ada", "password": "correct horse"}
    token = APIClient().post("/token/", login).data["access"]
    answer = ask(token)
    assert (answer.status_code, answer.data) == (200, ["ada", "access"])


@pytest.mark.parametrize("scheme", ["bearer", "BEARER"])
def test_the_scheme_is_read_in_any_case(ada, scheme):
    assert ask(AccessToken.for_user(ada), scheme).status_code == 200


def test_a_request_is_one_query(ada, django_assert_num_queries):
    token = AccessToken.for_user(ada)
    with django_assert_num_queries(1):
        assert ask(token).status_code == 200


@pytest.mark.parametrize("kind", [RefreshToken, SlidingToken])
def test_tokens_for_something_else_are_refused(ada, kind):
    answer = ask(kind.for_user(ada))
    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer["WWW-Authenticate"]


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "stock"},
        {"aud": None},
        {"iss": "https://other.example"},
        {"iss": None},
        {"jti": None},
        {"token_type": None},
        {"exp": int(time.time()) - 31},
        {"user_id": "4711"},
        {"user_id": None, "sub": "1"},
    ],
)
def test_what_is_mandatory_is_looked_at(ada, claims):
    assert ask(signed(ada)).status_code == 200
    assert ask(signed(ada, **claims)).status_code == 401


def test_half_a_minute_is_forgiven(ada):
    assert ask(signed(ada, exp=int(time.time()) - 10)).status_code == 200


def test_who_is_not_active_is_refused(ada):
    token = AccessToken.for_user(ada)
    User.objects.update(is_active=False)
    assert ask(token).status_code == 401


@pytest.mark.parametrize("secret", ["SECRET_KEY", "VERIFYING_KEY"])
def test_hmac_is_refused(ada, secret):
    key = settings.SIMPLE_JWT.get(secret) or settings.SECRET_KEY * 2
    segments = jwt.api_jws.base64url_encode
    head = segments(b'{"alg":"HS256","typ":"JWT"}') + b"."
    head += str(AccessToken.for_user(ada)).split(".")[1].encode()
    algorithm = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    signature = segments(algorithm.sign(head, key.encode()))
    assert ask((head + b"." + signature).decode()).status_code == 401


def test_what_is_no_token_is_a_bad_request(ada):
    answer = ask("a token")
    assert answer.status_code == 400
    assert 'error="invalid_request"' in answer["WWW-Authenticate"]
"""


def block(name: str) -> str:
    found = re.search(rf"<!-- test: {name} -->\n```python\n(.*?)```", GUIDE, re.DOTALL)
    assert found, f"the guide has no block {name!r}"
    return found[1]


def test_two_keys_are_told_apart_by_their_algorithms(tmp_path: Path) -> None:
    keys = [rsa.generate_private_key(65537, 2048) for _ in range(2)]
    old, new = (
        key.public_key()
        .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        .decode("ascii")
        for key in keys
    )
    path = tmp_path / "block.py"
    path.write_text(block("imports") + block("rotation"), "utf-8")
    found = runpy.run_path(str(path), {"OLD_KEY": old, "NEW_KEY": new})
    key_set = parse_key_set(found["JWKS"])
    assert key_set.dropped == ()
    for algorithm, key in zip(["RS256", "RS384"], keys, strict=True):
        chosen = key_set.select(None, algorithm)
        assert chosen.public_key.public_numbers() == key.public_key().public_numbers()


def test_the_change_is_ten_lines() -> None:
    assert len((block("imports") + block("verifier")).splitlines()) <= 10


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_a_project_that_moves_keeps_its_tokens(algorithm: str, tmp_path: Path) -> None:
    """As the guide says it for RS256, and what it says to replace for ES256."""
    is_rsa = algorithm == "RS256"
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey = (
        rsa.generate_private_key(65537, 2048)
        if is_rsa
        else ec.generate_private_key(ec.SECP256R1())
    )
    guide = block("imports") + BEFORE + block("simplejwt") + block("verifier")
    if not is_rsa:
        guide = guide.replace('"RS256"', '"ES256"').replace("RSAAlg", "ECAlg")
    public = key.public_key()
    files = {
        "signing-key.pem": key.private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        ).decode("ascii"),
        "verifying-key.pem": public.public_bytes(
            Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
        ).decode("ascii"),
        "project_settings.py": guide,
        "urls.py": URLS,
        "test_move.py": TEST,
        "pytest.ini": "[pytest]\nDJANGO_SETTINGS_MODULE = project_settings\n"
        "pythonpath = .\nfilterwarnings = error\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text, "utf-8")
    clean = {"PYTHONPATH", "DJANGO_SETTINGS_MODULE", "PYTEST_ADDOPTS"}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if name not in clean},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "21 passed" in done.stdout
