"""How many streams on which nothing changes have a false alarm."""

from typing import Final

import numpy as np

from monitor.detector_table.contenders import CONTENDERS, N_PANE, alarms

N_STREAM: Final = 100_000
RATES: Final = (0.02, 0.1, 0.5)
PANES: Final = (1, N_PANE)


def false_alarms(seed: int, n_streams: int) -> dict[tuple[str, float, int], tuple[int, int]]:
    """By contender, error rate and losses a pane: streams with a false alarm, and all false alarms."""
    found = dict.fromkeys(((name, rate, n) for name in CONTENDERS for rate in RATES for n in PANES), (0, 0))
    for rate in RATES:
        for number in range(n_streams):
            errors = (np.random.default_rng((seed, number)).random(N_STREAM) < rate).astype(np.float64)
            for name, make in CONTENDERS.items():
                for n_pane in PANES:
                    own = len(alarms(make(rate), errors, n_pane))
                    streams, total = found[name, rate, n_pane]
                    found[name, rate, n_pane] = (streams + (own > 0), total + own)
    return found
