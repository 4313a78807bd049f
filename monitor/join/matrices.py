"""Rows of one length as matrices of bytes, so that many are taken at once."""

from typing import Any

import numpy as np

from detectors.arrays import Bools, Ints
from monitor.join.rows import HEADS


def bytes_of(records: Any) -> Any:
    """(n, width) uint8."""
    return np.ascontiguousarray(records).view(np.uint8).reshape(records.size, records.dtype.itemsize)


def in_order(ids: bytes, records: Any) -> tuple[bytes, Any]:
    """Sorted as a database sorts them, by their first bytes: so it reads and writes a quarter faster. What is of one id
    stays in the order in which it came, so that its label is corrected by the one that came after it."""
    words = np.frombuffer(ids, dtype=">u8").reshape(-1, 2)
    order = np.argsort(words[:, 0].astype(np.uint64), kind="stable")
    width = records.dtype.itemsize
    matrix = records.view(np.uint8).reshape(records.size, width)[order]
    return words[order].tobytes(), matrix.reshape(-1).view(records.dtype)


def heads_of(stretches: Ints, shape: int) -> Any:
    """(n, HEAD.size) uint8."""
    heads = np.empty(stretches.size, dtype=HEADS)
    heads["stretch"], heads["shape"] = stretches, shape
    return bytes_of(heads)


def records_in(matrix: Any, dtype: Any) -> Any:
    """(n,) records of (n, width) uint8."""
    return np.ascontiguousarray(matrix).reshape(-1).view(dtype)


def matrix_of(rows: list[bytes], where: Bools, length: int) -> Any:
    """(n, length) uint8 of rows of one length."""
    return np.frombuffer(b"".join(chosen(rows, where)), dtype=np.uint8).reshape(-1, length)


def chosen(items: list[bytes], where: Bools) -> list[bytes]:
    """Those where it is True."""
    if where.all():
        return items
    return [items[place] for place in np.flatnonzero(where).tolist()]
