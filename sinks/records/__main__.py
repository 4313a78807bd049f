"""`python -m sinks.records`: writes the documentation of all records to standard output."""

import sys

from sinks.records import RECORDS
from sinks.records.document import document

if __name__ == "__main__":
    sys.stdout.write(document(RECORDS))
