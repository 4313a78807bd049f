"""Where recovery begins to read a changelog, also where a rebalance comes between its steps."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from typing import Any

import faust
import pytest
from faust.types import TP

from monitor.kafka.faust.recovery import PositionRecovery

KNOWN, ADDED = TP("changelog", 0), TP("changelog", 1)


class AskedConsumer:
    """Answers where changelogs begin, and notes where they are to be read from, as strict as aiokafka."""

    def __init__(self, earliest: int) -> None:
        self.earliest = earliest
        self.sought: dict[TP, int] = {}

    async def earliest_offsets(self, *partitions: TP) -> Mapping[TP, int]:
        return dict.fromkeys(partitions, self.earliest)

    async def seek_wait(self, offsets: Mapping[TP, int]) -> None:
        for offset in offsets.values():
            if not isinstance(offset, int) or offset < 0:
                raise ValueError("Offset must be a positive integer")
        self.sought |= offsets


@pytest.mark.parametrize(("earliest", "begins"), [(0, 0), (40, 39)])
def test_a_standby_that_a_rebalance_adds_after_offsets_were_asked_is_read_from_its_beginning(
    earliest: int, begins: int
) -> None:
    app = faust.App("asked", broker="kafka://127.0.0.1:1", store="memory://")
    recovery, consumer = PositionRecovery(app, app.tables), AskedConsumer(earliest)
    offsets: Any = Counter({KNOWN: 57})
    offsets[ADDED] = None  # as Faust enters a partition of which the disk knows no offset
    asyncio.run(recovery._seek_offsets(consumer, {KNOWN, ADDED}, offsets, "standby"))
    assert consumer.sought == {KNOWN: 57, ADDED: begins}
