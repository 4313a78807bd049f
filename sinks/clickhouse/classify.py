"""What an exception of the driver means for the caller: try again, stop, or drop. A pure function and its tables.

Codes are ClickHouse's own: https://github.com/ClickHouse/ClickHouse/blob/master/src/Common/ErrorCodes.cpp
"""

import re
from collections.abc import Iterable
from typing import Final

from clickhouse_connect.driver.exceptions import DataError, Error, OperationalError

from sinks.errors import BadRecord, SinkError, SinkRejected, SinkUnavailable, scrub

_MAX_MESSAGE: Final = 500

# Code -> seconds to wait. What passes by itself: load, a restart, a lost connection, a replica that catches up.
_PASSES: Final[dict[int, float]] = {
    159: 1,  # TIMEOUT_EXCEEDED
    160: 1,  # TOO_SLOW
    173: 5,  # CANNOT_ALLOCATE_MEMORY
    198: 5,  # DNS_ERROR
    201: 30,  # QUOTA_EXCEEDED: quotas renew with their interval
    202: 1,  # TOO_MANY_SIMULTANEOUS_QUERIES
    203: 1,  # NO_FREE_CONNECTION
    209: 1,  # SOCKET_TIMEOUT
    210: 1,  # NETWORK_ERROR
    225: 5,  # NO_ZOOKEEPER
    236: 5,  # ABORTED: the server is shutting down
    241: 5,  # MEMORY_LIMIT_EXCEEDED
    242: 5,  # TABLE_IS_READ_ONLY: a replica without its coordinator
    243: 30,  # NOT_ENOUGH_SPACE: merges and TTL may free some
    252: 10,  # TOO_MANY_PARTS: merges lag behind inserts
    254: 5,  # NO_ACTIVE_REPLICAS
    279: 5,  # ALL_CONNECTION_TRIES_FAILED
    285: 5,  # TOO_FEW_LIVE_REPLICAS
    286: 5,  # UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE
    319: 1,  # UNKNOWN_STATUS_OF_INSERT: rows are idempotent
    394: 1,  # QUERY_WAS_CANCELLED
    425: 5,  # SYSTEM_ERROR
    439: 5,  # CANNOT_SCHEDULE_TASK
    473: 1,  # DEADLOCK_AVOIDED
    499: 5,  # S3_ERROR
    692: 10,  # TOO_MANY_MUTATIONS: they are worked off
    745: 5,  # SERVER_OVERLOADED
    999: 5,  # KEEPER_EXCEPTION
    1000: 5,  # POCO_EXCEPTION
    1001: 5,  # STD_EXCEPTION
    1002: 5,  # UNKNOWN_EXCEPTION
}
_MIGRATE: Final = "run `driftline migrate`"
_LOGIN: Final = "check user and password in the address"
_RIGHTS: Final = "grant the user SELECT and INSERT on the database (and CREATE for `driftline migrate`)"

# Code -> what a person can do.
_NEEDS_A_PERSON: Final[dict[int, str]] = {
    16: _MIGRATE,  # NO_SUCH_COLUMN_IN_TABLE
    20: _MIGRATE,  # NUMBER_OF_COLUMNS_DOESNT_MATCH
    46: _MIGRATE,  # UNKNOWN_FUNCTION
    47: _MIGRATE,  # UNKNOWN_IDENTIFIER
    53: _MIGRATE,  # TYPE_MISMATCH
    60: _MIGRATE,  # UNKNOWN_TABLE
    81: f"{_MIGRATE}, which creates the database",  # UNKNOWN_DATABASE
    164: _RIGHTS,  # READONLY
    192: _LOGIN,  # UNKNOWN_USER
    193: _LOGIN,  # WRONG_PASSWORD
    194: _LOGIN,  # REQUIRED_PASSWORD
    497: _RIGHTS,  # ACCESS_DENIED
    516: _LOGIN,  # AUTHENTICATION_FAILED
}
_BAD_VALUE: Final = frozenset({128, 131})  # TOO_LARGE_ARRAY_SIZE, TOO_LARGE_STRING_SIZE
_STATUS_PASSES: Final[dict[int, float]] = {408: 1, 425: 1, 429: 5, 500: 5, 502: 1, 503: 1, 504: 1}
_STATUS_LOGIN: Final = frozenset({401, 403, 407})

_CODE: Final = re.compile(r"\b[Cc]ode: ?(\d+)")
_UNVERIFIED: Final = re.compile(r"CERTIFICATE_VERIFY_FAILED\](?: certificate verify failed: ([^()\[\]]*[^()\[\] .]))?")
_STATUS: Final = re.compile(r"HTTP status (\d{3})")


def classify(error: BaseException, *, secrets: Iterable[str] = (), address: str = "") -> SinkError:
    """The error to raise instead. The same exception gives the same answer, whatever happened before.

    An exception that nobody foresaw stops: it is better to be told than to try for ever.

    Parameters
    ----------
    error
        From the driver, or from the operating system below it.
    secrets
        Never to appear in the message.
    address
        For the message; without a password.
    """
    if isinstance(error, SinkError):
        return error
    text = scrub(" ".join(str(error).split()), secrets)[:_MAX_MESSAGE]
    where = f"ClickHouse at {address}" if address else "ClickHouse"
    if isinstance(error, ImportError):
        return SinkRejected("a chdb:// address needs the engine: pip install 'driftline[embedded]'")
    if "EmbeddedServer already initialized" in text:
        return SinkRejected(f"{where}: this process has another chDB folder open; a process can use one at a time")
    if "Unable to open the chdb engine" in text:
        return SinkRejected(f"{where}: the folder cannot be opened; another process may be using it: {text}")
    if isinstance(error, DataError | OverflowError | UnicodeError | TypeError | ValueError):
        return BadRecord(f"a value that its column cannot hold: {text}")
    code = _code(error, text)
    if code in _PASSES:
        return SinkUnavailable(f"{where}: {text}", retry_after_s=_PASSES[code])
    if code in _NEEDS_A_PERSON:
        return SinkRejected(f"{where}: {_NEEDS_A_PERSON[code]}: {text}")
    if code in _BAD_VALUE:
        return BadRecord(f"{where}: {text}")
    if code is None:
        return _without_code(error, where, text)
    return SinkRejected(f"{where}: {text}")


def _code(error: BaseException, text: str) -> int | None:
    if isinstance(error, Error) and error.code is not None:
        return error.code
    found = _CODE.search(text)
    return int(found.group(1)) if found else None


def _without_code(error: BaseException, where: str, text: str) -> SinkError:
    """No answer from ClickHouse itself: a proxy's, or none at all."""
    found = _STATUS.search(text)
    status = int(found.group(1)) if found else None
    if status in _STATUS_PASSES:
        return SinkUnavailable(f"{where}: {text}", retry_after_s=_STATUS_PASSES[status])
    if status in _STATUS_LOGIN:
        return SinkRejected(f"{where}: {_LOGIN}: {text}")
    if status is None and isinstance(error, OperationalError | OSError):
        cause = scrub(str(error.__cause__ or ""))[:_MAX_MESSAGE]
        unverified = _UNVERIFIED.search(cause) or _UNVERIFIED.search(text)
        if unverified:
            reason = unverified.group(1) or "no reason given"
            return SinkRejected(
                f"{where}: its certificate cannot be verified ({reason}); ?ca_cert= names the authority that signed it"
            )
        return SinkUnavailable(f"{where} does not answer: {_system_error(error) or text}")
    return SinkRejected(f"{where}: {text}")


def _system_error(error: BaseException | None) -> str:
    """What the operating system said, such as "Connection refused", under two libraries; "" if nothing."""
    said = ""
    while error is not None:
        said = (error.strerror or "") if isinstance(error, OSError) else said
        error = error.__cause__ or error.__context__
    return said
