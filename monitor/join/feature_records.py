"""How the features of one event lie in bytes, to be compared with those of another event of the same prediction.

Eight bytes a column: a number is its float64, a category the hash of its text. So two categories that the reference
does not know are two, and references that number their categories otherwise agree.
"""

import functools
import hashlib
from typing import Any, Final

import msgspec
import numpy as np

NULL, INVALID, ABSENT, OTHER = 0, 1, 2, 3
"""In the place of a category's hash. `OTHER`: one beyond the reference's largest, whose text is not kept."""
MAX_COLUMNS: Final = 1_000
"""Of a model that are compared: a row of two sides then has 16 KB."""
KEY: Final = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F], dtype=np.uint64)
"""An id's hash xor this is the key of the row of its features: it never meets that of its prediction and label."""


class FeatureShape(msgspec.Struct, frozen=True, kw_only=True, array_like=True, dict=True):
    """What features that lie in the same bytes have in common.

    Attributes
    ----------
    model: its name.
    reference: the digest of the reference that they were decoded by.
    pane_ms: the length of the model's panes.
    numeric, categorical: the names of the columns, in the order of the values.
    """

    model: str
    reference: str
    pane_ms: int
    numeric: tuple[str, ...]
    categorical: tuple[str, ...]

    @functools.cached_property
    def dtype(self) -> Any:
        """Of one event: its time (48 bits), the code of its version, its values."""
        n_columns = len(self.numeric) + len(self.categorical)
        return np.dtype([("low", "<u4"), ("high", "<u2"), ("version", "<u2"), ("values", "<u8", (n_columns,))])


def category_hash(text: str) -> int:
    """What stands for a category: 8 bytes of BLAKE2b, none of the numbers that mean something else."""
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return max(int.from_bytes(digest, "little"), OTHER + 1)
