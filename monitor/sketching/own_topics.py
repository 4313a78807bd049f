"""The names of Driftline's own topics, and which partition of them a model lives on. Pure."""

from typing import Final

SKETCHES: Final = "sketches"
RESULTS: Final = "results"
REJECTS: Final = "rejects"
JOINS: Final = "joins"
UNDELIVERED: Final = "undelivered"


def partition_of_model(model: str, n_partitions: int) -> int:
    """The partition of our own topics that a model lives on. FNV-1a: the same in every process and release.

    Python's `hash` differs between processes, and librdkafka's default differs from aiokafka's.
    """
    value = 0xCBF29CE484222325
    for byte in model.encode():
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return value % n_partitions
