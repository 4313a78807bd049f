"""What the libraries' own logging may say."""

import logging

import pytest

from monitor.process.logs import configure_logging


@pytest.fixture
def configured() -> None:
    configure_logging("evaluate")


@pytest.mark.usefixtures("configured")
@pytest.mark.parametrize("library", ["aiokafka.client", "aiokafka.conn", "driftline.kafka", "urllib3.connectionpool"])
def test_a_lost_connection_is_no_line_of_the_librarys(library: str) -> None:
    # aiokafka tells of one that is refused seventy times a second. The role says once that the broker is lost.
    assert not logging.getLogger(library).isEnabledFor(logging.ERROR)


@pytest.mark.usefixtures("configured")
def test_an_error_of_fausts_is_told() -> None:
    assert logging.getLogger("faust.app").isEnabledFor(logging.ERROR)
