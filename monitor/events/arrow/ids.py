"""The hashes of the ids in an Arrow column."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from monitor.events.arrow.arrays import categories
from monitor.events.identity import hash_texts
from monitor.events.words import PADDING


def id_hashes(array: Any, model: str) -> Any:
    """(n, 2) uint64; (0, 0) of a null, and of what is neither text nor an integer."""
    if pa.types.is_integer(array.type):
        array = pc.cast(array, pa.string())
    elif pa.types.is_dictionary(array.type) and pa.types.is_string(array.type.value_type):
        array = pc.cast(array, pa.large_string())  # an empty text is an id, though as a category it is none
    elif not (pa.types.is_string(array.type) or pa.types.is_large_string(array.type)):
        texts = [value if isinstance(value, str) else None for value in categories(array)]
        array = pa.array(texts, pa.large_string())
    if not len(array):
        return np.empty((0, 2), dtype=np.uint64)
    array = pc.cast(array, pa.large_binary())
    valid, ends, data = array.buffers()
    offsets = np.frombuffer(ends, dtype=np.uint64)[array.offset : array.offset + len(array) + 1]
    first, last = int(offsets[0]), int(offsets[-1])
    own = np.frombuffer(data, dtype=np.uint8)[first:last] if data is not None and last > first else b""
    # A byte in front: a text at place 0 that is empty would be none.
    text = np.concatenate([[0], np.frombuffer(own, dtype=np.uint8), np.frombuffer(PADDING, np.uint8)]).astype(np.uint8)
    places = np.stack([offsets[:-1], offsets[1:]], axis=1) - np.uint64(first) + np.uint64(1)
    if valid is not None:
        places[~pc.is_valid(array).to_numpy(zero_copy_only=False)] = 0
    return hash_texts(text, places, model)
