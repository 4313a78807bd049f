"""Everything that waits in a stream, at once."""

import asyncio
from collections.abc import AsyncIterator

from faust.types import EventT

MAX_EVENTS = 256
"""Most events at once, all partitions together."""
MAX_BYTES = 64 * 1024 * 1024
"""Most bytes of events at once, after which no further one is taken."""
GATHER_S = 0.005
"""How long the next event is waited for, in seconds: it has to pass Faust's own tasks."""


async def drained(
    events: AsyncIterator[EventT[bytes]], max_events: int = MAX_EVENTS, max_bytes: int = MAX_BYTES
) -> AsyncIterator[list[EventT[bytes]]]:
    """Lists of the events that wait, one at least, until the stream ends.

    One request for the next event is always under way and is never cancelled, for what it has already taken from the
    stream's queue would be lost. So the stream's *current* event may be one that comes with the next list.
    """
    upcoming = asyncio.ensure_future(anext(events))
    try:
        while True:
            taken = [await upcoming]
            n_bytes = len(taken[0].message.value or b"")
            upcoming = asyncio.ensure_future(anext(events))
            while len(taken) < max_events and n_bytes < max_bytes:
                await asyncio.wait([upcoming], timeout=GATHER_S)
                if not upcoming.done() or upcoming.exception() is not None:
                    break
                taken.append(upcoming.result())
                n_bytes += len(taken[-1].message.value or b"")
                upcoming = asyncio.ensure_future(anext(events))
            yield taken
    except StopAsyncIteration:
        return
    finally:
        upcoming.cancel()  # only now: the stream has ended, or nobody will ask any more
