"""Arguments and options that several commands have."""

from pathlib import Path
from typing import Annotated

import typer

ConfigArgument = Annotated[Path, typer.Argument(metavar="CONFIG", help="The configuration file (YAML).")]
WorkerOption = Annotated[
    str,
    typer.Option(
        "--worker",
        help="This worker's name: unique among the role's workers, the same after a restart.",
        metavar="NAME",
    ),
]
VerboseOption = Annotated[bool, typer.Option("--verbose", "-v", help="Log in detail.")]


def default_worker() -> str:
    """The name of this machine."""
    import socket

    return socket.gethostname()
