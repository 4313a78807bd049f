"""Write every dashboard as JSON: `python -m monitor.dashboards FOLDER`."""

import json
import sys
from pathlib import Path
from typing import Final

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from monitor.dashboards import column, fleet, model, performance, service

BOARDS: Final = {
    "fleet": fleet.build,
    "model": model.build,
    "column": column.build,
    "performance": performance.build,
    "service": service.build,
}


def texts() -> dict[str, str]:
    """By file name. Keys are sorted, so that a change of a panel is a change of its lines alone."""
    return {
        f"{name}.json": json.dumps(build(), cls=JSONEncoder, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
        for name, build in BOARDS.items()
    }


def write(folder: Path) -> None:
    """All of them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts().items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
