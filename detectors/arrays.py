"""Names for the array types used throughout the package. Shapes are given where an array is declared."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Integers = NDArray[np.integer[Any]]
Codes = NDArray[np.int32]
Bools = NDArray[np.bool_]
