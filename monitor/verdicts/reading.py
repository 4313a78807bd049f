"""What a person read in the page's figures: the words of it that no run can make. Look again when they change."""

from typing import Final

SEED: Final = 2027
"""Of the simulations that were read."""

TARGETS: Final[tuple[str, ...]] = ()
"""Where a target is not reached: how far off, and why."""

FLIGHTS: Final[tuple[str, ...]] = ()
"""Each month of the flights."""
