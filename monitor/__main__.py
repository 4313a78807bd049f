"""`driftline`, and `python -m monitor`."""

import sys

from monitor.cli.app import run
from monitor.process.stderr import keep_json


def main() -> None:
    """Run the command line and end the process with its exit code."""
    keep_json()
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
