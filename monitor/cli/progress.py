"""What the commands print: results on standard output, and a progress bar for a person who is watching."""

import contextlib
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from monitor.process.stderr import is_json


def results() -> Console:
    """Standard output. Names of files and columns are printed as they are, and a line stays one line in a pipe."""
    return Console(highlight=False, markup=False, emoji=False, soft_wrap=True)


@contextlib.contextmanager
def bar(title: str) -> Iterator[Callable[[float], None]]:
    """Gives a function that takes the fraction done, 0 to 1. The bar goes to standard error and is gone at the end."""
    console = Console(stderr=True)
    watched = console.is_terminal and not is_json()
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not watched) as shown:
        task = shown.add_task(title, total=1.0)
        yield lambda fraction: shown.update(task, completed=fraction)
