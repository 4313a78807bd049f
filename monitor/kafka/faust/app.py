"""A Faust app as the roles with state use it: assignment and recovery are Faust's, transactions are ours.

What is processed goes past Faust's own transactions, which log errors and carry on.
"""

from pathlib import Path
from typing import Final, cast

import faust

from monitor.config.schema import Kafka
from monitor.kafka.clients import OWN_MESSAGE_BYTES
from monitor.kafka.faust.auth import credentials
from monitor.kafka.faust.consumer import CommittedConsumer
from monitor.kafka.faust.recovery import TransactionalTables
from monitor.kafka.faust.transport import brokers, transport

BUFFER_MESSAGES: Final = 32
"""Messages that Faust keeps ahead of those in hand. Each may have megabytes, and by default it keeps 4,096."""
_NEVER_S: Final = 1e12


def transactional_app(kafka: Kafka, application_id: str, worker: str, state: Path) -> faust.App:
    """The app of a role.

    `worker` is unique among the role's workers and the same after a restart; its state lies in `state`.
    """
    state.mkdir(parents=True, exist_ok=True)
    app = faust.App(
        application_id,
        broker=brokers(kafka.bootstrap_servers),
        broker_credentials=credentials(kafka.client_settings()),
        datadir=str(state),
        topic_partitions=kafka.sketch_partitions,
        topic_replication_factor=kafka.replication_factor,
        web_enabled=False,
        autodiscover=False,
        consumer_auto_offset_reset="earliest",
        consumer_group_instance_id=f"{application_id}-{worker}",
        consumer_max_fetch_size=OWN_MESSAGE_BYTES,
        broker_session_timeout=kafka.session_timeout_ms / 1000,
        broker_heartbeat_interval=max(0.5, kafka.session_timeout_ms / 6000),
        # What is in hand is finished before its partition is given up, so that it need not be done again.
        stream_wait_empty=True,
        stream_buffer_maxsize=BUFFER_MESSAGES,
        TableManager=TransactionalTables,
        # One message may score many windows; a watchdog that warns of slow streams is of no use here.
        stream_processing_timeout=3600.0,
        # Offsets are committed by transactions that Faust does not see: after five minutes it would report a livelock.
        broker_commit_livelock_soft_timeout=_NEVER_S,
    )
    app.transport = transport(app, kafka.bootstrap_servers, kafka.client_settings())
    return app


def consumer_of(app: faust.App) -> CommittedConsumer:
    """The app's consumer, once it has started."""
    return cast("CommittedConsumer", app.consumer)
