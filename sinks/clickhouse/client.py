"""A client of ClickHouse, or of the engine inside this process.

chDB, as seen with 4.4 (engine 26.9):

- A process can have one path open at a time. Any number of clients may share it; when the last is closed another path
  may be opened. A second path meanwhile is refused.
- The folder is locked against other processes while it is open; they are refused at once. A killed process leaves no
  lock, and the rows whose insert had returned are there.
- Threads may share a client, which takes one call at a time, or have one each; Python's lock makes reading no faster.
- A child made by `os.fork` hangs at its first call: start processes anew instead.
"""

import ssl
from typing import Any

import clickhouse_connect
from clickhouse_connect.driver.binding import quote_identifier
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from sinks.clickhouse.address import ClickHouseAddress
from sinks.clickhouse.classify import classify
from sinks.errors import SinkRejected


def connect(
    address: ClickHouseAddress | str,
    *,
    create_database: bool = False,
    connect_timeout_s: int = 10,
    send_receive_timeout_s: int = 120,
) -> Client:
    """A client that has spoken to ClickHouse once.

    Parameters
    ----------
    address
        Or its text.
    create_database
        Make the address's database if it is not there (needs the right to).
    connect_timeout_s
        Whole seconds, at least 1; without meaning for chDB.
    send_receive_timeout_s
        The longest silence of the server within one call; likewise.

    Raises
    ------
    SinkUnavailable
        Out of reach.
    SinkRejected
        No address, wrong user or password, unknown database, no certificate in the file of `ca_cert`, chDB's folder in
        use or chDB not installed.
    """
    if isinstance(address, str):
        address = ClickHouseAddress.parse(address)
    _check_authority(address)
    arguments = _arguments(address, connect_timeout_s, send_receive_timeout_s)
    try:
        if address.embedded:
            return clickhouse_connect.get_client(interface="chdb", path=address.path)
        if create_database and address.database != "default":
            maker = clickhouse_connect.get_client(**arguments)
            try:
                maker.command(f"CREATE DATABASE IF NOT EXISTS {quote_identifier(address.database)}")
            finally:
                maker.close()
        return clickhouse_connect.get_client(**arguments, database=address.database)
    except (ClickHouseError, OSError, ImportError) as error:
        raise classify(error, secrets=(address.password,), address=str(address)) from error


def _check_authority(address: ClickHouseAddress) -> None:
    """A file that is missing or holds no certificate would look like a network fault, which is tried for ever."""
    if address.ca_cert:
        try:
            ssl.create_default_context(cafile=address.ca_cert)
        except OSError as error:  # ssl.SSLError is one
            reason = error.strerror or "not a certificate"
            raise SinkRejected(f"the file of ?ca_cert= in the ClickHouse address cannot be used: {reason}") from error


def _arguments(address: ClickHouseAddress, connect_timeout_s: int, send_receive_timeout_s: int) -> dict[str, Any]:
    return {
        "interface": "https" if address.scheme == "clickhouses" else "http",
        "host": address.host,
        "port": address.port,
        "username": address.user,
        "password": address.password,
        "ca_cert": address.ca_cert or None,
        "connect_timeout": connect_timeout_s,
        "send_receive_timeout": send_receive_timeout_s,
        # Without a session, queries of several threads may run side by side; nothing here needs temporary state.
        "autogenerate_session_id": False,
        # Leaves the server's version and address out of errors; `classify` names the address without the password.
        "show_clickhouse_errors": "scrub",
    }
