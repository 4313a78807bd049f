"""What the configuration must know of drift methods: their names and thresholds, from `detectors.registry`.

The registry is imported when first asked, not with the types: it brings SciPy, and ``driftline --help`` must be quick.
"""

import math
from typing import Final

DEFAULT_METHODS: Final = (
    "location",
    "spread",
    "ks",
    "js",
    "missing",
    "invalid",
    "unseen",
    "out_of_range",
    "coverage",
)
"""Those that have a say in a verdict unless the configuration says otherwise."""

DEFAULT_DETECTORS: Final = ("adwin", "page_hinkley")
"""The sequential detectors that read losses in label time unless the configuration says otherwise."""


def method_names() -> tuple[str, ...]:
    """The names of all registered methods, sorted."""
    from detectors import registry

    return tuple(sorted(registry.methods()))


def default_threshold(method: str) -> float:
    """The method's own threshold; NaN for one that is not registered (in a file, the form of `method` refuses it)."""
    from detectors import registry

    known = registry.methods().get(method)
    return math.nan if known is None else float(known.default_threshold)


MAXIMA: Final = {
    **dict.fromkeys(("ks", "js", "hellinger", "tvd", "linf", "missing", "invalid", "unseen", "out_of_range"), 1.0),
    "coverage": 2.0,
}
"""The largest effect that a bounded method can have: a threshold beyond it is never reached."""


def looks_at_events(method: str) -> bool:
    """Whether the method scores whole events, and no columns."""
    from detectors import registry

    known = registry.methods().get(method)
    return known is not None and known.grid == "events"


def detector_names() -> tuple[str, ...]:
    """The names of all sequential detectors, sorted."""
    from detectors.sequential_registry import sequential_detectors

    return tuple(sequential_detectors())
