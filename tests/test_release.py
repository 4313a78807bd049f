"""What a wheel of this tree holds; `.ci/release` installs it into an empty environment and runs it."""

import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.mark.parametrize("package", ["detectors", "monitor", "sinks"])
def test_the_wheel_has_every_file_of_the_packages(names: set[str], package: str) -> None:
    files = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert files - names == set()
    assert {name for name in names if name.startswith(f"{package}/")} - files == set()


def test_the_wheel_brings_dashboards_and_the_example_configuration(names: set[str]) -> None:
    shared = {name.partition(".data/data/share/driftline/")[2] for name in names}
    wanted = [
        "driftline.example.yaml",
        "docs/driftline.schema.json",
        *(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs" / "schemas").iterdir()),
        *(path.relative_to(ROOT).as_posix() for path in (ROOT / "dashboards" / "grafana").rglob("*.*")),
        "dashboards/prometheus-rules.yml",
    ]
    assert len(wanted) > 10
    assert set(wanted) <= shared
