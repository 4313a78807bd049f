"""Where the page's statements go: a few connections to the destination that answers SQL, opened when first needed.

A session of `driftline up` may end, and another begin, while the page is served: when the destination is out of reach
or another session runs, connections are opened anew, where the configuration and the session say by then.
"""

import contextlib
import queue
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from typing import Final, ParamSpec, TypeVar

import msgspec

from monitor.cli.query import ask
from monitor.errors import Unavailable
from sinks.destination import Queryable

_T = TypeVar("_T")
_P = ParamSpec("_P")
MOST_CONNECTIONS: Final = 3
"""Statements that run side by side; the embedded engine takes four, and deliver wants one."""
Opener = Callable[[], AbstractContextManager[Queryable]]


class Source:
    """Answers statements with rows. Safe for threads.

    Parameters
    ----------
    open_
        Opens a connection, as `monitor.cli.query.asked`.
    place
        Says where that is; when the answer changes, connections are opened anew.
    connections
        How many there are at most: one where each opened connection is a database of its own.
    """

    def __init__(
        self, open_: Opener, place: Callable[[], object] = lambda: None, connections: int = MOST_CONNECTIONS
    ) -> None:
        self._open = open_
        self._place = place
        self._slots = threading.BoundedSemaphore(connections)
        self._askers = ThreadPoolExecutor(connections, thread_name_prefix="asks")
        self._idle: queue.LifoQueue[tuple[object, Queryable, ExitStack]] = queue.LifoQueue()

    def rows(self, statement: str, kind: type[_T], parameters: Mapping[str, object] | None = None) -> list[_T]:
        """The rows that a statement answers, each as a `kind`.

        Raises
        ------
        Unavailable, InputError, StoppedError
            As `monitor.cli.query.ask`.
        """
        answer = self._asked(statement, parameters)
        # ClickHouse may write 64-bit numbers as text, so that JavaScript loses no digit.
        return msgspec.json.Decoder(kind, strict=False).decode_lines(answer)

    def begin(self, call: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
        """Call what asks this source, beside the caller: the statements of a screen hardly wait for each other.

        What is called must not begin others itself: they would wait for its own thread.
        """
        return self._askers.submit(call, *args, **kwargs)

    def _asked(self, statement: str, parameters: Mapping[str, object] | None) -> bytes:
        try:
            with self._connection() as connection:
                return ask(connection, statement, "json", parameters)
        except Unavailable:
            self.close()  # none of them is good any more; where it is now may be somewhere else
            with self._connection() as connection:
                return ask(connection, statement, "json", parameters)

    @contextlib.contextmanager
    def _connection(self) -> Iterator[Queryable]:
        place = self._place()
        with self._slots:
            try:
                known, connection, closing = self._idle.get_nowait()
            except queue.Empty:
                known, closing = None, ExitStack()
                connection = closing.enter_context(self._open())
            else:
                if known != place:
                    closing.close()
                    closing = ExitStack()
                    connection = closing.enter_context(self._open())
            try:
                yield connection
            except BaseException:
                closing.close()
                raise
            self._idle.put((place, connection, closing))

    def close(self) -> None:
        """Close what is not in use."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._idle.get_nowait()[2].close()
