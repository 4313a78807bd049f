"""One text that changes whenever rows come."""

from typing import Final

import msgspec

from monitor.api.source import Source

_PULSE: Final = """
SELECT concat(toString(sum(rows)), '-', toString(max(modification_time))) AS stamp FROM system.parts
WHERE active AND database = currentDatabase()
    AND table IN ('windows', 'drift_verdicts', 'performance', 'rejects', 'alerts', 'retraining')
"""


class _Stamp(msgspec.Struct):
    stamp: str


def pulse(source: Source) -> str:
    """It costs nothing to ask: ClickHouse looks at no row."""
    return source.rows(_PULSE, _Stamp)[0].stamp
