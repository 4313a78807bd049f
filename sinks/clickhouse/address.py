"""Where ClickHouse is.

| address | what |
|---|---|
| `clickhouse://user:password@host:8123/database` | a server, over HTTP |
| `clickhouses://user:password@host:8443/database?ca_cert=/path/ca.pem` | over TLS |
| `chdb:///absolute/path` | the engine inside this process (chDB), its data in that folder |
| `chdb://memory` | the same, data in memory, gone when the last client is closed |

No client is imported, so that commands which only name the place need none.
"""

from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from sinks.errors import SinkRejected

FORMS: Final = "clickhouse://user:password@host:8123/database, clickhouses://... for TLS, or chdb:///absolute/path"
_PORTS: Final = {"clickhouse": 8123, "clickhouses": 8443}
_IN_MEMORY: Final = ":memory:"
_ESCAPE: Final = "write special characters of a password as %XX"


class ClickHouseAddress(msgspec.Struct, frozen=True, kw_only=True):
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
    def parse(cls, dsn: str) -> "ClickHouseAddress":
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
    def _embedded(cls, netloc: str, path: str, options: dict[str, str]) -> "ClickHouseAddress":
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
