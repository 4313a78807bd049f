"""Pure statistics: grids, sketches, references, scores. No I/O, no clock, no logging.

Read in this order: `columns`, `grid`, `layout`, `sketch`, `accumulate`, `reference`, `comparison`, `registry`,
`methods/`, `significance`, `sparse`, `permutation`, `calibration`, `score`, `profile`.

The functions are imported from their modules (`from detectors.score import score`): a function of the same name here
would hide its module.
"""

from detectors.columns import Column, Kind
from detectors.layout import Layout
from detectors.profile import Profile, profiles
from detectors.reference import REST, WHOLE, Reference, categorical_column, numeric_column, segment_name
from detectors.registry import Method, Scores, register
from detectors.score import Score
from detectors.settings import Setting
from detectors.sketch import Sketch

__all__ = [
    "REST",
    "WHOLE",
    "Column",
    "Kind",
    "Layout",
    "Method",
    "Profile",
    "Reference",
    "Score",
    "Scores",
    "Setting",
    "Sketch",
    "categorical_column",
    "numeric_column",
    "profiles",
    "register",
    "segment_name",
]
