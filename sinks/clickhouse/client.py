"""Where ClickHouse is, and how to reach it.

| address | what |
|---|---|
| `clickhouse://user:password@host:8123/database` | a server, over HTTP |
| `clickhouses://user:password@host:8443/database?ca_cert=/path/ca.pem` | over TLS |
| `chdb:///absolute/path` | the engine inside this process (chDB), its data in that folder |
| `chdb://memory` | the same, data in memory, gone when the last client is closed |

chDB, as seen with 4.4 (engine 26.9):

- A process can have one path open at a time. Any number of clients may share it; when the last is closed another path
  may be opened. A second path meanwhile is refused.
- The folder is locked against other processes while it is open; they are refused at once. A killed process leaves no
  lock, and the rows whose insert had returned are there.
- Threads may share a client, which takes one call at a time, or have one each; Python's lock makes reading no faster.
- A child made by `os.fork` hangs at its first call: start processes anew instead.
"""

import ssl
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

import clickhouse_connect
import msgspec
from clickhouse_connect.driver.binding import quote_identifier
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from sinks.clickhouse.classify import classify
from sinks.errors import SinkRejected

FORMS: Final = "clickhouse://user:password@host:8123/database, clickhouses://... for TLS, or chdb:///absolute/path"
_PORTS: Final = {"clickhouse": 8123, "clickhouses": 8443}
_IN_MEMORY: Final = ":memory:"


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """Where ClickHouse is. Its text form, in messages and logs, never shows the password.

    Attributes
    ----------
    scheme
        `clickhouse`, `clickhouses` or `chdb`.
    path
        Of chDB's folder, or `:memory:`; empty for a server.
    ca_cert
        File with the authority that signed the server's certificate; empty for the system's own.
    """

    scheme: str
    host: str = ""
    port: int = 0
    user: str = "default"
    password: str = ""
    database: str = "default"
    path: str = ""
    ca_cert: str = ""

    @property
    def embedded(self) -> bool:
        """The engine runs inside this process."""
        return self.scheme == "chdb"

    @classmethod
    def parse(cls, dsn: str) -> "Address":
        """The address in a text.

        Raises
        ------
        SinkRejected
            The text is no address. The message repeats no part of it, for it may hold a password.
        """
        try:
            parts = urlsplit(dsn)
            options = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
            port = parts.port
        except ValueError:
            # `from None`: the cause would quote the part it stumbled over, which may be half a password.
            raise SinkRejected(f"the ClickHouse address cannot be read ({_ESCAPE}); use {FORMS}") from None
        if parts.fragment:
            raise SinkRejected(f"the ClickHouse address has a '#' ({_ESCAPE}); use {FORMS}")
        if parts.scheme == "chdb":
            return cls._embedded(parts.netloc, unquote(parts.path), options)
        if parts.scheme not in _PORTS:
            raise SinkRejected(f"the ClickHouse address has no known scheme; use {FORMS}")
        if not parts.hostname:
            raise SinkRejected(f"the ClickHouse address names no host; use {FORMS}")
        unknown = sorted(options.keys() - ({"ca_cert"} if parts.scheme == "clickhouses" else set()))
        if unknown:
            raise SinkRejected("the ClickHouse address has an unknown option; known: ca_cert, with clickhouses://")
        return cls(
            scheme=parts.scheme,
            host=parts.hostname,
            port=_PORTS[parts.scheme] if port is None else port,
            user=unquote(parts.username or "") or "default",
            password=unquote(parts.password or ""),
            database=unquote(parts.path.strip("/")) or "default",
            ca_cert=options.get("ca_cert", ""),
        )

    @classmethod
    def _embedded(cls, netloc: str, path: str, options: dict[str, str]) -> "Address":
        if options:
            raise SinkRejected("a chdb:// address takes no options")
        if netloc == "memory" and path in ("", "/"):
            return cls(scheme="chdb", path=_IN_MEMORY)
        if netloc or path.strip("/") == "":
            raise SinkRejected(
                "a chdb:// address needs an absolute path after three slashes: chdb:///var/lib/driftline"
            )
        return cls(scheme="chdb", path=path)

    def __repr__(self) -> str:
        if self.embedded:
            return "chdb://memory" if self.path == _IN_MEMORY else f"chdb://{self.path}"
        secret = ":***" if self.password else ""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{self.user}{secret}@{host}:{self.port}/{self.database}"

    __str__ = __repr__


_ESCAPE: Final = "write special characters of a password as %XX"


def connect(
    address: Address | str,
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
        address = Address.parse(address)
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


def _check_authority(address: Address) -> None:
    """A file that is missing or holds no certificate would look like a network fault, which is tried for ever."""
    if address.ca_cert:
        try:
            ssl.create_default_context(cafile=address.ca_cert)
        except OSError as error:  # ssl.SSLError is one
            reason = error.strerror or "not a certificate"
            raise SinkRejected(f"the file of ?ca_cert= in the ClickHouse address cannot be used: {reason}") from error


def _arguments(address: Address, connect_timeout_s: int, send_receive_timeout_s: int) -> dict[str, Any]:
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
