"""Network addresses: ``host:port``, with ``[::1]:port`` for IPv6."""

import ipaddress
import re

import msgspec

_ADDRESS = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.%]+)\]|(?P<host>[A-Za-z0-9_.*-]+)):(?P<port>[0-9]{1,5})")


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """A host and a port (0 to 65535; 0: any free one)."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        """As it is written in the configuration."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str) -> Address:
    """Read ``host:port``; ValueError, which does not repeat `text`, when it is not one."""
    match = _ADDRESS.fullmatch(text)
    if match is None or int(match["port"]) > 65_535:
        raise ValueError("expected host:port, such as 127.0.0.1:9108, with a port from 0 to 65535")
    return Address(host=match["six"] or match["host"], port=int(match["port"]))
