"""`python -m monitor.decisions FOLDER`: writes the JSON Schemas of alerts and requests to retrain."""

import sys
from pathlib import Path

from monitor.decisions.schemas import documents

if __name__ == "__main__":
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/schemas")
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in documents().items():
        (folder / name).write_text(text)
