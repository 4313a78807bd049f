"""Garbage collection is paused while a batch gathers, and only then."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from monitor.process.garbage import gc_paused, gc_seldom


@pytest.fixture
def collections() -> Iterator[list[int]]:
    """The generations that were collected, in order."""
    seen: list[int] = []

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "stop":
            seen.append(info["generation"])

    gc.callbacks.append(note)
    yield seen
    gc.callbacks.remove(note)


class Knot:
    """Holds itself, so that only the collector frees it."""

    def __init__(self) -> None:
        self.itself = self


def gather() -> list[list[int]]:
    return [[number] for number in range(10 * gc.get_threshold()[0])]


def test_nothing_is_collected_while_a_batch_gathers(collections: list[int]) -> None:
    gather()
    assert collections  # as it is without the block
    collections.clear()
    with gc_paused():
        gather()
        assert not collections


def test_a_loop_of_nothing_but_blocks_finds_its_garbage() -> None:
    """As ingest's: what one turn leaves is gone when the next begins."""
    with gc_paused():
        knots = [weakref.ref(Knot()) for _ in range(2 * gc.get_threshold()[0])]
        assert all(knot() is not None for knot in knots)
    with gc_paused():
        assert all(knot() is None for knot in knots)


@pytest.mark.parametrize("enabled", [True, False])
def test_the_collector_is_as_it_was_also_after_an_error(enabled: bool) -> None:
    def fail() -> None:
        with gc_paused():
            assert not gc.isenabled()
            raise KeyError

    if not enabled:
        gc.disable()
    try:
        with pytest.raises(KeyError):
            fail()
        assert gc.isenabled() is enabled
    finally:
        gc.enable()


def test_seldom_means_fewer_collections_until_the_block_ends(collections: list[int]) -> None:
    before = gc.get_threshold()
    with gc_seldom():
        kept = [[number] for number in range(10_000)]
        seldom = len(collections)
    kept += [[number] for number in range(10_000)]
    assert gc.get_threshold() == before
    assert seldom == 0
    assert len(collections) > 5
