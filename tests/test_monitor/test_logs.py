"""What the libraries' own logging may say."""

import logging
from collections.abc import Iterator

import pytest
import structlog

from monitor.process.logs import configure_logging


@pytest.fixture
def configured() -> Iterator[None]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    configure_logging("evaluate")
    yield
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.mark.usefixtures("configured")
@pytest.mark.parametrize("library", ["aiokafka.client", "aiokafka.conn", "driftline.kafka", "urllib3.connectionpool"])
def test_a_lost_connection_is_no_line_of_the_librarys(library: str) -> None:
    # aiokafka tells of one that is refused seventy times a second. The role says once that the broker is lost.
    assert not logging.getLogger(library).isEnabledFor(logging.ERROR)


@pytest.mark.usefixtures("configured")
def test_an_error_of_fausts_is_told() -> None:
    assert logging.getLogger("faust.app").isEnabledFor(logging.ERROR)
