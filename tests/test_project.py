"""The files around the code agree with each other and with what they promise."""

import importlib.metadata
import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from monitor.config.load import load
from monitor.config.schema import Config

ROOT = Path(__file__).parents[1]
PINNED = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*==[A-Za-z0-9.!+]+$")
# An address of a package index, or an option that names one. Written so that it does not match itself.
INDEX_ADDRESS = re.compile(
    r"[p]ypi\.org/simple|[p]ythonhosted\.org|[r]egistry\.npmjs|[r]epo\d?\.maven|https?://\S+/simple\b"
    r"|--(?:extra-)?index-url|--find[-]links|^\s*(?:extra-)?index-url\s*=",
    re.MULTILINE,
)


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return document


@pytest.fixture(scope="module")
def constraints() -> dict[str, str]:
    return dict(_pin(line) for line in _constraint_lines())


def test_every_constraint_is_a_name_and_a_version() -> None:
    assert [line for line in _constraint_lines() if not PINNED.match(line)] == []


def test_constraints_cover_every_dependency_of_the_project(
    project: dict[str, Any], constraints: dict[str, str]
) -> None:
    wanted = [*project["project"]["dependencies"]]
    for extra in project["project"]["optional-dependencies"].values():
        wanted += extra
    requirements = [Requirement(text) for text in wanted]
    assert [r.name for r in requirements if canonicalize_name(r.name) not in constraints] == []
    assert [str(r) for r in requirements if not r.specifier.contains(constraints[canonicalize_name(r.name)])] == []


def test_constraints_hold_every_package_that_the_project_brings_with_it(constraints: dict[str, str]) -> None:
    installed = dict(_closure("driftline", {"embedded", "demo", "dev"}))
    assert {name: version for name, version in installed.items() if constraints.get(name) != version} == {}


def test_no_committed_file_names_an_index_address() -> None:
    named = []
    for path in _committed():
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        named += [f"{path.relative_to(ROOT)}: {match[0].strip()}" for match in INDEX_ADDRESS.finditer(text)]
    assert named == []


def test_an_index_address_would_be_found() -> None:
    for text in ("https://" + "pypi.org/" + "simple", "--index" + "-url x", "https://packages.example/" + "simple/x"):
        assert INDEX_ADDRESS.search(text)


def test_every_make_target_of_the_readme_exists() -> None:
    readme = (ROOT / "README.md").read_text()
    code = "\n".join(re.findall(r"^```.*?^```", readme, re.DOTALL | re.MULTILINE) + re.findall(r"`[^`\n]+`", readme))
    named = set(re.findall(r"\bmake ([a-z-]+)", code))
    assert {"demo", "test"} <= named
    assert named <= _make_targets()


def test_make_help_lists_every_target() -> None:
    said = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert set(re.findall(r"^make ([a-z-]+)", said, re.MULTILINE)) == _make_targets()


def test_make_names_the_way_out_when_python_is_too_old(tmp_path: Path) -> None:
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    old = tmp_path / "old-python"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && { echo Python 3.9.1; exit; }\nexit 1\n')
    old.chmod(0o755)
    done = subprocess.run(["make", "venv", f"PYTHON={old}"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode
    assert "needs Python 3.11 or newer; here is Python 3.9.1" in done.stderr
    assert not (tmp_path / ".venv").exists()


def test_the_licence_is_the_one_that_the_project_names(project: dict[str, Any]) -> None:
    assert "Apache-2.0" in str(project["project"]["license"])
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License\n                           Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text


def test_the_changelog_knows_this_version(project: dict[str, Any]) -> None:
    assert f"## [{project['project']['version']}]" in (ROOT / "CHANGELOG.md").read_text()


def test_the_image_runs_as_an_ordinary_user() -> None:
    users = re.findall(r"^USER (\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert users, "no USER: the image runs as root"
    assert int(users[-1].split(":")[0]) > 0


def test_the_image_is_built_from_pinned_images_and_from_files_that_are_sent() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    assert [line for line in lines if line.startswith("FROM") and not _is_pinned(line.split()[1])] == []
    copied = {name for line in lines if re.match(r"COPY (?!--from)", line) for name in line.split()[1:-1]}
    sent = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert copied == sent


def test_every_compose_image_is_pinned(compose: dict[str, Any]) -> None:
    images = {service["image"] for service in compose["services"].values()}
    assert [image for image in images if not _is_pinned(image)] == []


def test_every_compose_service_that_stays_is_watched(compose: dict[str, Any]) -> None:
    # The roles' check is the image's own.
    unwatched = [
        name
        for name, service in compose["services"].items()
        if service["restart"] != "no" and "healthcheck" not in service and "build" not in service
    ]
    assert unwatched == []
    assert "HEALTHCHECK" in (ROOT / "Dockerfile").read_text()


def test_compose_services_name_only_what_the_file_declares(compose: dict[str, Any]) -> None:
    services = compose["services"]
    for name, service in services.items():
        assert set(service["networks"]) <= set(compose["networks"]), name
        for needed, how in service.get("depends_on", {}).items():
            ends = services[needed]["restart"] == "no"
            assert how["condition"] == ("service_completed_successfully" if ends else "service_healthy"), (name, needed)
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source.startswith("./") or source in compose["volumes"], (name, volume)


def test_compose_holds_no_password_and_refuses_to_start_without_one(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        for key, value in service.get("environment", {}).items():
            if "PASSWORD" in key:
                assert re.match(r"\$\{\w+:\?[^}]+\}$", value), (name, key)


def test_compose_opens_its_ports_to_this_machine_alone(compose: dict[str, Any]) -> None:
    ports = [port for service in compose["services"].values() for port in service.get("ports", [])]
    assert ports
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


def test_the_example_configuration_fits_the_compose_file(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert all("./driftline.example.yaml:/etc/driftline/driftline.yaml:ro" in services[r]["volumes"] for r in _ROLES)
    given = {**services["ingest"]["environment"], "CLICKHOUSE_PASSWORD": "secret"}
    config = _example(given)
    listeners = services["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    assert f"INTERNAL://{config.kafka.bootstrap_servers}," in listeners
    assert "@clickhouse:8123/" in config.destinations["clickhouse"].dsn.reveal()
    assert str(config.metrics.listen) == "0.0.0.0:9108"
    assert str(config.state_dir).startswith("/var/lib/driftline/")
    assert {model.reference.parent.name for model in config.models} == {"references"}
    topics = config.kafka.topics
    script = services["topics"]["command"][0]
    assert f"for topic in {' '.join((*topics.predictions, *topics.features, *topics.labels))};" in script


def test_the_example_configuration_is_for_this_machine_when_nothing_is_set() -> None:
    config = _example({})
    assert config.kafka.bootstrap_servers == "localhost:9092"
    assert "@localhost:8123/" in config.destinations["clickhouse"].dsn.reveal()
    assert str(config.metrics.listen) == "127.0.0.1:9108"


def test_prometheus_scrapes_every_role_where_it_serves(compose: dict[str, Any]) -> None:
    document = yaml.safe_load((ROOT / "dashboards" / "prometheus.yml").read_text())
    job = next(job for job in document["scrape_configs"] if job["job_name"] == "driftline")
    (found,) = job["dns_sd_configs"]
    assert tuple(found["names"]) == _ROLES
    assert compose["services"]["ingest"]["environment"]["DRIFTLINE_LISTEN"].endswith(f":{found['port']}")
    assert f"EXPOSE {found['port']}" in (ROOT / "Dockerfile").read_text()


def test_docker_compose_accepts_its_file(tmp_path: Path) -> None:
    if (
        shutil.which("docker") is None
        or subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode
    ):
        pytest.skip("docker compose is not installed")
    command = ["docker", "compose", "-f", str(ROOT / "docker-compose.yml"), "config", "--quiet"]
    environment = {**os.environ, "CLICKHOUSE_PASSWORD": "secret"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_prometheus_accepts_its_file() -> None:
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed")
    command = ["promtool", "check", "config", str(ROOT / "dashboards" / "prometheus.yml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


_ROLES = ("ingest", "join", "evaluate", "deliver")


def _example(environ: dict[str, str]) -> Config:
    return load(ROOT / "driftline.example.yaml", environ=environ)


def _constraint_lines() -> list[str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def _pin(line: str) -> tuple[str, str]:
    name, _, version = line.partition("==")
    return canonicalize_name(name), version


def _closure(name: str, extras: set[str]) -> Iterator[tuple[str, str]]:
    """What an installed distribution needs, all the way down, with the versions that are installed."""
    todo, seen = [(name, frozenset(extras))], set()
    while todo:
        key = todo.pop()
        if key in seen:
            continue
        seen.add(key)
        try:
            distribution = importlib.metadata.distribution(key[0])
        except importlib.metadata.PackageNotFoundError:
            continue  # an extra that this virtual environment was made without
        if key[0] != name:
            yield canonicalize_name(key[0]), distribution.version
        for text in distribution.requires or ():
            requirement = Requirement(text)
            if any(_applies(requirement, extra) for extra in key[1] or {""}):
                todo.append((requirement.name, frozenset(requirement.extras)))


def _applies(requirement: Requirement, extra: str) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})


def _committed() -> list[Path]:
    """What git holds or would take."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


def _make_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):(?!=)", (ROOT / "Makefile").read_text(), re.MULTILINE))


def _is_pinned(image: str) -> bool:
    """Whether an image names a version; `:25` alone, `:latest` or nothing do not."""
    tag = image.rpartition("/")[2].partition(":")[2]
    return bool(re.match(r"v?\d+\.\d+", tag))
