"""Faust's recovery of tables, which lets messages flow when it has ended and not before: see `faust_transport`."""

from typing import cast

from faust.tables.manager import TableManager
from faust.tables.recovery import Recovery

from monitor.kafka.faust.transport import CommittedConsumer


class OrderedRecovery(Recovery):
    """Restores tables from their changelog topics; the last thing it does is to open the consumer."""

    async def on_recovery_completed(self, generation_id: int = 0) -> None:
        """Seek and resume the stream's partitions, then let their messages come."""
        consumer = cast("CommittedConsumer", self.app.consumer)
        rebalances = consumer.rebalances
        await super().on_recovery_completed(generation_id)
        if self.app.consumer_generation_id == generation_id:  # else it gave up half-way: the next assignment restores
            consumer.restored(rebalances)


class OrderedTables(TableManager):
    """The tables of an app, with that recovery: for the setting `TableManager` of `faust.App`."""

    @property
    def recovery(self) -> Recovery:
        """The service that restores tables."""
        if self._recovery is None:
            self._recovery = OrderedRecovery(self.app, self, beacon=self.beacon, loop=self.loop)
        return self._recovery
