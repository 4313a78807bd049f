"""Texts that change whenever rows come."""

from typing import Final

import msgspec

from monitor.api.source import Source

_PULSE: Final = """
SELECT concat(toString(sum(rows)), '-', toString(max(modification_time))) AS stamp FROM system.parts
WHERE active AND database = currentDatabase()
    AND table IN ('windows', 'drift_verdicts', 'performance', 'rejects', 'alerts', 'retraining')
"""
# Blocks are numbered as they come, so that a merge which drops as many rows as came is seen too.
_WINDOWS: Final = """
SELECT concat(toString(count()), '-', toString(sum(rows)), '-', toString(sum(max_block_number)), '-',
    toString(max(modification_time))) AS stamp
FROM system.parts WHERE active AND database = currentDatabase() AND table = 'windows'
"""


class _Stamp(msgspec.Struct):
    stamp: str


def pulse(source: Source) -> str:
    """It costs nothing to ask: ClickHouse looks at no row."""
    return source.rows(_PULSE, _Stamp)[0].stamp


def windows_pulse(source: Source) -> str:
    """Of windows alone."""
    return source.rows(_WINDOWS, _Stamp)[0].stamp
