"""`driftline ui`: the page and the API, served until stopped."""

import contextlib
import socket
from collections.abc import Callable
from functools import partial
from pathlib import Path

from monitor.api.access import Access
from monitor.api.site import Site
from monitor.api.source import Source
from monitor.cli.query import asked
from monitor.config.addresses import Address, parse_address
from monitor.config.checks import page_problem
from monitor.config.load import load
from monitor.config.schema import Config
from monitor.embedded.session import last_session
from monitor.errors import InputError, StoppedError
from monitor.process.stderr import say

MISSING = "the page needs Starlette, Jinja2 and uvicorn: install driftline[ui]"


def make_site(config: Config, *, token: str = "", place: Callable[[], object] | None = None) -> Site:
    """The surroundings of a server of this configuration's results."""
    source = Source(partial(asked, config), place or partial(last_session, config))
    return Site(source=source, config=config, access=Access(token))


def listening(config: Config, listen: str) -> Address:
    """Where to serve: as the command line says, else the configuration. Raises `InputError` where that is not safe."""
    try:
        address = parse_address(listen) if listen else config.ui.listen
    except ValueError as error:
        raise InputError(f"--listen: {error}") from error
    if address is None:
        raise InputError("the configuration has ui.listen: off", hint="driftline ui CONFIG --listen 127.0.0.1:8642")
    if problem := page_problem(address, config.ui.token.reveal()):
        raise InputError(
            f"ui.token {problem}",
            hint='set ui: {token: "${DRIFTLINE_UI_TOKEN}"} in the file and the variable to a secret',
        )
    return address


def serve(config_path: Path, listen: str, *, quiet: bool = False) -> None:
    """Serve until SIGTERM or SIGINT. Raises `InputError`, or `StoppedError` where the address is taken."""
    try:
        from monitor.api.server import run
    except ImportError as error:
        raise StoppedError(MISSING) from error
    config = load(config_path)
    address = listening(config, listen)
    site = make_site(config, token=config.ui.token.reveal())
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    with contextlib.closing(socket.socket(family, socket.SOCK_STREAM)) as listener, contextlib.closing(site.source):
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((address.host, address.port))
        except OSError as error:
            raise StoppedError(
                f"cannot listen on {address}: {error.strerror}", hint="another address: --listen 127.0.0.1:0"
            ) from error
        if not quiet:
            _announce(Address(host=address.host, port=listener.getsockname()[1]))
        run(site, listener)


def _announce(address: Address) -> None:
    where = f"The page is at http://{address}/ and its API at http://{address}/api/v1/openapi.json"
    say([where, "Stop with Ctrl-C"])
