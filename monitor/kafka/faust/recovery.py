"""Faust's recovery of tables, for changelogs that are written in transactions.

Faust compares offsets of *records* with the changelog's end. The end of a transaction is a marker, which is an offset
and never a record, so that comparison waits for ever. Here a table is restored when its changelog was *read* to the end
that stood after this worker had fenced the one before it, and the last record that was read is applied.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Literal, cast

from faust.tables.manager import TableManager
from faust.tables.recovery import Recovery, ServiceStopped
from faust.types import TP

from monitor.kafka.faust.consumer import CommittedConsumer

LOOK_S = 0.02
"""How often it is asked whether tables are restored, in seconds: markers are read without anything being told."""


class PositionRecovery(Recovery):
    """Restores tables from their changelog topics; the last thing it does is to open the consumer."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._signal_recovery_end = _Restored(self)

    def need_recovery(self) -> bool:
        """Whether any changelog is not yet read to its end, or what was read is not yet applied."""
        return any(not self._is_restored(tp, last + 1) for tp, last in self.active_highwaters.items())

    def _is_restored(self, tp: TP, end: int) -> bool:
        read, applied = self._consumer.read_to(tp), self.active_offsets[tp]
        return read.position >= end and (-1 if applied is None else applied) >= read.last_record

    def end(self) -> None:
        """Write what is still in memory; what is read from now on is no recovery."""
        self.flush_buffers()
        self._set_recovery_ended()

    async def on_recovery_completed(self, generation_id: int = 0) -> None:
        """Seek and resume the stream's partitions, then let their messages come."""
        rebalances = self._consumer.rebalances
        await super().on_recovery_completed(generation_id)
        if self.app.consumer_generation_id == generation_id:  # else it gave up half-way: the next assignment restores
            self._consumer.restored(rebalances)

    async def _seek_offsets(self, consumer: Any, tps: set[TP], offsets: Any, title: str) -> None:
        # Faust seeks all standbys that it has now. A rebalance may have added one since it asked where changelogs
        # begin; where the disk knows no offset either, it would seek to None, which ends the process.
        unknown = {tp for tp in tps if offsets[tp] is None}
        if unknown:
            await self._build_offsets(consumer, unknown, offsets, title)
        await super()._seek_offsets(consumer, tps, offsets, title)

    async def _wait(self, coro: Any, timeout: Any = None) -> None:
        try:
            await super()._wait(coro, timeout)
        except ServiceStopped as error:
            # Faust says the same when the time is over, and would then restore no more, for ever.
            if self.should_stop:
                raise
            raise TimeoutError(f"the broker has not answered for {timeout} s while state was restored") from error

    @property
    def _consumer(self) -> CommittedConsumer:
        return cast("CommittedConsumer", self.app.consumer)


class _Restored(asyncio.Event):
    """The end of a recovery, as a condition to wait for. As an event that is set, and cleared at once, it is missed by
    who begins to wait a moment later."""

    def __init__(self, recovery: PositionRecovery) -> None:
        super().__init__()
        self._recovery = recovery

    async def wait(self) -> Literal[True]:
        """Return when all changelogs are read and applied."""
        while self._recovery.need_recovery():
            await asyncio.sleep(LOOK_S)
        self._recovery.end()
        return True

    def set(self) -> None:
        """Nothing: who waits looks."""


class TransactionalTables(TableManager):
    """The tables of an app, with that recovery: for the setting `TableManager` of `faust.App`.

    `take_hold` is called with the partitions of each assignment, before anything of their changelogs is looked at.
    """

    take_hold: Callable[[set[TP]], Coroutine[Any, Any, None]]

    async def on_rebalance(
        self, assigned: set[TP], revoked: set[TP], newly_assigned: set[TP], generation_id: int = 0
    ) -> None:
        """Take hold of what is assigned, then restore it."""
        if generation_id == self.app.consumer_generation_id:  # else another rebalance has overtaken this one
            await self.take_hold(assigned)
        await super().on_rebalance(assigned, revoked, newly_assigned, generation_id)

    @property
    def recovery(self) -> Recovery:
        """The service that restores tables."""
        if self._recovery is None:
            self._recovery = PositionRecovery(self.app, self, beacon=self.beacon, loop=self.loop)
        return self._recovery
