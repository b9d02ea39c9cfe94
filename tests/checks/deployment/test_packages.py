from pathlib import Path

import pytest

from drf_apikit.checks import check_deployed_packages
from tests.checks.deployment.conftest import told


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a folder that is looked into before what is installed."""
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def install(site: Path, name: str, version: str) -> None:
    folder = site / f"{name}-{version}.dist-info"
    folder.mkdir()
    text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    (folder / "METADATA").write_text(text)


def test_what_is_installed_is_good() -> None:
    assert check_deployed_packages() == []


@pytest.mark.parametrize(
    ("name", "version", "code"),
    [
        ("PyJWT", "2.10.1", "E037"),
        ("pyjwt", "2.15", "E037"),
        ("cryptography", "46.0.4", "W064"),
        ("cryptography", "9.9.9", "W064"),
    ],
)
def test_an_old_release(site: Path, name: str, version: str, code: str) -> None:
    install(site, name, version)
    found = told(check_deployed_packages)
    assert list(found) == [code]
    assert f" is {version}, and older ones" in found[code]


@pytest.mark.parametrize(
    ("name", "version"),
    [("PyJWT", "2.15.1"), ("PyJWT", "3.0rc1"), ("cryptography", "46.0.5")],
)
def test_a_good_release(site: Path, name: str, version: str) -> None:
    install(site, name, version)
    assert check_deployed_packages() == []


def test_what_was_put_there_without_its_metadata(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.path", [])
    assert check_deployed_packages() == []
