"""Pure statistics: grids, sketches, references, scores. No I/O, no clock, no logging.

Read in this order: `columns`, `grid`, `layout`, `sketch`, `accumulate`, `reference`, `comparison`, `registry`,
`methods/`, `significance`, `sparse`, `permutation`, `calibration`, `score`, `profile`.

Import from the modules (`from detectors.score import score`). Nothing is imported here, and Numba and SciPy only by
what computes with them: `driftline check` reads references and names methods, and must be quick.
"""
