"""The command line in this process: a configuration of one model, `reference build`, `replay`, what they gave."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from monitor.cli.app import run


@dataclass(frozen=True, kw_only=True)
class Replayed:
    """The exit code and the screen of a replay, and its verdicts."""

    code: int
    screen: str
    verdicts: list[dict[str, Any]]

    @property
    def drifted(self) -> set[str]:
        """The columns that drifted in any window."""
        return {row["column"] for row in self.verdicts if row["drifted"]}

    @property
    def columns(self) -> set[str]:
        """All columns that have a verdict."""
        return {row["column"] for row in self.verdicts}


class OneModel:
    """A folder with a configuration of the model `m`: further keys of it are given as YAML, `task: binary`."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str], *keys: str) -> None:
        self.folder = folder
        self._capsys = capsys
        self.configure(*keys)

    def configure(self, *keys: str) -> None:
        """Write the configuration anew."""
        lines = ["models:", "  - name: m", "    reference: m.ref", *(f"    {key}" for key in keys)]
        if not any(key.startswith("windows") for key in keys):
            lines.append("    windows: [{size: 1d}]")
        (self.folder / "config.yaml").write_text("\n".join(lines) + "\n")

    def command(self, *arguments: object) -> tuple[int, str]:
        """Run a command on the configuration; its exit code, and what it printed on both streams."""
        self._capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        printed = self._capsys.readouterr()
        return code, printed.out + printed.err

    def build(self, data: str | Path, *options: str) -> tuple[int, str]:
        """`reference build` from a file of the folder."""
        config = self.folder / "config.yaml"
        return self.command("reference", "build", config, "--data", self.folder / data, *options)

    def replay(self, data: str | Path, *options: str) -> Replayed:
        """`replay --close` of a file of the folder."""
        out = self.folder / "out"
        code, screen = self.command(
            "replay",
            self.folder / "config.yaml",
            "--predictions",
            self.folder / data,
            "--out",
            out,
            "--close",
            "--force",
            *options,
        )
        verdicts = pq.read_table(out / "verdicts.parquet").to_pylist() if (out / "verdicts.parquet").exists() else []
        return Replayed(code=code, screen=screen, verdicts=verdicts)
