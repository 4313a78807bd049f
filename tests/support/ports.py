"""Ports of this machine that nothing listens on."""

import random
import socket

# Below the range that Linux draws outgoing connections from (32768 up). A client that retries a port of that range
# while its server is down can be given the very same port for its own end: it then talks to itself, and the server
# cannot bind.
_FIRST, _LAST = 15_000, 32_000
_random = random.SystemRandom()
_given: set[int] = set()


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nothing listens on; never the same twice in one process."""
    for _ in range(1_000):
        port = _random.randint(_FIRST, _LAST)
        if port not in _given and _is_free(port):
            _given.add(port)
            return port
    raise RuntimeError(f"no free port from {_FIRST} to {_LAST}")


def free_ports(n: int) -> int:
    """The first of `n` such ports in a row."""
    while True:
        first = free_port()
        if all(_is_free(port) for port in range(first + 1, first + n)):
            _given.update(range(first, first + n))
            return first


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
