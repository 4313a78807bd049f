"""Destinations are found by themselves, and a plug-in that cannot be used is named."""

import uuid
from pathlib import Path

import pytest
from support.plugins import install_plugin

from sinks.errors import BadDestination
from sinks.registry import destination_types, own_destination_types, settings_of
from sinks.settings import DestinationSettings

SETTINGS = """
from sinks.settings import DestinationSettings

class Settings(DestinationSettings, frozen=True, kw_only=True):
    folder: str
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the path, for packages of others."""
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def module() -> str:
    """A name that no test has imported yet."""
    return f"plugin_{uuid.uuid4().hex[:8]}"


def test_the_modules_of_sinks_that_bring_settings_are_destinations() -> None:
    assert {"clickhouse", "webhook", "kafka-topic", "argo-events"} <= set(own_destination_types())
    assert not {"errors", "http", "messages", "records", "secret", "settings"} & set(own_destination_types())
    for name in own_destination_types():
        assert issubclass(settings_of(name), DestinationSettings)


@pytest.mark.parametrize("name", own_destination_types())
def test_settings_have_documentation(name: str) -> None:
    assert settings_of(name).__doc__


def test_clickhouse_can_be_left_to_its_defaults_and_shows_no_secret() -> None:
    assert "hunter2" not in repr(settings_of("clickhouse")())


def test_a_destination_of_another_package_is_found(site: Path) -> None:
    name = module()
    install_plugin(site, "acme-files", {name: SETTINGS}, {"parquet-files": f"{name}:Settings"})
    assert set(destination_types()) - set(own_destination_types()) == {"parquet-files"}
    assert settings_of("parquet-files").__struct_fields__[-1] == "folder"


def test_what_is_not_installed_is_named() -> None:
    for name in ("parquet-files", "errors", "click_house", "click/house", "", "..", "settings"):
        with pytest.raises(BadDestination, match="is installed") as caught:
            settings_of(name)
        assert repr(name) in str(caught.value)


def test_two_packages_with_one_type_are_both_named(site: Path) -> None:
    name = module()
    for package in ("acme-files", "other-files"):
        install_plugin(site, package, {name: SETTINGS}, {"parquet-files": f"{name}:Settings"})
    with pytest.raises(BadDestination, match=r"package acme-files 1\.0 and package other-files 1\.0 each bring"):
        settings_of("parquet-files")


def test_a_package_cannot_take_the_name_of_one_of_ours(site: Path) -> None:
    name = module()
    install_plugin(site, "acme-files", {name: SETTINGS}, {"clickhouse": f"{name}:Settings"})
    with pytest.raises(BadDestination, match=r"driftline itself and package acme-files 1\.0 each bring"):
        settings_of("clickhouse")


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("import nothing_there", "cannot be imported: ModuleNotFoundError: No module named 'nothing_there'"),
        ("1 / 0", "cannot be imported: ZeroDivisionError"),
        ("def (", "cannot be imported: SyntaxError"),
        ("Setting = 1", "cannot be imported: AttributeError"),
        ("Settings = 1", "is no sinks.settings.DestinationSettings"),
        ("class Settings: pass", "is no sinks.settings.DestinationSettings"),
        (SETTINGS + "    batch_rows: str = ''", "changes the type of 'batch_rows'"),
    ],
)  # fmt: skip
def test_a_plugin_that_cannot_be_used_is_named_with_its_fault(site: Path, source: str, words: str) -> None:
    name = module()
    install_plugin(site, "acme-files", {name: source}, {"parquet-files": f"{name}:Settings"})
    with pytest.raises(BadDestination) as caught:
        settings_of("parquet-files")
    assert "the destination 'parquet-files' of package acme-files 1.0" in str(caught.value)
    assert words in str(caught.value)
    assert settings_of("clickhouse"), "a broken plug-in disturbs no one who does not use it"
