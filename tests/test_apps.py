import sys

import pytest
from django.apps import apps
from django.core.checks import registry

from drf_apikit.apps import ApikitConfig
from drf_apikit.checks import check_cors, check_problems, check_settings

EXTENSIONS = "drf_apikit.contrib.spectacular"


@pytest.fixture
def config() -> ApikitConfig:
    config = apps.get_app_config("drf_apikit")
    assert isinstance(config, ApikitConfig)
    return config


def test_the_app(config: ApikitConfig) -> None:
    assert (config.name, config.label) == ("drf_apikit", "drf_apikit")
    assert str(config.verbose_name) == "API kit"
    assert {model.__name__ for model in config.get_models()} == {
        "ExternalIdentity",
        "IdempotencyRecord",
    }


def test_checks_are_registered() -> None:
    checks: list[object] = list(registry.registry.get_checks())
    assert {check_settings, check_problems, check_cors} <= set(checks)


@pytest.mark.parametrize("installed", [True, False])
def test_openapi_extensions_are_there_where_they_are_of_use(
    installed: bool, config: ApikitConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, EXTENSIONS)
    if not installed:
        # Python takes it as a package that is not there.
        monkeypatch.setitem(sys.modules, "drf_spectacular", None)
    config.ready()
    assert (EXTENSIONS in sys.modules) == installed
