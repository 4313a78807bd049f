"""The JSON against Grafana's own types, which npm installs once into `.build/npm/`."""

import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "dashboards" / "grafana" / "dashboards"
PACKAGE = Path(__file__).with_name("package.json")
# Literals in the place of enums. What is assigned is no fresh literal: queries have fields of their plugin's own.
_LOOSE = """
import type { Dashboard } from '@grafana/schema';
type Loose<T> = T extends string ? `${T}` : T extends number ? number : T extends boolean ? boolean
    : T extends (infer U)[] ? readonly Loose<U>[] : T extends object ? { [K in keyof T]: Loose<T[K]> } : T;
"""
_OPTIONS = [
    "--noEmit",
    "--strict",
    "--skipLibCheck",
    "--target",
    "es2022",
    "--module",
    "esnext",
    "--moduleResolution",
    "bundler",
]


@pytest.fixture(scope="module")
def node() -> Path:
    """The folder of what `package.json` names; npm is run when it is not there yet."""
    folder = ROOT / ".build" / "npm" / hashlib.sha256(PACKAGE.read_bytes()).hexdigest()[:12]
    if folder.is_dir():
        return folder
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed")
    folder.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix="copy-", dir=folder.parent))
    try:
        shutil.copy(PACKAGE, made)
        command = [npm, "install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts"]
        done = subprocess.run(
            command, cwd=made, capture_output=True, text=True, check=False, timeout=120, stdin=subprocess.DEVNULL
        )
        if done.returncode:
            pytest.skip(f"npm failed: {done.stderr[:300]}")
        made.rename(folder)  # an interrupted installation leaves no half-filled folder
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return folder


@pytest.mark.parametrize("broken", [False, True])
def test_grafanas_types_accept_the_dashboards_and_no_other_mode_of_thresholds(node: Path, broken: bool) -> None:
    lines = [_LOOSE]
    for path in sorted(FOLDER.glob("*.json")):
        text = path.read_text().strip()
        if broken:
            text = text.replace('"mode": "absolute"', '"mode": "absolut"')
        lines += [
            f"const {path.stem} = {text} as const;",
            f"export const {path.stem}_: Loose<Dashboard> = {path.stem};",
        ]
    source = node / "dashboards.check.ts"
    source.write_text("\n".join(lines))
    try:
        command = [str(node / "node_modules/.bin/tsc"), *_OPTIONS, source.name]
        done = subprocess.run(command, cwd=node, capture_output=True, text=True, check=False, timeout=120)
    finally:
        source.unlink()
    assert (done.returncode == 0) is not broken, done.stdout[:4_000]
    assert ("absolut" in done.stdout) is broken, done.stdout[:4_000]
