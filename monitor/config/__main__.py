"""`python -m monitor.config`: the JSON Schema of the configuration, without what plug-ins bring."""

import sys

from monitor.config.json_schema import text

if __name__ == "__main__":
    sys.stdout.write(text())
