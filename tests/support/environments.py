"""Wheels of Driftline, and Python environments that have one: installed as a user has it, of this tree or of another.

The dependencies are those of the environment that runs the tests, linked and not copied, so that an environment takes a
second and no network; any of them may be left out.
"""

import importlib.metadata
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from packaging.utils import canonicalize_name

_PACKAGES = ("detectors", "monitor", "sinks")
_DATA = ("dashboards", "docs")
_FILES = ("pyproject.toml", "README.md", "LICENSE", "driftline.example.yaml")
_BUILD = "import sys; from setuptools import build_meta; print(build_meta.build_wheel(sys.argv[1]))"
OURS = "driftline"


def build_wheel(tree: Path, folder: Path) -> Path:
    """The wheel of a source tree, in `folder`, by the tree's own build backend. The tree is left as it is."""
    source = folder / "source"
    for name in (*_PACKAGES, *_DATA):
        shutil.copytree(tree / name, source / name, ignore=shutil.ignore_patterns("__pycache__", "screenshots"))
    for name in _FILES:
        shutil.copy2(tree / name, source)
    command = [sys.executable, "-c", _BUILD, str(folder)]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder / done.stdout.splitlines()[-1]


class Environment:
    """A virtual environment in `folder` with Driftline from `wheel`, and what the tests' own environment has beside it.

    Parameters
    ----------
    folder
        Made here.
    wheel
        A pure wheel, unpacked as an installer does; the console script is `python -m monitor`.
    without
        Names of distributions that it does not have.
    compiled_in
        A tree with the same sources, whose machine code is taken over as far as there is some: compiling takes half a
        minute.
    """

    def __init__(
        self, folder: Path, wheel: Path, *, without: Collection[str] = (), compiled_in: Path | None = None
    ) -> None:
        venv.create(folder, symlinks=True)
        self.python = folder / "bin" / "python"
        self.site_packages = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
        _link_distributions(self.site_packages, {OURS, *map(canonicalize_name, without)})
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(self.site_packages)
        if compiled_in is not None:
            _take_machine_code(compiled_in, self.site_packages)

    def command(self, *arguments: object) -> list[str]:
        """A `driftline` command line."""
        return [str(self.python), "-m", "monitor", *map(str, arguments)]

    def variables(self) -> dict[str, str]:
        """This process's environment variables without those that point Python to other code."""
        return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}

    def run(
        self, arguments: Sequence[str], cwd: Path, variables: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run its Python with `arguments` in the folder `cwd`."""
        return subprocess.run(
            [str(self.python), *arguments],
            cwd=cwd,
            env={**self.variables(), **(variables or {})},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )


def _link_distributions(site_packages: Path, without: set[str]) -> None:
    """Link everything at the top of the tests' own site-packages, but what belongs to distributions left out alone."""
    own = Path(sysconfig.get_path("purelib"))
    wanted: set[str] = set()
    for distribution in importlib.metadata.distributions(path=[str(own)]):
        if canonicalize_name(distribution.name) not in without:
            wanted.update(file.parts[0] for file in distribution.files or ())
    for name in wanted - {"..", "__pycache__"}:
        if not name.endswith(".pth"):  # an editable installation's points to other code
            (site_packages / name).symlink_to(own / name)


def _take_machine_code(tree: Path, site_packages: Path) -> None:
    """Copy what Numba keeps beside the sources of `tree`. It is good for sources of the same time and content."""
    for kept in (kept for package in _PACKAGES for kept in (tree / package).rglob("*.nb[ic]")):
        own = site_packages / kept.relative_to(tree)
        own.parent.mkdir(exist_ok=True)
        shutil.copy2(kept, own)
    for source in (source for package in _PACKAGES for source in (tree / package).rglob("*.py")):
        own = site_packages / source.relative_to(tree)
        assert own.read_bytes() == source.read_bytes(), f"{source} is not what the wheel has"
        shutil.copystat(source, own)
