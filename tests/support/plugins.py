"""Packages outside the tree, as pip would install them: modules beside a `dist-info` folder that names entry points."""

from collections.abc import Mapping
from pathlib import Path

from sinks.registry import GROUP


def install_plugin(folder: Path, package: str, modules: Mapping[str, str], destinations: Mapping[str, str]) -> None:
    """Put a package into `folder`, which must be on the path of whoever looks for it.

    Parameters
    ----------
    package
        The distribution's name; its version is 1.0.
    modules
        Source by module name.
    destinations
        What each type of destination is, as in `module:Settings`.
    """
    info = folder / f"{package.replace('-', '_')}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    lines = [f"[{GROUP}]", *(f"{name} = {value}" for name, value in destinations.items())]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
    for name, source in modules.items():
        (folder / f"{name}.py").write_text(source)
