"""The JSON against Grafana's own types.

Wants `npm install @grafana/schema@11.6 typescript@5` in the folder that `DRIFTLINE_GRAFANA_SCHEMA` names.
"""

import os
import subprocess
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "dashboards" / "grafana" / "dashboards"
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


@pytest.mark.parametrize("broken", [False, True])
def test_grafanas_types_accept_the_dashboards_and_no_other_mode_of_thresholds(broken: bool) -> None:
    node = os.environ.get("DRIFTLINE_GRAFANA_SCHEMA")
    if not node:
        pytest.skip("DRIFTLINE_GRAFANA_SCHEMA names no folder with @grafana/schema and typescript")
    lines = [_LOOSE]
    for path in sorted(FOLDER.glob("*.json")):
        text = path.read_text().strip()
        if broken:
            text = text.replace('"mode": "absolute"', '"mode": "absolut"')
        lines += [
            f"const {path.stem} = {text} as const;",
            f"export const {path.stem}_: Loose<Dashboard> = {path.stem};",
        ]
    source = Path(node) / "dashboards.check.ts"
    source.write_text("\n".join(lines))
    try:
        command = [str(Path(node) / "node_modules/.bin/tsc"), *_OPTIONS, source.name]
        done = subprocess.run(command, cwd=node, capture_output=True, text=True, check=False, timeout=120)
    finally:
        source.unlink()
    assert (done.returncode == 0) is not broken, done.stdout[:4_000]
    assert ("absolut" in done.stdout) is broken, done.stdout[:4_000]
