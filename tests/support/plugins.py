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


JSON_LINES = '''
"""A destination of another package: each record in a file of its own, a JSON object a line."""

import json
from pathlib import Path

from sinks.destination import Written
from sinks.records import RECORDS, record_of
from sinks.secret import Secret
from sinks.settings import DestinationSettings


class Settings(DestinationSettings, frozen=True, kw_only=True):
    """Where the files are."""

    folder: Path
    records: tuple[str, ...] = ("drift_score", "late_dropped")
    token: Secret[str] = Secret("")

    def __post_init__(self):
        if not set(self.records) <= set(RECORDS):
            raise ValueError("records: no such record")

    def open(self):
        return JsonLines(self)


class JsonLines:
    def __init__(self, settings):
        self.takes = frozenset(settings.records)
        self._folder = settings.folder

    def setup(self):
        self._folder.mkdir(parents=True, exist_ok=True)

    def write(self, batches):
        for batch in batches:
            with (self._folder / f"{record_of(batch).name}.jsonl").open("a") as file:
                file.writelines(json.dumps(row) + "\\n" for row in batch.to_pylist())
        return Written()

    def close(self):
        pass
'''
