"""The keys of a ClickHouse destination."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from msgspec import Meta, field

from sinks.address_secrets import password
from sinks.secret import Secret
from sinks.settings import DestinationSettings, Embedded, Form, FormError

if TYPE_CHECKING:
    from sinks.clickhouse.sink import ClickHouseSink

_ESCAPE = "write what is special in a password as %XX, or put it in by ${NAME}"


def _dsn(text: str) -> str:
    """ClickHouse's URL, as `sinks.clickhouse.client` takes it: ``clickhouse://``, ``clickhouses://``, ``chdb://``.

    It is read again there. Here the places where half a password could pass for a host or a database are closed.
    """
    try:
        url = urlsplit(text)
        port = url.port
        options = [key for key, _ in parse_qsl(url.query, keep_blank_values=True, strict_parsing=bool(url.query))]
    except ValueError:
        raise FormError(f"expected a URL whose parts can be read; {_ESCAPE}") from None
    if url.scheme not in ("clickhouse", "clickhouses", "chdb") or "://" not in text:
        raise FormError("expected a URL that begins with clickhouse://, clickhouses:// or chdb:///")
    if not text.isprintable() or " " in text or url.fragment:
        raise FormError(f"expected a URL without spaces and '#'; {_ESCAPE}")
    if url.scheme == "chdb":
        if (url.netloc or not url.path.strip("/")) and f"{url.netloc}{url.path}" not in ("memory", "memory/"):
            raise FormError("expected chdb:/// and an absolute path, with three slashes, or chdb://memory")
    elif not url.hostname or port == 0 or url.path.count("/") > 1 or "@" in url.path:
        raise FormError(f"expected clickhouse://user:password@host:8123/database; {_ESCAPE}")
    if any(option != "ca_cert" or url.scheme != "clickhouses" for option in options):
        raise FormError("expected no options but ca_cert, which clickhouses:// takes")
    return text


_DSN = Form(expected="a URL such as clickhouse://user:${PASSWORD}@host:8123/database", read=_dsn, secrets=password)


class Settings(DestinationSettings, frozen=True, kw_only=True):
    """Where ClickHouse is, and how long it keeps rows."""

    dsn: Secret[Annotated[str, Meta(extra={"form": _DSN})]] = field(
        default_factory=lambda: Secret("clickhouse://default@localhost:8123/driftline")
    )
    """``clickhouse://user:password@host:8123/database``, ``clickhouses://`` for TLS, or ``chdb:///path``."""
    retention_days: Annotated[int, Meta(ge=1, le=20_000)] = 400
    """Rows older than this are dropped by ClickHouse itself. It counts expiry in seconds of 32 bits, until 2106: what
    expired later would expire at once."""

    def open(self) -> "ClickHouseSink":
        """The sink, not yet connected."""
        from sinks.clickhouse.sink import ClickHouseSink

        return ClickHouseSink(self.dsn.reveal(), retention_days=self.retention_days)

    def embedded(self, folder: Path, port: int) -> Embedded:
        """The engine that comes as a wheel, chDB, in a process of its own; its data in its own DSN's folder, else in
        `folder`."""
        own = self.dsn.reveal()
        path = unquote(urlsplit(own).path) if own.startswith("chdb:///") else str(folder)
        return Embedded(
            keys={"dsn": f"clickhouse://127.0.0.1:{port}/default"},
            command=("sinks.clickhouse.engine", path, str(port)),
            at_rest={"dsn": f"chdb://{quote(path)}"},
        )

    def where(self) -> str:
        """The address without its password; that of chDB says when others may open it."""
        from sinks.clickhouse.address import ClickHouseAddress

        address = ClickHouseAddress.parse(self.dsn.reveal())
        return f"{address} (chDB; for other processes once this one is stopped)" if address.embedded else str(address)
